"""What the page fetches and posts: its own files, photographs, targets and downloads."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from importlib import resources
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from jaxgan.app.messages import MAX_MESSAGE, as_edit, as_expression, pack, read_object
from jaxgan.app.photo import Found, LivePhoto, find, jpeg
from jaxgan.app.security import MAX_BODY, TooLargeError
from jaxgan.app.sessions import ForgottenError, Sessions
from jaxgan.app.worker import BusyError, Worker
from jaxgan.data.images import decode_image
from jaxgan.editor import Editor
from jaxgan.errors import InputError, JaxganError
from jaxgan.faces.controls import CONTROLS
from jaxgan.faces.fit import ANGLES
from jaxgan.faces.target import write_expression
from jaxgan.photos.opened import OpenPhoto
from jaxgan.photos.writing import encode

AT_ONCE = 4  # files received and decoded at once: each may take some 400 MB until its faces are found
SAME = 0.02  # px: landmarks that differ by less are of the same photograph; saved ones have three digits
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
STATUS = {TooLargeError: 413, ForgottenError: 410, BusyError: 503}


class Pages:
    """The handlers of requests; each takes one and returns the response."""

    def __init__(self, editor: Editor, sessions: Sessions, worker: Worker):
        """The page's files are read now, so that no name in a request ever becomes a path."""
        self._editor, self._sessions, self._worker = editor, sessions, worker
        self._receiving = 0
        files = (file for file in (resources.files("jaxgan.app") / "static").iterdir() if file.name.endswith((*TYPES,)))
        self._files = {file.name: file.read_bytes() for file in files}

    async def file(self, request: Request) -> Response:
        """GET / and /NAME: a file of the page."""
        name = request.path_params.get("name", "index.html")
        if name not in self._files:
            return JSONResponse({"message": "there is no such page"}, 404)
        return Response(self._files[name], media_type=TYPES[PurePosixPath(name).suffix])

    async def photo(self, request: Request) -> Response:
        """POST /photo: a photograph, as the form's file; opens its largest face."""
        async with self._file_of(request) as data:
            found = await asyncio.to_thread(find, data)
            photo = await self._worker.run(LivePhoto, self._editor, found)
        return await self._opened(self._sessions.add(photo), photo)

    async def face(self, request: Request) -> Response:
        """POST /face: {"face": N} opens another face of the same photograph."""
        name, photo = self._session(request)
        number = (await self._json(request)).get("face")
        if type(number) is not int:
            raise InputError("face must be a whole number")
        pixels = await asyncio.to_thread(decode_image, photo.data, True)
        other = await self._worker.run(LivePhoto, self._editor, Found(photo.data, pixels, photo.faces), number)
        self._sessions.replace(name, other)
        return await self._opened(name, other)

    async def target(self, request: Request) -> Response:
        """POST /target: a picture of a face, or a saved expression.

        The answer has its landmarks as "target"; or, where the expression was saved from this very photograph, "offsets" from
        the face as it is, which bring back the points exactly.
        """
        _, photo = self._session(request)
        async with self._file_of(request) as data:
            if not data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
                found = await asyncio.to_thread(find, data)
                seen = await self._worker.run(OpenPhoto, self._editor, found.pixels, found.faces[0].keypoints)
                return JSONResponse({"target": np.round(seen.own.astype(np.float64), 3).tolist()})
        points, own = as_expression(data)
        full = photo.keypoints / np.float32(photo.scale)
        if own is not None and np.abs(own - full).max() < SAME:
            return JSONResponse({"offsets": ((points - full) * photo.scale).tolist()})
        return JSONResponse({"target": points.tolist()})

    async def expression(self, request: Request) -> Response:
        """POST /expression: the landmarks of an edit as a saved expression."""
        _, photo = self._session(request)
        points = await self._worker.run(photo.points, as_edit(await self._json(request)))
        own = np.round(photo.keypoints.astype(np.float64) / photo.scale, 3).tolist()
        return JSONResponse(read_object(write_expression(points)) | {"own": own})

    async def download(self, request: Request) -> Response:
        """POST /download: the photograph in full with an edit, as PNG, marked as edited."""
        _, photo = self._session(request)
        edit = as_edit(await self._json(request))
        async with self._turn():
            pixels = await asyncio.to_thread(decode_image, photo.data, True)
            made = await self._worker.run(photo.edit_full, edit, pixels)
            return Response(await asyncio.to_thread(encode, made), media_type="image/png")

    async def _opened(self, name: str, photo: LivePhoto) -> Response:
        height, width = photo.shown.shape[:2]
        header = {
            "session": name,
            "size": [width, height],
            "face": photo.face,
            "faces": [(face.keypoints * photo.scale).tolist() for face in photo.faces],
            "points": photo.keypoints.tolist(),
            "values": {control: float(value) for control, value in photo.values.items()},
            "controls": {control: _range(control, float(photo.values[control])) for control in CONTROLS},
            "remarks": photo.remarks,
        }
        picture = await asyncio.to_thread(jpeg, photo.shown)
        return Response(pack(header, picture), media_type="application/octet-stream")

    def _session(self, request: Request) -> tuple[str, LivePhoto]:
        name = request.headers.get("x-session", "")
        return name, self._sessions.get(name)

    async def _json(self, request: Request) -> dict[str, Any]:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_MESSAGE:
                raise TooLargeError("the message is too large")
        return read_object(bytes(body))

    @contextlib.asynccontextmanager
    async def _file_of(self, request: Request) -> AsyncIterator[bytes]:
        """The one file of a form, kept in memory: nothing is written to the disk."""
        async with self._turn():
            parser = MultiPartParser(request.headers, request.stream(), max_files=1, max_fields=0)
            parser.spool_max_size = MAX_BODY + 1
            try:
                form = await parser.parse()
            except (MultiPartException, KeyError, ValueError) as error:
                if isinstance(error, JaxganError):
                    raise
                raise InputError("the request must be a form with one file") from None
            files = [value for _, value in form.multi_items() if not isinstance(value, str)]
            if len(files) != 1:
                raise InputError("the request must be a form with one file")
            try:
                yield await files[0].read()
            finally:
                await form.close()

    @contextlib.asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self._receiving >= AT_ONCE:
            raise BusyError("the server is busy with other photographs; try again")
        self._receiving += 1
        try:
            yield
        finally:
            self._receiving -= 1


def failed(request: Request, error: Exception) -> Response:
    """The response to what a user can mend: one sentence."""
    return JSONResponse({"message": str(error)}, next((STATUS[kind] for kind in STATUS if isinstance(error, kind)), 400))


def left(request: Request, error: ClientDisconnect) -> Response:
    """The response that nobody reads, to a page that left while it sent."""
    return Response(status_code=400)


def _range(name: str, value: float) -> list[float]:
    """The ends of a control's slider, low to high: what faces in photographs show, and this one."""
    low, high = (CONTROLS[name].low, CONTROLS[name].high) if name in ANGLES else (-1.0, 1.0)
    return [min(low, value), max(high, value)]

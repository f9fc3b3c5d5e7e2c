"""A page's connection: it sends moves faster than they can be answered, and gets answers to the newest."""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable
from functools import partial
from typing import Any

import numpy as np
from starlette.websockets import WebSocket, WebSocketDisconnect

from jaxgan.app.messages import Move, as_move, pack, read_object, unpack
from jaxgan.app.photo import Answer, find_in_frame
from jaxgan.app.sessions import ForgottenError, Sessions
from jaxgan.app.worker import Stopped, Worker
from jaxgan.data.shape import place
from jaxgan.editor import TUNING_STEPS
from jaxgan.errors import InputError, JaxganError

STILL = 0.02  # of a face's size: points that move by less between frames are mostly the detector's noise
BROKEN = "the server failed at this; its terminal says why"

_log = logging.getLogger(__name__)


class Live:
    """One page at one photograph.

    A move is in work at most, and one waits: a newer one takes its place. So there is no backlog, and the last is answered.
    """

    def __init__(self, socket: WebSocket, session: str, sessions: Sessions, worker: Worker):
        """`session` is the photograph's name."""
        self._socket, self._session, self._sessions, self._worker = socket, session, sessions, worker
        self._edits: deque[Move] = deque(maxlen=1)  # a newer one pushes the older one out; read by the worker's thread too
        self._frames: deque[Move] = deque(maxlen=1)
        self._arrived = asyncio.Event()
        self._at = 0  # number of the move in work
        self._tuning: asyncio.Task | None = None
        self._left = False
        self._seen: np.ndarray | None = None  # the camera's face, steadied

    async def serve(self) -> None:
        """Answers until the page leaves."""
        answering = asyncio.create_task(self._answer_all())
        try:
            while (message := await self._socket.receive())["type"] != "websocket.disconnect":
                await self._take(message.get("text"), message.get("bytes"))
        except (WebSocketDisconnect, RuntimeError):  # it left while it was written to
            pass
        finally:
            self._left = True  # ends the tuning, which runs in the worker
            for task in (answering, self._tuning):
                if task:
                    task.cancel()
                    with contextlib.suppress(asyncio.CancelledError, Exception):
                        await task

    async def _take(self, text: str | None, data: bytes | None) -> None:
        try:
            fields, picture = unpack(data) if data is not None else (read_object(text or ""), None)
            kind = fields.get("type")
            if kind == "edit" and picture is None:
                self._edits.append(as_move(fields))
                self._arrived.set()
            elif kind == "frame" and picture is not None:
                self._frames.append(as_move(fields, picture))
                self._arrived.set()
            elif kind == "personalise" and len(fields) == 1 and picture is None:
                if self._tuning and not self._tuning.done():
                    raise InputError("the editor is being personalised already")
                self._tuning = asyncio.create_task(self._personalise())
            else:
                raise InputError("unknown type of message; known: edit, frame, personalise")
        except InputError as error:
            await self._say("error", message=str(error))

    async def _answer_all(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            if self._frames:
                await self._reply(self._follow(self._frames.pop()))
            if self._edits:
                await self._reply(self._edit())

    async def _reply(self, made: Awaitable[bytes]) -> None:
        """Sends what was made of a move, or what went wrong."""
        try:
            answer = await made
        except ForgottenError as error:
            await self._say("gone", seq=self._at, message=str(error))
        except JaxganError as error:
            await self._say("error", seq=self._at, message=str(error))
        except Exception:
            _log.exception("an edit failed")
            await self._say("error", seq=self._at, message=BROKEN)
        else:
            await self._socket.send_bytes(answer)

    async def _edit(self) -> bytes:
        """The answer to the move that is the newest when the worker comes to it, after those of other pages."""
        self._at = self._edits[-1].seq
        photo = self._sessions.get(self._session)

        def newest() -> tuple[Move, Answer]:
            move = self._edits.pop()
            self._at = move.seq
            return move, photo.edit(move.edit)

        move, made = await self._worker.run(newest)
        return _packed(move, made)

    async def _follow(self, move: Move) -> bytes:
        """The answer to a frame of the camera."""
        self._at = move.seq
        photo = self._sessions.get(self._session)
        found = await asyncio.to_thread(find_in_frame, move.frame)
        self._seen = steadied(self._seen, found)
        edit = move.edit.towards(self._seen)
        made = await self._worker.run(photo.edit, edit)
        return _packed(move, made, target=_pairs(edit.target), reference=_pairs(edit.reference))

    async def _personalise(self) -> None:
        loop = asyncio.get_running_loop()

        def progress(done: int) -> None:
            if self._left:
                raise Stopped
            loop.call_soon_threadsafe(tell, done)
            self._worker.give_way()

        told: set[asyncio.Task] = set()  # asyncio itself keeps no running task

        def tell(done: int) -> None:
            task = loop.create_task(self._say("progress", done=done, steps=TUNING_STEPS))
            told.add(task)
            task.add_done_callback(told.discard)

        try:
            photo = self._sessions.get(self._session)
            await self._worker.run_long(partial(photo.personalise, progress))
        except Stopped:
            return
        except ForgottenError as error:
            await self._say("gone", message=str(error))
        except JaxganError as error:
            await self._say("error", message=str(error))
        except Exception:
            _log.exception("personalising failed")
            await self._say("error", message=BROKEN)
        else:
            await self._say("personalised")

    async def _say(self, kind: str, **fields: Any) -> None:
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # the page has left
            await self._socket.send_json({"type": kind, **fields})


def steadied(before: np.ndarray | None, found: np.ndarray) -> np.ndarray:
    """Landmarks [68, 2] of a frame, drawn towards those of the frame before as far as they hardly moved."""
    if before is None:
        return found
    moved = float(np.sqrt(((found - before) ** 2).sum(axis=-1).mean())) / float(place(found)[1])
    share = np.float32(min(1.0, max(0.3, moved / (2 * STILL))))
    return before + share * (found - before)


def _packed(move: Move, made: Answer, **fields: Any) -> bytes:
    values = {name: round(float(value), 4) for name, value in made.values.items()}
    header = {"type": "edited", "seq": move.seq, "box": made.box, "points": _pairs(made.points), "values": values}
    return pack(header | fields, made.picture)


def _pairs(points: np.ndarray | None) -> list[list[float]] | None:
    return None if points is None else np.round(points.astype(np.float64), 2).tolist()

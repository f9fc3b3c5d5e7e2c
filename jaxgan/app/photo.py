"""A photograph that a page edits: small for what moves, in full for the download."""

import io
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

from jaxgan.app.messages import Edit
from jaxgan.data.detection import DEFAULT_DETECTOR, Face, load_detector
from jaxgan.data.images import decode_image, on_white, resample
from jaxgan.data.shape import check_shape
from jaxgan.errors import ImageError, InputError
from jaxgan.faces import controls
from jaxgan.faces.target import Target
from jaxgan.photos.finding import choose, find_faces
from jaxgan.photos.opened import OpenPhoto

if TYPE_CHECKING:
    from jaxgan.editor import Editor

FACE_SIDE = 256  # px: of the face's crop in what is shown, at most
SHOWN_SIDE = 1600  # px: of all that is shown, at most
FRAME_SIDE = 1280  # px: larger frames of a camera are refused
QUALITY = 90  # of JPEG


class Found(NamedTuple):
    """A photograph and the faces in it."""

    data: bytes  # the file; its pixels would take ten times the memory
    pixels: np.ndarray  # uint8 [H, W, 3 or 4]
    faces: list[Face]  # the largest first


class Answer(NamedTuple):
    """What an edit changes in the photograph as it is shown."""

    box: tuple[int, int, int, int] | None  # left, top, right, bottom in pixels of it; None if nothing changes
    picture: bytes  # JPEG of the box
    points: np.ndarray  # float32 [68, 2], landmarks asked for, in pixels of it
    values: Mapping[str, float]  # of the controls, before they are changed


def find(data: bytes) -> Found:
    """Decodes a photograph and finds its faces.

    Raises:
      ImageError: it is no image, or too large.
      InputError: there is no face.
    """
    pixels = decode_image(data, alpha=True)
    faces = find_faces(load_detector(DEFAULT_DETECTOR), on_white(pixels))
    choose(faces, None)
    return Found(data, pixels, faces)


def find_in_frame(data: bytes) -> np.ndarray:
    """Landmarks float32 [68, 2] of the largest face in a frame of a camera.

    Raises:
      ImageError: it is no small image.
      InputError: there is no face.
    """
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
            size = image.size
    except Exception:  # damaged files fail with whatever Pillow's decoder happens to raise
        raise ImageError("a frame must be a JPEG") from None
    if max(size) > FRAME_SIDE:
        raise ImageError(f"a frame must have at most {FRAME_SIDE} px a side")
    return choose(load_detector(DEFAULT_DETECTOR)(decode_image(data)), None).keypoints


class LivePhoto:
    """A face of a photograph, ready for any number of edits. All but the attributes belong to the worker's thread.

    Attributes:
      faces: all faces found, the largest first.
      face: number of the one that is edited.
      scale: pixels of what is shown for one of the photograph.
      shown: uint8 [H, W, 3], the photograph as it is shown.
      keypoints: float32 [68, 2], the face's landmarks in its pixels.
      values: of the face's controls as it is.
      remarks: what a user should know of how the face was found.
      personal: whether the generator is tuned to the face.
    """

    def __init__(self, editor: "Editor", found: Found, face: int = 0):
        """Opens a face.

        Raises:
          InputError: there is none of that number, or it reaches out of the photograph.
        """
        chosen = choose(found.faces, face)
        self._editor = editor
        self.data, self.faces, self.face, self.personal = found.data, found.faces, face, False
        full = OpenPhoto(editor, found.pixels, chosen.keypoints, found.faces, chosen)
        height, width = found.pixels.shape[:2]
        self.scale = min(1.0, FACE_SIDE / full.crop.side, SHOWN_SIDE / max(height, width))
        size = max(1, round(width * self.scale)), max(1, round(height * self.scale))
        self.shown = resample(on_white(found.pixels), *size)
        self.keypoints = (chosen.keypoints * self.scale).astype(np.float32)
        self.remarks = full.remarks
        self._opened = OpenPhoto(editor, self.shown, self.keypoints, found.faces)
        self._own = self._target = controls.fit(self._opened.own)
        self._target_of: tuple = ()
        self.values = self._own.values

    def edit(self, edit: Edit) -> Answer:
        """What an edit changes in the photograph as it is shown.

        Raises:
          InputError: it gives no face.
        """
        opened = self._opened
        (wanted, asked), values = self._wanted(edit)
        made = opened.edit(wanted, edit.strength, asked=asked)
        points = self.keypoints + self._restored(wanted - opened.own)
        box = _changed(self.shown, made)
        if box is None:
            return Answer(None, b"", points, values)
        left, top, right, bottom = box
        return Answer(box, jpeg(made[top:bottom, left:right]), points, values)

    def edit_full(self, edit: Edit, pixels: np.ndarray) -> np.ndarray:
        """The edited photograph in full, as its pixels uint8 [H, W, 3 or 4], which are not kept here."""
        both, _ = self._wanted(edit)
        full = OpenPhoto(self._opened.editor, pixels, self.faces[self.face].keypoints)
        if np.array_equal(both[0], self._opened.own):
            return full.edit(full.own)
        moved = [full.keypoints + self._restored(each - self._opened.own) / np.float32(self.scale) for each in both]
        wanted, asked = (full.crop.move(each, len(full.portrait)) for each in moved)
        return full.edit(wanted, edit.strength, asked=asked)

    def points(self, edit: Edit) -> np.ndarray:
        """Landmarks float32 [68, 2] that an edit asks for, in pixels of the photograph in full."""
        (wanted, _), _ = self._wanted(edit)
        return (self.keypoints + self._restored(wanted - self._opened.own)) / np.float32(self.scale)

    def personalise(self, progress: Callable[[int], None]) -> None:
        """Tunes the generator to the face; `progress` is called with the number of steps done, and may end it by raising."""
        tuned = self._editor.personalise(self._opened.portrait, progress=progress)
        self._opened = OpenPhoto(tuned, self.shown, self.keypoints, self.faces)
        self.personal = True

    def _wanted(self, edit: Edit) -> tuple[tuple[np.ndarray, np.ndarray], Mapping[str, float]]:
        """Landmarks float32 [68, 2] in pixels of the portrait, wanted and asked for, and the controls' values before.

        Raises:
          InputError: they form no face.
        """
        opened, fitted = self._opened, self._fit(edit)
        wanted = asked = fitted.keypoints
        if any(edit.controls.values()):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the sliders end where the warning would begin
                wanted = fitted.adjust(**edit.controls)
                asked = fitted.adjust(emphasise=True, **edit.controls)
        if edit.offsets is not None and edit.offsets.any():
            here, side = self.keypoints, len(opened.portrait)
            dragged = opened.crop.move(here + edit.offsets, side) - opened.crop.move(here, side)
            wanted, asked = wanted + dragged, asked + dragged
        try:
            check_shape(wanted)
        except InputError:
            raise InputError("the points no longer form a face: undo, or move them back") from None
        return (wanted, asked), fitted.values

    def _fit(self, edit: Edit) -> controls.Face:
        """The face before its controls are changed; the last target is remembered, as sliders move with it."""
        if edit.target is None:
            return self._own
        reference = b"" if edit.reference is None else edit.reference.tobytes()
        if (key := (edit.target.tobytes(), reference, edit.parts)) != self._target_of:
            target = Target(edit.target, parts=edit.parts, reference=edit.reference)
            self._target = controls.fit(target.wanted(self._own.keypoints)[0])
            self._target_of = key
        return self._target

    def _restored(self, moves: np.ndarray) -> np.ndarray:
        """Moves [68, 2] in pixels of the portrait as moves in pixels of what is shown."""
        opened = self._opened
        side = len(opened.portrait)
        return opened.crop.restore(opened.own + moves, side) - opened.crop.restore(opened.own, side)


def jpeg(image: np.ndarray) -> bytes:
    """uint8 [H, W, 3] as JPEG."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=QUALITY, subsampling=0)
    return file.getvalue()


def _changed(before: np.ndarray, after: np.ndarray) -> tuple[int, int, int, int] | None:
    """The smallest box, left, top, right, bottom, in which two pictures uint8 [H, W, 3] differ."""
    differs = (before != after).any(axis=-1)
    rows, columns = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1

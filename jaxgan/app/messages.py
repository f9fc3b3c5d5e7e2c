"""What the page may send, checked field by field, and the binary form of what carries a picture.

A binary message, either way, is the length of its header (4 bytes, the least significant first), the header in JSON, and the
bytes of a picture. Points are 68 pairs [x, y], in pixels of the photograph as the page shows it.
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from jaxgan.data.landmarks import NUM_LANDMARKS
from jaxgan.data.shape import check_shape
from jaxgan.errors import InputError
from jaxgan.faces.controls import CONTROLS
from jaxgan.faces.retarget import PARTS
from jaxgan.faces.target import FORMAT

MAX_MESSAGE = 2**18  # bytes of a message of the page; a camera's frame has some 20,000
LARGEST = 1e5  # px or degrees: no number of a message is beyond
MAX_SEQ = 2**53  # the integers that JavaScript knows exactly
MAX_STRENGTH = 2.0
_LENGTH = struct.Struct("<I")


@dataclass(frozen=True)
class Edit:
    """What a face is to become, all of it: the server remembers no edits.

    Attributes:
      controls: changes of jaxgan.faces.controls.CONTROLS.
      offsets: float32 [68, 2], how far points were dragged; None for none.
      target: float32 [68, 2], landmarks whose pose and expression are taken, in pixels of any picture; None for none.
      reference: the target's person with the photograph's pose and expression; see jaxgan.faces.retarget.
      parts: what is taken from the target.
      strength: how much of all of it is applied.
    """

    controls: Mapping[str, float] = field(default_factory=dict)
    offsets: np.ndarray | None = None
    target: np.ndarray | None = None
    reference: np.ndarray | None = None
    parts: tuple[str, ...] = (*PARTS,)
    strength: float = 1.0

    def towards(self, target: np.ndarray) -> "Edit":
        """The same with another target, which is its own reference if there was none."""
        return replace(self, target=target, reference=target if self.reference is None else self.reference)


@dataclass(frozen=True)
class Move:
    """One position of a pointer or slider, or one frame of a camera, numbered by the page."""

    seq: int
    edit: Edit
    frame: bytes | None = None


def pack(header: Mapping[str, Any], picture: bytes) -> bytes:
    """A binary message."""
    text = json.dumps(header, separators=(",", ":")).encode()
    return _LENGTH.pack(len(text)) + text + picture


def unpack(message: bytes) -> tuple[dict[str, Any], bytes]:
    """The header and the picture of a binary message.

    Raises:
      InputError: it is none.
    """
    if len(message) < _LENGTH.size:
        raise InputError("a binary message needs a header")
    (length,) = _LENGTH.unpack_from(message)
    start = _LENGTH.size + length
    if start > len(message):
        raise InputError("a binary message ends within its header")
    return read_object(message[_LENGTH.size : start]), message[start:]


def read_object(text: str | bytes) -> dict[str, Any]:
    """An object of JSON.

    Raises:
      InputError: it is none.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):  # not UTF-8 is a ValueError too
        raise InputError("a message must be JSON") from None
    return _object(value, "a message")


def as_move(message: Mapping[str, Any], frame: bytes | None = None) -> Move:
    """A move from a message {"type", "seq", "edit"}.

    Raises:
      InputError: a field is missing, unknown or of another type or range.
    """
    _known(message, ("type", "seq", "edit"), "a message")
    seq = message.get("seq")
    if type(seq) is not int or not 0 <= seq <= MAX_SEQ:
        raise InputError("seq must be a whole number from 0 on")
    return Move(seq, as_edit(message.get("edit")), frame)


def as_edit(value: Any) -> Edit:
    """An edit from JSON; fields left out are as in `Edit`.

    Raises:
      InputError: a field is unknown or of another type, shape or range.
    """
    fields = _object(value, "edit")
    _known(fields, ("controls", "offsets", "target", "reference", "parts", "strength"), "edit")
    controls = _object(fields.get("controls", {}), "controls")
    _known(controls, CONTROLS, "controls")
    parts = fields.get("parts", [*PARTS])
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise InputError("parts must be a list of names")
    _known(parts, PARTS, "parts")
    strength = as_finite(fields.get("strength", 1.0), "strength")
    if not 0 <= strength <= MAX_STRENGTH:
        raise InputError(f"strength must be from 0 to {MAX_STRENGTH:g}")
    offsets, target, reference = (fields.get(name) for name in ("offsets", "target", "reference"))
    return Edit(
        {name: as_finite(change, name) for name, change in controls.items()},
        None if offsets is None else as_points(offsets, "offsets"),
        None if target is None else as_face(target, "target"),
        None if reference is None else as_face(reference, "reference"),
        tuple(parts),
        strength,
    )


def as_expression(data: bytes) -> tuple[np.ndarray, np.ndarray | None]:
    """Landmarks [68, 2] of a saved expression, and those the same face had before, if the page saved it.

    Raises:
      InputError: it is no saved expression.
    """
    saved = read_object(data.removeprefix(b"\xef\xbb\xbf"))
    if saved.get("format") != FORMAT:
        raise InputError(f"no saved expression: its format is not {FORMAT!r}")
    own = saved.get("own")
    return as_face(saved.get("keypoints"), "keypoints"), None if own is None else as_face(own, "own")


def as_face(value: Any, name: str) -> np.ndarray:
    """Points float32 [68, 2] that can be a face.

    Raises:
      InputError: they cannot.
    """
    points = as_points(value, name)
    check_shape(points)
    return points


def as_points(value: Any, name: str) -> np.ndarray:
    """Points float32 [68, 2] from JSON.

    Raises:
      InputError: another shape, or no finite numbers.
    """
    if not isinstance(value, list) or len(value) != NUM_LANDMARKS:
        raise InputError(f"{name} must be {NUM_LANDMARKS} pairs of numbers")
    if not all(isinstance(point, list) and len(point) == 2 for point in value):
        raise InputError(f"{name} must be {NUM_LANDMARKS} pairs of numbers")
    return np.array([[as_finite(each, name) for each in point] for point in value], np.float32)


def as_finite(value: Any, name: str) -> float:
    """A number that is finite and not huge.

    Raises:
      InputError: it is none.
    """
    if type(value) not in (int, float) or not -LARGEST <= value <= LARGEST:  # NaN is in no range
        raise InputError(f"{name} must be a finite number of at most {LARGEST:g}")
    return float(value)


def _object(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{name} must be an object")
    return value


def _known(given: Any, known: Any, name: str) -> None:
    if unknown := [each for each in given if each not in known]:
        raise InputError(f"{name} has the unknown field {unknown[0][:40]!r}; known: {', '.join(known)}")

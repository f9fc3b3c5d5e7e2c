"""Semantic controls of landmarks: the pose in degrees, smile, mouth, eyes and brows from -1 to 1.

A control moves parameters of the fitted model (`jaxgan.faces.fit`); bones, and what the model cannot express of a face, stay as
they are. Gaze is none of them: 68 landmarks have no pupils.
"""

import warnings
from typing import NamedTuple

import numpy as np

from jaxgan.data.arrays import as_keypoints, as_number
from jaxgan.data.shape import turned
from jaxgan.errors import InputError
from jaxgan.faces.fit import ANGLES, EXPRESSION, Fit, fit_model, project


class Control(NamedTuple):
    """What a control moves and how far. The limits are the 1st and the 99th of 100 faces in photographs, or in degrees."""

    moves: str  # name of the parameter
    low: float
    middle: float  # where an expression is 0: the median
    high: float
    # By how much more has to be asked for, so that the shipped editor's pictures show the change. Overdrawn poses break faces.
    emphasis: float = 1.0
    sign: int = 1  # -1 where the parameter grows as the control falls


CONTROLS = {
    "yaw": Control("yaw", -35, 0, 35),
    "pitch": Control("pitch", -15, 0, 15),
    "roll": Control("roll", -15, 0, 15),
    "smile": Control("smile", 0.08, 0.66, 1.60, 2.5),
    "mouth": Control("jaw", -0.15, 0.13, 0.59, 4),
    "eyes": Control("blink", 0.13, 0.30, 0.61, 4, -1),
    "brows": Control("brow_raise", -0.79, -0.32, 0.21, 2.5),
}


class Face:
    """The faces of landmarks, with their controls.

    Attributes:
      keypoints: float32 [N, 68, 2] or [68, 2], as given.
      values: present value of each control: degrees, or from -1 to 1 where a face is as most are; [N], or a number.

    Example:
      >>> from jaxgan.data.shape import MEAN_FACE
      >>> face = fit(100 * MEAN_FACE)
      >>> turned = face.adjust(yaw=10, smile=0.5)
      >>> turned.shape, round(float(fit(turned).values["yaw"] - face.values["yaw"]))
      ((68, 2), 10)
    """

    def __init__(self, keypoints: np.ndarray):
        """As `fit`."""
        self._single = np.ndim(keypoints) == 2
        points = as_keypoints(keypoints, 1 if self._single else len(keypoints))
        self.keypoints = points[0] if self._single else points
        self._points, self._fit = points, fit_model(points)
        found = {name: _value(name, _parameter(self._fit, control)) for name, control in CONTROLS.items()}
        self.values: dict[str, np.ndarray] = {name: each[0] if self._single else each for name, each in found.items()}

    def adjust(self, emphasise: bool = False, **changes: float) -> np.ndarray:
        """The landmarks of the same faces, of the same size at the same place, with controls moved by as much.

        Args:
          emphasise: whether to ask for more, by the emphasis of each control. Edits follow small changes by a half to a tenth,
            so that only then their pictures show about what was asked for; docs/retargeting.md has the gains.
          **changes: of CONTROLS. Degrees for yaw (positive: to the right of the picture), pitch (up) and roll (clockwise), from
            what they are to what they will be. For smile, mouth (opened), eyes (opened) and brows (raised), 1 is the way from
            the middle to the most that photographs show, -1 that to the least.

        Returns:
          float32, of the shape of `keypoints`.

        Raises:
          ValueError: an unknown control, or a change that is no finite number.

        Warns:
          UserWarning: a control would leave the range in which networks know faces; it is moved to its end.
        """
        if unknown := [name for name in changes if name not in CONTROLS]:
            raise InputError(f"unknown control {', '.join(map(repr, unknown))}; known: {', '.join(CONTROLS)}")
        changes = {name: as_number(change, name) for name, change in changes.items()}
        if not any(changes.values()):  # not to the rounding of a fit, but to the last bit
            return self.keypoints.copy()
        wanted = self._fit
        for name, change in changes.items():
            wanted = self._moved(wanted, name, change, emphasise)
        unlike = self._points - project(self._fit)
        made = project(wanted) + turned(unlike, (wanted.angles - self._fit.angles)[:, 2:])
        return made[0] if self._single else made

    def _moved(self, fit: Fit, name: str, change: float, emphasise: bool) -> Fit:
        control = CONTROLS[name]
        now = _parameter(fit, control)
        low, high = np.minimum(control.low, now), np.maximum(control.high, now)
        asked = now + control.sign * change * _unit(name, control.sign * change)
        given = np.clip(asked, low, high)
        if (beyond := np.abs(asked - given) > 1e-3).any():
            own, end = (_value(name, each)[np.argmax(beyond)] for each in (now, given))
            said = f"{name}={change:g}, from its own {own:.2g} on, leaves the range that is known; moved to {end:.3g}"
            warnings.warn(said, UserWarning, stacklevel=3)
        if emphasise:
            given = now + control.emphasis * (given - now)
        field, index = _column(control)
        values = getattr(fit, field).copy()
        values[:, index] = np.radians(given) if field == "angles" else given
        return fit._replace(**{field: values})


def fit(keypoints: np.ndarray) -> Face:
    """The face of landmarks [68, 2], or the faces of [N, 68, 2], in pixels of any picture.

    Raises:
      ValueError: another shape, or values that are not finite.
    """
    return Face(keypoints)


def _column(control: Control) -> tuple[str, int]:
    """The field of Fit, and the place in it, of the parameter that a control moves."""
    field, names = ("angles", ANGLES) if control.moves in ANGLES else ("expression", EXPRESSION)
    return field, [*names].index(control.moves)


def _parameter(fit: Fit, control: Control) -> np.ndarray:
    """The parameter [N] that a control moves; angles in degrees."""
    field, index = _column(control)
    values = getattr(fit, field)[:, index]
    return np.degrees(values) if field == "angles" else values


def _unit(name: str, direction: float | np.ndarray) -> np.ndarray:
    """What a control's parameter moves by for 1, where it grows (`direction` from 0 on) and where it falls."""
    control = CONTROLS[name]
    if control.moves in ANGLES:
        return np.ones(np.shape(direction))
    return np.where(np.asarray(direction) >= 0, control.high - control.middle, control.middle - control.low)


def _value(name: str, parameter: np.ndarray) -> np.ndarray:
    """The value of a control from its parameter [N]."""
    control = CONTROLS[name]
    away = parameter - control.middle
    return control.sign * away / _unit(name, away)

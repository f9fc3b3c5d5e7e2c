"""What a face is to become: the pose and expression of another face, or changes of its own controls."""

import json
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from jaxgan.data.arrays import as_real
from jaxgan.data.images import one_line
from jaxgan.data.landmarks import NUM_LANDMARKS
from jaxgan.data.shape import check_shape
from jaxgan.errors import InputError
from jaxgan.faces.controls import CONTROLS, fit
from jaxgan.faces.retarget import PARTS, retarget

FORMAT = "jaxgan expression 1"


@dataclass(frozen=True)
class Target:
    """The landmarks of another face, or changes of a face's own.

    Attributes:
      keypoints: float32 [68, 2], pixels of any picture; None for `controls`.
      controls: changes of jaxgan.faces.controls.CONTROLS.
      parts: what is taken from the keypoints, of jaxgan.faces.retarget.PARTS.
      raw: whether they are taken as they are, bones and all, as in the report.
      reference: landmarks of the target's person that are to leave the face as it is; see `retarget`.
    """

    keypoints: np.ndarray | None = None
    controls: Mapping[str, float] = field(default_factory=dict)
    parts: Collection[str] = (*PARTS,)
    raw: bool = False
    reference: np.ndarray | None = None

    def wanted(self, own: np.ndarray, emphasise: bool = False) -> tuple[np.ndarray, list[str]]:
        """Landmarks float32 [68, 2] for a face with landmarks `own` [68, 2], in its pixels; and remarks.

        `emphasise` is that of `jaxgan.faces.controls.Face.adjust`: what an encoder has to be asked for.
        """
        if self.keypoints is not None:
            return self.keypoints if self.raw else retarget(own, self.keypoints, self.reference, self.parts), []
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            points = fit(own).adjust(emphasise=emphasise, **self.controls)
        return points, [str(each.message) for each in said if each.category is UserWarning]


def parse_controls(assignments: Collection[str]) -> dict[str, float]:
    """Changes of controls from "yaw=10" and the like.

    Raises:
      InputError: another form, an unknown control, or no finite number.
    """
    changes = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        try:
            value = float(text)
        except ValueError:
            value = np.nan
        if name not in CONTROLS or not equals:
            raise InputError(f"--set {assignment}: must be NAME=NUMBER, with a name of {', '.join(CONTROLS)}")
        if not np.isfinite(value):
            raise InputError(f"--set {assignment}: {text!r} is no finite number")
        if name in changes:
            raise InputError(f"--set {assignment}: {name} is given twice")
        changes[name] = value
    return changes


def _numbers(line: str) -> list[float]:
    try:
        return [float(text) for text in line.split(",")]
    except ValueError:
        raise InputError(f'lines must be two numbers, "x,y", without a header, got {line!r}') from None


def write_expression(keypoints: np.ndarray) -> str:
    """A saved expression: JSON with landmarks [68, 2], which `read_keypoints` takes."""
    return json.dumps({"format": FORMAT, "keypoints": np.round(np.asarray(keypoints, np.float64), 3).tolist()})


def read_keypoints(path: str | Path) -> np.ndarray:
    """Landmarks float32 [68, 2] from an .npy file, a .csv file with 68 lines "x,y", or a saved expression (.json).

    Raises:
      InputError: It is anything else; the message names the file.
    """
    path = Path(path)
    try:
        if path.suffix.lower() == ".npy":
            with path.open("rb") as file:
                values = np.lib.format.read_array(file, allow_pickle=False)  # np.load would open archives and advise pickle
        elif path.suffix.lower() == ".csv":
            lines = path.read_text("utf-8-sig").splitlines()  # spreadsheets put a byte order mark before the first number
            values = np.array([_numbers(line) for line in lines if line.strip()], np.float64)
        elif path.suffix.lower() == ".json":
            saved = json.loads(path.read_text("utf-8-sig"))
            if not isinstance(saved, dict) or saved.get("format") != FORMAT:
                raise InputError(f"no saved expression: its format is not {FORMAT!r}")
            values = np.array(saved.get("keypoints"), np.float64)
        else:
            raise InputError("the name must end in .npy, .csv or .json")
        keypoints = as_real(values, "values")
    except OSError:
        raise
    except Exception as error:  # NumPy fails with whatever a damaged header happens to bring about
        raise InputError(f"{path}: no keypoints: {one_line(error)}") from None
    if keypoints.shape != (NUM_LANDMARKS, 2):
        raise InputError(f"{path}: keypoints have shape {list(keypoints.shape)}, not [{NUM_LANDMARKS}, 2]")
    if not np.isfinite(keypoints).all():
        raise InputError(f"{path}: keypoints are not all finite")
    try:
        check_shape(keypoints)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return keypoints

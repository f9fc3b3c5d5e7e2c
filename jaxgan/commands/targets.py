"""What the edit command gives its sources: a picture's landmarks, those of a file, or changes of controls."""

import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from jaxgan.data.arrays import as_real
from jaxgan.data.crops import Crop, Framing, framed, largest_square
from jaxgan.data.detection import Face
from jaxgan.data.images import one_line, read_image
from jaxgan.data.landmarks import NUM_LANDMARKS
from jaxgan.data.shape import check_face, fit_mean_face
from jaxgan.errors import InputError
from jaxgan.faces.controls import CONTROLS, fit
from jaxgan.faces.retarget import PARTS, retarget

Find = Callable[[np.ndarray], list[Face]]  # image uint8 [H, W, 3] to its faces, the one to edit first


@dataclass(frozen=True)
class Target:
    """What to give a source: the landmarks of another face, or changes of its own."""

    keypoints: np.ndarray | None  # float32 [68, 2], pixels of a portrait; None for `changes`
    changes: Mapping[str, float] = field(default_factory=dict)  # of controls
    parts: Collection[str] = (*PARTS,)  # what is taken from the keypoints
    raw: bool = False  # whether they are taken as they are, bones and all

    def wanted(self, own: np.ndarray | None) -> tuple[np.ndarray, list[str]]:
        """Landmarks float32 [68, 2] for a source with landmarks `own`, None if they were not found; and remarks.

        Raises:
          InputError: they are needed, and were not found.
        """
        if self.raw:
            return self.keypoints, []
        if own is None:
            if self.keypoints is None or len(self.parts) < len(PARTS):
                raise InputError("no face found")
            return self.keypoints, ["no face found; edited to the target's landmarks as they are"]
        if self.keypoints is not None:
            return retarget(own, self.keypoints, parts=self.parts), []
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            points = fit(own).adjust(emphasise=True, **self.changes)
        return points, [str(each.message) for each in said if each.category is UserWarning]


def parse_changes(assignments: Collection[str]) -> dict[str, float]:
    """Changes of controls from "yaw=10" and the like.

    Raises:
      InputError: another form, an unknown control, or no finite number.
    """
    changes = {}
    for assignment in assignments:
        name, _, text = assignment.partition("=")
        try:
            value = float(text)
        except ValueError:
            value = np.nan
        if name not in CONTROLS or not np.isfinite(value):
            raise InputError(f"--set {assignment}: must be NAME=NUMBER, with a name of {', '.join(CONTROLS)}")
        changes[name] = value
    return changes


def read_keypoints(path: str | Path, resolution: int) -> np.ndarray:
    """Keypoints float32 [68, 2] from an .npy file, or from a .csv file with 68 lines "x,y".

    Raises:
      InputError: It is anything else, or no face in a picture of side `resolution`; the message names the file.
    """
    path = Path(path)
    try:
        if path.suffix.lower() == ".npy":
            with path.open("rb") as file:
                values = np.lib.format.read_array(file, allow_pickle=False)  # np.load would open archives and advise pickle
        elif path.suffix.lower() == ".csv":
            lines = path.read_text("utf-8-sig").splitlines()  # spreadsheets put a byte order mark before the first number
            values = np.array([line.split(",") for line in lines if line.strip()], np.float64)
        else:
            raise InputError("the name must end in .npy or .csv")
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
        check_face(keypoints, resolution, resolution)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return keypoints


def align(
    image: np.ndarray, resolution: int, find: Find, framing: Framing | None, landmarks: bool = True
) -> tuple[np.ndarray, np.ndarray | None, list[str]]:
    """The portrait uint8 [resolution, resolution, 3] of a picture's first face, its landmarks there, and remarks.

    With a framing the face lies in it as in the training portraits, levelled if it is tilted. Without one the largest square is
    taken, moved where it takes that to hold the landmarks of a face, if one is found; if none is, they are None. Without
    `landmarks` a square picture is not searched for a face.

    Raises:
      InputError: There is a framing and no face is found, or what is found is none.
    """
    height, width = image.shape[:2]
    faces = find(image) if landmarks or framing or height != width else []
    if framing and not faces:
        raise InputError("no face found")
    remarks = [f"{len(faces)} faces found, the largest is taken"] if len(faces) > 1 else []
    if faces and faces[0].weak:
        remarks.append("the detector is hardly sure that it found a face")
    keypoints = faces[0].keypoints if faces else None
    crop: Crop = framed(width, height, keypoints, framing) if framing else largest_square(width, height, keypoints)
    if crop.angle:
        remarks.append(f"the head is tilted by {abs(fit_mean_face(keypoints)[0]):.0f} degrees; levelled")
    return crop.apply(image, resolution), None if keypoints is None else crop.move(keypoints, resolution), remarks


def target_keypoints(path: str | Path, resolution: int, find: Find, framing: Framing | None) -> tuple[np.ndarray, list[str]]:
    """Landmarks float32 [68, 2] found in a target picture, in pixels of its crop of side `resolution`, and remarks.

    Raises:
      InputError: No face is found in it.
      ImageError, OSError: It cannot be read.
    """
    image = read_image(path)
    faces = find(image)
    if not faces:
        raise InputError(f"{path}: no face found in the target picture")
    found: list[Face] = faces
    try:
        check_face(faces[0].keypoints, image.shape[1], image.shape[0])
        _, keypoints, remarks = align(image, resolution, lambda _: found, framing)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return keypoints, remarks

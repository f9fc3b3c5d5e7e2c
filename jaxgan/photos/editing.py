"""What an Editor does with whole photographs."""

import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from jaxgan.data.arrays import as_keypoints, as_photo
from jaxgan.data.detection import DEFAULT_DETECTOR
from jaxgan.data.images import read_image
from jaxgan.errors import InputError
from jaxgan.faces.target import Target, read_keypoints
from jaxgan.photos.opened import OpenPhoto, open_photo


class PhotoEditing:
    """The part of Editor that finds faces in photographs, edits them and puts them back."""

    def open_photo(
        self,
        photo: str | Path | np.ndarray | Image.Image,
        face: int | tuple[float, float] | None = None,
        detector: str = DEFAULT_DETECTOR,
    ) -> OpenPhoto:
        """Finds a face in a photograph of any size, and gets ready to edit it any number of times.

        Args:
          photo: a path, a picture of Pillow, or [H, W, 3] as for `invert`, or uint8 [H, W, 4] with transparency.
          face: which one: a number from 0, the largest first, or a point (x, y) in pixels of the photograph; None for the
            largest.
          detector: a key of jaxgan.data.detection.DETECTORS.

        Raises:
          ValueError: no face is found, or none of that number; or a checkpoint without an encoder.
          ImageError, OSError: the file cannot be read.
        """
        pixels = read_image(photo, alpha=True) if isinstance(photo, str | Path) else as_photo(photo)
        return open_photo(self, pixels, face, detector)

    def edit_photo(
        self,
        photo: str | Path | np.ndarray | Image.Image,
        target: Target | Mapping[str, float] | str | Path | np.ndarray | Image.Image,
        face: int | tuple[float, float] | None = None,
        paste: bool = True,
        strength: float = 1.0,
        personal: bool = False,
    ) -> np.ndarray:
        """A photograph with one face edited, uint8 [H, W, 3 or 4]; everything far from the face stays bit for bit.

        Args:
          photo, face: as for `open_photo`.
          target: changes of controls ({"yaw": 10, "smile": 0.5}), landmarks [68, 2] or a file of them (.npy, .csv, or a saved
            expression, .json), another picture of a face, or a Target.
          paste: False for the face alone as the generator renders it, [R, R, 3].
          strength: how much of the edit is applied.
          personal: whether to tune the generator to the face first; some seconds on a CPU.

        Raises:
          ValueError: as for `open_photo`, for the target too.

        Warns:
          UserWarning: what a user should know of the face that was found, or of a control that was moved to its limit.
        """
        wanted = self.as_target(target)
        opened = self.open_photo(photo, face)
        if personal:
            opened.personalise()
        edited, remarks = opened.edit_to(wanted, strength, paste)
        for remark in (*opened.remarks, *remarks):
            warnings.warn(remark, UserWarning, stacklevel=2)
        return edited

    def as_target(self, given: Target | Mapping[str, float] | str | Path | np.ndarray | Image.Image) -> Target:
        """What `edit_photo` takes as `target`, as a Target."""
        if isinstance(given, Target):
            return given
        if isinstance(given, Mapping):
            return Target(controls=dict(given))
        if isinstance(given, str | Path) and Path(given).suffix.lower() in (".npy", ".csv", ".json"):
            return Target(read_keypoints(given))
        if np.ndim(given) == 2 and np.shape(given)[1] == 2:
            return Target(as_keypoints(given, 1)[0])
        try:
            return Target(self.open_photo(given).own)
        except InputError as error:
            raise InputError(f"target: {error}") from None

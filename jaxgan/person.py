"""What an Editor does for one person: their descriptors, and a generator tuned to them."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Self

import numpy as np

from jaxgan.data.arrays import as_count, as_number
from jaxgan.data.landmarks import NUM_LANDMARKS
from jaxgan.errors import InputError
from jaxgan.inputs import prepare
from jaxgan.tuning import strangers

# docs/identity.md has what was tried
TUNING_STEPS, TUNING_RATE, IDENTITY_WEIGHT, TUNING_SHARE = 24, 6e-3, 0.1, 0.5


class PersonEditing:
    """The part of Editor that keeps a person."""

    def describe(self, images: np.ndarray | Sequence[np.ndarray]) -> np.ndarray:
        """dlib's face descriptors float32 [N, 128] of portraits cropped as `align` does; those of one person are close.

        Raises:
          ValueError: as for `invert`, or the framing is not known.
        """
        prepared, _ = prepare(images, self.resolution)
        if not self.framing:
            raise InputError("descriptors need portraits cropped by a known framing, which this checkpoint has none of")
        return self._engine.describe(prepared, np.broadcast_to(self._usual_keypoints, (len(prepared), NUM_LANDMARKS, 2)))

    def personalise(
        self,
        images: np.ndarray | Sequence[np.ndarray],
        steps: int = TUNING_STEPS,
        learning_rate: float = TUNING_RATE,
        identity_weight: float = IDENTITY_WEIGHT,
        share: float = TUNING_SHARE,
        progress: Callable[[int], None] | None = None,
    ) -> Self:
        """An editor of one person, whose generator is tuned to draw their portraits from the latents (Roich et al. 2021).

        Args:
          images: one or several portraits of the person, as for `invert`; `align` crops photographs.
          steps: of Adam. More bring the portraits closer, and edits far from them follow less.
          learning_rate: of Adam at the start; it falls to 0.
          identity_weight: of the squared distance of dlib's face descriptors; left out, as is the check that all images are of
            one person, where it is not known how the training portraits were cropped (`framing`).
          share: of the change of the weights that is kept. 1 draws the portraits best; with less, edits follow better.
          progress: called with the number of steps done after each; what it raises ends the tuning.

        Returns:
          An editor of the same networks but the generator. `save` keeps it.

        Raises:
          ValueError: as for `invert`; no images, or images of different people; or no weights of the perceptual network.
          FileNotFoundError: as for `invert`.
        """
        self._require("inverter")
        prepared, _ = prepare(images, self.resolution)
        if not len(prepared):
            raise InputError("personalise needs at least one image")
        steps, rate = as_count(steps, "steps"), as_number(learning_rate, "learning_rate")
        weight, share = as_number(identity_weight, "identity_weight"), as_number(share, "share")
        if len(prepared) > 1 and self.framing:
            if others := strangers(self.describe(prepared)):
                named = f"image{'s' if len(others) > 1 else ''} {', '.join(map(str, others))} of {len(prepared)} (from 0)"
                verb = "look" if len(others) > 1 else "looks"
                raise InputError(f"personalise needs pictures of one person; {named} {verb} like somebody else than the others")
        return self._tuned(prepared, self._latents(prepared, None, 0), steps, rate, weight, share, progress)

    def _tuned(
        self,
        images: np.ndarray,
        latents: np.ndarray,
        steps: int,
        learning_rate: float,
        identity_weight: float,
        share: float,
        progress: Callable[[int], None] | None = None,
    ) -> Self:
        points = np.tile(self._usual_keypoints, (len(images), 1, 1)) if self.framing else None
        networks = self._engine.tune(images, latents, points, steps, learning_rate, identity_weight, share, progress)
        return type(self)(dataclasses.replace(self._loaded, networks=networks), self._perceptual)

    @property
    def _usual_keypoints(self) -> np.ndarray:
        """The mean face float32 [68, 2] where the framing puts it: near enough to align faces for recognition."""
        return self.framing.mean_face(self.resolution)

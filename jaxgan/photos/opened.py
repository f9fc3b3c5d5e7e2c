"""A photograph with a face that is edited, any number of times, and put back."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxgan.data.arrays import as_keypoints, as_number
from jaxgan.data.crops import Crop
from jaxgan.data.detection import DEFAULT_DETECTOR, Face, load_detector
from jaxgan.data.framing import framed
from jaxgan.data.images import on_white
from jaxgan.data.shape import check_face, place
from jaxgan.errors import InputError
from jaxgan.faces.target import Target
from jaxgan.photos.finding import choose, find_faces, remarks_on
from jaxgan.photos.paste import Rendering
from jaxgan.photos.paste import paste as put_back

if TYPE_CHECKING:
    from jaxgan.editor import Editor


TWICE = 2.0  # by which an edit may enlarge or reduce a face: beyond it a photograph cannot be warped


class OpenPhoto:
    """What `Editor.open_photo` returns: the face is found and inverted once, and each edit costs a rendering.

    Attributes:
      pixels: the photograph, uint8 [H, W, 3], or [H, W, 4] with transparency.
      faces: all faces found, the largest first.
      keypoints: float32 [68, 2], landmarks of the face that is edited, in pixels of the photograph.
      portrait: uint8 [R, R, 3], the face as the networks see it.
      own: float32 [68, 2], its landmarks there.
      remarks: what a user should know of how the face was found.
    """

    def __init__(
        self,
        editor: "Editor",
        pixels: np.ndarray,
        keypoints: np.ndarray,
        faces: Sequence[Face] = (),
        chosen: Face | None = None,
        asked: bool = True,
    ):
        """A face whose landmarks are known: `chosen` of `faces`, if it was found, because it was asked for or as the largest.

        Raises:
          InputError: they cannot be those of a face in the photograph.
        """
        self.editor, self.pixels, self.keypoints, self.faces = editor, pixels, keypoints, faces
        seen = on_white(pixels)
        height, width = pixels.shape[:2]
        check_face(self.keypoints, width, height)
        self.crop = framed(width, height, self.keypoints, editor.framing)
        self.portrait = self.crop.apply(seen, editor.resolution)
        self.own = self.crop.move(self.keypoints, editor.resolution)
        self.remarks = remarks_on(() if asked else faces, chosen or Face(keypoints), editor.framing)
        self._latents = editor.invert(self.portrait)
        self._own_latents = self._shifted(self.own)
        self._unedited = self._rendering(self._own_latents, self.own)

    def personalise(self, **options: Any) -> None:
        """Tunes the generator to the face; takes what `Editor.personalise` takes."""
        self.editor = self.editor.personalise(self.portrait, **options)
        self._unedited = self._rendering(self._own_latents, self.own)

    def edit(
        self, wanted: np.ndarray, strength: float = 1.0, paste: bool = True, asked: np.ndarray | None = None
    ) -> np.ndarray:
        """The photograph, as `pixels`, with landmarks `wanted` [68, 2], in pixels of the portrait, given to the face.

        What changes is the difference between renderings with its own landmarks and with those. Own landmarks, or a strength of
        0, give the photograph back bit for bit, as is everything far from the face.

        Args:
          wanted: landmarks.
          strength: how much of the change from the face as it is is applied.
          paste: False for the rendering alone, uint8 [R, R, 3].
          asked: what the encoder is asked for, where that is more than is wanted, as edits follow part of the way (see
            `jaxgan.faces.controls.Face.adjust`); None for the same.

        Raises:
          ValueError: the landmarks have another shape, cannot be a face's, or are more than twice as large or as small.
        """
        wanted, strength = self._checked(wanted), as_number(strength, "strength")
        asked = wanted if asked is None else asked
        latents = self._own_latents + np.float32(strength) * (self._shifted(asked) - self._own_latents)
        if not paste:
            return self.editor.render(latents)[0]
        wanted = self.own + np.float32(strength) * (wanted - self.own)
        if np.array_equal(wanted, self.own):
            return self.pixels.copy()
        there = self.crop.restore(wanted, self.editor.resolution)
        made = put_back(self.pixels[..., :3], self.keypoints, there, self._unedited, self._rendering(latents, wanted))
        return made if self.pixels.shape[2] == 3 else np.dstack([made, self.pixels[..., 3]])

    def edit_to(
        self, target: Target | Mapping[str, float], strength: float = 1.0, paste: bool = True
    ) -> tuple[np.ndarray, list[str]]:
        """As `edit`, to a target or by changes of controls; and remarks."""
        target = self.editor.as_target(target)
        wanted, remarks = target.wanted(self.own)
        asked = target.wanted(self.own, emphasise=True)[0] if target.keypoints is None else wanted  # fits take milliseconds
        return self.edit(wanted, strength, paste, asked), remarks

    def _checked(self, wanted: np.ndarray) -> np.ndarray:
        wanted, side = as_keypoints(wanted, 1)[0], self.editor.resolution
        check_face(wanted, side, side)
        ratio = float(place(wanted)[1] / place(self.own)[1])
        if not 1 / TWICE <= ratio <= TWICE:
            raise InputError(
                f"the landmarks are {ratio:.2g} times as large as the face's own; they must be in pixels of its portrait of "
                f"{side}x{side} px"
            )
        return wanted

    def _shifted(self, keypoints: np.ndarray) -> np.ndarray:
        return self.editor.edit_latents(self.portrait, self.editor.place(keypoints), self._latents)

    def _rendering(self, latents: np.ndarray, keypoints: np.ndarray) -> Rendering:
        """The generator's picture of latents [1, L, latent], about where it has the landmarks [68, 2] of the portrait."""
        crop = self._placed(keypoints)
        image = self.editor.render(latents)
        found = self.editor.find_landmarks(image, self.editor.place(keypoints)[None])[0]
        return Rendering(image[0], crop, crop.restore(found, self.editor.resolution))

    def _placed(self, keypoints: np.ndarray) -> Crop:
        """Where in the photograph a rendering lies whose face was placed for the networks, and belongs at `keypoints`."""
        framing = self.editor.framing
        return self.crop.within(framing.square(keypoints), self.editor.resolution) if framing else self.crop


def open_photo(
    editor: "Editor", pixels: np.ndarray, face: int | tuple[float, float] | None = None, detector: str = DEFAULT_DETECTOR
) -> OpenPhoto:
    """Finds a face in a photograph and opens it; see Editor.open_photo."""
    if editor.framing:
        editor.framing.mean_face(editor.resolution)  # networks that draw no faces say so, whatever is in the photograph
    faces = find_faces(load_detector(detector), on_white(pixels))
    chosen = choose(faces, face)
    return OpenPhoto(editor, pixels, chosen.keypoints, faces, chosen, asked=face is not None)

"""Editing portraits with trained networks: what a Python user imports."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxgan import checkpoints
from jaxgan.checkpoints import export
from jaxgan.configs import Config, PerceptualConfig
from jaxgan.data.arrays import as_box, as_count, as_keypoints, as_latents, as_number, as_portraits, as_real, as_seeds
from jaxgan.data.framing import Framing, MeanFraming, framed
from jaxgan.data.landmarks import NUM_LANDMARKS
from jaxgan.data.shape import check_face
from jaxgan.engine import Engine
from jaxgan.errors import InputError
from jaxgan.inputs import prepare, prepare_edit
from jaxgan.person import IDENTITY_WEIGHT, TUNING_RATE, TUNING_SHARE, TUNING_STEPS, PersonEditing
from jaxgan.photos.editing import PhotoEditing

FFHQ_FACE = (70 / 256, 90 / 256, 180 / 256, 200 / 256)  # left, top, right, bottom: what Zhu et al. paste of a face


class Editor(PhotoEditing, PersonEditing):
    """A trained editor, or as much of one as a checkpoint holds: a StyleGAN can generate, an inverter can also invert.

    Attributes:
      stage: "stylegan", "inverter" or "editor": what was loaded.
      step: Training steps of the checkpoint.
      config: Its configuration.
      framing: How its training portraits were cropped, if that is known; see jaxgan.data.framing.
      resolution: Side R in pixels of everything that goes through the networks.
      num_layers: Style layers L.

    Example:
      >>> from jaxgan import Editor
      >>> editor = Editor.pretrained()
      >>> faces = editor.generate(seeds=[0, 1])
      >>> faces.shape
      (2, 64, 64, 3)
      >>> editor.render(editor.invert(faces)).shape
      (2, 64, 64, 3)
      >>> points = editor.framing.mean_face(64)  # in place of a detector's landmarks
      >>> editor.edit(faces, points).shape
      (2, 64, 64, 3)
      >>> portrait, own = editor.align(faces[0].repeat(4, axis=0).repeat(4, axis=1), 4 * points)
      >>> portrait.shape, own.shape
      ((64, 64, 3), (68, 2))
    """

    def __init__(self, loaded: checkpoints.Loaded, perceptual: PerceptualConfig | None = None):
        """Makes an editor of loaded networks; `perceptual` is as in `load`."""
        self.framing: Framing | None = loaded.framing
        self.stage: str = loaded.stage
        self.step: int = loaded.step
        self.config: Config = loaded.config
        self.resolution: int = self.config.generator.resolution
        self.num_layers: int = self.config.generator.num_layers
        self._loaded, self._perceptual = loaded, perceptual
        self._engine = Engine(self.stage, self.config, loaded.networks, perceptual)

    @classmethod
    def load(cls, folder: str | Path, step: int | None = None, perceptual: PerceptualConfig | None = None) -> "Editor":
        """Loads what a folder holds.

        Args:
          folder: Working folder of a training run, an export of one, converted weights, or a shipped editor.
          step: The step of a training run's checkpoint; None for the newest.
          perceptual: The perceptual network of optimised latents (`steps`), in place of the training run's.

        Raises:
          CheckpointError: The folder holds no such checkpoint, or it is damaged.
        """
        return cls(checkpoints.load(folder, step), perceptual)

    @classmethod
    def pretrained(cls, name: str = checkpoints.DEFAULT, perceptual: PerceptualConfig | None = None) -> "Editor":
        """Loads an editor that comes with the package; docs/portrait64 says what it was trained on and what for.

        It knows faces cropped as its training portraits were: see `framing`.

        Raises:
          CheckpointError: There is none of that name, or its files are damaged.
        """
        return cls.load(checkpoints.shipped(name), perceptual=perceptual)

    def invert(
        self,
        images: np.ndarray | Sequence[np.ndarray],
        steps: int = 0,
        learning_rate: float = 0.01,
        encoder_weight: float = 2.0,
    ) -> np.ndarray:
        """Latents float32 [N, L, latent] of portraits.

        Args:
          images: [N, H, W, 3], or a sequence of [H, W, 3] of any sizes, or one [H, W, 3]; uint8, or float in [-1, 1]; or
            pictures of Pillow. They are centre-cropped to squares and resized to the editor's resolution; `align` crops
            photographs.
          steps: of domain-regularised optimisation (Zhu et al. 2020) from the inverter's latents on; 100 is published, 0 takes
            those latents as they are. Each image is optimised on its own.
          learning_rate: of Adam.
          encoder_weight: of the term MSE(w, I(G(w))), which keeps latents where the inverter puts images.

        Raises:
          ValueError: another shape or type, values out of range, a checkpoint without an inverter, or, with steps, no weights
            of the perceptual network.
          FileNotFoundError: with steps, the weight file of the perceptual network is missing.
        """
        self._require("inverter")
        prepared, _ = prepare(images, self.resolution)
        return self._latents(prepared, None, steps, learning_rate, encoder_weight)

    def diffuse(
        self,
        targets: np.ndarray | Sequence[np.ndarray],
        contexts: np.ndarray | Sequence[np.ndarray],
        box: tuple[int, int, int, int] | None = None,
        steps: int = 100,
        learning_rate: float = 0.01,
    ) -> np.ndarray:
        """Latents float32 [N, L, latent] of portraits with the targets' faces in the contexts' surroundings (Zhu et al. 2020).

        The box of the target is pasted into the context. Optimisation starts at the latent of that image and brings the inside
        of the box close to the target; the outside is free, and follows what the generator takes for one picture.

        Args:
          targets: as `images` of `invert`; a single one goes with every context.
          contexts: as many, or a single one for every target.
          box: left, top, right and bottom in pixels of the editor's resolution; None for the face of FFHQ's framing.
          steps, learning_rate: as for `invert`.

        Raises:
          ValueError, FileNotFoundError: as for `invert`; a box that is empty or reaches out of the image; different numbers.
        """
        self._require("inverter")
        side = self.resolution
        box = [round(share * side) for share in FFHQ_FACE] if box is None else box
        left, top, right, bottom = as_box(box, side)
        (inside, _), (outside, _) = prepare(targets, side, "target"), prepare(contexts, side, "context")
        if len(inside) != len(outside) and 1 not in (len(inside), len(outside)):
            raise InputError(f"{len(inside)} targets and {len(outside)} contexts; give as many, or a single one of either")
        mask = np.zeros((side, side, 1), np.uint8)
        mask[top:bottom, left:right] = 1
        stitched = np.where(mask, inside, outside)
        return self._latents(stitched, np.tile(mask, (len(stitched), 1, 1, 1)), steps, learning_rate, 0.0)

    def edit(
        self,
        images: np.ndarray | Sequence[np.ndarray],
        keypoints: np.ndarray,
        strength: float = 1.0,
        steps: int = 0,
        personal: bool = False,
    ) -> np.ndarray:
        """Portraits uint8 [N, R, R, 3] of the same people with the target landmarks.

        Args:
          images: as for `invert`.
          keypoints: target landmarks [N, 68, 2] or [68, 2] for all, (x, y) in pixels of the images as passed, whose pixel
            centres lie at integer + 0.5.
          strength: how much of the latent shift is applied; 0 gives the inversion, 1 the edit, more exaggerates.
          steps: as for `invert`.
          personal: whether to tune the generator to each image first, as `personalise` does: the person is kept far better, for
            some seconds an image on a CPU.

        Raises:
          ValueError: as for `invert`; a checkpoint without an encoder; or landmarks that cannot be a face in their image.
          FileNotFoundError: as for `invert`.

        Warns:
          UserWarning: a face is asked for where this editor's training portraits have none; see `align`.
        """
        prepared, keypoints = self._prepare_edit(images, keypoints)
        strength = np.float32(as_number(strength, "strength"))
        latents = self._latents(prepared, None, steps)
        edited = latents + strength * (self._engine.shift(prepared, latents, keypoints) - latents)
        if not personal:
            return self._engine.render(edited)
        made = np.empty_like(prepared)
        for row in range(len(made)):
            one = slice(row, row + 1)
            usual = TUNING_STEPS, TUNING_RATE, IDENTITY_WEIGHT, TUNING_SHARE
            tuned = self._tuned(prepared[one], latents[one], *usual)
            made[one] = tuned._engine.render(edited[one])
        return made

    def align(self, photograph: np.ndarray, keypoints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A face of a photograph, cropped and levelled as `edit` takes portraits: as this editor's training portraits were.

        Args:
          photograph: [H, W, 3] as for `invert`.
          keypoints: landmarks [68, 2] of the face, in pixels of the photograph.

        Returns:
          The portrait uint8 [R, R, 3] and the landmarks float32 [68, 2] in its pixels. Without a known framing it is the
          largest square around the landmarks.

        Raises:
          ValueError: as for `edit`.
        """
        (image,) = as_portraits([photograph], "photograph")
        (points,) = as_keypoints(keypoints, 1)
        height, width = image.shape[:2]
        check_face(points, width, height)
        crop = framed(width, height, points, self.framing)
        return crop.apply(image, self.resolution), crop.move(points, self.resolution)

    def place(self, keypoints: np.ndarray) -> np.ndarray:
        """Landmarks float32 [..., 68, 2], moved and scaled as this editor knows them, in pixels of its resolution.

        Retargeted and adjusted landmarks need it, since a face that opens its mouth or turns takes another place. Without a
        known framing they stay as they are.
        """
        keypoints = as_real(keypoints, "keypoints")
        if keypoints.shape[-2:] != (NUM_LANDMARKS, 2):
            raise InputError(f"keypoints must be [..., {NUM_LANDMARKS}, 2], got {list(keypoints.shape)}")
        return self.framing.place(keypoints, self.resolution) if self.framing else keypoints

    def find_landmarks(self, images: np.ndarray | Sequence[np.ndarray], near: np.ndarray) -> np.ndarray:
        """Landmarks float32 [N, 68, 2] of portraits, in pixels of this editor's resolution, by a small network.

        A detector (`jaxgan.data.detection`) is more exact in photographs; this one takes a millisecond, and finds faces in
        renderings that a detector gives up.

        Args:
          images: as for `invert`.
          near: landmarks [N, 68, 2] or [68, 2] that say about where the faces are, in pixels of this editor's resolution.

        Raises:
          ValueError: as for `edit`.
        """
        prepared, _ = prepare(images, self.resolution)
        return self._engine.locate(prepared, as_keypoints(near, len(prepared)))

    def save(self, folder: str | Path) -> None:
        """Writes the networks, in half precision, to a folder that `load` reads: 27 MB for the shipped editor.

        That is the whole editor, not the person's part alone, so that it can be used wherever jaxgan is installed.

        Raises:
          ValueError: the folder is a file or holds something else.
        """
        mean = dataclasses.asdict(self.framing) if isinstance(self.framing, MeanFraming) else None
        export.write_networks(folder, self.step, self.config, self._engine.networks, half=True, framing=mean)

    def edit_latents(
        self, images: np.ndarray | Sequence[np.ndarray], keypoints: np.ndarray, latents: np.ndarray | None = None
    ) -> np.ndarray:
        """Edited latents float32 [N, L, latent], w + delta, which `render` turns into what `edit` returns.

        Args:
          images, keypoints: as for `edit`.
          latents: w [N, L, latent] of the images; None for what the inverter makes of them. The naive encoder reads the images
            instead.

        Raises:
          ValueError: as for `edit`, or latents of another shape or not finite.
        """
        prepared, keypoints = self._prepare_edit(images, keypoints)
        latents = self._latents(prepared, None, 0) if latents is None else as_latents(latents, self._latent_shape)
        if len(latents) != len(prepared):
            raise InputError(f"{len(latents)} latents for {len(prepared)} images")
        return self._engine.shift(prepared, latents, keypoints)

    def render(self, latents: np.ndarray) -> np.ndarray:
        """Images uint8 [N, R, R, 3] of latents [N, L, latent], with the generator's fixed noise.

        Raises:
          ValueError: another shape, or values that are not finite.
        """
        return self._engine.render(as_latents(latents, self._latent_shape))

    def generate(self, seeds: Sequence[int], truncation: float = 0.7) -> np.ndarray:
        """Portraits uint8 [N, R, R, 3] of nobody, one for each seed, the same whatever the other seeds are.

        Args:
          seeds: integers from 0 on.
          truncation: psi of the truncation trick on the first 8 layers; 1 for none, 0 for the average face.

        Raises:
          ValueError: other seeds, or a truncation that is no finite number.
        """
        size = self.config.generator.latent_size
        z = [np.random.default_rng(seed).standard_normal(size, np.float32) for seed in as_seeds(seeds)]
        psi = np.full(len(z), as_number(truncation, "truncation"), np.float32)
        return self._engine.generate(np.array(z, np.float32).reshape(-1, size), psi)

    def _latents(
        self,
        images: np.ndarray,
        masks: np.ndarray | None,
        steps: int,
        learning_rate: float = 0.01,
        encoder_weight: float = 2.0,
    ) -> np.ndarray:
        """Latents of prepared images uint8 [N, R, R, 3], optimised where the masks uint8 [N, R, R, 1] are 1."""
        steps = as_count(steps, "steps")
        rate, weight = as_number(learning_rate, "learning_rate"), as_number(encoder_weight, "encoder_weight")
        return self._engine.optimise(images, masks, steps, rate, weight) if steps else self._engine.invert(images)

    @property
    def w_avg(self) -> np.ndarray:
        """Mean latent float32 [L, latent] of the generator, to which truncation draws."""
        return np.asarray(self._engine.networks["w_avg"])

    @property
    def _latent_shape(self) -> tuple[int, int]:
        return self.num_layers, self.config.generator.latent_size

    def _require(self, network: str) -> None:
        if network not in self._engine.networks:
            raise InputError(f"this checkpoint is of the {self.stage} stage and holds no {network}")

    def _prepare_edit(self, images: np.ndarray | Sequence[np.ndarray], keypoints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self._require("encoder")
        return prepare_edit(images, keypoints, self.resolution, self.framing)

"""Editing portraits with trained networks: what a Python user imports."""

import warnings
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import checkpoints
from jaxgan.configs import Config, EncoderConfig, GeneratorConfig, PerceptualConfig, TrunkConfig
from jaxgan.data.arrays import as_box, as_count, as_keypoints, as_latents, as_number, as_portraits, as_seeds
from jaxgan.data.crops import Crop, Framing, framed, is_framed, largest_square, measure_framing
from jaxgan.data.landmarks import NUM_LANDMARKS
from jaxgan.data.shape import check_face
from jaxgan.errors import InputError
from jaxgan.inversion import make_inversion
from jaxgan.models import pipeline
from jaxgan.models.features.weights import load_vgg16
from jaxgan.models.landmarks import landmarks_from_keypoints
from jaxgan.models.pipeline import to_float, to_uint8

BATCH = 16  # images a call of a compiled function; shorter batches are padded to it, except a single image
FFHQ_FACE = (70 / 256, 90 / 256, 180 / 256, 200 / 256)  # left, top, right, bottom: what Zhu et al. paste of a face

# Compiled once for a configuration: editors with the same networks share these, and none is kept alive by them.


@partial(jax.jit, static_argnums=(0, 1))
def _invert(trunk: TrunkConfig, generator: GeneratorConfig, variables: dict, images: jax.Array) -> jax.Array:
    return pipeline.invert(trunk, generator, variables, to_float(images))


@partial(jax.jit, static_argnums=(0, 1))
def _shift(
    encoder: EncoderConfig,
    generator: GeneratorConfig,
    variables: dict,
    images: jax.Array,
    latents: jax.Array,
    keypoints: jax.Array,
) -> jax.Array:
    landmarks = landmarks_from_keypoints(keypoints, generator.resolution)
    return pipeline.shift(encoder, generator, variables, to_float(images), latents, landmarks)


@partial(jax.jit, static_argnums=0)
def _render(generator: GeneratorConfig, variables: dict, latents: jax.Array) -> jax.Array:
    return to_uint8(pipeline.render(generator, variables, latents))


@partial(jax.jit, static_argnums=0)
def _generate(generator: GeneratorConfig, variables: dict, w_avg: jax.Array, z: jax.Array, psi: jax.Array) -> jax.Array:
    return to_uint8(pipeline.generate(generator, variables, w_avg, z, psi))


class Editor:
    """A trained editor, or as much of one as a checkpoint holds: a StyleGAN can generate, an inverter can also invert.

    Attributes:
      stage: "stylegan", "inverter" or "editor": what was loaded.
      step: Training steps of the checkpoint.
      config: Its configuration.
      framing: How its training portraits were cropped, if that is known; see jaxgan.data.crops.
      resolution: Side R in pixels of everything that goes through the networks.
      num_layers: Style layers L.

    Example:
      >>> from jaxgan import Editor
      >>> editor = Editor.pretrained()
      >>> editor.generate(seeds=[0, 1]).shape
      (2, 64, 64, 3)
    """

    def __init__(self, loaded: checkpoints.Loaded, perceptual: PerceptualConfig | None = None):
        """Makes an editor of loaded networks; `perceptual` is as in `load`."""
        self.framing: Framing | None = loaded.framing
        self.stage: str = loaded.stage
        self.step: int = loaded.step
        self.config: Config = loaded.config
        self.resolution: int = self.config.generator.resolution
        self.num_layers: int = self.config.generator.num_layers
        self._networks: dict[str, Any] = loaded.networks
        self._trunk = self._perceptual = None
        if self.stage != "stylegan":
            self._perceptual = perceptual or self.config.perceptual
            self._trunk = self.config.inverter if self.stage == "editor" else self.config.trunk

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
        prepared, _ = self._prepare(images)
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
        (inside, _), (outside, _) = self._prepare(targets, "target"), self._prepare(contexts, "context")
        if len(inside) != len(outside) and 1 not in (len(inside), len(outside)):
            raise InputError(f"{len(inside)} targets and {len(outside)} contexts; give as many, or a single one of either")
        mask = np.zeros((side, side, 1), np.uint8)
        mask[top:bottom, left:right] = 1
        stitched = np.where(mask, inside, outside)
        return self._latents(stitched, np.tile(mask, (len(stitched), 1, 1, 1)), steps, learning_rate, 0.0)

    def edit(
        self, images: np.ndarray | Sequence[np.ndarray], keypoints: np.ndarray, strength: float = 1.0, steps: int = 0
    ) -> np.ndarray:
        """Portraits uint8 [N, R, R, 3] of the same people with the target landmarks.

        Args:
          images: as for `invert`.
          keypoints: target landmarks [N, 68, 2] or [68, 2] for all, (x, y) in pixels of the images as passed, whose pixel
            centres lie at integer + 0.5.
          strength: how much of the latent shift is applied; 0 gives the inversion, 1 the edit, more exaggerates.
          steps: as for `invert`.

        Raises:
          ValueError: as for `invert`; a checkpoint without an encoder; or landmarks that cannot be a face in their image.
          FileNotFoundError: as for `invert`.

        Warns:
          UserWarning: a face is asked for where this editor's training portraits have none; see `align`.
        """
        prepared, keypoints = self._prepare_edit(images, keypoints)
        strength = np.float32(as_number(strength, "strength"))
        latents = self._latents(prepared, None, steps)
        edited = self._shifted(prepared, latents, keypoints)
        return self._rendered(latents + strength * (edited - latents))

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
        crop = framed(width, height, points, self.framing) if self.framing else largest_square(width, height, points)
        return crop.apply(image, self.resolution), crop.move(points, self.resolution)

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
        return self._shifted(prepared, latents, keypoints)

    def render(self, latents: np.ndarray) -> np.ndarray:
        """Images uint8 [N, R, R, 3] of latents [N, L, latent], with the generator's fixed noise.

        Raises:
          ValueError: another shape, or values that are not finite.
        """
        return self._rendered(as_latents(latents, self._latent_shape))

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
        function = partial(_generate, self.config.generator, self._networks["generator"], self._networks["w_avg"])
        return self._apply(function, np.array(z, np.float32).reshape(-1, size), psi)

    def _apply(self, function: Callable, *arrays: np.ndarray) -> np.ndarray:
        """function(*arrays) in batches of BATCH rows, the last one padded: it compiles once, and for one row alone."""
        results, size = [], 1 if len(arrays[0]) == 1 else BATCH
        for start in range(0, max(len(arrays[0]), 1), BATCH):  # no rows: one padded call gives the result's shape
            rows = [array[start : start + BATCH] for array in arrays]
            count = len(rows[0])
            padded = [np.concatenate([r, np.zeros((size - count, *r.shape[1:]), r.dtype)]) for r in rows]
            results.append(np.asarray(function(*padded))[:count])
        return np.concatenate(results)

    def _shifted(self, prepared: np.ndarray, latents: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
        function = partial(_shift, self.config.encoder, self.config.generator, self._networks["encoder"])
        return self._apply(function, prepared, latents, keypoints)

    def _rendered(self, latents: np.ndarray) -> np.ndarray:
        return self._apply(partial(_render, self.config.generator, self._networks["generator"]), latents)

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
        if steps == 0:
            return self._apply(partial(_invert, self._trunk, self.config.generator, self._networks["inverter"]), images)
        optimise, variables = self._inversion

        def run(images: np.ndarray, *masks: np.ndarray) -> jax.Array:
            mask = jnp.asarray(masks[0], jnp.float32) if masks else None
            return optimise(variables, to_float(jnp.asarray(images)), mask, steps, rate, weight)

        return self._apply(run, images, *(() if masks is None else (masks,)))

    @cached_property
    def _inversion(self) -> tuple[Callable, dict[str, Any]]:
        """The compiled optimiser and the variables it reads."""
        perceptual, variables = self._perceptual, dict(self._networks)
        choose = "give Editor.load perceptual=PerceptualConfig(vgg16_weights=FOLDER), or PerceptualConfig(network='none')"
        if perceptual.network == "vgg16":
            if not perceptual.vgg16_weights:
                raise InputError(f"optimising latents needs VGG16, and this checkpoint names no vgg16_weights; {choose}")
            try:
                variables["vgg16"] = load_vgg16(perceptual.vgg16_weights)
            except FileNotFoundError as error:
                raise FileNotFoundError(f"{error}; or {choose}") from None
        if perceptual.network == "discriminator" and "stylegan_discriminator" not in variables:
            raise InputError(f"optimising latents needs the StyleGAN's discriminator, which this checkpoint lacks; {choose}")
        config = self.config
        critic = config.stylegan_discriminator if self.stage == "editor" else config.discriminator
        return make_inversion(config.generator, self._trunk, perceptual, critic), variables

    @property
    def w_avg(self) -> np.ndarray:
        """Mean latent float32 [L, latent] of the generator, to which truncation draws."""
        return np.asarray(self._networks["w_avg"])

    @property
    def _latent_shape(self) -> tuple[int, int]:
        return self.num_layers, self.config.generator.latent_size

    def _prepare_edit(self, images: np.ndarray | Sequence[np.ndarray], keypoints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Images uint8 [N, R, R, 3] and keypoints float32 [N, 68, 2] in their pixels."""
        self._require("encoder")
        prepared, crops = self._prepare(images)
        moved = []
        for index, (points, crop) in enumerate(zip(as_keypoints(keypoints, len(prepared)), crops, strict=True)):
            points = crop.move(points, self.resolution)
            try:
                check_face(points * (crop.side / self.resolution), crop.side, crop.side)
            except InputError as error:
                raise InputError(f"keypoints {index}: {error}") from None
            if self.framing and not is_framed(points[None], self.resolution, self.framing):
                warnings.warn(self._misplaced(index, points), UserWarning, stacklevel=3)
            moved.append(points)
        return prepared, np.array(moved, np.float32).reshape(-1, NUM_LANDMARKS, 2)

    def _misplaced(self, index: int, points: np.ndarray) -> str:
        found, known = measure_framing(points[None], self.resolution), self.framing
        return (
            f"image {index}: the target's landmarks have their centre at ({found.x:.2f}, {found.y:.2f}) of the square and a "
            f"spread of {found.spread:.2f}; this editor knows faces at ({known.x:.2f}, {known.y:.2f}) with a spread of "
            f"{known.spread:.2f}. Editor.align crops photographs so"
        )

    def _require(self, network: str) -> None:
        if network not in self._networks:
            raise InputError(f"this checkpoint is of the {self.stage} stage and holds no {network}")

    def _prepare(self, images: np.ndarray | Sequence[np.ndarray], name: str = "image") -> tuple[np.ndarray, list[Crop]]:
        """Images uint8 [N, R, R, 3], and how they were cropped."""
        made, side = [], self.resolution
        for image in as_portraits(images, name):
            crop = largest_square(image.shape[1], image.shape[0])
            made.append((crop.apply(image, side), crop))
        squares = np.array([square for square, _ in made], np.uint8).reshape(-1, side, side, 3)
        return squares, [crop for _, crop in made]

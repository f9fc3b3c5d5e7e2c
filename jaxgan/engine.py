"""Trained networks, compiled and called in batches; what is public about them is in editor.py.

Images are uint8 [N, R, R, 3] of the networks' resolution, latents float32 [N, L, latent], keypoints float32 [N, 68, 2] in
pixels of the images.
"""

from collections.abc import Callable
from functools import cache, cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import losses
from jaxgan.batching import in_batches
from jaxgan.configs import Config, EncoderConfig, GeneratorConfig, PerceptualConfig, TrunkConfig
from jaxgan.data.framing import framed
from jaxgan.errors import InputError
from jaxgan.inversion import make_inversion
from jaxgan.models import pipeline
from jaxgan.models.features.dlib_face import load_dlib_face
from jaxgan.models.features.landmark_network import FRAMING, NETWORK_SIZE, load_landmark_network, network_landmarks
from jaxgan.models.features.weights import load_vgg16
from jaxgan.models.landmarks import landmarks_from_keypoints
from jaxgan.models.pipeline import to_float, to_uint8
from jaxgan.tuning import make_tuning

BATCH = 16  # images a call of a compiled function; shorter batches are padded to it, except a single image

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


@jax.jit
def _describe(variables: dict, images: jax.Array, keypoints: jax.Array) -> jax.Array:
    return losses.face_descriptors(variables, to_float(images), keypoints)


@jax.jit
def _locate(params: dict, images: jax.Array) -> jax.Array:
    return network_landmarks(params, to_float(images))


@cache
def _face_network() -> dict[str, Any]:
    return {"dlib_face": load_dlib_face()}


class Engine:
    """The networks of a checkpoint, as functions of NumPy arrays."""

    def __init__(self, stage: str, config: Config, networks: dict[str, Any], perceptual: PerceptualConfig | None):
        """`perceptual` stands in for the perceptual network of the training run, in what optimises."""
        self.networks = networks
        self._config, self._generator = config, config.generator
        self._perceptual = self._trunk = self._critic = None
        if stage != "stylegan":
            self._perceptual = perceptual or config.perceptual
            self._trunk = config.inverter if stage == "editor" else config.trunk
            self._critic = config.stylegan_discriminator if stage == "editor" else config.discriminator

    def invert(self, images: np.ndarray) -> np.ndarray:
        """Latents of images, by the inverter."""
        return in_batches(partial(_invert, self._trunk, self._generator, self.networks["inverter"]), BATCH, images)

    def optimise(
        self, images: np.ndarray, masks: np.ndarray | None, steps: int, learning_rate: float, encoder_weight: float
    ) -> np.ndarray:
        """Latents optimised from the inverter's on, where the masks uint8 [N, R, R, 1] are 1; see inversion.make_inversion."""
        variables = self._optimised
        optimise = make_inversion(self._generator, self._trunk, self._perceptual, self._critic)

        def run(images: np.ndarray, *masks: np.ndarray) -> jax.Array:
            mask = jnp.asarray(masks[0], jnp.float32) if masks else None
            return optimise(variables, to_float(jnp.asarray(images)), mask, steps, learning_rate, encoder_weight)

        return in_batches(run, BATCH, images, *(() if masks is None else (masks,)))

    def tune(
        self,
        images: np.ndarray,
        latents: np.ndarray,
        keypoints: np.ndarray | None,
        steps: int,
        learning_rate: float,
        identity_weight: float,
        share: float,
        progress: Callable[[int], None] | None = None,
    ) -> dict[str, Any]:
        """The networks with a generator that draws the images, of one person, from their latents; see tuning.make_tuning.

        Without keypoints there is no identity term.
        """
        variables, weight, points = self._optimised, 0.0, None
        if keypoints is not None and identity_weight:
            variables, weight, points = variables | _face_network(), identity_weight, jnp.asarray(keypoints)
        tune = make_tuning(self._generator, self._perceptual, self._critic, weight)
        portraits = to_float(jnp.asarray(images))
        generator = tune(variables, portraits, jnp.asarray(latents), points, steps, learning_rate, share, progress)
        return {**self.networks, "generator": generator}

    def describe(self, images: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
        """dlib's face descriptors [N, 128] of images with keypoints."""
        return in_batches(partial(_describe, _face_network()), BATCH, images, keypoints)

    def locate(self, images: np.ndarray, near: np.ndarray) -> np.ndarray:
        """Landmarks float32 [N, 68, 2] of images that lie near those given, by the landmark network."""
        side = images.shape[1]
        crops = [framed(side, side, points, FRAMING) for points in near]
        squares = [crop.apply(image, NETWORK_SIZE) for crop, image in zip(crops, images, strict=True)]
        found = in_batches(partial(_locate, load_landmark_network()), BATCH, np.stack(squares))
        return np.stack([crop.restore(points, NETWORK_SIZE) for crop, points in zip(crops, found, strict=True)])

    def shift(self, images: np.ndarray, latents: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
        """Edited latents, by the encoder."""
        function = partial(_shift, self._config.encoder, self._generator, self.networks["encoder"])
        return in_batches(function, BATCH, images, latents, keypoints)

    def render(self, latents: np.ndarray) -> np.ndarray:
        """Images of latents."""
        return in_batches(partial(_render, self._generator, self.networks["generator"]), BATCH, latents)

    def generate(self, z: np.ndarray, psi: np.ndarray) -> np.ndarray:
        """Images of z [N, latent], truncated by psi [N]."""
        function = partial(_generate, self._generator, self.networks["generator"], self.networks["w_avg"])
        return in_batches(function, BATCH, z, psi)

    @cached_property
    def _optimised(self) -> dict[str, Any]:
        """The variables that optimisation reads.

        Raises:
          InputError, FileNotFoundError: The perceptual network has none.
        """
        perceptual, variables = self._perceptual, dict(self.networks)
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
        return variables

"""The editing pipeline as pure functions of configurations and variables: invert, shift, render, generate.

Images are [B, R, R, 3] in [-1, 1] and latents [B, L, latent]. `variables` are those of one network ("params" and its statistics
or noise), in inference mode: running statistics, fixed noise.
"""

import jax
import jax.numpy as jnp

from jaxgan.configs import EncoderConfig, GeneratorConfig, TrunkConfig
from jaxgan.models.encoder import Encoder
from jaxgan.models.families import make_generator, make_inverter
from jaxgan.models.landmarks import Landmarks
from jaxgan.models.stylegan import truncate

Variables = dict


def to_float(images: jax.Array) -> jax.Array:
    """uint8 images to float32 in [-1, 1]."""
    return images.astype(jnp.float32) / 127.5 - 1.0


def to_uint8(images: jax.Array) -> jax.Array:
    """Float images in [-1, 1] (clipped) to uint8, rounded."""
    return jnp.round((jnp.clip(images, -1.0, 1.0) + 1.0) * 127.5).astype(jnp.uint8)


def invert(trunk: TrunkConfig, generator: GeneratorConfig, variables: Variables, portraits: jax.Array) -> jax.Array:
    """Latents w of portraits, by the inverter."""
    return make_inverter(trunk, generator).apply(variables, portraits, False)


def shift(
    encoder: EncoderConfig,
    generator: GeneratorConfig,
    variables: Variables,
    portraits: jax.Array,
    latents: jax.Array,
    landmarks: Landmarks,
) -> jax.Array:
    """Edited latents w + delta with the target landmarks, by the encoder."""
    return Encoder(encoder, generator).apply(variables, portraits, latents, landmarks, False)


def render(generator: GeneratorConfig, variables: Variables, latents: jax.Array, remat: bool = False) -> jax.Array:
    """Images of latents, by the generator's synthesis."""
    return make_generator(generator, remat).apply(variables, latents, method="synthesize")


def generate(
    generator: GeneratorConfig,
    variables: Variables,
    w_avg: jax.Array,
    z: jax.Array,
    truncation: float | jax.Array = 0.7,
    resolution: int | None = None,
    alpha: jax.Array | None = None,
) -> jax.Array:
    """Images of z [B, latent], with the first 8 layers truncated towards w_avg [L, latent].

    Args:
      truncation: psi, a scalar or [B]; 1 for none.
      resolution, alpha: Of growing networks, see models.stylegan.Synthesis.
    """
    network = make_generator(generator)
    w = truncate(network.apply(variables, z, method="map"), w_avg, truncation)
    return network.apply(variables, w, None, resolution, alpha, method="synthesize")

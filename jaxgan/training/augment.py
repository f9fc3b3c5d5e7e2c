"""Differentiable augmentation of what the discriminator sees (Zhao et al. 2020, DiffAugment), for small datasets.

Real and generated images go through the same random changes, so the generator does not learn them.
"""

import jax
import jax.numpy as jnp

from jaxgan.configs import AugmentConfig


def augment(config: AugmentConfig, keys: jax.Array, images: jax.Array) -> jax.Array:
    """Augments images, each by what its random key draws.

    Colour changes brightness by up to 0.5, saturation by a factor in [0, 2) and contrast by one in [0.5, 1.5). Translation
    shifts by up to that share of the side, with mid-grey beyond the border. Cutout is a grey square hole of that share.

    Args:
      config: Which changes to make, and how large.
      keys: Random keys [B].
      images: [B, R, R, 3] in [-1, 1].

    Returns:
      float32 [B, R, R, 3], not clipped.
    """
    draws = jax.vmap(lambda key: jax.random.uniform(key, (7,), jnp.float32))(keys)
    if config.color:
        images = _colour(images, draws[:, :3])
    if config.translation:
        images = _translate(images, draws[:, 3:5], config.translation)
    if config.cutout:
        images = _cut_out(images, draws[:, 5:7], config.cutout)
    return images


def _colour(images: jax.Array, draws: jax.Array) -> jax.Array:
    brightness, saturation, contrast = (draws[:, i, None, None, None] for i in range(3))
    images = images + (brightness - 0.5)
    grey = images.mean(axis=3, keepdims=True)
    images = grey + (images - grey) * (2.0 * saturation)
    mean = images.mean(axis=(1, 2, 3), keepdims=True)
    return mean + (images - mean) * (0.5 + contrast)


def _translate(images: jax.Array, draws: jax.Array, ratio: float) -> jax.Array:
    """Shifts by whole pixels, as products with shift matrices: gathers have slow gradients."""
    size = images.shape[1]
    most = round(size * ratio)
    shifts = jnp.floor(draws * (2 * most + 1)).astype(jnp.int32) - most  # [B, 2], down and right
    pixels = jnp.arange(size)
    matrices = pixels[None, None, :, None] - shifts[:, :, None, None] == pixels[None, None, None, :]  # [B, 2, to, from]
    down, right = jnp.moveaxis(matrices.astype(images.dtype), 1, 0)
    return jnp.einsum("bij,bjwc,bvw->bivc", down, images, right)


def _cut_out(images: jax.Array, draws: jax.Array, ratio: float) -> jax.Array:
    """The hole's centre lies anywhere in the image, so that part of it may fall outside."""
    size = images.shape[1]
    side = round(size * ratio)
    start = jnp.floor(draws * (size + 1 - side % 2)).astype(jnp.int32) - side // 2  # [B, 2], top and left
    inside = jnp.arange(size)[None, None, :] - start[:, :, None]
    inside = jnp.logical_and(inside >= 0, inside < side)  # [B, 2, R]
    hole = jnp.logical_and(inside[:, 0, :, None], inside[:, 1, None, :])
    return jnp.where(hole[..., None], 0.0, images)

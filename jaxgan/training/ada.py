"""The augmentations of ADA: pixel blitting, geometric and colour transforms, each with probability p.

Ranges and probabilities are those of the pipeline "bgc", with which the published networks were trained.

References:
  Karras et al., Training generative adversarial networks with limited data, 2020, appendix B.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgan.training.augment_geometry import warp


class Geometry(NamedTuple):
    """Transforms of images in the order in which they act; [B], offsets [B, 2] right and down. Angles turn clockwise."""

    mirrored: jax.Array  # -1 for a mirror image, else 1
    turn: jax.Array  # radians, a multiple of pi / 2
    shift: jax.Array  # whole pixels
    scale: jax.Array  # of both sides
    angle_before: jax.Array  # radians
    stretch: jax.Array  # of the width, whose inverse is that of the height
    angle_after: jax.Array  # radians
    offset: jax.Array  # pixels


class Colour(NamedTuple):
    """Changes of colour in the order in which they act; [B]."""

    brightness: jax.Array  # added
    contrast: jax.Array  # factor
    luma: jax.Array  # -1 where light and dark change places, else 1
    hue: jax.Array  # radians around the grey axis
    saturation: jax.Array  # factor of the distance from the grey axis


def augment(keys: jax.Array, p: jax.Array, images: jax.Array) -> jax.Array:
    """Augments images, each by what its random key draws; at p = 0 they stay as they are.

    Args:
      keys: Random keys [B].
      p: Probability of each transform, a scalar in [0, 1].
      images: float32 [B, R, R, 3] in [-1, 1].

    Returns:
      float32 [B, R, R, 3], not clipped.
    """
    geometry, colour = jax.vmap(lambda key: draw(key, p, images.shape[1]))(keys)
    return recolour(colour, transform(geometry, images))


def draw(key: jax.Array, p: jax.Array, size: int) -> tuple[Geometry, Colour]:
    """Parameters of one image of `size` pixels, without the batch axis."""
    key_on, key_uniform, key_normal = jax.random.split(key, 3)
    chance = jax.random.uniform(key_on, (13,), jnp.float32)
    even = jax.random.uniform(key_uniform, (9,), jnp.float32)
    signed = 2.0 * even - 1.0
    normal = jax.random.normal(key_normal, (7,), jnp.float32)
    on = chance < p
    # Two rotations, of which at least one happens with probability p.
    turned = chance < 1.0 - jnp.sqrt(1.0 - p)
    geometry = Geometry(
        mirrored=jnp.where(jnp.logical_and(on[0], even[0] < 0.5), -1.0, 1.0),
        turn=jnp.where(on[1], jnp.floor(4.0 * even[1]) * (0.5 * jnp.pi), 0.0),
        shift=jnp.where(on[2], jnp.round(0.125 * size * signed[2:4]), 0.0),
        scale=jnp.where(on[3], jnp.exp2(0.2 * normal[0]), 1.0),
        angle_before=jnp.where(turned[4], jnp.pi * signed[4], 0.0),
        stretch=jnp.where(on[5], jnp.exp2(0.2 * normal[1]), 1.0),
        angle_after=jnp.where(turned[6], jnp.pi * signed[5], 0.0),
        offset=jnp.where(on[7], 0.125 * size * normal[2:4], 0.0),
    )
    colour = Colour(
        brightness=jnp.where(on[8], 0.2 * normal[4], 0.0),
        contrast=jnp.where(on[9], jnp.exp2(0.5 * normal[5]), 1.0),
        luma=jnp.where(jnp.logical_and(on[10], even[6] < 0.5), -1.0, 1.0),
        hue=jnp.where(on[11], jnp.pi * signed[7], 0.0),
        saturation=jnp.where(on[12], jnp.exp2(normal[6]), 1.0),
    )
    return geometry, colour


def transform(geometry: Geometry, images: jax.Array) -> jax.Array:
    """Images [B, R, R, C] under their geometric transforms; those without any to the last bit."""
    neutral = Geometry(1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0)
    return jnp.where(_differs(geometry, neutral), warp(images, inverse_matrix(geometry)), images)


def inverse_matrix(geometry: Geometry) -> jax.Array:
    """[B, 2, 3], from output to input positions as `augment_geometry.warp` takes them."""
    blit = _product(_diagonal(geometry.mirrored, jnp.ones_like(geometry.mirrored)), _rotation(-geometry.turn))
    stretch = _diagonal(1.0 / geometry.stretch, geometry.stretch)
    linear = _product(_product(_rotation(-geometry.angle_before), stretch), _rotation(-geometry.angle_after))
    linear = linear / geometry.scale[:, None, None]
    offset = _product(linear, geometry.offset[:, :, None]) + geometry.shift[:, :, None]
    return _product(blit, jnp.concatenate([linear, -offset], axis=2))


def _rotation(angle: jax.Array) -> jax.Array:
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    return jnp.stack([jnp.stack([cos, -sin], -1), jnp.stack([sin, cos], -1)], -2)


def _diagonal(x: jax.Array, y: jax.Array) -> jax.Array:
    return jnp.stack([x, y], -1)[:, :, None] * jnp.eye(2, dtype=jnp.float32)[None]


def _product(a: jax.Array, b: jax.Array) -> jax.Array:
    """Positions need all bits of float32, which matrix units do not keep by themselves."""
    return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)


def recolour(colour: Colour, images: jax.Array) -> jax.Array:
    """Images [B, R, R, 3] under their changes of colour; those without any to the last bit.

    All of the published matrices keep the grey axis and the plane across it apart, so that their product has this short form.
    """
    brightness, contrast, luma, hue, saturation = (value[:, None, None, None] for value in colour)
    grey = images.mean(axis=3, keepdims=True)
    plane = images - grey
    quarter = (jnp.roll(plane, 1, axis=3) - jnp.roll(plane, -1, axis=3)) * 3**-0.5  # plane turned by 90 degrees
    plane = saturation * (jnp.cos(hue) * plane + jnp.sin(hue) * quarter)
    changed = contrast * (luma * (grey + brightness) + plane)
    return jnp.where(_differs(colour, Colour(0.0, 1.0, 1.0, 0.0, 1.0)), changed, images)


def _differs(values: Geometry | Colour, neutral: Geometry | Colour) -> jax.Array:
    """Whether any parameter of an image is not neutral, [B, 1, 1, 1]."""
    different = [(value != still).reshape(value.shape[0], -1) for value, still in zip(values, neutral, strict=True)]
    return jnp.concatenate(different, axis=1).any(axis=1)[:, None, None, None]

"""Landmark images, drawn from keypoints on the device."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

# (points in drawing order, closed, 8-bit RGB); the outer lips are not drawn.
CURVES: tuple[tuple[range, bool, tuple[int, int, int]], ...] = (
    (range(0, 17), False, (0, 128, 0)),  # jaw
    (range(17, 22), False, (255, 165, 0)),  # brows
    (range(22, 27), False, (255, 165, 0)),
    (range(27, 31), False, (0, 0, 255)),  # nose
    (range(31, 36), False, (0, 0, 255)),
    (range(36, 42), True, (255, 0, 0)),  # eyes
    (range(42, 48), True, (255, 0, 0)),
    (range(60, 68), True, (255, 192, 203)),  # inner lips
)


def _segments() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    starts, ends, owners = [], [], []
    for curve, (points, closed, _) in enumerate(CURVES):
        order = [*points, points[0]] if closed else [*points]
        starts += order[:-1]
        ends += order[1:]
        owners += [curve] * (len(order) - 1)
    return np.array(starts), np.array(ends), np.array(owners)


_START, _END, _OWNER = _segments()
_FAR = 1e9  # pixels; squares of much larger values overflow float32 and lead to NaN


class Landmarks(NamedTuple):
    """Landmarks in the two forms that networks read."""

    keypoints: jax.Array  # [B, 68, 2], (x, y), in [-1, 1] across the image
    image: jax.Array  # [B, R, R, 3] in [-1, 1], drawn


def draw_landmarks(keypoints: jax.Array, resolution: int) -> jax.Array:
    """Draws iBUG-68 keypoints as coloured, antialiased one-pixel lines on black (figure 1 of the report).

    A curve covers max(0, 1 - d) of a pixel whose centre is d pixels away. Later curves are painted over earlier ones.

    Args:
      keypoints: [B, 68, 2], (x, y) in pixels of the image; pixel centres lie at integer + 0.5.
      resolution: width and height of the image.

    Returns:
      float32 [B, resolution, resolution, 3] in [0, 1].

    Raises:
      ValueError: keypoints have another shape.
    """
    keypoints = jnp.asarray(keypoints, jnp.float32)
    if keypoints.ndim != 3 or keypoints.shape[1:] != (68, 2):
        raise ValueError(f"keypoints must be [B, 68, 2], got {list(keypoints.shape)}")
    return _draw(keypoints, resolution)


@partial(jax.jit, static_argnums=1)
def _draw(keypoints: jax.Array, resolution: int) -> jax.Array:
    keypoints = jnp.clip(keypoints, -_FAR, _FAR)
    centres = jnp.arange(resolution, dtype=jnp.float32)[None, None, None, :] + 0.5
    start, end = keypoints[:, _START], keypoints[:, _END]  # [B, S, 2]
    length = jnp.linalg.norm(end - start, axis=-1, keepdims=True)
    anywhere = jnp.array([1.0, 0.0], jnp.float32)[None, None, :]  # direction of a segment without length
    direction = jnp.where(length > 0, (end - start) / jnp.where(length > 0, length, 1.0), anywhere)
    normal = direction[..., ::-1] * jnp.array([-1.0, 1.0], jnp.float32)[None, None, :]
    offset = centres - 0.5 * (start + end)[..., None]  # [B, S, 2, R], from the middle of a segment
    along, across = direction[..., None] * offset, normal[..., None] * offset  # contributions of x and of y
    image = jnp.zeros((keypoints.shape[0], resolution, resolution, 3), jnp.float32)
    for curve, (_, _, colour) in enumerate(CURVES):
        distance2 = jnp.full(image.shape[:3], jnp.inf, jnp.float32)
        for s in np.flatnonzero(_OWNER == curve):  # one by one, which XLA fuses into a loop over pixels several times as fast
            beyond = jnp.maximum(jnp.abs(_sum_xy(along[:, s])) - 0.5 * length[:, s, :, None], 0.0)
            distance2 = jnp.minimum(distance2, jnp.square(beyond) + jnp.square(_sum_xy(across[:, s])))
        cover = jnp.maximum(1.0 - jnp.sqrt(distance2), 0.0)[..., None]
        paint = jnp.array(colour, jnp.float32)[None, None, None, :] / 255.0
        image = image * (1.0 - cover) + paint * cover
    return image


def _sum_xy(parts: jax.Array) -> jax.Array:
    """Sums [B, R, R] of contributions [B, 2, R] of the columns and of the rows."""
    return parts[:, 1, :, None] + parts[:, 0, None, :]


def landmarks_from_keypoints(keypoints: jax.Array, resolution: int) -> Landmarks:
    """Converts keypoints [B, 68, 2] in pixels of a resolution x resolution image to what networks read."""
    image = draw_landmarks(keypoints, resolution) * 2.0 - 1.0
    return Landmarks(keypoints=jnp.asarray(keypoints, jnp.float32) * (2.0 / resolution) - 1.0, image=image)

"""Aligning faces by their landmarks in JAX, so that gradients of a recognition network reach the picture.

Up to the resampling it is what dlib does (`get_face_chip`, padding 0.25), with this project's mean face for dlib's.
"""

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.data.landmarks import LEFT_EYE, NOSE_BASE, NOSE_BRIDGE, RIGHT_EYE
from jaxgan.data.shape import MEAN_FACE

# Nose, eyes and the upper lip: what neither expressions nor the shape of a jaw move far.
STABLE = np.r_[NOSE_BRIDGE, NOSE_BASE, RIGHT_EYE, LEFT_EYE, 48:55, 60:65]
# Where dlib puts the mean face, as shares of the aligned picture's side: centre and root mean square distance to it.
CENTRE, SPREAD = (0.5, 0.533), 0.308


def align_faces(images: jax.Array, keypoints: jax.Array, size: int) -> jax.Array:
    """Faces [B, size, size, C], upright and centred, of images [B, H, W, C] with keypoints [B, 68, 2] in their pixels.

    Sampled bilinearly; beyond the picture its edge is repeated. Gradients flow to the images.
    """
    centre = jnp.asarray(CENTRE, jnp.float32)
    template = size * (SPREAD * jnp.asarray(MEAN_FACE[STABLE]) + jnp.broadcast_to(centre, (len(STABLE), 2)))
    steps = jnp.arange(size, dtype=jnp.float32) + 0.5

    def one(image: jax.Array, points: jax.Array) -> jax.Array:
        turn, there, here = _similarity(template, points[STABLE])
        x, y = steps[None, :] - here[0], steps[:, None] - here[1]
        where = [turn[1] * x + turn[0] * y + there[1], turn[0] * x - turn[1] * y + there[0]]
        sample = jax.vmap(lambda channel: jax.scipy.ndimage.map_coordinates(channel, at, 1, "nearest"), 2, 2)
        at = [each - 0.5 for each in where]
        return sample(image)

    return jax.vmap(one)(images, keypoints)


def _similarity(source: jax.Array, target: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Least squares map of points [K, 2] to others: (scale times cosine and sine [2], centre there [2], centre here [2])."""
    here, there = source.mean(axis=0), target.mean(axis=0)
    a, b = source - here[None], target - there[None]
    turn = jnp.stack([jnp.sum(a * b), jnp.sum(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])]) / jnp.sum(a * a)
    return turn, there, here

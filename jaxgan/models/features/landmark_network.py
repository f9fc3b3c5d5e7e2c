"""A small convolutional network that finds 68 landmarks in 64-pixel crops, in JAX, so that gradients reach the picture.

Its teacher is dlib (Kazemi & Sullivan 2014), whose regression trees have no gradients and need a face found first; see
benchmarks/landmark_network.py for its training. It reads crops in which the face lies about as in FRAMING.
"""

import dataclasses
from functools import cache
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan import storage
from jaxgan.data.framing import MeanFraming

NETWORK_SIZE = 64  # pixels; side of its crops
FRAMING = MeanFraming(x=0.4937, y=0.5288, spread=0.3274)  # where the faces lie in them: those of UTKFace
WIDTHS = (24, 48, 80, 128)
WEIGHTS = Path(__file__).parent / "landmark_network"
KIND = "landmark network"


class LandmarkNetwork(nn.Module):
    """Crops [B, 64, 64, 3] in [-1, 1] to landmarks [B, 68, 2], (x, y) in [-1, 1] across the crop."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for level, width in enumerate(WIDTHS):
            x = nn.Conv(width, (3, 3), strides=2, name=f"down{level}")(x)
            x = nn.gelu(nn.GroupNorm(num_groups=8, name=f"norm{level}a")(x))
            y = nn.Conv(width, (3, 3), name=f"conv{level}")(x)
            x = x + nn.gelu(nn.GroupNorm(num_groups=8, name=f"norm{level}b")(y))
        x = nn.gelu(nn.Dense(256, name="dense")(x.reshape(x.shape[0], -1)))
        return nn.Dense(136, name="points")(x).reshape(-1, 68, 2)


def network_landmarks(params: Any, images: jax.Array) -> jax.Array:
    """Landmarks [B, 68, 2], in pixels of the images, of crops [B, R, R, 3] in [-1, 1]; gradients flow to the images.

    Crops of other sizes are resampled to NETWORK_SIZE.
    """
    batch, side = images.shape[:2]
    images = images.astype(jnp.float32)
    if side != NETWORK_SIZE:
        images = jax.image.resize(images, (batch, NETWORK_SIZE, NETWORK_SIZE, 3), "linear", antialias=True)
    return (LandmarkNetwork().apply({"params": params}, images) + 1.0) * (side / 2)


def save_landmark_network(folder: str | Path, params: Any) -> None:
    """Writes parameters in half precision."""
    arrays = {path: jnp.asarray(leaf, jnp.float16) for path, leaf in storage.flatten(params).items()}
    storage.write(folder, KIND, arrays, {"framing": dataclasses.asdict(FRAMING)})


@cache
def load_landmark_network() -> Any:
    """The parameters that come with the package, float32."""
    _, arrays = storage.read(WEIGHTS, KIND)
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), storage.nest(arrays))

"""Networks of metrics as functions of uint8 images, with weights written by `jaxgan convert`."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.evaluation.edits import in_chunks
from jaxgan.models.features.facenet import face_embeddings
from jaxgan.models.features.inception import inception_features
from jaxgan.models.features.lpips import lpips_distance
from jaxgan.models.features.weights import load_features
from jaxgan.models.pipeline import to_float

Network = Callable[..., np.ndarray]


def _in_chunks(name: str, network: Callable[..., jax.Array]) -> Network:
    compiled = jax.jit(network)

    def run(*images: np.ndarray) -> np.ndarray:
        return in_chunks(lambda *some: np.asarray(compiled(*map(jnp.asarray, some))), name, *images)

    return run


def inception_network(path: str | Path) -> Network:
    """Images uint8 [N, R, R, 3] to pool3 features float32 [N, 2048]."""
    return _in_chunks("inception", partial(inception_features, load_features("inception", path)))


def facenet_network(path: str | Path) -> Network:
    """Faces uint8 [N, S, S, 3] to embeddings float32 [N, 512] of unit length; pixels are scaled as in facenet-pytorch."""
    params = load_features("facenet", path)
    return _in_chunks("facenet", lambda faces: face_embeddings(params, (faces.astype(jnp.float32) - 127.5) / 128.0))


def lpips_network(path: str | Path) -> Network:
    """Two sets of images uint8 [N, R, R, 3] to their distances float32 [N]."""
    params = load_features("lpips", path)
    return _in_chunks("lpips", lambda a, b: lpips_distance(params, to_float(a), to_float(b)))

"""dlib's face descriptors of pictures: the embeddings of CSIM-dlib and the features of FD-dlib, without a download."""

from collections.abc import Callable
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.errors import WeightsError
from jaxgan.evaluation.edits import Edits, in_chunks
from jaxgan.evaluation.measurement import NotApplicable
from jaxgan.models.features import dlib_face

BATCH = 8  # faces; on CPUs larger batches are slower


@cache
def load_dlib() -> Callable[[np.ndarray], np.ndarray]:
    """dlib's face recognition network, which maps aligned faces uint8 [N, 150, 150, 3] to descriptors float32 [N, 128].

    Raises:
      NotApplicable: the package with the weights is not installed.
    """
    try:
        params = dlib_face.load_dlib_face()
    except WeightsError as error:
        raise NotApplicable(str(error)) from None
    compiled = jax.jit(dlib_face.dlib_descriptors)

    def some(faces: np.ndarray) -> np.ndarray:
        return np.asarray(compiled(params, jnp.asarray(faces, jnp.float32)))

    return lambda faces: in_chunks(some, "dlib's descriptors", faces, pad=True, size=BATCH)


def dlib_descriptors(edits: Edits, row: str) -> np.ndarray:
    """dlib's face descriptors float32 [N, 128] of a row."""
    return edits.aligned(row, "dlib", dlib_face.DLIB_SIZE, load_dlib())

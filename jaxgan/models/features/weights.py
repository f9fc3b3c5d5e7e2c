"""Weights of feature networks, as `jaxgan convert` writes them (see jaxgan.storage)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from jaxgan import storage
from jaxgan.errors import InputError, WeightsError
from jaxgan.models.features.facenet import FACENET_SIZE, FaceNet
from jaxgan.models.features.inception import INCEPTION_SIZE, FIDInception
from jaxgan.models.features.lpips import LPIPS, MIN_SIZE
from jaxgan.models.features.vgg16 import PERCEPTUAL_SIZE, VGG16

# network -> (module, side of its images in pixels, number of its arguments)
NETWORKS: dict[str, tuple[nn.Module, int, int]] = {
    "vgg16": (VGG16(), PERCEPTUAL_SIZE, 1),
    "inception": (FIDInception(), INCEPTION_SIZE, 1),
    "facenet": (FaceNet(), FACENET_SIZE, 1),
    "lpips": (LPIPS(), MIN_SIZE, 2),
}


def param_shapes(network: str) -> dict[str, tuple[int, ...]]:
    """Shape of each parameter of a network by path ("Mixed_5b.branch1x1.conv.kernel")."""
    module, size, inputs = NETWORKS[network]
    images = jax.ShapeDtypeStruct((1, size, size, 3), jnp.float32)
    params = jax.eval_shape(module.init, jax.random.key(0), *(inputs * [images]))["params"]
    return {name: leaf.shape for name, leaf in flatten_dict(params, sep=".").items()}


def save_features(folder: str | Path, network: str, params: Mapping[str, Any]) -> None:
    """Writes the parameters of a network as float32."""
    arrays = {path: np.asarray(leaf, np.float32) for path, leaf in storage.flatten(params).items()}
    storage.write(folder, network, arrays, {})


def load_features(network: str, folder: str | Path) -> dict[str, Any]:
    """The parameters of a network, float32, as `save_features` wrote them.

    Raises:
      FileNotFoundError: There is no such folder.
      WeightsError: It holds something else, or tensors of other names or shapes.
      DamagedError: A file is not what was written.
    """
    if not storage.is_stored(folder):
        raise FileNotFoundError(f"{folder}: no weights there; `jaxgan convert {network}` writes them")
    try:
        _, arrays = storage.read(folder, network)
    except InputError as error:
        raise WeightsError(str(error)) from None
    found = {path.replace("/", "."): array for path, array in arrays.items()}
    wanted = param_shapes(network)
    problems = [f"missing {name}" for name in wanted if name not in found]
    problems += [f"unexpected {name}" for name in found if name not in wanted]
    for name in wanted.keys() & found.keys():
        if found[name].shape != wanted[name]:
            problems.append(f"{name} has shape {found[name].shape}, not {wanted[name]}")
        elif not np.isfinite(found[name]).all():
            problems.append(f"{name} holds NaN or infinity")
    if problems:
        raise WeightsError(f"{folder}: not the weights of {network}: {'; '.join(sorted(problems)[:8])}")
    return unflatten_dict({name: jnp.asarray(found[name], jnp.float32) for name in wanted}, sep=".")


def load_vgg16(folder: str | Path) -> dict[str, Any]:
    """Parameters of VGG16; see `load_features`."""
    return load_features("vgg16", folder)

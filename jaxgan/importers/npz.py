"""Networks in .npz files: a tensor per entry, named by its path in the flax variables, and the network's name.

No pickles are written or read.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from jaxgan.errors import WeightsError
from jaxgan.importers.tensors import Tensors
from jaxgan.runtime import atomic_write

MARK = "network"  # the entry that names the network; a tensor's name has a dot in it


def param_shapes(network: nn.Module, size: int, inputs: int = 1) -> dict[str, tuple[int, ...]]:
    """Shape of each parameter, by path ("Mixed_5b.branch1x1.conv.kernel").

    The network takes as many arguments as `inputs` says, each images [B, size, size, 3].
    """
    images = jax.ShapeDtypeStruct((1, size, size, 3), jnp.float32)
    params = jax.eval_shape(network.init, jax.random.key(0), *(inputs * [images]))["params"]
    return {name: leaf.shape for name, leaf in flatten_dict(params, sep=".").items()}


def write_npz(path: str | Path, network: str, variables: Mapping[str, Any]) -> None:
    """Writes nested arrays as float32, in one step: the file appears whole or not at all."""
    arrays = {name: np.asarray(array, np.float32) for name, array in flatten_dict(variables, sep=".").items()}
    with atomic_write(path) as file:
        np.savez(file, **{MARK: np.array(network)}, **arrays)


def read_npz(path: str | Path, network: str, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    """The nested float32 arrays of a file that `write_npz` made of the same network.

    Raises:
      FileNotFoundError: there is no such file.
      WeightsError: it is no .npz, holds another network, or its tensors are not those of `shapes` (by dotted path).
    """
    if not Path(path).exists():
        raise FileNotFoundError(f"{path}: no such file; python -m jaxgan.convert {network} writes it")
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except Exception as error:  # NumPy raises a different type for each way in which a file is no archive
        raise WeightsError(f"{path}: not a readable .npz file ({type(error).__name__})") from None
    if MARK not in arrays:
        raise WeightsError(f"{path}: not written by python -m jaxgan.convert {network}: it does not name its network")
    found = str(arrays.pop(MARK))
    if found != network:
        raise WeightsError(f"{path}: holds the network {found}, not {network}")
    tensors = Tensors(arrays, path)
    taken = {name: jnp.asarray(tensors.take(name, shape)) for name, shape in shapes.items()}
    tensors.finish(network)
    return unflatten_dict(taken, sep=".")

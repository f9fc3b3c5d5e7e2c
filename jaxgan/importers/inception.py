"""pytorch-fid's weights of the FID Inception."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from flax.traverse_util import unflatten_dict

from jaxgan.importers.tensors import Tensors
from jaxgan.models.features.weights import param_shapes

EPSILON = 1e-3  # of the batch norms, in TensorFlow's Inceptions and their ports


def with_batch_norm(tensors: Tensors, weight: str, norm: str, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias of the layer that a layer without bias and the batch norm after it are in inference mode.

    Args:
      weight: name of PyTorch's weight, [out, in, kH, kW] or [out, in].
      norm: prefix of the batch norm's tensors, each [out].
      shape: of the kernel, [kH, kW, in, out] or [in, out].
    """
    axes = (3, 2, 0, 1) if len(shape) == 4 else (1, 0)
    kernel = tensors.take(weight, tuple(shape[axis] for axis in axes)).astype(np.float64)
    gain, offset, mean, variance = (
        tensors.take(f"{norm}.{leaf}", shape[-1:]).astype(np.float64)
        for leaf in ("weight", "bias", "running_mean", "running_var")
    )
    tensors.skip(f"{norm}.num_batches_tracked")
    factor = gain / np.sqrt(variance + EPSILON)
    kernel = kernel.transpose(2, 3, 1, 0) if len(shape) == 4 else kernel.T
    return (kernel * factor).astype(np.float32), (offset - mean * factor).astype(np.float32)


def inception_params(state: Mapping[str, np.ndarray], origin: str | Path) -> dict[str, Any]:
    """Parameters of `FIDInception` from pytorch-fid's state dict, batch norms folded into the convolutions.

    The classifier ("fc.") is left out.

    Raises:
      WeightsError: It is another network; the message has `origin` and the tensors concerned.
    """
    tensors, params = Tensors(state, origin), {}
    for name, shape in param_shapes("inception").items():
        layer, leaf = name.rsplit(".conv.", 1)
        if leaf == "kernel":
            kernel, bias = with_batch_norm(tensors, f"{layer}.conv.weight", f"{layer}.bn", shape)
            params |= {f"{layer}.conv.kernel": kernel, f"{layer}.conv.bias": bias}
    tensors.skip("fc.weight", "fc.bias")
    tensors.finish("pytorch-fid's Inception")
    return unflatten_dict(params, sep=".")

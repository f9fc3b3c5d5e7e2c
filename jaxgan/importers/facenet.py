"""facenet-pytorch's weights of the Inception-ResNet v1."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from flax.traverse_util import unflatten_dict

from jaxgan.importers.inception import with_batch_norm
from jaxgan.importers.tensors import Tensors, conv_kernel
from jaxgan.models.features.weights import param_shapes


def facenet_params(state: Mapping[str, np.ndarray], origin: str | Path) -> dict[str, Any]:
    """Parameters of `FaceNet` from facenet-pytorch's state dict, batch norms folded into the layers before them.

    The classifier ("logits.") is left out.

    Raises:
      WeightsError: It is another network; the message has `origin` and the tensors concerned.
    """
    tensors, params = Tensors(state, origin), {}
    for name, shape in param_shapes("facenet").items():
        layer, leaf = name.rsplit(".", 1)
        if leaf == "bias":
            continue
        if layer.endswith(".conv2d"):  # the one kind of layer without a batch norm
            kernel = conv_kernel(tensors.take(f"{layer}.weight", (shape[3], shape[2], *shape[:2])))
            bias = tensors.take(f"{layer}.bias", shape[-1:])
        else:
            norm = "last_bn" if layer == "last_linear" else f"{layer.removesuffix('.conv')}.bn"
            kernel, bias = with_batch_norm(tensors, f"{layer}.weight", norm, shape)
        params |= {f"{layer}.kernel": kernel, f"{layer}.bias": bias}
    tensors.skip("logits.weight", "logits.bias")
    tensors.finish("facenet-pytorch's Inception-ResNet v1")
    return unflatten_dict(params, sep=".")

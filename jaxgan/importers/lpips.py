"""Weights of LPIPS on VGG16: torchvision's network and the linear layers of the `lpips` package."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan.importers.tensors import Tensors, conv_kernel
from jaxgan.importers.vgg16 import vgg16_params
from jaxgan.models.features.vgg16 import VGG16_BLOCKS


def lpips_params(
    vgg16: Mapping[str, np.ndarray], linear: Mapping[str, np.ndarray], vgg16_origin: str | Path, linear_origin: str | Path
) -> dict[str, Any]:
    """Parameters of `LPIPS` from torchvision's state dict of VGG16 and the `lpips` package's v0.1/vgg.pth.

    Raises:
      WeightsError: They are other networks; the message has the origin and the tensors concerned.
    """
    params = vgg16_params(vgg16, vgg16_origin, len(VGG16_BLOCKS))
    tensors = Tensors(linear, linear_origin)
    for index, (_, width) in enumerate(VGG16_BLOCKS):
        params[f"lin{index}"] = {"kernel": conv_kernel(tensors.take(f"lin{index}.model.1.weight", (1, width, 1, 1)))}
    tensors.finish("the linear layers of LPIPS on VGG16")
    return params

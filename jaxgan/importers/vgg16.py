"""torchvision's weights of VGG16, without the classifier."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan.importers.tensors import Tensors, conv_kernel
from jaxgan.models.features.vgg16 import PERCEPTUAL_BLOCKS, vgg16_layers

# Position of each convolution in torchvision's `vgg16().features`, in the order of the layers.
TORCHVISION_INDEX = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21)  # up to relu4_3
TORCHVISION_BLOCK5 = (24, 26, 28)


def vgg16_params(state: Mapping[str, np.ndarray], origin: str | Path, blocks: int = PERCEPTUAL_BLOCKS) -> dict[str, Any]:
    """Parameters of the first blocks of VGG16, 4 for `VGG16`, from torchvision's state dict; layers above are left out.

    Raises:
      WeightsError: It is another network; the message has `origin` and the tensors concerned.
    """
    tensors, params = Tensors(state, origin), {}
    indices = (*TORCHVISION_INDEX, *TORCHVISION_BLOCK5)
    layers = vgg16_layers(blocks)
    for (layer, (inputs, width)), index in zip(layers.items(), indices[: len(layers)], strict=True):
        kernel = conv_kernel(tensors.take(f"features.{index}.weight", (width, inputs, 3, 3)))
        params[layer] = {"kernel": kernel, "bias": tensors.take(f"features.{index}.bias", (width,))}
    above = ("classifier.", *(f"features.{index}." for index in indices[len(layers) :]))
    tensors.skip(*(name for name in state if name.startswith(above)))
    tensors.finish("torchvision's VGG16")
    return params

"""StyleGAN2's synthesis in PyTorch as published, on this project's variables: the peer of stylegan2_speed.py.

A style makes a kernel for each image, and one grouped convolution applies them all; or, as where published code trains, it
scales the image instead. Resampling filters are depthwise convolutions. Skip architecture, NCHW.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

FILTER = torch.outer(torch.tensor([1.0, 3.0, 3.0, 1.0]), torch.tensor([1.0, 3.0, 3.0, 1.0])) / 64


def tensors(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Variables as tensors, convolutions as [out, in, kH, kW] and dense kernels as [out, in]."""
    made = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            made[name] = tensors(value)
            continue
        array = np.array(value)
        if name == "kernel":
            array = array.transpose(3, 2, 0, 1) if array.ndim == 4 else array.T
        elif array.ndim == 4:  # constant and noise
            array = array.transpose(0, 3, 1, 2)
        made[name] = torch.from_numpy(np.ascontiguousarray(array))
    return made


def blur(x: Tensor, gain: float) -> Tensor:
    """The filter [1, 3, 3, 1] on an image padded by a pixel."""
    channels = x.shape[1]
    return F.conv2d(x, (gain * FILTER).expand(channels, 1, 4, 4), padding=1, groups=channels)


def modulated(x: Tensor, w: Tensor, conv: Mapping[str, Any], up: bool, demodulate: bool, grouped: bool) -> Tensor:
    """A modulated convolution [B, in, H, W] -> [B, out, H', W']."""
    kernel, style = conv["kernel"], conv["style"]
    styles = F.linear(w, style["kernel"] / style["kernel"].shape[1] ** 0.5, style["bias"])
    outputs, inputs, size, _ = kernel.shape
    if not demodulate:
        styles = styles / (inputs * size * size) ** 0.5
    if grouped:
        batch = len(x)
        kernels = kernel[None] * styles[:, None, :, None, None]
        if demodulate:
            kernels = kernels * (kernels.square().sum(dim=(2, 3, 4), keepdim=True) + 1e-8).rsqrt()
        x = x.reshape(1, -1, *x.shape[2:])
        if up:
            kernels = kernels.transpose(1, 2).reshape(-1, outputs, size, size)
            x = F.conv_transpose2d(x, kernels, stride=2, groups=batch)
        else:
            x = F.conv2d(x, kernels.reshape(-1, inputs, size, size), padding=size // 2, groups=batch)
        x = x.reshape(batch, outputs, *x.shape[2:])
    else:
        x = x * styles[:, :, None, None]
        x = F.conv_transpose2d(x, kernel.transpose(0, 1), stride=2) if up else F.conv2d(x, kernel, padding=size // 2)
        if demodulate:
            squares = styles.square() @ kernel.square().sum(dim=(2, 3)).T
            x = x * (squares + 1e-8).rsqrt()[:, :, None, None]
    return blur(x, 4.0) if up else x


def synthesise(params: Mapping[str, Any], noise: Mapping[str, Any], w: Tensor, grouped: bool) -> Tensor:
    """Images [B, 3, R, R] of w [B, L, latent]; `grouped` for a kernel an image."""
    x, image = params["constant"].expand(len(w), -1, -1, -1), None
    for index in range(w.shape[1] - 1):
        layer = params[f"layer_{index}"]
        x = modulated(x, w[:, index], layer["conv"], index % 2 == 1, True, grouped)
        x = x + noise[f"layer_{index}"]["map"] * layer["noise_strength"] + layer["bias"][:, None, None]
        x = F.leaky_relu(x, 0.2) * 2**0.5
        if index % 2 == 0:
            rgb = params[f"rgb_{x.shape[2]}"]
            own = modulated(x, w[:, index + 1], rgb["conv"], False, False, grouped) + rgb["bias"][:, None, None]
            if image is not None:
                own = own + F.conv_transpose2d(image, (4 * FILTER).expand(3, 1, 4, 4), stride=2, padding=1, groups=3)
            image = own
    return image

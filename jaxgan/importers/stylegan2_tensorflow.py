"""StyleGAN2's TensorFlow networks (NVlabs/stylegan2 and stylegan2-ada), brought to NVlabs' PyTorch names.

TensorFlow keeps weights as [kH, kW, in, out] and [in, out], the kernels of upscaling layers turned by 180 degrees, and styles'
biases without the 1 that is added to them.
"""

import re

import numpy as np

from jaxgan.importers.nvlabs_pickle import Network, Networks
from jaxgan.importers.restricted_pickle import check_settings, number
from jaxgan.importers.stylegan2 import Published

LAYERS = {"Conv0_up": "conv0", "Conv1": "conv1", "Conv": "conv1", "ToRGB": "torgb", "Skip": "skip", "Const": "const"}
CRITIC_LAYERS = {"FromRGB": "fromrgb", "Conv0": "conv0", "Conv1_down": "conv1", "Skip": "skip", "Conv": "conv", "Dense0": "fc"}
LEAVES = {"mod_weight": "affine.weight", "mod_bias": "affine.bias"}
# Settings that leave no trace in names or shapes, and the one value that our networks compute.
REQUIRED = {
    "act": "lrelu",
    "nonlinearity": "lrelu",
    "mapping_nonlinearity": "lrelu",
    "normalize_latents": True,
    "label_size": 0,
    "num_channels": 3,
    "resample_kernel": [1, 3, 3, 1],
    "resample_filter": [1, 3, 3, 1],
    "mbstd_num_features": 1,
}


def published(networks: Networks) -> Published:
    """What a pickle (G, D, Gs) says.

    Raises:
      RefusedError: its networks have settings that ours lack.
    """
    arrays, settings = dict(networks.averaged_generator.variables), {}
    for part, component in networks.averaged_generator.components.items():
        arrays |= {f"{part}/{name}": value for name, value in component.variables.items()}
        settings |= component.static_kwargs
    settings |= networks.averaged_generator.static_kwargs  # the outer network hands its own on to the components
    critic: Network = networks.discriminator
    for where, given in (("Gs", settings), ("D", critic.static_kwargs)):
        check_settings(given, REQUIRED, where)
    return Published(
        dict(_generator_tensor(name, value) for name, value in arrays.items() if not name.endswith("lod")),
        dict(_discriminator_tensor(name, value) for name, value in critic.variables.items()),
        number(settings, "mapping_lrmul", 0.01),
        number(settings, "conv_clamp", None),
        number(critic.static_kwargs, "conv_clamp", None),
        int(number(critic.static_kwargs, "mbstd_group_size", 4)),
    )


def _generator_tensor(name: str, value: np.ndarray) -> tuple[str, np.ndarray]:
    """The PyTorch name and tensor; what has no counterpart keeps its name, and is reported as unexpected."""
    if name == "dlatent_avg":
        return "mapping.w_avg", value
    if match := re.fullmatch(r"mapping/Dense(\d+)/(weight|bias)", name):
        return f"mapping.fc{match[1]}.{match[2]}", value.T
    if match := re.fullmatch(r"synthesis/noise(\d+)", name):
        number = int(match[1])
        return f"synthesis.b{4 << (number + 1) // 2}.conv{0 if number % 2 else 1}.noise_const", value.reshape(value.shape[-2:])
    match = re.fullmatch(r"synthesis/(\d+)x\1/(\w+)/(\w+)", name)
    if not match or match[2] not in LAYERS:
        return name, value
    layer, leaf = LAYERS[match[2]], LEAVES.get(match[3], match[3])
    if layer == "const":
        return f"synthesis.b{match[1]}.const", value.reshape(value.shape[-3:])
    if leaf == "weight":
        value = _convolution(value[::-1, ::-1] if match[2] == "Conv0_up" else value)
    if leaf == "affine.bias":
        value = value + np.float32(1)
    return f"synthesis.b{match[1]}.{layer}.{leaf}", value.T if leaf == "affine.weight" else value


def _discriminator_tensor(name: str, value: np.ndarray) -> tuple[str, np.ndarray]:
    if match := re.fullmatch(r"Output/(weight|bias)", name):
        return f"b4.out.{match[1]}", value.T
    match = re.fullmatch(r"(\d+)x\1/(\w+)/(weight|bias)", name)
    if not match or match[2] not in CRITIC_LAYERS:
        return name, value
    return f"b{match[1]}.{CRITIC_LAYERS[match[2]]}.{match[3]}", _convolution(value) if value.ndim == 4 else value.T


def _convolution(value: np.ndarray) -> np.ndarray:
    return value.transpose(3, 2, 0, 1) if value.ndim == 4 else value

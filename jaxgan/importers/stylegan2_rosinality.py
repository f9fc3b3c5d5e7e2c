"""rosinality/stylegan2-pytorch's state dicts, also as decoders of e4e and pSp, brought to NVlabs' PyTorch names."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan.errors import WeightsError
from jaxgan.importers.stylegan2 import Published, State, check_filter
from jaxgan.importers.tensors import named_arrays, to_numpy

MODULATED = {
    "conv.weight": "weight",
    "conv.modulation.weight": "affine.weight",
    "conv.modulation.bias": "affine.bias",
}
STYLED = {**MODULATED, "noise.weight": "noise_strength", "activate.bias": "bias"}
BLOCK = {  # of the discriminator
    "conv1.0.weight": "conv0.weight",
    "conv1.1.bias": "conv0.bias",
    "conv2.1.weight": "conv1.weight",
    "conv2.2.bias": "conv1.bias",
    "skip.1.weight": "skip.weight",
}
EPILOGUE = {
    "final_conv.0.weight": "b4.conv.weight",
    "final_conv.1.bias": "b4.conv.bias",
    "final_linear.0.weight": "b4.fc.weight",
    "final_linear.0.bias": "b4.fc.bias",
    "final_linear.1.weight": "b4.out.weight",
    "final_linear.1.bias": "b4.out.bias",
}
RANKS = {"const": 3, "noise_strength": 0, "noise_const": 2, "bias": 1}  # by the last part of NVlabs' names


def published(content: Any, path: str | Path) -> Published:
    """What a loaded file {"g_ema", "latent_avg", perhaps "d"} says, or one of an encoder with its decoder, or a state dict.

    A state dict by NVlabs' names is taken as it is.

    Raises:
      WeightsError: it is none of these.
    """
    if not isinstance(content, Mapping):
        raise WeightsError(f"{path}: holds {type(content).__name__}, not the weights of a StyleGAN2")
    whole = next((content[name] for name in ("g_ema", "G_ema") if name in content), content)
    if whole is content and isinstance(content.get("state_dict"), Mapping):
        whole = content["state_dict"]
    state = named_arrays({name: value for name, value in whole.items() if name != "latent_avg"}, path)
    decoder = {name.removeprefix("decoder."): value for name, value in state.items() if name.startswith("decoder.")}
    generator = generator_state(decoder or state, path)
    average = content.get("latent_avg", whole.get("latent_avg"))
    if average is not None:
        generator["mapping.w_avg"] = to_numpy(average, f"{path}: latent_avg")
    critic = content.get("d", content.get("D"))
    return Published(generator, None if critic is None else discriminator_state(named_arrays(critic, path), path))


def generator_state(state: State, path: str | Path) -> dict[str, np.ndarray]:
    """A generator's tensors by NVlabs' names."""
    names = {"input.input": "synthesis.b4.const"}
    layers = sum(name.startswith("convs.") and name.endswith(".conv.weight") for name in state)
    places = [("conv1", "b4.conv1"), *((f"convs.{i}", f"b{8 << i // 2}.conv{i % 2}") for i in range(layers))]
    for number, (theirs, ours) in enumerate(places):
        names |= {f"{theirs}.{leaf}": f"synthesis.{ours}.{name}" for leaf, name in STYLED.items()}
        names[f"noises.noise_{number}"] = f"synthesis.{ours}.noise_const"
    for theirs, ours in (("to_rgb1", "b4"), *((f"to_rgbs.{i}", f"b{8 << i}") for i in range(layers // 2))):
        rgb = {**MODULATED, "bias": "bias"}
        names |= {f"{theirs}.{leaf}": f"synthesis.{ours}.torgb.{name}" for leaf, name in rgb.items()}
    for name in state:
        if name.startswith("style."):  # style.0 is the normalisation
            number, _, leaf = name.removeprefix("style.").partition(".")
            names[name] = f"mapping.fc{int(number) - 1 if number.isdecimal() else number}.{leaf}"
    return _renamed(state, names, path, gain=4.0)


def discriminator_state(state: State, path: str | Path) -> dict[str, np.ndarray]:
    """A discriminator's tensors by NVlabs' names."""
    blocks = sum(name.startswith("convs.") and name.endswith(".conv1.0.weight") for name in state)
    names = {**EPILOGUE, "convs.0.0.weight": f"b{4 << blocks}.fromrgb.weight", "convs.0.1.bias": f"b{4 << blocks}.fromrgb.bias"}
    for i in range(1, blocks + 1):
        names |= {f"convs.{i}.{leaf}": f"b{8 << blocks - i}.{name}" for leaf, name in BLOCK.items()}
    return _renamed(state, names, path, gain=1.0)


def _renamed(state: State, names: Mapping[str, str], path: str | Path, gain: float) -> dict[str, np.ndarray]:
    """Tensors by the names given, without the axes of one that this layout adds, nor the filters, which are checked."""
    made = {}
    for theirs, value in state.items():
        if theirs.endswith("kernel"):
            check_filter(path, theirs, value, gain)
            continue
        name = names.get(theirs, theirs)
        rank = RANKS.get(name.split(".")[-1], value.ndim if value.ndim < 4 else 4)
        shape = list(value.shape)
        while len(shape) > rank and 1 in shape:
            shape.remove(1)
        made[name] = value.reshape(shape)
    return made

"""StyleGAN2's published weights as this project's generator and discriminator.

Every source is first brought to the names and shapes of NVlabs/stylegan2-ada-pytorch, which have the least freedom. From there
tensors are only permuted: [out, in, kH, kW] to [kH, kW, in, out], and the discriminator's first dense layer from (C, H, W) to
(H, W, C) order.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan.configs import DiscriminatorConfig, GeneratorConfig, StyleGANConfig
from jaxgan.errors import WeightsError
from jaxgan.importers.tensors import Tensors, conv_kernel
from jaxgan.importers.truncation import mean_w
from jaxgan.models.stylegan import feature_maps

FILTER = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64  # the only resampling filter that our networks compute
State = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Published:
    """What a file says of a StyleGAN2; tensors by NVlabs' PyTorch names."""

    generator: State  # the averaged one, with mapping.w_avg if there is one
    discriminator: State | None = None
    lr_multiplier: float = 0.01  # of the mapping
    generator_clamp: float | None = None
    discriminator_clamp: float | None = None
    stddev_group: int = 4


def convert(published: Published, path: str | Path) -> tuple[StyleGANConfig, dict]:
    """Configuration and networks, which have the form of `training.stylegan.export` with NumPy arrays.

    "w_avg" is computed where the file has none; without a discriminator there is no "stylegan_discriminator".

    Raises:
      WeightsError: the networks are none that ours can express; the message names the tensors.
    """
    generator, variables, w_avg = _generator(published, path)
    networks = {"generator": variables, "w_avg": mean_w(generator, variables) if w_avg is None else w_avg}
    discriminator = DiscriminatorConfig(family="stylegan2")
    if published.discriminator is not None:
        discriminator, resolution, networks["stylegan_discriminator"] = _discriminator(published, path)
        if resolution != generator.resolution:
            raise WeightsError(f"{path}: G makes images of {generator.resolution} pixels, D judges images of {resolution}")
    return StyleGANConfig(generator=generator, discriminator=discriminator), networks


def check_filter(path: str | Path, name: str, value: np.ndarray, gain: float = 1.0) -> None:
    """Raises WeightsError for a resampling filter that our networks do not compute."""
    if value.shape != FILTER.shape or not np.allclose(value, gain * FILTER, rtol=1e-3):
        raise WeightsError(f"{path}: the filter {name} is not [1, 3, 3, 1]; only that one can be converted")


def _generator(published: Published, path: str | Path) -> tuple[GeneratorConfig, dict, np.ndarray | None]:
    """Configuration, {"params", "noise"} and w_avg [L, latent], or None."""
    tensors = _without_filters(published.generator, path)
    resolution = _resolution(published.generator, "synthesis.", path)
    fmap_base, fmap_max = _widths(tensors, "synthesis.b{}.conv1.bias", resolution)
    latent = tensors.shape("mapping.fc0.weight", 2)[1]
    config = GeneratorConfig(
        family="stylegan2",
        resolution=resolution,
        latent_size=latent,
        mapping_layers=tensors.count("mapping.fc{}.weight"),
        mapping_lr_multiplier=published.lr_multiplier,
        separate_w=False,
        fmap_base=fmap_base,
        fmap_max=fmap_max,
        noise="synthesis.b4.conv1.noise_const" in tensors,
        tanh=False,
        architecture=_architecture(tensors, "synthesis.b8.skip.weight", "synthesis.b4.torgb.weight"),
        conv_clamp=published.generator_clamp,
    )
    mapping = {f"dense_{i}": _dense(tensors, f"mapping.fc{i}", latent, latent) for i in range(config.mapping_layers)}
    synthesis, noise = _synthesis(config, tensors)
    w_avg = None
    if "mapping.w_avg" in tensors:
        layers = (config.num_layers,)
        own = published.generator["mapping.w_avg"].shape == (*layers, latent)  # one for each layer, of encoders' decoders
        w_avg = np.broadcast_to(tensors.take("mapping.w_avg", (*layers, latent) if own else (latent,)), (*layers, latent))
    tensors.finish("a StyleGAN2 generator, by NVlabs' PyTorch names")
    return config, {"params": {"mapping": mapping, "synthesis": synthesis}, "noise": noise}, w_avg


def _synthesis(config: GeneratorConfig, tensors: Tensors) -> tuple[dict, dict]:
    """Parameters and noise maps of the synthesis."""
    latent, inputs = config.latent_size, feature_maps(config, 4)
    params: dict[str, Any] = {"constant": tensors.take("synthesis.b4.const", (inputs, 4, 4)).transpose(1, 2, 0)[None]}
    noise: dict[str, Any] = {}

    def modulated(name: str, size: int, inputs: int, width: int) -> dict:
        conv = {
            "kernel": conv_kernel(tensors.take(f"{name}.weight", (width, inputs, size, size))),
            "style": _dense(tensors, f"{name}.affine", latent, inputs),
        }
        return {"conv": conv, "bias": tensors.take(f"{name}.bias", (width,))}

    for layer in range(config.num_layers - 1):
        side = 4 << ((layer + 1) // 2)
        name, width = f"synthesis.b{side}.conv{0 if layer % 2 else 1}", feature_maps(config, side)
        ours = modulated(name, 3, inputs, width)
        if config.noise:
            ours["noise_strength"] = tensors.take(f"{name}.noise_strength", ())
            noise[f"layer_{layer}"] = {"map": tensors.take(f"{name}.noise_const", (side, side))[None, :, :, None]}
        if layer % 2 and config.architecture == "resnet":
            skip = tensors.take(f"synthesis.b{side}.skip.weight", (width, inputs, 1, 1))
            params[f"skip_{side}"] = {"kernel": conv_kernel(skip)}
        if layer % 2 == 0 and (config.architecture == "skip" or side == config.resolution):
            params[f"rgb_{side}"] = modulated(f"synthesis.b{side}.torgb", 1, width, 3)
        params[f"layer_{layer}"], inputs = ours, width
    return params, {"synthesis": noise} if config.noise else {}


def _discriminator(published: Published, path: str | Path) -> tuple[DiscriminatorConfig, int, dict]:
    """Configuration, resolution in pixels and parameters."""
    tensors = _without_filters(published.discriminator, path)
    resolution = _resolution(published.discriminator, "", path)
    fmap_base, fmap_max = _widths(tensors, "b{}.conv0.bias", resolution, "b4.conv.bias")
    config = DiscriminatorConfig(
        family="stylegan2",
        fmap_base=fmap_base,
        fmap_max=fmap_max,
        stddev_group=published.stddev_group,
        stddev_strided=True,
        architecture=_architecture(tensors, f"b{resolution}.skip.weight", "b4.fromrgb.weight"),
        conv_clamp=published.discriminator_clamp,
    )
    params: dict[str, Any] = {}

    def convolution(ours: str, theirs: str, size: int, inputs: int, width: int, bias: bool = True) -> None:
        params[ours] = {"kernel": conv_kernel(tensors.take(f"{theirs}.weight", (width, inputs, size, size)))}
        if bias:
            params[ours]["bias"] = tensors.take(f"{theirs}.bias", (width,))

    side = resolution
    while side >= 4:
        width = feature_maps(config, side)
        if side == resolution or config.architecture == "skip":
            convolution(f"rgb_{side}", f"b{side}.fromrgb", 1, 3, width)
        if side > 4:
            next_width = feature_maps(config, side // 2)
            convolution(f"conv_{side}", f"b{side}.conv0", 3, width, width)
            convolution(f"down_{side}", f"b{side}.conv1", 3, width, next_width)
            if config.architecture == "resnet":
                convolution(f"skip_{side}", f"b{side}.skip", 1, width, next_width, bias=False)
        side //= 2
    last = feature_maps(config, 4)
    convolution("conv_4", "b4.conv", 3, last + 1, last)  # one more input: the minibatch standard deviation
    dense = _dense(tensors, "b4.fc", 16 * last, last)
    kernel = dense["kernel"].reshape(last, 4, 4, last).transpose(1, 2, 0, 3).reshape(16 * last, last)
    params["dense"] = {**dense, "kernel": kernel}
    params["score"] = _dense(tensors, "b4.out", last, 1)
    tensors.finish("a StyleGAN2 discriminator, by NVlabs' PyTorch names")
    return config, resolution, params


def _dense(tensors: Tensors, name: str, inputs: int, width: int) -> dict[str, np.ndarray]:
    return {"kernel": tensors.take(f"{name}.weight", (width, inputs)).T, "bias": tensors.take(f"{name}.bias", (width,))}


def _without_filters(state: State, path: str | Path) -> Tensors:
    """The tensors but for the resampling filters, which are checked."""
    kept = {}
    for name, value in state.items():
        if name.split(".")[-1] == "resample_filter":
            check_filter(path, name, value)
        else:
            kept[name] = value
    return Tensors(kept, path)


def _architecture(tensors: Tensors, residual: str, skip: str) -> str:
    """The architecture, by the tensors that only one has."""
    return "resnet" if residual in tensors else "skip" if skip in tensors else "orig"


def _resolution(state: State, prefix: str, path: str | Path) -> int:
    """The largest side in names such as "synthesis.b256.conv1.weight"."""
    found = [re.match(rf"{re.escape(prefix)}b(\d{{1,4}})\.", name) for name in state]
    resolution = max((int(match[1]) for match in found if match), default=0)
    if not 8 <= resolution <= 4096 or resolution & (resolution - 1):
        raise WeightsError(f"{path}: holds no StyleGAN2 network: no tensor's name begins like {prefix}b128")
    return resolution


def _widths(tensors: Tensors, pattern: str, resolution: int, lowest: str | None = None) -> tuple[int, int]:
    """The least (fmap_base, fmap_max) that give the widths of the biases named; `lowest` is that at 4 pixels."""
    sides = [4 << i for i in range(resolution.bit_length() - 2)]
    names = {side: lowest if lowest and side == 4 else pattern.format(side) for side in sides}
    widths = {side: tensors.shape(name, 1)[0] for side, name in names.items()}
    return max(side * width for side, width in widths.items()), max(widths.values())

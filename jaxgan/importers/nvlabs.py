"""StyleGAN's published TensorFlow weights (NVlabs/stylegan, Karras et al. 2018) as this project's generator and discriminator.

Both sides keep N(0, 1) weights and scale them at run time, so that tensors are only permuted: [1, C, H, W] to [1, H, W, C],
the discriminator's first dense layer from (C, H, W) to (H, W, C) order, and the kernels of fused upscaling layers, which
TensorFlow's transposed convolution applies back to front, turned by 180 degrees.
"""

import re
import statistics
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan.configs import DiscriminatorConfig, GeneratorConfig, StyleGANConfig
from jaxgan.errors import WeightsError
from jaxgan.importers.nvlabs_pickle import Network, read_networks
from jaxgan.importers.tensors import Tensors
from jaxgan.importers.truncation import mean_w
from jaxgan.models.stylegan import feature_maps

FUSED_FROM = 128  # pixels; upscaling to this and above is fused where fused_scale is "auto", the default

# Settings that leave no trace in names or shapes, and the one value that our networks compute.
REQUIRED = {
    "nonlinearity": "lrelu",
    "mapping_nonlinearity": "lrelu",
    "use_wscale": True,
    "normalize_latents": True,
    "use_styles": True,
    "use_pixel_norm": False,
    "use_instance_norm": True,
    "blur_filter": [1, 2, 1],
}


def convert_stylegan(path: str | Path) -> tuple[StyleGANConfig, dict]:
    """Configuration and networks of a pickle (G, D, Gs): the averaged generator Gs and the discriminator D.

    Networks have the form of `training.stylegan.export` with NumPy arrays: "generator" {"params", "noise"},
    "w_avg" [L, latent] and "stylegan_discriminator". "w_avg" is computed where the file has no dlatent_avg.
    Minibatch-stddev groups are neighbours here and strided there, so that scores agree for batches of one group.

    Raises:
      FileNotFoundError: there is no such file.
      WeightsError: it is no such pickle, or holds networks that ours cannot express; the message names the tensors.
    """
    networks = read_networks(path)
    generator, variables, w_avg = _generator(networks.averaged_generator, path)
    discriminator, resolution, params = _discriminator(networks.discriminator, path)
    if resolution != generator.resolution:
        raise WeightsError(f"{path}: Gs makes images of {generator.resolution} pixels, D judges images of {resolution}")
    config = StyleGANConfig(generator=generator, discriminator=discriminator)
    if w_avg is None:
        w_avg = mean_w(generator, variables)
    return config, {"generator": variables, "w_avg": w_avg, "stylegan_discriminator": params}


def _generator(network: Network, path: str | Path) -> tuple[GeneratorConfig, dict, np.ndarray | None]:
    """Configuration, {"params", "noise"} and w_avg [L, latent], or None, of the network Gs."""
    arrays, settings = dict(network.variables), {}
    for part, component in network.components.items():
        arrays |= {f"{part}/{name}": value for name, value in component.variables.items()}
        settings |= component.static_kwargs
    settings |= network.static_kwargs  # the outer network hands its own on to the components
    _check_settings(settings, arrays, f"{path}: Gs")
    resolution = _resolution(arrays, "synthesis/", f"{path}: Gs")
    fmap_base, fmap_max = _widths(arrays, resolution, lambda r: f"synthesis/{r}x{r}/Conv{'' if r == 4 else 1}")
    dense = [int(match[1]) for name in arrays if (match := re.fullmatch(r"mapping/Dense(\d{1,2})/\w+", name))]
    mapping_layers = max(dense, default=0) + 1
    config = GeneratorConfig(
        resolution=resolution,
        latent_size=_sizes(arrays, [f"mapping/Dense{i}/bias" for i in range(mapping_layers)]),
        mapping_layers=mapping_layers,
        mapping_lr_multiplier=float(settings.get("mapping_lrmul", 0.01)),
        separate_w=False,
        fmap_base=fmap_base,
        fmap_max=fmap_max,
        noise="synthesis/noise0" in arrays,
        tanh=False,
    )
    tensors = Tensors(arrays, path)
    latent, mapping = config.latent_size, {}
    for i in range(config.mapping_layers):
        kernel = tensors.take(f"mapping/Dense{i}/weight", (latent, latent))
        mapping[f"dense_{i}"] = {"kernel": kernel, "bias": tensors.take(f"mapping/Dense{i}/bias", (latent,))}
    synthesis, noise = _synthesis(config, settings.get("fused_scale", "auto"), tensors)
    w_avg = None
    if "dlatent_avg" in tensors:
        w_avg = np.tile(tensors.take("dlatent_avg", (latent,)), (config.num_layers, 1))
    tensors.skip(*_matching(arrays, r"(synthesis/)?lod|synthesis/ToRGB_lod[1-9]\d*/(weight|bias)"))
    tensors.finish(f"a StyleGAN generator (Gs, built by {network.build_function})")
    return config, {"params": {"mapping": mapping, "synthesis": synthesis}, "noise": noise}, w_avg


def _synthesis(config: GeneratorConfig, fused_scale: bool | str, tensors: Tensors) -> tuple[dict, dict]:
    """Parameters and noise maps of the synthesis."""
    fused_from = {"auto": FUSED_FROM, True: 0, False: config.resolution + 1}[fused_scale]
    inputs = feature_maps(config, 4)
    params: dict[str, Any] = {"constant": tensors.take("synthesis/4x4/Const/const", (1, inputs, 4, 4)).transpose(0, 2, 3, 1)}
    noise = {}
    for layer in range(config.num_layers):
        side = 4 << (layer // 2)
        width = feature_maps(config, side)
        names = ("Const", "Conv") if side == 4 else ("Conv0_up", "Conv1")
        scope = f"synthesis/{side}x{side}/{names[layer % 2]}"
        ours: dict[str, Any] = {"bias": tensors.take(f"{scope}/bias", (width,))}
        ours["style"] = {
            "kernel": tensors.take(f"{scope}/StyleMod/weight", (config.latent_size, 2 * width)),
            "bias": tensors.take(f"{scope}/StyleMod/bias", (2 * width,)),
        }
        if layer > 0:
            kernel = tensors.take(f"{scope}/weight", (3, 3, inputs, width))
            turned = names[layer % 2] == "Conv0_up" and side >= fused_from
            ours["conv"] = {"kernel": kernel[::-1, ::-1] if turned else kernel}
        if config.noise:
            ours["noise_strength"] = tensors.take(f"{scope}/Noise/weight", (width,))
            noise_map = tensors.take(f"synthesis/noise{layer}", (1, 1, side, side))
            noise[f"layer_{layer}"] = {"map": noise_map.reshape(1, side, side, 1)}
        params[f"layer_{layer}"] = ours
        inputs = width
    params[f"to_rgb_{config.resolution}"] = {"kernel": tensors.take("synthesis/ToRGB_lod0/weight", (1, 1, inputs, 3))}
    params["rgb_bias"] = tensors.take("synthesis/ToRGB_lod0/bias", (3,))
    return params, {"synthesis": noise} if config.noise else {}


def _discriminator(network: Network, path: str | Path) -> tuple[DiscriminatorConfig, int, dict]:
    """Configuration, resolution in pixels and parameters of the network D."""
    arrays = network.variables
    _check_settings(network.static_kwargs, arrays, f"{path}: D")
    resolution = _resolution(arrays, "", f"{path}: D")
    fmap_base, fmap_max = _widths(arrays, resolution, lambda r: f"{r}x{r}/Conv{'' if r == 4 else 0}")
    group = int(network.static_kwargs.get("mbstd_group_size", 4))
    config = DiscriminatorConfig(fmap_base=fmap_base, fmap_max=fmap_max, stddev_group=group)
    tensors, params = Tensors(arrays, path), {}

    def convolution(ours: str, theirs: str, side: int, inputs: int, width: int) -> None:
        params[ours] = {"kernel": tensors.take(f"{theirs}/weight", (side, side, inputs, width))}
        params[f"{ours}_bias"] = tensors.take(f"{theirs}/bias", (width,))

    convolution(f"from_rgb_{resolution}", "FromRGB_lod0", 1, 3, feature_maps(config, resolution))
    side = resolution
    while side > 4:
        width, next_width = feature_maps(config, side), feature_maps(config, side // 2)
        convolution(f"conv_{side}", f"{side}x{side}/Conv0", 3, width, width)
        convolution(f"down_{side}", f"{side}x{side}/Conv1_down", 3, width, next_width)
        side //= 2
    last = feature_maps(config, 4)
    convolution("conv_4", "4x4/Conv", 3, last + 1, last)  # one more input: the minibatch standard deviation
    kernel = tensors.take("4x4/Dense0/weight", (16 * last, last))
    kernel = kernel.reshape(last, 4, 4, last).transpose(1, 2, 0, 3).reshape(16 * last, last)
    params["dense"] = {"kernel": kernel, "bias": tensors.take("4x4/Dense0/bias", (last,))}
    params["score"] = {
        "kernel": tensors.take("4x4/Dense1/weight", (last, 1)),
        "bias": tensors.take("4x4/Dense1/bias", (1,)),
    }
    tensors.skip(*_matching(arrays, r"lod|FromRGB_lod[1-9]\d*/(weight|bias)"))
    tensors.finish(f"a StyleGAN discriminator (D, built by {network.build_function})")
    return config, resolution, params


def _check_settings(settings: Mapping[str, Any], arrays: Mapping[str, np.ndarray], where: str) -> None:
    """Refuses what our networks would silently compute differently, and networks that have not grown to full size."""
    for name, required in REQUIRED.items():
        value = settings.get(name, required)
        if (list(value) if isinstance(value, tuple) else value) != required:
            raise WeightsError(f"{where} has {name}={value!r}; only {required!r} can be converted")
    if settings.get("fused_scale", "auto") not in ("auto", True, False):
        raise WeightsError(f"{where} has fused_scale={settings['fused_scale']!r}, neither 'auto' nor true nor false")
    for name in ("mapping_lrmul", "mbstd_group_size"):
        if not isinstance(settings.get(name, 1), int | float | np.number):
            raise WeightsError(f"{where} has {name}={settings[name]!r}, which is no number")
    if np.any(arrays.get("lod", 0) != 0):
        raise WeightsError(f"{where} was saved while it grew (lod={arrays['lod']}): its upper layers are not trained yet")


def _matching(names: Iterable[str], pattern: str) -> list[str]:
    return [name for name in names if re.fullmatch(pattern, name)]


def _sizes(arrays: Mapping[str, np.ndarray], names: Iterable[str]) -> int:
    """The last dimension that most of the named tensors have, so that a misshapen one is found against the others; or 0."""
    return statistics.mode([arrays[name].shape[-1] for name in names if name in arrays and arrays[name].ndim] or [0])


def _resolution(arrays: Mapping[str, np.ndarray], prefix: str, where: str) -> int:
    """The largest side in names such as "synthesis/128x128/Conv1/weight"."""
    found = [re.match(rf"{prefix}(\d+)x\1/", name) for name in arrays]
    resolution = max((int(match[1]) for match in found if match), default=0)
    if not 8 <= resolution <= 4096 or resolution & (resolution - 1):
        raise WeightsError(f"{where} is not a StyleGAN network: its variables name no resolution such as {prefix}128x128/")
    return resolution


def _widths(arrays: Mapping[str, np.ndarray], resolution: int, scope: Callable[[int], str]) -> tuple[int, int]:
    """The least (fmap_base, fmap_max) that give the widths found; `scope` names the layer of a resolution."""
    sides = [4 << i for i in range(resolution.bit_length() - 2)]
    widths = {r: _sizes(arrays, [f"{scope(r)}/{leaf}" for leaf in ("bias", "weight", "Noise/weight")]) for r in sides}
    return max(r * width for r, width in widths.items()), max(widths.values())

"""The published encoders pSp (eladrich/pixel2style2pixel) and e4e (omertov/encoder4editing), with their StyleGAN2.

Their files hold {"state_dict": names that begin with "encoder." and "decoder.", "latent_avg", "opts"}. Weights are
[out, in, kH, kW]; the two encoders have the same tensors and differ in how they combine their outputs.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan.configs import GeneratorConfig, InverterConfig, PerceptualConfig, TrunkConfig
from jaxgan.errors import WeightsError
from jaxgan.importers import stylegan2, stylegan2_rosinality
from jaxgan.importers.stylegan2 import State
from jaxgan.importers.tensors import Tensors, conv_kernel, load_torch, named_arrays
from jaxgan.models.pyramid import COARSE, INPUT, MIDDLE, REDUCTION, UNITS


def convert_pyramid(kind: str, path: str | Path) -> tuple[InverterConfig, dict]:
    """Configuration and networks of an inverter of the kind "psp" or "e4e".

    Raises:
      FileNotFoundError: there is no such file.
      WeightsError: it holds no such encoder with its generator; the message names the tensors.
    """
    content = load_torch(path)
    state = content.get("state_dict") if isinstance(content, Mapping) else None
    if not isinstance(state, Mapping) or not any(str(name).startswith("encoder.") for name in state):
        raise WeightsError(f"{path}: holds no encoder: no tensor in a state_dict is named encoder...")
    config, networks = stylegan2.convert(stylegan2_rosinality.published(content, path), path)
    encoder = {name: value for name, value in state.items() if name.startswith("encoder.")}
    arrays = {name.removeprefix("encoder."): value for name, value in named_arrays(encoder, path).items()}
    average = networks["w_avg"] if _starts_from_average(content.get("opts")) else np.zeros_like(networks["w_avg"])
    trunk, networks["inverter"] = encoder_variables(kind, arrays, config.generator, average, path)
    made = InverterConfig(
        generator=config.generator,
        discriminator=config.discriminator,
        trunk=trunk,
        perceptual=PerceptualConfig(network="none"),
    )
    return made, networks


def _starts_from_average(options: Any) -> bool:
    """Whether the encoder's output is an offset from the average; published ones' is."""
    settings = options if isinstance(options, Mapping) else getattr(options, "__dict__", {})
    return bool(settings.get("start_from_latent_avg", True))


def encoder_variables(
    kind: str, state: State, generator: GeneratorConfig, average: np.ndarray, path: str | Path
) -> tuple[TrunkConfig, dict]:
    """Configuration and {"params", "batch_stats"} of an encoder's tensors, with the average w [L, latent].

    Raises:
      WeightsError: the tensors are not those of such an encoder for that generator.
    """
    tensors = Tensors({name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}, path)
    width = tensors.shape("input_layer.0.weight", 4)[0]
    trunk, latent = TrunkConfig(kind=kind, width=width, max_width=width << len(UNITS) - 1), generator.latent_size
    params: dict[str, Any] = {"average": average}
    stats: dict[str, Any] = {}

    def conv(name: str, inputs: int, outputs: int, size: int = 3) -> np.ndarray:
        return conv_kernel(tensors.take(f"{name}.weight", (outputs, inputs, size, size)))

    def norm(name: str, size: int) -> tuple[dict, dict]:
        parameters = {"scale": tensors.take(f"{name}.weight", (size,)), "bias": tensors.take(f"{name}.bias", (size,))}
        return parameters, {part: tensors.take(f"{name}.running_{part}", (size,)) for part in ("mean", "var")}

    params["stem"], params["slope"] = conv("input_layer.0", 3, width), tensors.take("input_layer.2.weight", (width,))
    params["norm"], stats["norm"] = norm("input_layer.1", width)
    number, inputs = 0, width
    for level, count in enumerate(UNITS):
        outputs = width << level
        for unit in range(count):
            scope = f"body.{number}.res_layer"
            ours: dict[str, Any] = {
                "conv_0": conv(f"{scope}.1", inputs, outputs),
                "slope": tensors.take(f"{scope}.2.weight", (outputs,)),
                "conv_1": conv(f"{scope}.3", outputs, outputs),
                "squeeze": conv(f"{scope}.5.fc1", outputs, max(outputs // REDUCTION, 1), 1),
                "excite": conv(f"{scope}.5.fc2", max(outputs // REDUCTION, 1), outputs, 1),
            }
            own: dict[str, Any] = {}
            ours["norm_0"], own["norm_0"] = norm(f"{scope}.0", inputs)
            ours["norm_1"], own["norm_1"] = norm(f"{scope}.4", outputs)
            if inputs != outputs:
                ours["shortcut"] = conv(f"body.{number}.shortcut_layer.0", inputs, outputs, 1)
                ours["norm_shortcut"], own["norm_shortcut"] = norm(f"body.{number}.shortcut_layer.1", outputs)
            params[f"unit_{level}_{unit}"], stats[f"unit_{level}_{unit}"] = ours, own
            number, inputs = number + 1, outputs
    for name, theirs, level in (("middle", "latlayer1", 2), ("fine", "latlayer2", 1)):
        params[name] = conv(theirs, width << level, inputs, 1)
        params[f"{name}_bias"] = tensors.take(f"{theirs}.bias", (inputs,))
    for layer in range(generator.num_layers):
        coarser = (layer < COARSE) + (layer < MIDDLE)
        side = INPUT >> 2 + coarser
        style: dict[str, Any] = {}
        for i in range(side.bit_length() - 1):
            style[f"conv_{i}"] = conv(f"styles.{layer}.convs.{2 * i}", latent if i else inputs, latent)
            style[f"bias_{i}"] = tensors.take(f"styles.{layer}.convs.{2 * i}.bias", (latent,))
        weight = tensors.take(f"styles.{layer}.linear.weight", (latent, latent))
        style["dense"] = {"kernel": weight.T, "bias": tensors.take(f"styles.{layer}.linear.bias", (latent,))}
        params[f"style_{layer}"] = style
    tensors.finish(f"the encoder {kind} of a {generator.resolution} px generator")
    return trunk, {"params": params, "batch_stats": stats}

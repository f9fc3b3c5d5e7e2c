"""In-domain GAN inversion's published networks (Zhu et al. 2020; genforce/idinvert_pytorch): generator and encoder.

How their files differ from ours: weights are [out, in] or [out, in, kH, kW]; the layers that double the resolution from 128
pixels up are transposed convolutions, which turn a kernel round; w_avg is one vector for all layers; the encoder's
normalisations have a scale and its 3x3 convolutions a bias. Both are folded into what we have, exactly for inference:
gamma (k x + b - mean) / s + beta = ((gamma k) x - gamma (mean - b)) / s + beta.
"""

from collections.abc import Mapping
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.configs import GeneratorConfig, InverterConfig, PerceptualConfig, TrunkConfig
from jaxgan.importers.tensors import Tensors, conv_kernel
from jaxgan.importers.truncation import mean_w
from jaxgan.models.stylegan import feature_maps

FUSED_FROM = 128  # resolution in pixels from which doubling is a transposed convolution

State = Mapping[str, np.ndarray]


def convert_idinvert(
    generator_state: State, encoder_state: State, generator_file: str | Path, encoder_file: str | Path
) -> tuple[InverterConfig, dict]:
    """Configuration and networks of an inverter, from the two state dicts.

    The architecture is read off the tensors. There is no discriminator among the published files, so there is none here.

    Raises:
      WeightsError: a tensor is missing, misshapen, not finite or unexpected; the message names file and tensors.
    """
    config, frozen = _generator(Tensors(generator_state, generator_file))
    trunk, inverter = _encoder(Tensors(encoder_state, encoder_file), config)
    made = InverterConfig(generator=config, trunk=trunk, perceptual=PerceptualConfig(network="none"))
    return made, jax.tree.map(jnp.asarray, {**frozen, "inverter": inverter})


def _generator(tensors: Tensors) -> tuple[GeneratorConfig, dict]:
    config = _generator_config(tensors)
    latent, layers = config.latent_size, config.num_layers
    mapping = {}
    for i in range(config.mapping_layers):
        last = i == config.mapping_layers - 1
        width = latent * (layers if last and config.separate_w else 1)
        mapping[f"dense_{i}"] = {
            "kernel": tensors.take(f"mapping.dense{i}.fc.weight", (width, latent)).T,
            "bias": tensors.take(f"mapping.dense{i}.wscale.bias", (width,)),
        }
    synthesis, noise = {}, {}
    before = channels = feature_maps(config, 4)
    synthesis["constant"] = tensors.take("synthesis.layer0.const", (1, channels, 4, 4)).transpose(0, 2, 3, 1)
    for i in range(layers):
        name, resolution = f"synthesis.layer{i}", 4 << (i // 2)
        before, channels = channels, feature_maps(config, resolution)
        epilogue = f"{name}.epilogue"
        ours = {
            "bias": tensors.take(f"{epilogue}.bias", (channels,)),
            "noise_strength": tensors.take(f"{epilogue}.apply_noise.weight", (channels,)),
            "style": {
                "kernel": tensors.take(f"{epilogue}.style_mod.dense.fc.weight", (2 * channels, latent)).T,
                "bias": tensors.take(f"{epilogue}.style_mod.dense.wscale.bias", (2 * channels,)),
            },
        }
        doubles = i > 0 and i % 2 == 0
        if doubles and resolution >= FUSED_FROM:
            ours["conv"] = {"kernel": tensors.take(f"{name}.weight", (3, 3, before, channels))[::-1, ::-1]}
        elif i > 0:
            ours["conv"] = {"kernel": conv_kernel(tensors.take(f"{name}.conv.weight", (channels, before, 3, 3)))}
        if doubles:
            tensors.skip(f"{name}.blur.kernel")  # a constant
        synthesis[f"layer_{i}"] = ours
        map_ = tensors.take(f"{epilogue}.apply_noise.noise", (1, 1, resolution, resolution))
        noise[f"layer_{i}"] = {"map": map_.transpose(0, 2, 3, 1)}
    last = layers // 2 - 1
    rgb = conv_kernel(tensors.take(f"synthesis.output{last}.conv.weight", (3, channels, 1, 1)))
    synthesis[f"to_rgb_{config.resolution}"] = {"kernel": rgb}
    synthesis["rgb_bias"] = tensors.take(f"synthesis.output{last}.bias", (3,))
    for i in range(last):  # of the lower resolutions, from progressive growing
        tensors.skip(f"synthesis.output{i}.conv.weight", f"synthesis.output{i}.bias")
    tensors.skip("synthesis.lod", "truncation.truncation")
    has_average = "truncation.w_avg" in tensors
    w_avg = tensors.take("truncation.w_avg", (latent,)) if has_average else None
    tensors.finish("in-domain inversion's generator")
    variables = {"params": {"mapping": mapping, "synthesis": synthesis}, "noise": {"synthesis": noise}}
    w_avg = np.broadcast_to(w_avg, (layers, latent)) if has_average else mean_w(config, variables)
    return config, {"generator": variables, "w_avg": w_avg}


def _generator_config(tensors: Tensors) -> GeneratorConfig:
    layers = tensors.count("synthesis.layer{}.epilogue.bias")
    mapping_layers = tensors.count("mapping.dense{}.fc.weight")
    width, latent = tensors.shape(f"mapping.dense{mapping_layers - 1}.fc.weight", 2)
    resolution = 4 << ((layers - 2) // 2)
    (narrowest,) = tensors.shape(f"synthesis.layer{layers - 1}.epilogue.bias", 1)
    (widest,) = tensors.shape("synthesis.layer0.epilogue.bias", 1)
    return GeneratorConfig(
        resolution=resolution,
        latent_size=latent,
        mapping_layers=mapping_layers,
        separate_w=width != latent,
        fmap_base=narrowest * resolution,
        fmap_max=widest,
    )


def _encoder(tensors: Tensors, generator: GeneratorConfig) -> tuple[TrunkConfig, dict]:
    blocks = generator.resolution.bit_length() - 3  # halvings down to 4x4
    width, channels = tensors.shape("block0.conv.weight", 4)[0], 3
    trunk = TrunkConfig(width=width, max_width=tensors.shape(f"block{blocks}.conv2.weight", 4)[0])
    stem, stem_stats = _conv_norm(tensors, "block0.conv.weight", (width, channels, 3, 3), "block0.bn.bn")
    params, stats = {"stem": stem}, {"stem": stem_stats}
    channels = width
    for i in range(1, blocks + 1):
        width = min(2 * channels, trunk.max_width)
        hidden = min(channels, width)
        made = {}
        if width != channels:
            made["shortcut"] = _conv_norm(tensors, f"block{i}.conv.weight", (width, channels, 1, 1), f"block{i}.bn.bn")
        for ours, theirs, shape in (("conv_0", 1, (hidden, channels, 3, 3)), ("conv_1", 2, (width, hidden, 3, 3))):
            bias = tensors.take(f"block{i}.wscale{theirs}.bias", shape[:1])
            made[ours] = _conv_norm(tensors, f"block{i}.conv{theirs}.weight", shape, f"block{i}.bn{theirs}.bn", bias)
        block = f"block_{generator.resolution >> i}"
        params[block] = {name: pair[0] for name, pair in made.items()}
        stats[block] = {name: pair[1] for name, pair in made.items()}
        channels = width
    last, inputs, outputs = f"block{blocks + 1}", 16 * channels, generator.num_layers * generator.latent_size
    weight = tensors.take(f"{last}.fc.weight", (outputs, inputs))
    scale, norm, norm_stats = _norm(tensors, f"{last}.bn.bn", outputs)
    # theirs reads channels x 4 x 4, ours 4 x 4 x channels
    kernel = (weight * scale[:, None]).reshape(outputs, channels, 4, 4).transpose(2, 3, 1, 0).reshape(inputs, outputs)
    tensors.finish("in-domain inversion's encoder")
    variables = {
        "params": {"trunk": params, "head": {"kernel": kernel}, "norm": norm},
        "batch_stats": {"trunk": stats, "norm": norm_stats},
    }
    return trunk, variables


def _conv_norm(
    tensors: Tensors, weight: str, shape: tuple[int, ...], norm: str, bias: np.ndarray | None = None
) -> tuple[dict, dict]:
    """Parameters and statistics of a ConvNorm."""
    scale, params, stats = _norm(tensors, norm, shape[0], bias)
    kernel = conv_kernel(tensors.take(weight, shape)) * scale
    return {"kernel": kernel, "norm": params}, {"norm": stats}


def _norm(tensors: Tensors, name: str, size: int, bias: np.ndarray | None = None) -> tuple[np.ndarray, dict, dict]:
    """A normalisation's scale, to be folded into what precedes it, and its parameters and statistics without that scale."""
    tensors.skip(f"{name}.num_batches_tracked")
    scale = tensors.take(f"{name}.weight", (size,))
    mean = tensors.take(f"{name}.running_mean", (size,)) - (0.0 if bias is None else bias)
    stats = {"mean": scale * mean, "var": tensors.take(f"{name}.running_var", (size,))}
    return scale, {"bias": tensors.take(f"{name}.bias", (size,))}, stats

"""Small StyleGAN2s with random weights, by the names of each project that publishes them."""

import numpy as np

from jaxgan.importers.stylegan2 import FILTER

RESOLUTION, WIDE, NARROW, LATENT = 16, 6, 4, 5
WIDTHS = {4: WIDE, 8: WIDE, 16: NARROW}  # fmap_base 64, fmap_max 6


def states(architectures=("skip", "resnet"), seed=0):
    """A generator's and a discriminator's state dict by NVlabs' names, drawn at random."""
    rng = np.random.default_rng(seed)

    def normal(*shape):
        return np.asarray(rng.standard_normal(shape), np.float32)

    g, d = {"mapping.w_avg": normal(LATENT)}, {}
    for i in range(3):
        g |= {f"mapping.fc{i}.weight": 100 * normal(LATENT, LATENT), f"mapping.fc{i}.bias": normal(LATENT)}
    g["synthesis.b4.const"] = normal(WIDE, 4, 4)

    def modulated(name, size, inputs, width):
        g.update({f"{name}.weight": normal(width, inputs, size, size), f"{name}.bias": normal(width)})
        g.update({f"{name}.affine.weight": normal(inputs, LATENT), f"{name}.affine.bias": normal(inputs)})

    def plain(name, size, inputs, width):
        d.update({f"{name}.weight": normal(width, inputs, size, size), f"{name}.bias": normal(width)})

    for side, width in WIDTHS.items():
        below = WIDTHS[max(side // 2, 4)]
        for conv in ("conv0", "conv1")[side == 4 :]:
            name = f"synthesis.b{side}.{conv}"
            modulated(name, 3, below if conv == "conv0" else width, width)
            g |= {f"{name}.noise_strength": normal(), f"{name}.noise_const": normal(side, side)}
        if architectures[0] == "skip" or side == RESOLUTION:
            modulated(f"synthesis.b{side}.torgb", 1, width, 3)
        if architectures[0] == "resnet" and side > 4:
            g[f"synthesis.b{side}.skip.weight"] = normal(width, below, 1, 1)
        g[f"synthesis.b{side}.resample_filter"] = FILTER.astype(np.float32)
        if architectures[1] == "skip" or side == RESOLUTION:
            plain(f"b{side}.fromrgb", 1, 3, width)
        if side > 4:
            plain(f"b{side}.conv0", 3, width, width)
            plain(f"b{side}.conv1", 3, width, below)
            if architectures[1] == "resnet":
                d[f"b{side}.skip.weight"] = normal(below, width, 1, 1)
    plain("b4.conv", 3, WIDE + 1, WIDE)
    d |= {"b4.fc.weight": normal(WIDE, 16 * WIDE), "b4.fc.bias": normal(WIDE)}
    d |= {"b4.out.weight": normal(1, WIDE), "b4.out.bias": normal(1)}
    return g, d


def rosinality(generator, discriminator):
    """The state dicts by rosinality's names, written out rule by rule."""
    g, d = {}, {}
    for name, value in generator.items():
        head, *rest = name.split(".")
        leaf = ".".join(rest)
        if head == "mapping" and leaf != "w_avg":
            g[f"style.{int(leaf[2]) + 1}.{rest[1]}"] = value
        if head != "synthesis" or leaf.endswith("resample_filter"):
            continue
        side, index = int(rest[0][1:]), {"b4": 0, "b8": 0, "b16": 2}[rest[0]]
        if rest[1] == "const":
            g["input.input"] = value[None]
        elif rest[1] == "torgb":
            scope = "to_rgb1" if side == 4 else f"to_rgbs.{index // 2}"
            inner = {"bias": "bias", "weight": "conv.weight"}.get(".".join(rest[2:]), f"conv.modulation.{rest[-1]}")
            g[f"{scope}.{inner}"] = (
                value.reshape(1, 3, 1, 1) if inner == "bias" else value[None] if inner == "conv.weight" else value
            )
        else:
            number = -1 if side == 4 else index + int(rest[1][-1])
            scope = "conv1" if side == 4 else f"convs.{number}"
            if rest[2] == "noise_const":
                g[f"noises.noise_{number + 1}"] = value[None, None]
            elif rest[2] == "noise_strength":
                g[f"{scope}.noise.weight"] = value.reshape(1)
            elif rest[2] == "affine":
                g[f"{scope}.conv.modulation.{rest[3]}"] = value
            else:
                g[f"{scope}.{'conv.weight' if rest[2] == 'weight' else 'activate.bias'}"] = (
                    value[None] if value.ndim == 4 else value
                )
    g["convs.0.conv.blur.kernel"] = g["to_rgbs.0.upsample.kernel"] = (4 * FILTER).astype(np.float32)
    inner = {"conv0.weight": "conv1.0.weight", "conv0.bias": "conv1.1.bias", "conv1.weight": "conv2.1.weight"}
    inner |= {"conv1.bias": "conv2.2.bias", "skip.weight": "skip.1.weight"}
    outer = {"b16.fromrgb.weight": "convs.0.0.weight", "b16.fromrgb.bias": "convs.0.1.bias"}
    outer |= {"b4.conv.weight": "final_conv.0.weight", "b4.conv.bias": "final_conv.1.bias"}
    outer |= {
        f"b4.{ours}.{leaf}": f"final_linear.{i}.{leaf}" for i, ours in enumerate(("fc", "out")) for leaf in ("weight", "bias")
    }
    for name, value in discriminator.items():
        side, leaf = name.split(".", 1)
        d[outer[name] if name in outer else f"convs.{ {'b16': 1, 'b8': 2}[side] }.{inner[leaf]}"] = value
    d["convs.1.skip.0.kernel"] = FILTER.astype(np.float32)
    return g, d


def tensors(state, dtype=None):
    """As PyTorch's tensors, float32 if no type is given."""
    import torch

    return {name: torch.from_numpy(np.array(value)).to(dtype) for name, value in state.items()}


def tensorflow(generator, discriminator):
    """Variables by TensorFlow's names of the mapping, the synthesis, Gs and D, written out rule by rule."""
    mapping, synthesis, d = {}, {}, {}
    for name, value in generator.items():
        head, *rest = name.split(".")
        if head == "mapping" and rest[0] != "w_avg":
            mapping[f"Dense{rest[0][2:]}/{rest[1]}"] = value.T
        if head != "synthesis" or rest[-1] == "resample_filter":
            continue
        side = int(rest[0][1:])
        if rest[-1] == "const":
            synthesis["4x4/Const/const"] = value[None]
            continue
        layer = {"conv0": "Conv0_up", "conv1": "Conv" if side == 4 else "Conv1", "torgb": "ToRGB"}[rest[1]]
        scope, leaf = f"{side}x{side}/{layer}", ".".join(rest[2:])
        if leaf == "noise_const":
            synthesis[f"noise{2 * side.bit_length() - 6 - (layer == 'Conv0_up')}"] = value[None, None]
        elif leaf == "weight":
            turned = value.transpose(2, 3, 1, 0)
            synthesis[f"{scope}/weight"] = turned[::-1, ::-1] if layer == "Conv0_up" else turned
        elif leaf.startswith("affine"):
            made = value.T if leaf == "affine.weight" else value - np.float32(1)
            synthesis[f"{scope}/mod_{leaf.removeprefix('affine.')}"] = made
        else:
            synthesis[f"{scope}/{leaf}"] = value
    for name, value in discriminator.items():
        side, layer, leaf = name.split(".")
        if layer == "out":
            d[f"Output/{leaf}"] = value.T
            continue
        theirs = {"fromrgb": "FromRGB", "conv0": "Conv0", "conv1": "Conv1_down", "skip": "Skip", "conv": "Conv", "fc": "Dense0"}
        d[f"{side[1:]}x{side[1:]}/{theirs[layer]}/{leaf}"] = value.transpose(2, 3, 1, 0) if value.ndim == 4 else value.T
    return mapping, synthesis, {"dlatent_avg": generator["mapping.w_avg"], "lod": np.float32(0)}, d

"""The published networks in plain PyTorch, as functions of a state dict, to compare results and times with.

Everything is NCHW, float32, in inference mode. `state` maps the names of the original files to tensors.
"""

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F

State = Mapping[str, torch.Tensor]


def _norm(state: State, name: str, x: torch.Tensor, eps: float) -> torch.Tensor:
    stats = (state[f"{name}.{leaf}"] for leaf in ("running_mean", "running_var", "weight", "bias"))
    return F.batch_norm(x, *stats, training=False, eps=eps)


def _lrelu(x: torch.Tensor) -> torch.Tensor:
    return F.leaky_relu(x, 0.2)


# ---- In-domain inversion (genforce/idinvert_pytorch) ----


def mapping(state: State, z: torch.Tensor) -> torch.Tensor:
    """Maps z [B, 512] to W+ before truncation [B, L, 512]."""
    x = z / torch.sqrt(torch.mean(z**2, dim=1, keepdim=True) + 1e-8)
    for i in range(8):
        weight = state[f"mapping.dense{i}.fc.weight"]
        scale = 0.01 * math.sqrt(2 / weight.shape[1])
        x = _lrelu(F.linear(x, weight * scale, state[f"mapping.dense{i}.wscale.bias"] * 0.01))
    return x.view(len(z), -1, z.shape[1])


def truncate(state: State, w: torch.Tensor) -> torch.Tensor:
    return state["truncation.w_avg"] + (w - state["truncation.w_avg"]) * state["truncation.truncation"]


def synthesis(state: State, w: torch.Tensor) -> torch.Tensor:
    """Maps W+ [B, L, 512] to images [B, 3, R, R], with fixed noise."""
    x = state["synthesis.layer0.const"].expand(len(w), -1, -1, -1)
    layers = w.shape[1]
    for i in range(layers):
        name = f"synthesis.layer{i}"
        if f"{name}.weight" in state:
            x = _fused_up(state[f"{name}.weight"], x)
        elif i > 0:
            weight = state[f"{name}.conv.weight"]
            x = F.interpolate(x, scale_factor=2, mode="nearest") if i % 2 == 0 else x
            x = F.conv2d(x, weight * math.sqrt(2 / weight[0].numel()), padding=1)
        if f"{name}.blur.kernel" in state:
            x = F.conv2d(x, state[f"{name}.blur.kernel"], padding=1, groups=x.shape[1])
        x = _epilogue(state, f"{name}.epilogue", x, w[:, i])
    last = f"synthesis.output{layers // 2 - 1}"
    weight = state[f"{last}.conv.weight"]
    return torch.tanh(F.conv2d(x, weight / math.sqrt(weight.shape[1]), state[f"{last}.bias"]))


def _fused_up(weight: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    kernel = F.pad(weight.permute(2, 3, 0, 1) * math.sqrt(2 / weight[..., 0].numel()), (1, 1, 1, 1))
    kernel = kernel[..., 1:, 1:] + kernel[..., :-1, 1:] + kernel[..., 1:, :-1] + kernel[..., :-1, :-1]
    return F.conv_transpose2d(x, kernel, stride=2, padding=1)


def _epilogue(state: State, name: str, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    x = x + state[f"{name}.apply_noise.noise"] * state[f"{name}.apply_noise.weight"].view(1, -1, 1, 1)
    x = F.instance_norm(_lrelu(x + state[f"{name}.bias"].view(1, -1, 1, 1)), eps=1e-8)
    dense = state[f"{name}.style_mod.dense.fc.weight"]
    style = F.linear(w, dense / math.sqrt(dense.shape[1]), state[f"{name}.style_mod.dense.wscale.bias"])
    scale, shift = style.view(len(w), 2, -1, 1, 1).unbind(1)
    return x * (1 + scale) + shift


def encoder(state: State, images: torch.Tensor) -> torch.Tensor:
    """Maps images [B, 3, R, R] to codes [B, L, 512]."""

    def layer(conv: str, norm: str, x: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        weight = state[f"{conv}.weight"]
        return _lrelu(_norm(state, f"{norm}.bn", F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2), 1e-5))

    x = layer("block0.conv", "block0.bn", images)
    block = 1
    while f"block{block}.conv1.weight" in state:
        name, x = f"block{block}", F.avg_pool2d(x, 2)
        shortcut = layer(f"{name}.conv", f"{name}.bn", x) if f"{name}.conv.weight" in state else x
        for i in (1, 2):
            x = layer(f"{name}.conv{i}", f"{name}.bn{i}", x, state[f"{name}.wscale{i}.bias"])
        x, block = x + shortcut, block + 1
    weight = state[f"block{block}.fc.weight"]
    x = F.linear(x.flatten(1), weight / math.sqrt(weight.shape[1]))
    return _norm(state, f"block{block}.bn.bn", x, 1e-5).view(len(images), -1, 512)


# ---- Inceptions (mseitzer/pytorch-fid, timesler/facenet-pytorch) ----


def _conv(state: State, name: str, x: torch.Tensor, stride: int = 1, pad: bool = True) -> torch.Tensor:
    weight = state[f"{name}.conv.weight"]
    padding = tuple(side // 2 for side in weight.shape[2:]) if pad else 0
    return F.relu(_norm(state, f"{name}.bn", F.conv2d(x, weight, stride=stride, padding=padding), 1e-3))


def _chain(state: State, x: torch.Tensor, *names: str) -> torch.Tensor:
    for name in names:
        x = _conv(state, name, x)
    return x


def _halved(state: State, name: str, x: torch.Tensor) -> torch.Tensor:
    return _conv(state, name, x, stride=2, pad=False)


def inception(state: State, images: torch.Tensor) -> torch.Tensor:
    """pool3 [B, 2048] of images [B, 3, H, W] in [0, 1]."""
    x = 2 * F.interpolate(images, (299, 299), mode="bilinear", align_corners=False) - 1
    x = _conv(state, "Conv2d_2a_3x3", _halved(state, "Conv2d_1a_3x3", x), pad=False)
    x = F.max_pool2d(_conv(state, "Conv2d_2b_3x3", x), 3, 2)
    x = F.max_pool2d(_conv(state, "Conv2d_4a_3x3", _conv(state, "Conv2d_3b_1x1", x), pad=False), 3, 2)

    def chain(block: str, *names: str, x: torch.Tensor) -> torch.Tensor:
        return _chain(state, x, *(f"{block}.branch{name}" for name in names))

    def pooled(block: str, x: torch.Tensor, maxima: bool = False) -> torch.Tensor:
        pool = F.max_pool2d(x, 3, 1, 1) if maxima else F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
        return chain(block, "_pool", x=pool)

    for m in ("Mixed_5b", "Mixed_5c", "Mixed_5d"):
        five, double = ("5x5_1", "5x5_2"), ("3x3dbl_1", "3x3dbl_2", "3x3dbl_3")
        x = torch.cat([chain(m, "1x1", x=x), chain(m, *five, x=x), chain(m, *double, x=x), pooled(m, x)], 1)
    double = _halved(state, "Mixed_6a.branch3x3dbl_3", chain("Mixed_6a", "3x3dbl_1", "3x3dbl_2", x=x))
    x = torch.cat([_halved(state, "Mixed_6a.branch3x3", x), double, F.max_pool2d(x, 3, 2)], 1)
    for m in ("Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"):
        seven, double = [f"7x7_{i}" for i in (1, 2, 3)], [f"7x7dbl_{i}" for i in (1, 2, 3, 4, 5)]
        x = torch.cat([chain(m, "1x1", x=x), chain(m, *seven, x=x), chain(m, *double, x=x), pooled(m, x)], 1)
    three = _halved(state, "Mixed_7a.branch3x3_2", chain("Mixed_7a", "3x3_1", x=x))
    seven = _halved(state, "Mixed_7a.branch7x7x3_4", chain("Mixed_7a", "7x7x3_1", "7x7x3_2", "7x7x3_3", x=x))
    x = torch.cat([three, seven, F.max_pool2d(x, 3, 2)], 1)
    for m in ("Mixed_7b", "Mixed_7c"):
        three, double = chain(m, "3x3_1", x=x), chain(m, "3x3dbl_1", "3x3dbl_2", x=x)
        wide = [chain(m, "3x3_2a", x=three), chain(m, "3x3_2b", x=three)]
        wide += [chain(m, "3x3dbl_3a", x=double), chain(m, "3x3dbl_3b", x=double)]
        x = torch.cat([chain(m, "1x1", x=x), *wide, pooled(m, x, maxima=m == "Mixed_7c")], 1)
    return x.mean((2, 3))


def facenet(state: State, faces: torch.Tensor) -> torch.Tensor:
    """Embeddings [B, 512] of faces [B, 3, 160, 160] in [-1, 1]."""

    def residual(name: str, x: torch.Tensor, depths: tuple[int, ...], scale: float, last: bool = False) -> torch.Tensor:
        outputs = [_conv(state, f"{name}.branch0", x)]
        for branch, depth in enumerate(depths, start=1):
            outputs.append(_chain(state, x, *(f"{name}.branch{branch}.{i}" for i in range(depth))))
        mixed = F.conv2d(torch.cat(outputs, 1), state[f"{name}.conv2d.weight"], state[f"{name}.conv2d.bias"])
        x = x + scale * mixed
        return x if last else F.relu(x)

    x = _conv(state, "conv2d_2a", _halved(state, "conv2d_1a", faces), pad=False)
    x = F.max_pool2d(_conv(state, "conv2d_2b", x), 3, 2)
    x = _halved(state, "conv2d_4b", _conv(state, "conv2d_4a", _conv(state, "conv2d_3b", x), pad=False))
    for i in range(5):
        x = residual(f"repeat_1.{i}", x, (2, 3), 0.17)
    deep = _halved(state, "mixed_6a.branch1.2", _chain(state, x, "mixed_6a.branch1.0", "mixed_6a.branch1.1"))
    x = torch.cat([_halved(state, "mixed_6a.branch0", x), deep, F.max_pool2d(x, 3, 2)], 1)
    for i in range(10):
        x = residual(f"repeat_2.{i}", x, (3,), 0.10)
    outputs = [_halved(state, f"mixed_7a.branch{b}.1", _conv(state, f"mixed_7a.branch{b}.0", x)) for b in (0, 1)]
    outputs.append(_halved(state, "mixed_7a.branch2.2", _chain(state, x, "mixed_7a.branch2.0", "mixed_7a.branch2.1")))
    x = torch.cat([*outputs, F.max_pool2d(x, 3, 2)], 1)
    for i in range(5):
        x = residual(f"repeat_3.{i}", x, (3,), 0.20)
    x = F.linear(residual("block8", x, (3,), 1.0, last=True).mean((2, 3)), state["last_linear.weight"])
    return F.normalize(_norm(state, "last_bn", x, 1e-3))


# ---- VGG16 and LPIPS (pytorch/vision, richzhang/PerceptualSimilarity) ----

VGG16_BLOCKS = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))


def _vgg16_taps(state: State, images: torch.Tensor, blocks: int) -> list[torch.Tensor]:
    """relu1_2 [B, 64, H, W], relu2_2 [B, 128, H/2, W/2] and so on of normalised images [B, 3, H, W]."""
    taps, x = [], images
    for block in VGG16_BLOCKS[:blocks]:
        x = F.max_pool2d(x, 2) if taps else x
        for index in block:
            x = F.relu(F.conv2d(x, state[f"features.{index}.weight"], state[f"features.{index}.bias"], padding=1))
        taps.append(x)
    return taps


def vgg16(state: State, images: torch.Tensor) -> torch.Tensor:
    """relu4_3 [B, 512, H/8, W/8] of normalised images [B, 3, H, W]."""
    return _vgg16_taps(state, images, 4)[-1]


def lpips(state: State, linear: State, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Distances [B] of images [B, 3, H, W] in [-1, 1]."""
    shift, scale = (torch.tensor(x).view(1, 3, 1, 1) for x in ((-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)))
    taps = (_vgg16_taps(state, (images - shift) / scale, 5) for images in (a, b))
    total = torch.zeros(len(a))
    for index, pair in enumerate(zip(*taps, strict=True)):
        x, y = (tap / (torch.sqrt(torch.sum(tap**2, dim=1, keepdim=True)) + 1e-10) for tap in pair)
        total = total + F.conv2d((x - y) ** 2, linear[f"lin{index}.model.1.weight"]).mean((1, 2, 3))
    return total

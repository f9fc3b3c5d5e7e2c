"""The StyleGAN of jaxgan.models.stylegan and its training step in plain PyTorch, to compare times with.

Images and features are NCHW. Parameters are float32, named as in Flax's trees, and scaled at run time (equalised); activations
are in the `dtype` of the configurations. Runs on CPU and CUDA.
"""

import copy
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from jaxgan.configs import DiscriminatorConfig, GeneratorConfig, StyleGANConfig
from jaxgan.models.stylegan import feature_maps


def lrelu(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2)


def per_channel(x: Tensor, values: Tensor) -> Tensor:
    """Adds values [C] to x [B, C, H, W]."""
    return x + values.to(x.dtype)[:, None, None]


def blur(x: Tensor) -> Tensor:
    """[1, 2, 1] x [1, 2, 1] / 16, zeros outside; second gradients of a depthwise convolution would take twice as long."""
    x = F.pad(x, (1, 1, 1, 1))
    x = 0.25 * (x[:, :, :-2] + x[:, :, 2:]) + 0.5 * x[:, :, 1:-1]
    return 0.25 * (x[..., :-2] + x[..., 2:]) + 0.5 * x[..., 1:-1]


def sum_of_shifts(kernel: Tensor) -> Tensor:
    """The sum [out, in, 4, 4] of a kernel [out, in, 3, 3] shifted by 0 or 1 along each axis."""
    padded = F.pad(kernel, (1, 1, 1, 1))
    return padded[..., 1:, 1:] + padded[..., 1:, :-1] + padded[..., :-1, 1:] + padded[..., :-1, :-1]


class Dense(nn.Module):
    """Equalised dense layer from [..., in] to [..., out]."""

    def __init__(self, inputs: int, outputs: int, dtype: str, gain: float = math.sqrt(2.0), rate: float = 1.0):
        super().__init__()
        self.kernel = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.scale, self.rate, self.dtype = gain * rate / math.sqrt(inputs), rate, getattr(torch, dtype)

    def forward(self, x: Tensor) -> Tensor:
        kernel, bias = (self.kernel * self.scale).to(self.dtype), (self.bias * self.rate).to(self.dtype)
        return F.linear(x.to(self.dtype), kernel, bias)


class Conv(nn.Module):
    """Equalised convolution; rescale "up" doubles the resolution before it, "down" halves it after it.

    `fused` computes those as one 4x4 convolution of stride 2, otherwise they are F.interpolate and F.avg_pool2d.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        dtype: str,
        size: int = 3,
        gain: float = math.sqrt(2.0),
        rescale: str | None = None,
        fused: bool = True,
    ):
        super().__init__()
        self.kernel = nn.Parameter(torch.randn(outputs, inputs, size, size))
        self.scale, self.size, self.dtype = gain / math.sqrt(inputs * size * size), size, getattr(torch, dtype)
        self.rescale, self.fused = rescale, fused

    def forward(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        x, kernel = x.to(self.dtype), (self.kernel * self.scale).to(self.dtype)
        bias = None if bias is None else bias.to(self.dtype)
        if self.rescale and self.fused:
            kernel = sum_of_shifts(kernel)
            if self.rescale == "up":
                # transposed convolutions mirror the kernel
                return F.conv_transpose2d(x, kernel.flip(2, 3).transpose(0, 1), bias, stride=2, padding=1)
            return F.conv2d(x, kernel * 0.25, bias, stride=2, padding=1)
        x = F.interpolate(x, scale_factor=2, mode="nearest") if self.rescale == "up" else x
        x = F.conv2d(x, kernel, bias, padding=self.size // 2)
        return F.avg_pool2d(x, 2) if self.rescale == "down" else x


class MappingNetwork(nn.Module):
    """Maps z [B, latent] to w [B, L, latent]."""

    def __init__(self, config: GeneratorConfig):
        super().__init__()
        self.config, latent = config, config.latent_size
        for i in range(config.mapping_layers):
            last = i == config.mapping_layers - 1
            width = latent * (config.num_layers if last and config.separate_w else 1)
            self.add_module(f"dense_{i}", Dense(latent, width, "float32", rate=config.mapping_lr_multiplier))

    def forward(self, z: Tensor) -> Tensor:
        x = z * torch.rsqrt(z.square().mean(-1, keepdim=True) + 1e-8)
        for layer in self.children():
            x = lrelu(layer(x))
        shape = len(z), self.config.num_layers, self.config.latent_size
        return x.view(shape) if self.config.separate_w else x[:, None].expand(shape)


class StyledLayer(nn.Module):
    """Convolution (except in the first layer), noise, bias, leaky ReLU, instance norm, and modulation by w [B, latent]."""

    def __init__(self, config: GeneratorConfig, layer: int, fused: bool):
        super().__init__()
        side = 4 << (layer // 2)
        channels, self.up = feature_maps(config, side), layer >= 2 and layer % 2 == 0
        inputs = feature_maps(config, side // 2 if self.up else side)
        rescale = "up" if self.up else None
        self.conv = Conv(inputs, channels, config.dtype, rescale=rescale, fused=fused) if layer else None
        self.style = Dense(config.latent_size, 2 * channels, config.dtype, gain=1.0)
        self.bias = nn.Parameter(torch.zeros(channels))
        self.noise_strength = nn.Parameter(torch.zeros(channels)) if config.noise else None
        self.register_buffer("map", torch.randn(1, 1, side, side) if config.noise else None)

    def forward(self, x: Tensor, w: Tensor, fresh: bool) -> Tensor:
        within = self.conv is not None and not self.up and self.noise_strength is None  # the bias is the convolution's own
        if self.conv is not None:
            x = self.conv(x, self.bias if within else None)
        if self.up:
            x = blur(x)
        if self.noise_strength is not None:
            noise = torch.randn(len(x), 1, *x.shape[2:], device=x.device) if fresh else self.map
            x = x + (noise * self.noise_strength[:, None, None]).to(x.dtype)
        x = lrelu(x if within else per_channel(x, self.bias))
        scale, shift = self.style(w)[:, :, None, None].chunk(2, dim=1)
        return torch.addcmul(shift, F.instance_norm(x, eps=1e-8), 1.0 + scale)


class Synthesis(nn.Module):
    """Maps w [B, L, latent] to images [B, 3, R, R], with `fresh` noise or the fixed maps."""

    def __init__(self, config: GeneratorConfig, fused: bool):
        super().__init__()
        self.config = config
        self.constant = nn.Parameter(torch.ones(1, feature_maps(config, 4), 4, 4))
        self.rgb_bias = nn.Parameter(torch.zeros(3))
        for layer in range(config.num_layers):
            self.add_module(f"layer_{layer}", StyledLayer(config, layer, fused))
        side = config.resolution
        self.add_module(f"to_rgb_{side}", Conv(feature_maps(config, side), 3, config.dtype, size=1, gain=1.0))

    def forward(self, w: Tensor, fresh: bool = False) -> Tensor:
        x = self.constant.to(getattr(torch, self.config.dtype)).expand(len(w), -1, -1, -1)
        for i in range(self.config.num_layers):
            x = getattr(self, f"layer_{i}")(x, w[:, i], fresh)
        x = getattr(self, f"to_rgb_{self.config.resolution}")(x, self.rgb_bias).float()
        return torch.tanh(x) if self.config.tanh else x


class Generator(nn.Module):
    def __init__(self, config: GeneratorConfig, fused: bool = True):
        super().__init__()
        self.mapping, self.synthesis = MappingNetwork(config), Synthesis(config, fused)

    def forward(self, z: Tensor) -> Tensor:
        return self.synthesis(self.mapping(z))


class Discriminator(nn.Module):
    """Maps images [B, 3, R, R] to scores [B]."""

    def __init__(self, config: DiscriminatorConfig, resolution: int, fused: bool = True):
        super().__init__()
        self.config, self.resolution = config, resolution
        last, dtype = feature_maps(config, 4), config.dtype

        def add(name: str, conv: Conv) -> None:
            self.add_module(name, conv)
            self.register_parameter(f"{name}_bias", nn.Parameter(torch.zeros(len(conv.kernel))))

        add(f"from_rgb_{resolution}", Conv(3, feature_maps(config, resolution), dtype, size=1))
        for side in self._sides():
            width, half = feature_maps(config, side), feature_maps(config, side // 2)
            add(f"conv_{side}", Conv(width, width, dtype))
            add(f"down_{side}", Conv(width, half, dtype, rescale="down", fused=fused))
        add("conv_4", Conv(last + 1, last, dtype))
        self.dense, self.score = Dense(16 * last, last, dtype), Dense(last, 1, dtype, gain=1.0)

    def _sides(self) -> list[int]:
        return [1 << power for power in range(self.resolution.bit_length() - 1, 2, -1)]

    def _layer(self, name: str, x: Tensor) -> Tensor:
        return lrelu(getattr(self, name)(x, getattr(self, f"{name}_bias")))

    def forward(self, images: Tensor) -> Tensor:
        x = self._layer(f"from_rgb_{self.resolution}", images)
        for side in self._sides():
            x = self._layer(f"down_{side}", blur(self._layer(f"conv_{side}", x)))
        x = lrelu(self.dense(self._layer("conv_4", self._with_deviation(x)).flatten(1)))
        return self.score(x)[:, 0].float()

    def _with_deviation(self, x: Tensor) -> Tensor:
        """Appends the mean standard deviation within groups of neighbours."""
        group = min(self.config.stddev_group, len(x))
        grouped = x.float().reshape(-1, group, *x.shape[1:])
        deviation = (grouped.var(dim=1, correction=0) + 1e-8).sqrt().mean((1, 2, 3))
        feature = deviation.repeat_interleave(group)[:, None, None, None].expand(-1, 1, *x.shape[2:])
        return torch.cat([x, feature.to(x.dtype)], dim=1)


def load(module: nn.Module, *trees: Mapping[str, Any]) -> None:
    """Fills a module from Flax trees of arrays: parameters and, if any, the fixed noise.

    Raises:
      RuntimeError: names or shapes do not match.
    """
    state = {}

    def walk(tree: Mapping[str, Any], path: tuple[str, ...]) -> None:
        for name, value in tree.items():
            if isinstance(value, Mapping):
                walk(value, (*path, name))
            else:
                state[".".join((*path, name))] = torch.from_numpy(_transposed(name, path, np.array(value)))

    for tree in trees:
        walk(tree, ())
    module.load_state_dict(state)


def _transposed(name: str, path: tuple[str, ...], value: np.ndarray) -> np.ndarray:
    if name == "kernel" and path == ("dense",):  # the discriminator's: its inputs are 4x4 features, flattened
        value = value.reshape(4, 4, -1, value.shape[1]).transpose(3, 2, 0, 1).reshape(value.shape[1], -1)
    elif name == "kernel":
        value = value.transpose((3, 2, 0, 1) if value.ndim == 4 else (1, 0))
    elif value.ndim == 4:  # constant and noise
        value = value.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(value)


class Trainer:
    """Networks, optimisers and averages; `step` is that of jaxgan.training.stylegan without augmentation and growing."""

    def __init__(self, config: StyleGANConfig, device: str, fused: bool = True, channels_last: bool = False):
        self.config, self.device = config, device
        layout = torch.channels_last if channels_last else torch.contiguous_format
        place = {"device": device, "memory_format": layout}
        self.generator = Generator(config.generator, fused).to(**place)
        self.discriminator = Discriminator(config.discriminator, config.generator.resolution, fused).to(**place)
        self.average = copy.deepcopy(self.generator).requires_grad_(False)
        self.w_avg = torch.zeros(config.generator.num_layers, config.generator.latent_size, device=device)
        adam = {"lr": config.adam.learning_rate, "betas": (config.adam.b1, config.adam.b2), "eps": config.adam.eps}
        self.optimizers = [torch.optim.Adam(net.parameters(), **adam, fused=True) for net in self._networks()]
        self.layout = layout

    def _networks(self) -> list[nn.Module]:
        return [self.generator, self.discriminator]

    def step(self, images: Tensor, r1_weight: float) -> tuple[Tensor, Tensor]:
        """Trains on images uint8 [B, 3, R, R]; returns the losses of generator and discriminator."""
        count = len(images)
        real = (images.float() / 127.5 - 1.0).to(memory_format=self.layout).requires_grad_(bool(r1_weight))
        w = self.generator.mapping(torch.randn(2 * count, self.config.generator.latent_size, device=self.device))
        fake_scores = self.discriminator(self.generator.synthesis(self._mix(*w.split(count)), fresh=True))
        g_loss = F.softplus(-fake_scores).mean()
        # both losses share the forward pass on the fakes
        g_grads = torch.autograd.grad(g_loss, list(self.generator.parameters()), retain_graph=True)
        real_scores = self.discriminator(real)
        d_loss = F.softplus(-real_scores).mean() + F.softplus(fake_scores).mean()
        if r1_weight:
            (gradient,) = torch.autograd.grad(real_scores.sum(), real, create_graph=True)
            d_loss = d_loss + r1_weight * gradient.square().sum() / count
        d_grads = torch.autograd.grad(d_loss, list(self.discriminator.parameters()))
        for network, optimizer, grads in zip(self._networks(), self.optimizers, (g_grads, d_grads), strict=True):
            for parameter, gradient in zip(network.parameters(), grads, strict=True):
                parameter.grad = gradient
            optimizer.step()
        self._update_averages(w.detach().mean(0), count)
        return g_loss.detach(), d_loss.detach()

    def _mix(self, w: Tensor, other: Tensor) -> Tensor:
        """Style mixing: with probability config.style_mixing, layers from a random cut onwards come from the other latent."""
        count, layers = w.shape[:2]
        cut = torch.randint(1, layers, (count, 1), device=w.device)
        cut = torch.where(torch.rand(count, 1, device=w.device) < self.config.style_mixing, cut, layers)
        return torch.where((torch.arange(layers, device=w.device) < cut)[..., None], w, other)

    @torch.no_grad()
    def _update_averages(self, w_mean: Tensor, count: int) -> None:
        half_life = self.config.ema_half_life
        weight = 1.0 - (0.5 ** (count / half_life) if half_life else 0.0)
        for average, parameter in zip(self.average.parameters(), self.generator.parameters(), strict=True):
            average.lerp_(parameter, weight)
        self.w_avg.lerp_(w_mean.float(), 1.0 - self.config.w_avg_decay)

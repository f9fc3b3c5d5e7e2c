"""The domain-guided encoder of in-domain GAN inversion, which maps portraits to W+.

References:
  Zhu et al., In-domain GAN inversion for real image editing, 2020.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.configs import GeneratorConfig, TrunkConfig
from jaxgan.models.layers import EqualizedDense, downscale2d, leaky_relu
from jaxgan.models.strided import conv2d
from jaxgan.runtime import AXIS


def batch_norm(train: bool, name: str, axis: int | tuple[int, ...] = -1, scale_init: float | None = None) -> nn.BatchNorm:
    """Batch normalisation as published: epsilon 1e-5, decay 0.9, centred, and scaled only if `scale_init` is given.

    In training, statistics are those of the batch on all devices of the mapped axis.
    """
    return nn.BatchNorm(
        use_running_average=not train,
        axis=axis,
        momentum=0.9,
        epsilon=1e-5,
        use_scale=scale_init is not None,
        scale_init=nn.initializers.constant(scale_init or 0.0),
        axis_name=AXIS if train else None,
        name=name,
    )


class ConvNorm(nn.Module):
    """Convolution with weights ~ N(0, 0.02), batch normalisation, leaky ReLU."""

    features: int
    kernel_size: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        shape = (self.kernel_size, self.kernel_size, x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.normal(0.02), shape)
        x = conv2d(x.astype(self.dtype), kernel.astype(self.dtype))
        return leaky_relu(batch_norm(train, "norm")(x.astype(jnp.float32)).astype(self.dtype))


class ResidualBlock(nn.Module):
    """Two convolutions and a shortcut, a 1x1 convolution if the widths differ; the hidden width is the smaller of the two."""

    features: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        hidden = min(x.shape[-1], self.features)
        shortcut = x if x.shape[-1] == self.features else ConvNorm(self.features, 1, self.dtype, name="shortcut")(x, train)
        x = ConvNorm(hidden, 3, self.dtype, name="conv_0")(x, train)
        return shortcut + ConvNorm(self.features, 3, self.dtype, name="conv_1")(x, train)


class Trunk(nn.Module):
    """Maps images [B, R, R, C] to features [B, 16 * width]: a 2x2 mean and a residual block per resolution, down to 4x4."""

    config: TrunkConfig
    remat: bool = False

    @nn.compact
    def __call__(self, images: jax.Array, train: bool) -> jax.Array:
        cfg = self.config
        dtype = jnp.dtype(cfg.dtype)
        width = cfg.width
        conv_norm, residual = (nn.remat(each, static_argnums=2) if self.remat else each for each in (ConvNorm, ResidualBlock))
        x = conv_norm(width, 3, dtype, name="stem")(images, train)
        resolution = images.shape[1]
        while resolution > 4:
            width, resolution = min(2 * width, cfg.max_width), resolution // 2
            x = residual(width, dtype, name=f"block_{resolution}")(downscale2d(x), train)
        return x.reshape(x.shape[0], -1).astype(jnp.float32)


class Inverter(nn.Module):
    """Maps images [B, R, R, C] in [-1, 1] to latents [B, L, latent]; C is 6 in the naive editor (portrait, landmark image).

    Uses batch statistics and updates the running ones if `train`; otherwise uses the running ones.
    """

    trunk: TrunkConfig
    generator: GeneratorConfig
    remat: bool = False

    @nn.compact
    def __call__(self, images: jax.Array, train: bool) -> jax.Array:
        layers, latent = self.generator.num_layers, self.generator.latent_size
        x = Trunk(self.trunk, self.remat, name="trunk")(images, train)
        x = EqualizedDense(layers * latent, gain=1.0, use_bias=False, name="head")(x)
        scale_init = 1.0 if self.trunk.output_scale else None
        return batch_norm(train, "norm", scale_init=scale_init)(x).reshape(-1, layers, latent)

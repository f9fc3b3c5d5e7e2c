"""StyleGAN2's convolutions: modulated by a style, and plain ones with resampling, bias and clamp.

References:
  Karras et al., Analyzing and improving the image quality of StyleGAN, 2019.
  Karras et al., Training generative adversarial networks with limited data, 2020 (the clamp).
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.models.layers import SQRT2, EqualizedDense, add_bias, leaky_relu
from jaxgan.models.resampling import conv2d_down, conv2d_up, downsample2d, upsample2d
from jaxgan.models.strided import conv2d


def clamp(x: jax.Array, limit: float | None) -> jax.Array:
    """Values limited to [-limit, limit], or all as they are."""
    return x if limit is None else jnp.clip(x, -limit, limit)


def activate(x: jax.Array, bias: jax.Array, gain: float = 1.0, limit: float | None = None) -> jax.Array:
    """Leaky ReLU of [..., C] plus a bias [C], times sqrt(2) and the gain, then clamped to gain times the limit."""
    x = SQRT2 * gain * leaky_relu(add_bias(x, bias))
    return clamp(x, None if limit is None else gain * limit)


class ModulatedConv(nn.Module):
    """Convolution whose weights a style scales by input channel (Karras et al. 2019, equations 1 to 3), without bias.

    Maps [B, H, W, in] and w [B, latent] to [B, H', W', features]. Scaling a kernel's input channels is the same as scaling the
    image's, and dividing by the norm of what results the same as dividing the output: the kernel stays one for the whole batch.
    Demodulated kernels need no equalisation; others are divided by sqrt(fan_in).
    """

    features: int
    kernel_size: int = 3
    demodulate: bool = True
    up: bool = False  # doubles the resolution
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, w: jax.Array) -> jax.Array:
        shape = (self.kernel_size, self.kernel_size, x.shape[-1], self.features)
        style = EqualizedDense(x.shape[-1], gain=1.0, bias_init=1.0, name="style")(w)  # [B, in]
        kernel = self.param("kernel", nn.initializers.normal(1.0), shape)
        if not self.demodulate:
            style = style * (1.0 / np.sqrt(np.prod(shape[:3])))
        scaled = x.astype(self.dtype) * style[:, None, None, :].astype(self.dtype)
        y = (conv2d_up if self.up else conv2d)(scaled, kernel.astype(self.dtype))
        if self.demodulate:
            squares = jnp.dot(jnp.square(style), jnp.square(kernel).sum(axis=(0, 1)))  # [B, features]
            y = y * jax.lax.rsqrt(squares + 1e-8)[:, None, None, :].astype(self.dtype)
        return y


class Conv(nn.Module):
    """Equalised convolution that may double ("up") or halve ("down") the resolution: [B, H, W, in] to [B, H', W', features].

    With `activation`, a bias, leaky ReLU with gain sqrt(2) and the clamp follow. 1x1 convolutions run at the lower resolution,
    3x3 ones only halve.
    """

    features: int
    kernel_size: int = 3
    rescale: str | None = None
    activation: bool = True
    gain: float = 1.0
    limit: float | None = None
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        shape = (self.kernel_size, self.kernel_size, x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.normal(1.0), shape)
        kernel = (kernel * (1.0 / np.sqrt(np.prod(shape[:3])))).astype(self.dtype)
        x = x.astype(self.dtype)
        if self.kernel_size == 1:
            x = jnp.dot(downsample2d(x) if self.rescale == "down" else x, kernel[0, 0])
            x = upsample2d(x) if self.rescale == "up" else x
        else:
            x = (conv2d_down if self.rescale == "down" else conv2d)(x, kernel)
        if not self.activation:
            return self.gain * x
        return activate(x, self.param("bias", nn.initializers.zeros, (self.features,)), self.gain, self.limit)

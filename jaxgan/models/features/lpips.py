"""Learned perceptual distance of images on VGG16, "lin" version 0.1 (LPIPS; Zhang et al. 2018, equation 1)."""

from collections.abc import Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.models.features.vgg16 import VGG16_BLOCKS, vgg16_taps

EPSILON = 1e-10  # beside the length of a pixel's features
MIN_SIZE = 16  # pixels; a smaller side leaves the fifth block nothing


class LPIPS(nn.Module):
    """VGG16 and, on the squared differences of each block's last features, a 1x1 convolution to one map.

    The `lpips` package scales its inputs, in [-1, 1], by (x - shift) / scale with shift (-0.030, -0.088, -0.188) and scale
    (0.458, 0.448, 0.450): torchvision's normalisation, which VGG16 has here, in these units.
    """

    @nn.compact
    def __call__(self, a: jax.Array, b: jax.Array) -> jax.Array:
        """Distances [B] of images [B, H, W, 3] float32 in [-1, 1].

        Full float32 everywhere: figures must not depend on an accelerator's shortened multiplications.
        """
        precision = jax.lax.Precision.HIGHEST
        total = jnp.zeros(len(a), a.dtype)
        for index, tap in enumerate(vgg16_taps(jnp.concatenate([a, b]), len(VGG16_BLOCKS), precision)):
            # Where all features of a pixel are 0 the root has no gradient; the ReLU below lets none through there.
            length = jnp.sqrt(jnp.sum(tap**2, axis=-1, keepdims=True))
            unit_a, unit_b = jnp.split(tap / (length + EPSILON), 2)
            linear = nn.Conv(1, (1, 1), use_bias=False, precision=precision, name=f"lin{index}")
            total += jnp.mean(linear((unit_a - unit_b) ** 2), axis=(1, 2, 3))
        return total


def lpips_distance(params: Mapping, a: jax.Array, b: jax.Array) -> jax.Array:
    """Distances [B] of images [B, H, W, 3] float32 in [-1, 1] at their own size: 0, up to rounding, for equal ones.

    `params` come from `jaxgan.weights.lpips.load_lpips`. Gradients flow to both images.

    Raises:
      ValueError: the two have different shapes, or sides below 16 pixels.
    """
    if a.shape != b.shape or a.ndim != 4 or a.shape[3] != 3:
        raise ValueError(f"LPIPS compares images [B, H, W, 3] of the same shape, got {list(a.shape)} and {list(b.shape)}")
    if min(a.shape[1:3]) < MIN_SIZE:
        raise ValueError(f"LPIPS needs images of at least {MIN_SIZE}x{MIN_SIZE} pixels, got {a.shape[1]}x{a.shape[2]}")
    return LPIPS().apply({"params": params}, a, b)

"""The Inception-v3 of December 2015 whose pool3 features the Fréchet inception distance compares (Heusel et al. 2017).

The network is Szegedy et al. 2015 (arXiv:1512.00567) as TensorFlow published it and pytorch-fid ported it. It departs from
torchvision's Inception-v3 in its pooling branches: averages leave the padding out, and the last block takes maxima instead.
Modules are named as in PyTorch's state dict. Convolutions hold the batch norm that followed them (see
`jaxgan.weights.inception`).
"""

from collections.abc import Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp

INCEPTION_SIZE = 299  # pixels; side of the square that images are resized to


class ConvRelu(nn.Module):
    """Convolution with bias, then ReLU: [B, H, W, in] to [B, H', W', features].

    Full float32 everywhere: figures must not depend on an accelerator's shortened multiplications.
    """

    features: int
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1
    padding: str = "SAME"

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        strides = (self.stride, self.stride)
        precision = jax.lax.Precision.HIGHEST
        return nn.relu(nn.Conv(self.features, self.kernel, strides, self.padding, precision=precision, name="conv")(x))


def chain(x: jax.Array, *layers: tuple[str, int, tuple[int, int]]) -> jax.Array:
    """Convolutions (name, features, kernel) one after another, at the same resolution."""
    for name, features, kernel in layers:
        x = ConvRelu(features, kernel, name=name)(x)
    return x


def halve(x: jax.Array, features: int, name: str) -> jax.Array:
    """3x3 convolution of stride 2 without padding."""
    return ConvRelu(features, (3, 3), 2, "VALID", name=name)(x)


def max_pool(x: jax.Array) -> jax.Array:
    """3x3 maxima of stride 2 without padding."""
    return nn.max_pool(x, (3, 3), (2, 2))


def pool_branch(x: jax.Array, features: int, maxima: bool = False) -> jax.Array:
    """3x3 mean of the pixels inside the image, or maximum, at every pixel; then a 1x1 convolution."""
    if maxima:
        x = nn.max_pool(x, (3, 3), padding="SAME")
    else:
        x = nn.avg_pool(x, (3, 3), padding="SAME", count_include_pad=False)
    return ConvRelu(features, name="branch_pool")(x)


class InceptionA(nn.Module):
    """[B, 35, 35, in] to [B, 35, 35, 224 + pool_features] (after the paper's figure 5)."""

    pool_features: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        branches = (
            chain(x, ("branch1x1", 64, (1, 1))),
            chain(x, ("branch5x5_1", 48, (1, 1)), ("branch5x5_2", 64, (5, 5))),
            chain(x, ("branch3x3dbl_1", 64, (1, 1)), ("branch3x3dbl_2", 96, (3, 3)), ("branch3x3dbl_3", 96, (3, 3))),
            pool_branch(x, self.pool_features),
        )
        return jnp.concatenate(branches, axis=-1)


class InceptionB(nn.Module):
    """[B, 35, 35, in] to [B, 17, 17, 480 + in] (figure 10)."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        double = chain(x, ("branch3x3dbl_1", 64, (1, 1)), ("branch3x3dbl_2", 96, (3, 3)))
        branches = halve(x, 384, "branch3x3"), halve(double, 96, "branch3x3dbl_3"), max_pool(x)
        return jnp.concatenate(branches, axis=-1)


class InceptionC(nn.Module):
    """[B, 17, 17, in] to [B, 17, 17, 768], with `width` features inside the 7x7 branches (figure 6)."""

    width: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        width = self.width
        branches = (
            chain(x, ("branch1x1", 192, (1, 1))),
            chain(x, ("branch7x7_1", width, (1, 1)), ("branch7x7_2", width, (1, 7)), ("branch7x7_3", 192, (7, 1))),
            chain(
                x,
                ("branch7x7dbl_1", width, (1, 1)),
                ("branch7x7dbl_2", width, (7, 1)),
                ("branch7x7dbl_3", width, (1, 7)),
                ("branch7x7dbl_4", width, (7, 1)),
                ("branch7x7dbl_5", 192, (1, 7)),
            ),
            pool_branch(x, 192),
        )
        return jnp.concatenate(branches, axis=-1)


class InceptionD(nn.Module):
    """[B, 17, 17, in] to [B, 8, 8, 512 + in]."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        small = chain(x, ("branch3x3_1", 192, (1, 1)))
        large = chain(x, ("branch7x7x3_1", 192, (1, 1)), ("branch7x7x3_2", 192, (1, 7)), ("branch7x7x3_3", 192, (7, 1)))
        branches = halve(small, 320, "branch3x3_2"), halve(large, 192, "branch7x7x3_4"), max_pool(x)
        return jnp.concatenate(branches, axis=-1)


class InceptionE(nn.Module):
    """[B, 8, 8, in] to [B, 8, 8, 2048] (figure 7); the pooling branch takes means or maxima."""

    maxima: bool

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        single = chain(x, ("branch3x3_1", 384, (1, 1)))
        double = chain(x, ("branch3x3dbl_1", 448, (1, 1)), ("branch3x3dbl_2", 384, (3, 3)))
        branches = (
            chain(x, ("branch1x1", 320, (1, 1))),
            chain(single, ("branch3x3_2a", 384, (1, 3))),
            chain(single, ("branch3x3_2b", 384, (3, 1))),
            chain(double, ("branch3x3dbl_3a", 384, (1, 3))),
            chain(double, ("branch3x3dbl_3b", 384, (3, 1))),
            pool_branch(x, 192, self.maxima),
        )
        return jnp.concatenate(branches, axis=-1)


class FIDInception(nn.Module):
    """Images [B, 299, 299, 3] float32 in [-1, 1] to pool3 features [B, 2048], not negative."""

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        x = halve(images, 32, "Conv2d_1a_3x3")
        x = ConvRelu(32, (3, 3), padding="VALID", name="Conv2d_2a_3x3")(x)
        x = max_pool(ConvRelu(64, (3, 3), name="Conv2d_2b_3x3")(x))
        x = ConvRelu(80, name="Conv2d_3b_1x1")(x)
        x = max_pool(ConvRelu(192, (3, 3), padding="VALID", name="Conv2d_4a_3x3")(x))
        x = InceptionA(32, name="Mixed_5b")(x)
        x = InceptionA(64, name="Mixed_5c")(x)
        x = InceptionA(64, name="Mixed_5d")(x)
        x = InceptionB(name="Mixed_6a")(x)
        x = InceptionC(128, name="Mixed_6b")(x)
        x = InceptionC(160, name="Mixed_6c")(x)
        x = InceptionC(160, name="Mixed_6d")(x)
        x = InceptionC(192, name="Mixed_6e")(x)
        x = InceptionD(name="Mixed_7a")(x)
        x = InceptionE(maxima=False, name="Mixed_7b")(x)
        x = InceptionE(maxima=True, name="Mixed_7c")(x)
        return jnp.mean(x, axis=(1, 2))


def resize_for_inception(images: jax.Array) -> jax.Array:
    """Images [B, H, W, 3] at 299 pixels, as pytorch-fid does it: bilinear, without antialiasing on the way down."""
    shape = (images.shape[0], INCEPTION_SIZE, INCEPTION_SIZE, images.shape[3])
    return jax.image.resize(images, shape, "bilinear", antialias=False)


def inception_features(params: Mapping, images_uint8: jax.Array) -> jax.Array:
    """pool3 features float32 [B, 2048] of images uint8 [B, H, W, 3] of any size.

    `params` come from `jaxgan.weights.inception.load_inception`. Raises ValueError for another type than uint8.
    """
    if images_uint8.dtype != jnp.uint8:
        raise ValueError(f"images are {images_uint8.dtype}; Inception's features are defined on uint8 in [0, 255]")
    images = resize_for_inception(images_uint8.astype(jnp.float32))
    return FIDInception().apply({"params": params}, images / 127.5 - 1)

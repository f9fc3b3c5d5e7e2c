"""VGG16 up to relu4_3: the perceptual distance of in-domain GAN inversion (Zhu et al. 2020).

The original code runs a Caffe VGG16 on BGR values in [0, 255] minus the ImageNet mean. This module runs torchvision's
VGG16 instead: RGB in [0, 1], ImageNet mean subtracted, divided by the ImageNet standard deviation. The layers are the
same but the features are smaller, as the inputs are (a standard deviation near 1, not near 60): a loss weight tuned for
the one, such as the published 5e-5, does not carry over to the other.
"""

from collections.abc import Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp

PERCEPTUAL_SIZE = 256  # pixels; side of the square that images are resized to before the features are taken

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

# (convolutions, width) of each block, with 2x2 max pooling between blocks (Simonyan & Zisserman 2015, table 1, D).
VGG16_BLOCKS = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))
PERCEPTUAL_BLOCKS = 4


def vgg16_layers(blocks: int = PERCEPTUAL_BLOCKS) -> dict[str, tuple[int, int]]:
    """Convolutions of the first blocks in order: name ("conv1_1" ... "conv4_3") -> (input, output) feature maps."""
    layers, inputs = {}, 3
    for block, (depth, width) in enumerate(VGG16_BLOCKS[:blocks], start=1):
        for index in range(1, depth + 1):
            layers[f"conv{block}_{index}"] = (inputs, width)
            inputs = width
    return layers


def vgg16_taps(images: jax.Array, blocks: int, precision: jax.lax.PrecisionLike = None) -> list[jax.Array]:
    """The last features of each of the first blocks, with torchvision's input normalisation.

    To be called from a module's compact method: the convolutions become that module's own.

    Args:
      images: [B, H, W, 3] float32 in [-1, 1], at their own size.

    Returns:
      relu1_2 [B, H, W, 64], relu2_2 [B, H/2, W/2, 128] and so on; halves are rounded down.
    """
    mean = jnp.asarray(IMAGENET_MEAN, images.dtype)[None, None, None]
    std = jnp.asarray(IMAGENET_STD, images.dtype)[None, None, None]
    x, taps = ((images + 1) / 2 - mean) / std, []
    for name, (_, width) in vgg16_layers(blocks).items():
        if name.endswith("_1") and name != "conv1_1":
            taps.append(x)
            x = nn.max_pool(x, (2, 2), strides=(2, 2))
        x = nn.relu(nn.Conv(width, (3, 3), padding=1, precision=precision, name=name)(x))
    return [*taps, x]


class VGG16(nn.Module):
    """VGG16 up to relu4_3 (Simonyan & Zisserman 2015), with torchvision's input normalisation."""

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        """Features [B, H/8, W/8, 512], not negative, of images [B, H, W, 3] float32 in [-1, 1] at their own size."""
        return vgg16_taps(images, PERCEPTUAL_BLOCKS)[-1]


def resize_for_features(images: jax.Array, size: int = PERCEPTUAL_SIZE) -> jax.Array:
    """Resize images [B, H, W, 3] bilinearly to [B, size, size, 3]; larger ones are antialiased on the way down."""
    return jax.image.resize(images, (images.shape[0], size, size, images.shape[3]), "bilinear")


def perceptual_features(params: Mapping, images: jax.Array) -> jax.Array:
    """relu4_3 features [B, 32, 32, 512] of images [B, H, W, 3] float32 in [-1, 1], resized to 256 pixels first.

    `params` come from `jaxgan.weights.vgg16.load_vgg16`. Gradients flow to the images.
    """
    return VGG16().apply({"params": params}, resize_for_features(images))

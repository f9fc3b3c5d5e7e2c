"""FaceNet: the Inception-ResNet v1 of facenet-pytorch, trained on VGGFace2, that the report's CSIM compares faces with.

Szegedy et al. 2016 (arXiv:1602.07261, figures 10 to 15), trained by David Sandberg. Modules are named as in PyTorch's state
dict. Convolutions hold the batch norm that followed them (see `jaxgan.weights.facenet`).
"""

from collections.abc import Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.models.features.inception import ConvRelu, chain, halve, max_pool

FACENET_SIZE = 160  # pixels; side of the square faces that the network was trained on

Layer = tuple[int, tuple[int, int]]  # features and kernel of a convolution


class Branch(nn.Module):
    """Convolutions one after another, named "0", "1" and so on; a last one of stride 2 and `halved` features if that is set."""

    layers: tuple[Layer, ...]
    halved: int | None = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = chain(x, *((str(place), *layer) for place, layer in enumerate(self.layers)))
        return x if self.halved is None else halve(x, self.halved, str(len(self.layers)))


class Residual(nn.Module):
    """x + scale * 1x1 convolution of all branches side by side, then ReLU if `activate`; the shape stays.

    The first branch is a 1x1 convolution as wide as the others, which are `branches`.
    """

    branches: tuple[tuple[Layer, ...], ...]
    scale: float
    activate: bool = True

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        outputs = [ConvRelu(self.branches[0][0][0], name="branch0")(x)]
        outputs += [Branch(layers, name=f"branch{place}")(x) for place, layers in enumerate(self.branches, start=1)]
        joined = jnp.concatenate(outputs, axis=-1)
        mixed = nn.Conv(x.shape[-1], (1, 1), precision=jax.lax.Precision.HIGHEST, name="conv2d")(joined)
        x = x + self.scale * mixed
        return nn.relu(x) if self.activate else x


class Repeat(nn.Module):
    """`count` Residual blocks of one kind, named "0", "1" and so on."""

    count: int
    branches: tuple[tuple[Layer, ...], ...]
    scale: float

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for place in range(self.count):
            x = Residual(self.branches, self.scale, name=str(place))(x)
        return x


BLOCK35 = (((32, (1, 1)), (32, (3, 3))), ((32, (1, 1)), (32, (3, 3)), (32, (3, 3))))
BLOCK17 = (((128, (1, 1)), (128, (1, 7)), (128, (7, 1))),)
BLOCK8 = (((192, (1, 1)), (192, (1, 3)), (192, (3, 1))),)


class Mixed6a(nn.Module):
    """[B, 17, 17, 256] to [B, 8, 8, 896] (for faces of 160 pixels)."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        deep = Branch(((192, (1, 1)), (192, (3, 3))), halved=256, name="branch1")(x)
        return jnp.concatenate([halve(x, 384, "branch0"), deep, max_pool(x)], axis=-1)


class Mixed7a(nn.Module):
    """[B, 8, 8, 896] to [B, 3, 3, 1792] (for faces of 160 pixels)."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        wide = Branch(((256, (1, 1)),), halved=384, name="branch0")(x)
        narrow = Branch(((256, (1, 1)),), halved=256, name="branch1")(x)
        deep = Branch(((256, (1, 1)), (256, (3, 3))), halved=256, name="branch2")(x)
        return jnp.concatenate([wide, narrow, deep, max_pool(x)], axis=-1)


class FaceNet(nn.Module):
    """Faces [B, 160, 160, 3] float32 in [-1, 1] to embeddings [B, 512] of unit length, in inference mode."""

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        x = halve(images, 32, "conv2d_1a")
        x = ConvRelu(32, (3, 3), padding="VALID", name="conv2d_2a")(x)
        x = max_pool(ConvRelu(64, (3, 3), name="conv2d_2b")(x))
        x = ConvRelu(80, name="conv2d_3b")(x)
        x = ConvRelu(192, (3, 3), padding="VALID", name="conv2d_4a")(x)
        x = halve(x, 256, "conv2d_4b")
        x = Repeat(5, BLOCK35, 0.17, name="repeat_1")(x)
        x = Mixed6a(name="mixed_6a")(x)
        x = Repeat(10, BLOCK17, 0.10, name="repeat_2")(x)
        x = Mixed7a(name="mixed_7a")(x)
        x = Repeat(5, BLOCK8, 0.20, name="repeat_3")(x)
        x = Residual(BLOCK8, scale=1.0, activate=False, name="block8")(x)
        x = jnp.mean(x, axis=(1, 2))
        x = nn.Dense(512, precision=jax.lax.Precision.HIGHEST, name="last_linear")(x)
        return x / jnp.maximum(jnp.linalg.norm(x, axis=-1, keepdims=True), 1e-12)


def face_embeddings(params: Mapping, images: jax.Array) -> jax.Array:
    """Embeddings float32 [B, 512] of unit length of faces [B, 160, 160, 3] float32 in [-1, 1].

    facenet-pytorch scales uint8 values by (value - 127.5) / 128. `params` come from `jaxgan.weights.facenet.load_facenet`.
    """
    return FaceNet().apply({"params": params}, images)

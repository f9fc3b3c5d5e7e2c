"""dlib's face recognition network, a residual network of 29 convolutions (King 2017, "High quality face recognition").

It maps a face, aligned by its landmarks, to a descriptor; two pictures are of one person where their descriptors are less than
0.6 apart. In JAX it runs on any device, in batches, and passes gradients to the picture.
"""

import re
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.errors import WeightsError
from jaxgan.runtime import cache_folder

DLIB_SIZE = 150  # pixels; side of the aligned faces that the network reads
DLIB_DIMENSIONS = 128
PACKAGE, FILE = "face_recognition_models", "dlib_face_recognition_resnet_model_v1.dat"
MEAN = (122.782, 117.001, 104.298)  # RGB in [0, 255]
SCALE = 256.0
STAGES = (
    (32, 3, False),
    (64, 4, True),
    (128, 3, True),
    (256, 3, True),
    (256, 1, True),
)  # width, blocks, whether the first halves

_LAYERS = re.compile(rb"(?:\x05con_4|\x07affine_|\x04fc_2)")  # what dlib writes before a layer's numbers, with its length


def _conv(width: int, kernel: int, stride: int, padding: int, name: str) -> nn.Conv:
    return nn.Conv(width, (kernel, kernel), stride, padding, precision=jax.lax.Precision.HIGHEST, name=name)


def _add(a: jax.Array, b: jax.Array) -> jax.Array:
    """The sum of [B, H, W, C]; where one is smaller, zeros at its ends make up for it, as in dlib's add_prev."""
    shape = np.maximum(a.shape, b.shape)
    return sum(jnp.pad(each, [(0, int(want - have)) for want, have in zip(shape, each.shape, strict=True)]) for each in (a, b))


def _blocks(x: Any) -> Any:
    """Pixels or weights [N, H, W, C], H and W even, in blocks of 2x2: [N, H/2, W/2, 4 C]."""
    count, height, width, channels = x.shape
    blocks = x.reshape(count, height // 2, 2, width // 2, 2, channels).transpose(0, 1, 3, 2, 4, 5)
    return blocks.reshape(count, height // 2, width // 2, 4 * channels)


def _halved(x: jax.Array) -> jax.Array:
    """Means of blocks of 2x2 pixels of [B, H, W, C]: [B, H // 2, W // 2, C]."""
    count, height, width, channels = x.shape
    even = x[:, : height // 2 * 2, : width // 2 * 2]
    return even.reshape(count, height // 2, 2, width // 2, 2, channels).mean(axis=(2, 4))


class DlibFace(nn.Module):
    """Faces [B, 150, 150, 3] float32 with pixel values in [0, 255] to descriptors [B, 128].

    Convolutions hold the affine layer that follows them. They are named in their order. The first, of 7x7 pixels and stride 2,
    reads blocks of 2x2 pixels as one with 12 channels, which XLA computes several times faster on CPUs.
    """

    @nn.compact
    def __call__(self, faces: jax.Array) -> jax.Array:
        x = (faces - jnp.asarray(MEAN, jnp.float32)[None, None, None]) / SCALE
        x = nn.relu(_conv(32, 4, 1, 0, "conv0")(_blocks(x)))
        x = nn.max_pool(x, (3, 3), (2, 2))
        names = (f"conv{place}" for place in range(1, 29))
        for width, blocks, halves in STAGES:
            for block in range(blocks):
                half = halves and block == 0
                y = nn.relu(_conv(width, 3, 2 if half else 1, 0 if half else 1, next(names))(x))
                y = _conv(width, 3, 1, 1, next(names))(y)
                x = nn.relu(_add(y, _halved(x) if half else x))
        x = jnp.mean(x, axis=(1, 2))
        return nn.Dense(DLIB_DIMENSIONS, use_bias=False, precision=jax.lax.Precision.HIGHEST, name="dense")(x)


def dlib_descriptors(params: Mapping, faces: jax.Array) -> jax.Array:
    """Descriptors float32 [B, 128] of aligned faces [B, 150, 150, 3], float32 in [0, 255]. Gradients flow to the faces."""
    return DlibFace().apply({"params": params}, faces)


def dlib_weights() -> Path:
    """The file of the network's weights, in the package face-recognition-models or in jaxgan's cache folder.

    Raises:
      WeightsError: It is in neither.
    """
    places = [cache_folder() / FILE]
    # located without an import, because its __init__ needs pkg_resources, which setuptools no longer provides
    package = find_spec(PACKAGE)
    if package is not None and package.submodule_search_locations:
        places.insert(0, Path(package.submodule_search_locations[0]) / "models" / FILE)
    for path in places:
        if path.is_file():
            return path
    raise WeightsError(
        f"dlib's face recognition network: no {' or '.join(map(str, places))}; the package face-recognition-models has it"
    )


def load_dlib_face(path: str | Path | None = None) -> dict[str, Any]:
    """Parameters of DlibFace from dlib's own file; None for that of face-recognition-models.

    Raises:
      WeightsError: There is no such file, or it holds another network.
    """
    path = Path(path) if path is not None else dlib_weights()
    template = jax.eval_shape(DlibFace().init, jax.random.key(0), jnp.zeros((1, DLIB_SIZE, DLIB_SIZE, 3), jnp.float32))
    shapes = {name: {part: leaf.shape for part, leaf in layer.items()} for name, layer in template["params"].items()}
    try:
        layers = _layers(path.read_bytes())
        params = {f"conv{place}": _folded(layers, shapes[f"conv{place}"]["kernel"]) for place in range(29)}
        params["dense"] = {"kernel": next(layers).reshape(shapes["dense"]["kernel"])}
        if next(layers, None) is not None:
            raise ValueError("more layers than expected")
    except OSError as error:
        raise WeightsError(f"{path}: {error.strerror or error}") from None
    except (ValueError, IndexError, StopIteration, RuntimeError) as error:
        raise WeightsError(f"{path}: not dlib's face recognition network ({error or 'it ends early'})") from None
    return jax.tree.map(lambda array: jnp.asarray(array, jnp.float32), params)


def _folded(layers: Iterator[np.ndarray], shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    """A convolution with the affine layer that follows it, as kernel [H, W, in, out] and bias [out]."""
    height, width, inputs, outputs = shape
    convolution, (gain, offset) = next(layers), next(layers).reshape(2, outputs)
    if inputs == 12:
        first = convolution[:-outputs].reshape(outputs, 3, 7, 7).transpose(0, 2, 3, 1)
        kernel = _blocks(np.pad(first, [(0, 0), (0, 1), (0, 1), (0, 0)])).transpose(1, 2, 3, 0)
    else:
        kernel = convolution[:-outputs].reshape(outputs, inputs, height, width).transpose(2, 3, 1, 0)
    return {"kernel": kernel * gain, "bias": convolution[-outputs:] * gain + offset}


def _layers(content: bytes) -> Iterator[np.ndarray]:
    """The numbers of convolutions, affine and dense layers of a file, float32 [n] each, from the input on."""
    position = 0
    while found := _LAYERS.search(content, position):
        position = found.end()
        if found.group().endswith(b"fc_2"):  # writes its numbers of outputs and inputs first
            for _ in range(2):
                _, position = _integer(content, position)
        version, position = _integer(content, position)
        if version != 2:
            raise ValueError(f"tensors of version {version}, not 2")
        count = 1
        for _ in range(4):
            size, position = _integer(content, position)
            count *= size
        if position + 4 * count > len(content):
            raise ValueError("it ends early")
        yield np.frombuffer(content, "<f4", count, position)
        position += 4 * count


def _integer(content: bytes, position: int) -> tuple[int, int]:
    """An integer as dlib packs it, a byte with the number of bytes that follow, and the position after it."""
    length = content[position]
    return int.from_bytes(content[position + 1 : position + 1 + length], "little"), position + 1 + length

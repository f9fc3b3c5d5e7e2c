"""Weights of in-domain inversion's reference networks, drawn again by their published rule."""

import json
import zlib
from pathlib import Path

import numpy as np
import pytest

FIXTURES = Path(__file__).parents[3] / "shared" / "reference" / "idinvert256"
needs_fixtures = pytest.mark.skipif(not FIXTURES.is_dir(), reason=f"no parity fixtures at {FIXTURES}")


def drawn_tensor(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """A tensor of the parity fixtures, drawn again by their published rule."""
    if name.endswith("kernel"):
        return np.broadcast_to(np.outer([1, 2, 1], [1, 2, 1]).astype(np.float32) / 16, shape)
    if name == "truncation.truncation":
        return np.where(np.arange(shape[1]) < 8, 0.7, 1.0).astype(np.float32).reshape(shape)
    if name == "synthesis.lod" or name.endswith("num_batches_tracked"):
        return np.zeros(shape, np.float32)
    values = np.random.RandomState(zlib.crc32(f"dev-{name}".encode())).randn(*shape).astype(np.float32)
    if name.endswith("running_var"):
        return np.float32(0.5) + np.abs(values)
    if name.endswith("bn.weight"):
        return 1 + np.float32(0.1) * values
    if len(shape) < 2:
        return np.float32(0.1) * values
    return values / np.float32(np.sqrt(np.prod(shape[1:]))) if name.startswith("block") else values


def drawn_state(keys: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    return {name: drawn_tensor(name, tuple(shape)) for name, shape in keys.items()}


def states() -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    read = [json.loads((FIXTURES / f"{network}_keys.json").read_text()) for network in ("generator", "encoder")]
    return drawn_state(read[0]), drawn_state(read[1])


# A network of the same form at 16 pixels, small enough to write to files.
RESOLUTION, LATENT, WIDE, BLOCKS = 16, 8, 6, 2
LAYERS = 2 * BLOCKS + 2


def small_generator() -> dict[str, tuple[int, ...]]:
    keys = {"truncation.w_avg": (LATENT,), "truncation.truncation": (1, LAYERS, 1), "synthesis.lod": ()}
    for i in range(2):
        width = LATENT * (LAYERS if i else 1)
        keys |= {f"mapping.dense{i}.fc.weight": (width, LATENT), f"mapping.dense{i}.wscale.bias": (width,)}
    keys["synthesis.layer0.const"] = (1, WIDE, 4, 4)
    for i in range(LAYERS):
        layer, size = f"synthesis.layer{i}", 4 << (i // 2)
        keys |= {
            f"{layer}.epilogue.bias": (WIDE,),
            f"{layer}.epilogue.apply_noise.weight": (WIDE,),
            f"{layer}.epilogue.apply_noise.noise": (1, 1, size, size),
            f"{layer}.epilogue.style_mod.dense.fc.weight": (2 * WIDE, LATENT),
            f"{layer}.epilogue.style_mod.dense.wscale.bias": (2 * WIDE,),
        }
        if i:
            keys[f"{layer}.conv.weight"] = (WIDE, WIDE, 3, 3)
        if i and i % 2 == 0:
            keys[f"{layer}.blur.kernel"] = (WIDE, 1, 3, 3)
    for i in range(LAYERS // 2):
        keys |= {f"synthesis.output{i}.bias": (3,), f"synthesis.output{i}.conv.weight": (3, WIDE, 1, 1)}
    return keys


def norm_keys(name: str, size: int) -> dict[str, tuple[int, ...]]:
    vectors = {f"{name}.{part}": (size,) for part in ("weight", "bias", "running_mean", "running_var")}
    return {**vectors, f"{name}.num_batches_tracked": ()}


def small_encoder() -> dict[str, tuple[int, ...]]:
    keys = {"block0.conv.weight": (4, 3, 3, 3), **norm_keys("block0.bn.bn", 4)}
    keys |= {"block1.conv.weight": (8, 4, 1, 1), **norm_keys("block1.bn.bn", 8)}
    for block, hidden, channels, width in ((1, 4, 4, 8), (2, 8, 8, 8)):
        for conv, shape in ((1, (hidden, channels, 3, 3)), (2, (width, hidden, 3, 3))):
            keys |= {f"block{block}.conv{conv}.weight": shape, f"block{block}.wscale{conv}.bias": shape[:1]}
            keys |= norm_keys(f"block{block}.bn{conv}.bn", shape[0])
    return keys | {"block3.fc.weight": (LAYERS * LATENT, 16 * 8), **norm_keys("block3.bn.bn", LAYERS * LATENT)}

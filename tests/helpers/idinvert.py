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

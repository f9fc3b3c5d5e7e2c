"""Weights and outputs of the reference networks of feature extractors, drawn again by their published rule."""

import json
import zlib
from pathlib import Path

import numpy as np
import pytest

from jaxgan.commands import convert

FIXTURES = Path(__file__).parents[3] / "shared" / "reference" / "feature_nets"
needs_fixtures = pytest.mark.skipif(not FIXTURES.is_dir(), reason=f"no parity fixtures at {FIXTURES}")


def drawn_tensor(name: str, shape: list[int]) -> np.ndarray:
    """A tensor of the parity fixtures, drawn again by their published rule."""
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    values = np.random.RandomState(zlib.crc32(f"dev-{name}".encode())).randn(*shape).astype(np.float32)
    if len(shape) > 1:
        return values * np.float32(np.sqrt(2 / np.prod(shape[1:])))
    if name.endswith("running_var"):
        return np.float32(0.5) + np.abs(values)
    return 1 + np.float32(0.1) * values if name.endswith("weight") else np.float32(0.1) * values


def drawn_state(network: str) -> dict[str, np.ndarray]:
    """The state dict of a network of the parity fixtures, drawn again."""
    keys = json.loads((FIXTURES / f"{network}_keys.json").read_text())
    return {name: drawn_tensor(name, shape) for name, shape in keys.items()}


def fixture_arrays(*names: str) -> list[np.ndarray]:
    with np.load(FIXTURES / "expected.npz") as archive:
        return [archive[name] for name in names]


def converted(folder: Path, network: str, state: dict[str, np.ndarray]) -> Path:
    """The folder that the command makes of a state dict."""
    torch = pytest.importorskip("torch")
    torch.save({name: torch.from_numpy(value) for name, value in state.items()}, folder / f"{network}.pth")
    out = folder / network
    assert convert.main([network, "--weights", str(folder / f"{network}.pth"), "--out", str(out)]) == 0
    return out

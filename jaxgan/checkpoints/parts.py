"""Trees of arrays in a few files, each small enough for places that take no large ones, with their SHA-256."""

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax.serialization import to_state_dict
from flax.traverse_util import empty_node, flatten_dict

from jaxgan.errors import DamagedError
from jaxgan.runtime import atomic_write

PyTree = Any
# (path, array) -> the type with which to store it, None to leave it out
Kind = Callable[[str, Any], np.dtype | None]
PART_BYTES = 15 * 2**20 - 4096  # of arrays; with the headers of its file a part is still under 15 MiB


def flat(tree: PyTree) -> dict[str, Any]:
    """Leaves, and empty nodes, by their path ("opt_state/generator/0/mu/mapping/dense_0/kernel")."""
    return flatten_dict(to_state_dict(tree), keep_empty_nodes=True, sep="/")


def digest(tree: PyTree) -> str:
    """SHA-256 of a tree's arrays with all their digits."""
    return hashlib.sha256(_lay_out(tree, lambda _, leaf: np.dtype(leaf.dtype))[1]).hexdigest()


def write(folder: Path, name: str, tree: PyTree, kind: Kind) -> dict[str, Any]:
    """Writes a tree's arrays in parts; returns what `read` needs: the description of the arrays, and the parts' SHA-256.

    Args:
      folder: is there already.
      name: of a part, with places for its number and how many there are.
      kind: says how each array is stored.
    """
    described, content = _lay_out(tree, kind)
    count = max(1, -(-len(content) // PART_BYTES))
    parts = {}
    for number in range(count):
        part = io.BytesIO()
        np.savez(part, bytes=np.frombuffer(content[number * PART_BYTES : (number + 1) * PART_BYTES], np.uint8))
        path = folder / name.format(number + 1, count)
        with atomic_write(path) as file:
            file.write(part.getvalue())
        parts[path.name] = hashlib.sha256(part.getvalue()).hexdigest()
    return {"arrays": described, "parts": parts}


def read(folder: Path, listed: dict[str, Any]) -> dict[str, Any]:
    """The arrays by their path, on the host, with the types they had; {} for empty nodes.

    Raises:
      DamagedError: a part is missing or not what was written; the message names it.
    """
    content = b""
    for name, sha256 in listed["parts"].items():
        try:
            part = (folder / name).read_bytes()
        except FileNotFoundError:
            raise DamagedError(f"{folder / name} is missing") from None
        if hashlib.sha256(part).hexdigest() != sha256:
            raise DamagedError(f"{folder / name} is damaged: it is not what was written")
        with np.load(io.BytesIO(part), allow_pickle=False) as archive:
            content += archive["bytes"].tobytes()
    arrays: dict[str, Any] = {}
    start = 0
    for path, description in listed["arrays"].items():
        if description is None:
            arrays[path] = {}
            continue
        kind, stored, shape = description
        size = int(np.prod(shape)) * jnp.dtype(stored).itemsize
        arrays[path] = np.frombuffer(content[start : start + size], jnp.dtype(stored)).reshape(shape).astype(kind)
        start += size
    return arrays


def _lay_out(tree: PyTree, kind: Kind) -> tuple[dict[str, Any], bytes]:
    """Type in memory, type as stored and shape of each array by its path (None for an empty node), and their bytes in a row."""
    described: dict[str, Any] = {}
    stored = []
    for path, leaf in flat(jax.device_get(tree)).items():
        if leaf is empty_node:
            described[path] = None
        elif (as_kind := kind(path, leaf)) is not None:
            described[path] = [leaf.dtype.name, as_kind.name, list(leaf.shape)]
            stored.append(np.asarray(leaf).astype(as_kind).tobytes())
    return described, b"".join(stored)

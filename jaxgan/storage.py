"""Named arrays on disk: safetensors files in a folder, and a list of them with their SHA-256.

Everything that is shipped, converted, exported or packed has this form. `arrays.json` names what the folder holds (`kind`),
describes it (`about`, plain JSON), and lists the files with their digests. New files are complete before the list names them
and old ones are removed after that, so that a folder always holds one whole set.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import safetensors
import safetensors.numpy
from flax.serialization import to_state_dict
from flax.traverse_util import empty_node, flatten_dict, unflatten_dict

from jaxgan.errors import DamagedError, InputError
from jaxgan.runtime import atomic_write, make_folder

LIST = "arrays.json"
HEADER_BYTES = 2**16  # room that a file's header may take


@dataclasses.dataclass(frozen=True)
class Contents:
    """What the list of a folder says."""

    kind: str  # "networks", "training run", "dataset", "vgg16", ...
    about: dict[str, Any]
    files: dict[str, str]  # file name -> SHA-256
    empty: tuple[str, ...]  # paths of empty dicts, which have no arrays


def is_stored(folder: str | Path) -> bool:
    """Whether `write` wrote that folder."""
    return (Path(folder) / LIST).is_file()


def flatten(tree: Any) -> dict[str, Any]:
    """Leaves of nested dicts and dataclasses by path ("generator/params/mapping/dense_0/kernel"); {} for empty dicts."""
    flat = flatten_dict(to_state_dict(tree), keep_empty_nodes=True, sep="/")
    return {path: {} if leaf is empty_node else leaf for path, leaf in flat.items()}


def nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of `flatten`, as nested dicts."""
    return unflatten_dict(dict(flat), sep="/")


def write(
    folder: str | Path, kind: str, arrays: Mapping[str, Any], about: Mapping[str, Any], max_file_bytes: int | None = None
) -> list[Path]:
    """Writes arrays by path, and what they are; the folder's former contents are replaced once all is written.

    Args:
      folder: Created if it does not exist.
      kind: What `read` must ask for.
      arrays: Arrays, or {} where a tree has an empty dict, by path.
      about: A description, JSON values.
      max_file_bytes: Starts another file where one would be larger; None for a single file.

    Returns:
      The files written.

    Raises:
      InputError: One array alone is larger than max_file_bytes, or the folder holds arrays of another kind, which are kept.
    """
    folder = make_folder(folder)
    if is_stored(folder) and (there := contents(folder).kind) != kind:
        raise InputError(f"{folder} holds {there}, which {kind} would replace; choose another folder")
    full = {path: np.asarray(array, order="C") for path, array in arrays.items() if not isinstance(array, dict)}
    shards = _shards(full, max_file_bytes)
    digests = {}
    for number, shard in enumerate(shards, start=1):
        content = safetensors.numpy.save(shard)
        digest = hashlib.sha256(content).hexdigest()
        name = f"arrays-{number}-of-{len(shards)}-{digest[:8]}.safetensors"  # no other set has a file of that name
        with atomic_write(folder / name) as file:
            file.write(content)
        digests[name] = digest
    empty = [path for path, array in arrays.items() if isinstance(array, dict)]
    listed = {"kind": kind, "about": dict(about), "files": digests, "empty": empty}
    with atomic_write(folder / LIST) as file:
        file.write((json.dumps(listed, indent=1) + "\n").encode())
    for path in [*folder.glob("arrays-*.safetensors"), *folder.glob(".arrays-*")]:  # of the set before, and of cut runs
        if path.name not in digests:
            path.unlink(missing_ok=True)
    return [folder / LIST, *(folder / name for name in digests)]


def contents(folder: str | Path) -> Contents:
    """The list of a folder.

    Raises:
      InputError: There is no such folder, or it has no list.
      DamagedError: The list cannot be read.
    """
    path = Path(folder) / LIST
    try:
        listed = json.loads(path.read_bytes())
        return Contents(listed["kind"], listed["about"], listed["files"], tuple(listed["empty"]))
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{folder}: no {LIST} there") from None
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedError(f"{path} is damaged: it cannot be read") from error


def read(folder: str | Path, kind: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What `write` wrote: (about, arrays by path with {} for empty dicts).

    Raises:
      InputError: There is nothing of this form, or it is of another kind.
      DamagedError: A file is missing or not what was written; the message names it.
    """
    folder, found = Path(folder), contents(folder)
    if found.kind != kind:
        raise InputError(f"{folder} holds {found.kind}, not {kind}")
    arrays: dict[str, Any] = {path: {} for path in found.empty}
    for name, digest in found.files.items():
        try:
            content = (folder / name).read_bytes()
        except FileNotFoundError:
            raise DamagedError(f"{folder / name} is missing") from None
        if hashlib.sha256(content).hexdigest() != digest:
            raise DamagedError(f"{folder / name} is damaged: it is not what was written")
        arrays |= {path: _array(**stored) for path, stored in safetensors.deserialize(content)}
    return found.about, arrays


def _array(dtype: str, shape: list[int], data: bytes) -> np.ndarray:
    """An array of a safetensors file, whose own NumPy reader does not know bfloat16."""
    kinds = {"BF16": jnp.bfloat16, "BOOL": np.bool_}
    kind = kinds.get(dtype) or np.dtype(
        dtype.replace("F", "f").replace("I", "i").replace("U", "u")[0] + str(int(dtype[1:]) // 8)
    )
    return np.frombuffer(data, kind).reshape(shape)


def _shards(arrays: Mapping[str, np.ndarray], max_file_bytes: int | None) -> list[dict[str, np.ndarray]]:
    room = None if max_file_bytes is None else max_file_bytes - HEADER_BYTES
    shards: list[dict[str, np.ndarray]] = [{}]
    size = 0
    for path, array in arrays.items():
        if room is not None and array.nbytes > room:
            raise InputError(f"{path} has {array.nbytes:,} bytes, more than a file of {max_file_bytes:,} can hold")
        if room is not None and size + array.nbytes > room:
            shards.append({})
            size = 0
        shards[-1][path] = array
        size += array.nbytes
    return shards

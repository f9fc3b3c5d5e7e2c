"""Reading the pickles of StyleGAN2-ADA in PyTorch (torch_utils.persistence) without running any code from the file.

Such a file holds each module as the source of its Python file, the name of its class and the state of the object. The original
reader runs the source; this one only looks for a name in it, and keeps the arguments and tensors of the state.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxgan.errors import WeightsError
from jaxgan.importers.restricted_pickle import RefusedError, described
from jaxgan.importers.tensors import to_numpy


@dataclass(frozen=True)
class Module:
    """A module of a network, as stored."""

    alias_free: bool  # whether its source is that of StyleGAN3
    state: dict[str, Any]  # the attributes of the torch.nn.Module

    def arguments(self, names: tuple[str, ...]) -> dict[str, Any]:
        """The arguments it was made with by name; `names` are those of the positional ones."""
        given = dict(zip(names, self.state.get("_init_args") or (), strict=False))
        return given | dict(self.state.get("_init_kwargs") or {})

    def tensors(self, prefix: str = "") -> dict[str, np.ndarray]:
        """Parameters and buffers by their names in a state dict.

        Raises:
          RefusedError: something stands in the place of a tensor or module.
        """
        found = {}
        for kind in ("_parameters", "_buffers"):
            for name, value in dict(self.state.get(kind) or {}).items():
                if value is not None and not isinstance(value, np.ndarray):
                    raise RefusedError(f"{prefix}{name} is {described(value)}, not a tensor")
                if value is not None:
                    found[f"{prefix}{name}"] = value
        for name, module in dict(self.state.get("_modules") or {}).items():
            if not isinstance(module, Module):
                raise RefusedError(f"{prefix}{name} is {described(module)}, not a module")
            found |= module.tensors(f"{prefix}{name}.")
        return found


def _module(meta: Any) -> Module:
    """Stand-in for torch_utils.persistence._reconstruct_persistent_obj."""
    if not isinstance(meta, dict) or meta.get("type") != "class" or not isinstance(meta.get("state"), dict):
        raise RefusedError("holds a persistent object that is no module")
    return Module("SynthesisInput" in str(meta.get("module_src")), meta["state"])


def _storage(data: Any) -> np.ndarray:
    """Stand-in for torch.storage._load_from_bytes: the numbers of a storage, which is a file of its own within the pickle."""
    import torch

    storage = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    try:
        return to_numpy(torch.tensor([], dtype=storage.dtype).set_(storage), "a tensor")
    except WeightsError as error:
        raise RefusedError(str(error)) from None


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> np.ndarray:
    """Stand-in for torch._utils._rebuild_tensor_v2."""
    if not isinstance(storage, np.ndarray):
        raise RefusedError(f"holds a tensor of {described(storage)}")
    steps = [(int(count), int(step)) for count, step in zip(size, stride, strict=True)]
    last = offset + sum((count - 1) * step for count, step in steps)
    if offset < 0 or any(count < 1 or step < 0 for count, step in steps) or last >= len(storage):
        raise RefusedError(f"holds a tensor of size {tuple(size)} that its storage of {len(storage)} numbers does not fill")
    if np.prod(size, dtype=object) > len(storage):  # repeated numbers: no network's, and without bound
        raise RefusedError(f"holds a tensor of size {tuple(size)} in a storage of {len(storage)} numbers")
    strides = [step * storage.itemsize for _, step in steps]
    return np.lib.stride_tricks.as_strided(storage[offset:], [count for count, _ in steps], strides, writeable=False)


def _parameter(data: Any, *_: Any) -> Any:
    """Stand-in for torch._utils._rebuild_parameter."""
    return data


STAND_INS: dict[tuple[str, str], Callable] = {
    ("torch_utils.persistence", "_reconstruct_persistent_obj"): _module,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch.storage", "_load_from_bytes"): _storage,
    ("builtins", "set"): set,
}

"""The named tensors of somebody else's weight file, taken one by one, with every misfit reported at once."""

import argparse
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan.errors import WeightsError
from jaxgan.importers.recognise import check_file, is_torch

SHOWN = 8  # misfits named in a message; the rest is counted
SHOWN_NAMES = 4  # tensors of the file named in a message
WRAPPERS = ("state_dict", "model_state_dict", "model", "params_ema", "params", "net")  # under which trainers keep state dicts


class Tensors:
    """Arrays by name, checked as they are taken.

    `take` never fails, so that one run through a network finds all that is missing or misshapen; `finish` raises.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray], origin: str | Path):
        """origin: the file, for messages."""
        self._arrays = dict(arrays)
        self._origin = origin
        self._taken: set[str] = set()
        self._problems: list[str] = []

    def __contains__(self, name: str) -> bool:
        return name in self._arrays

    def take(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """The tensor as float32; zeros of that shape if it is missing or has another one."""
        self._taken.add(name)
        found = self._arrays.get(name)
        if found is None:
            self._problems.append(f"missing {name}")
        elif tuple(found.shape) != tuple(shape):
            self._problems.append(f"{name} has shape {tuple(found.shape)}, not {tuple(shape)}")
        elif not np.issubdtype(found.dtype, np.floating):
            self._problems.append(f"{name} holds {found.dtype}, not floating-point numbers")
        elif not np.isfinite(found).all():
            self._problems.append(f"{name} holds NaN or infinity")
        else:
            return np.asarray(found, np.float32)
        return np.zeros(shape, np.float32)

    def shape(self, name: str, rank: int) -> tuple[int, ...]:
        """The shape of a tensor off which the architecture is read.

        Raises:
          WeightsError: there is no such tensor, or it has another rank or an empty axis.
        """
        if name not in self._arrays:
            raise WeightsError(f"{self._origin}: missing {name}")
        shape = tuple(self._arrays[name].shape)
        if len(shape) != rank or 0 in shape:
            raise WeightsError(f"{self._origin}: {name} has shape {shape}, not {rank} axes")
        return shape

    def count(self, pattern: str) -> int:
        """How many tensors of the names pattern.format(0), pattern.format(1), ... there are.

        Raises:
          WeightsError: there is not even the first.
        """
        if pattern.format(0) not in self._arrays:
            raise WeightsError(f"{self._origin}: missing {pattern.format(0)}")
        return next(number for number in range(len(self._arrays) + 1) if pattern.format(number) not in self._arrays)

    def skip(self, *names: str) -> None:
        """Tensors that may be there and are not needed."""
        self._taken.update(names)

    def finish(self, what: str) -> None:
        """Checks that every tensor was taken or skipped, and that none was missing, misshapen or not finite.

        Args:
          what: the network that the file ought to hold, for the message.

        Raises:
          WeightsError: The message names the tensors concerned and some that are there.
        """
        problems = self._problems + [f"unexpected {name}" for name in self._arrays if name not in self._taken]
        if problems:
            more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
            names = list(self._arrays)
            there = f"{', '.join(names[:SHOWN_NAMES])}{', ...' if len(names) > SHOWN_NAMES else ''}" or "none"
            raise WeightsError(
                f"{self._origin}: not the weights of {what}: {'; '.join(problems[:SHOWN])}{more}. "
                f"The file has {len(names)} tensors: {there}"
            )


def conv_kernel(weight: np.ndarray) -> np.ndarray:
    """PyTorch's convolution weight [out, in, kH, kW] as [kH, kW, in, out]."""
    return weight.transpose(2, 3, 1, 0)


def load_torch_state(path: str | Path) -> dict[str, np.ndarray]:
    """Tensors of a state dict as NumPy arrays: a PyTorch file, of which nothing but tensors is unpickled, or safetensors.

    State dicts that lie in another dict ({"state_dict": ...}), or whose names all begin with "module.", are unwrapped; bfloat16
    becomes float32. PyTorch files need PyTorch.

    Raises:
      FileNotFoundError: there is no such file.
      WeightsError: it holds anything but named tensors; the message says what it holds, if that is known.
    """
    return named_arrays(load_torch(path), path)


def load_torch(path: str | Path) -> Any:
    """What a PyTorch file holds, with tensors on the CPU; of its objects, only tensors, containers and argparse's are made.

    Raises:
      FileNotFoundError: there is no such file.
      WeightsError: it holds other objects, or is none of PyTorch's.
    """
    check_file(path)
    if Path(path).suffix != ".safetensors" and not is_torch(path):
        raise WeightsError(f"{path}: not a PyTorch state dict, nor any file of PyTorch's")
    try:
        import safetensors.torch
        import torch
    except ImportError as error:
        raise WeightsError(f"{path}: reading it needs PyTorch, which is not installed ({error})") from None
    try:
        if Path(path).suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        with torch.serialization.safe_globals([argparse.Namespace]):  # trainers keep their arguments beside the weights
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a different type for each way in which a file is no state dict
        raise WeightsError(f"{path}: not a PyTorch state dict ({_reason(error)})") from None


def named_arrays(state: Any, path: str | Path) -> dict[str, np.ndarray]:
    """A state dict as NumPy arrays; see `load_torch_state`.

    Raises:
      WeightsError: it is no state dict.
    """
    while isinstance(state, Mapping) and (
        inside := next((key for key in WRAPPERS if isinstance(state.get(key), Mapping)), None)
    ):
        state = state[inside]
    if not isinstance(state, Mapping) or not all(hasattr(value, "detach") for value in state.values()):
        raise WeightsError(f"{path}: not a PyTorch state dict, but {_content(state)}")
    if state and all(name.startswith("module.") for name in state):
        state = {name.removeprefix("module."): value for name, value in state.items()}
    return {name: to_numpy(value.detach(), f"{path}: {name}") for name, value in state.items()}


def to_numpy(tensor: Any, where: str) -> np.ndarray:
    """A PyTorch tensor as an array; floating-point types that NumPy lacks become float32.

    Raises:
      WeightsError: it has a type that NumPy cannot hold.
    """
    known = not tensor.is_floating_point() or str(tensor.dtype) in ("torch.float16", "torch.float32", "torch.float64")
    try:
        return (tensor if known else tensor.float()).numpy()
    except (TypeError, RuntimeError):
        raise WeightsError(f"{where} holds {tensor.dtype}, which is not read") from None


def _reason(error: Exception) -> str:
    """Why torch.load refuses a file, in a few words."""
    text = str(error)
    asked = re.search(r"(?:GLOBAL|Unsupported global: GLOBAL) ([\w.]+)", text)
    if asked:
        return f"it holds a pickled {asked[1]}, not tensors alone; save module.state_dict() instead"
    return type(error).__name__


def _content(state: Any) -> str:
    if not isinstance(state, Mapping):
        return f"a {type(state).__name__}"
    listed = ", ".join(f"{name} ({type(value).__name__})" for name, value in list(state.items())[:SHOWN_NAMES])
    return f"a dict of {len(state)}: {listed}{', ...' if len(state) > SHOWN_NAMES else ''}"

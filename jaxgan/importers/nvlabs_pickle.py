"""Reading pickles of dnnlib's networks (NVlabs/stylegan) without TensorFlow and without running any code from the file.

A pickle names callables and calls them. Here each name stands for something of this module that only stores what it is
given, and every other name is refused. A network's own source code, which such files carry along, is dropped unread.
"""

import pickle
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxgan.errors import WeightsError


@dataclass(frozen=True)
class Network:
    """What a file says of one network."""

    name: str
    build_function: str  # name of the Python function that defined it
    static_kwargs: dict[str, Any]  # that function's keyword arguments
    variables: dict[str, np.ndarray]  # the network's own, without its components'
    components: dict[str, "Network"]  # sub-networks, such as "mapping" and "synthesis"


STYLEGAN2_GENERATORS = ("G_main", "training.networks_stylegan2.G_main")


class Networks(NamedTuple):
    """The three networks of a StyleGAN file."""

    generator: Network
    discriminator: Network
    averaged_generator: Network  # running average of the generator, the one to use


def read_networks(path: str | Path) -> Networks:
    """The networks (G, D, Gs) of a pickle written by NVlabs/stylegan.

    Raises:
      FileNotFoundError: there is no such file.
      WeightsError: it is no such pickle, is cut short, or names anything but arrays, plain containers and networks;
        the message gives the file and what was refused.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        with open(path, "rb") as file:
            stored = _Unpickler(file, encoding="latin1").load()
        if not isinstance(stored, tuple | list) or len(stored) != 3:
            raise _RefusedError(f"holds {_described(stored)}, not the three networks (G, D, Gs)")
        networks = Networks(*(_network(item, where) for item, where in zip(stored, ("G", "D", "Gs"), strict=True)))
        if networks.averaged_generator.build_function in STYLEGAN2_GENERATORS:
            raise _RefusedError("holds networks of StyleGAN2, which are not supported, only those of StyleGAN")
        return networks
    except _RefusedError as error:
        raise WeightsError(f"{path}: {error}") from None
    except Exception as error:  # a file that is no pickle makes the machine fail in a dozen ways
        raise WeightsError(f"{path}: not a readable pickle ({type(error).__name__}: {error})") from None


class _RefusedError(Exception):
    """Something that the file may not hold."""


class _StoredNetwork:
    """Stand-in for dnnlib's Network: keeps its state."""

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Dtype:
    """Stand-in for numpy.dtype: booleans, integers and floating-point numbers only."""

    def __init__(self, code: Any, *_: Any):
        if not isinstance(code, str) or not re.fullmatch(r"[<>|=]?(b1|[iu][1248]|f[248])", code):
            raise _RefusedError(f"holds an array of dtype {code!r}; only numbers are read")
        self.numpy = np.dtype(code)

    def __setstate__(self, state: tuple) -> None:
        if state[1] in ("<", ">"):
            self.numpy = self.numpy.newbyteorder(state[1])


class _Array:
    """Stand-in for numpy.ndarray: becomes an array when its state arrives."""

    def __setstate__(self, state: tuple) -> None:
        _, shape, dtype, fortran, data = state
        self.value = _from_bytes(data, dtype, shape, "F" if fortran else "C")


def _from_bytes(data: Any, dtype: Any, shape: tuple[int, ...], order: str) -> np.ndarray:
    if not isinstance(dtype, _Dtype):
        raise _RefusedError(f"holds an array of dtype {_described(dtype)}")
    if isinstance(data, str):  # Python 2 wrote byte strings, which the latin1 encoding turned into text one to one
        data = data.encode("latin1")
    return np.frombuffer(data, dtype.numpy).reshape(shape, order=order)


def _reconstruct(*_: Any) -> _Array:
    return _Array()


def _array_of_buffer(data: Any, dtype: Any, shape: tuple[int, ...], order: str) -> _Array:
    array = _Array()
    array.value = _from_bytes(data, dtype, shape, order)
    return array


def _scalar(dtype: Any, data: Any) -> np.generic:
    return _from_bytes(data, dtype, (), "C")[()]


def _latin1(text: Any, encoding: Any) -> bytes:
    """Stand-in for _codecs.encode, by which Python 3 writes bytes in the older protocols."""
    if not isinstance(text, str) or encoding != "latin1":
        raise _RefusedError(f"encodes text as {encoding!r}")
    return text.encode("latin1")


_STAND_INS: dict[tuple[str, str], Callable] = {
    ("dnnlib.tflib.network", "Network"): _StoredNetwork,
    ("dnnlib.util", "EasyDict"): dict,
    ("collections", "OrderedDict"): dict,
    ("_codecs", "encode"): _latin1,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
}
for _core in ("numpy.core", "numpy._core"):  # before and since NumPy 2
    _STAND_INS[f"{_core}.multiarray", "_reconstruct"] = _reconstruct
    _STAND_INS[f"{_core}.multiarray", "scalar"] = _scalar
    _STAND_INS[f"{_core}.numeric", "_frombuffer"] = _array_of_buffer


class _Unpickler(pickle.Unpickler):
    """The pickle machine with nothing to call but the stand-ins."""

    def find_class(self, module: str, name: str) -> Callable:
        if module == "torch_utils.persistence":
            raise _RefusedError(
                "holds networks of StyleGAN2-ADA or StyleGAN3 in PyTorch, which are not supported, only StyleGAN"
            )
        if (module, name) not in _STAND_INS:
            raise _RefusedError(f"refused: it asks for {module}.{name}, which networks do not need; nothing of it was run")
        return _STAND_INS[module, name]


def _described(value: Any) -> str:
    return f"{len(value)} things" if isinstance(value, tuple | list) else type(value).__name__.lstrip("_")


def _network(stored: Any, where: str) -> Network:
    """The typed form of a stored network; `where` is its place in the file, for messages."""
    if not isinstance(stored, _StoredNetwork):
        raise _RefusedError(f"holds {_described(stored)} in place of the network {where}")
    state = getattr(stored, "state", None)
    if not isinstance(state, dict) or not isinstance(state.get("variables"), list | tuple):
        raise _RefusedError(f"the network {where} has no variables")
    variables = {}
    for pair in state["variables"]:
        if not isinstance(pair, list | tuple) or len(pair) != 2 or not isinstance(pair[0], str):
            raise _RefusedError(f"the network {where} has a variable that is no pair of name and array")
        name, value = pair
        value = getattr(value, "value", None) if isinstance(value, _Array) else value
        if not isinstance(value, np.ndarray | np.generic):
            raise _RefusedError(f"the variable {where}/{name} is {_described(value)}, not an array")
        variables[name] = np.asarray(value)
    components = state.get("components") or {}
    return Network(
        name=str(state.get("name")),
        build_function=str(state.get("build_func_name")),
        static_kwargs={str(name): value for name, value in (state.get("static_kwargs") or {}).items()},
        variables=variables,
        components={str(name): _network(component, f"{where}/{name}") for name, component in components.items()},
    )

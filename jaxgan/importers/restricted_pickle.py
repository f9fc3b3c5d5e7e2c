"""Reading other projects' pickles without running any code from the file.

A pickle names callables and calls them. Here each name stands for something of this package that only stores what it is
given, and every other name is refused. Numbers, arrays and plain containers are what every reader knows.
"""

import contextlib
import pickle
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FunctionType
from typing import Any, BinaryIO

import numpy as np

from jaxgan.errors import WeightsError
from jaxgan.importers.recognise import check_file

StandIns = Mapping[tuple[str, str], Callable]


class RefusedError(Exception):
    """Something that the file may not hold."""


@contextlib.contextmanager
def reading(path: str | Path) -> Iterator[None]:
    """Names the file in whatever goes wrong while it is read.

    Raises:
      FileNotFoundError: there is no such file.
      WeightsError: it is no such pickle, is cut short, or holds what may not be there; the message gives the file and what.
    """
    check_file(path)
    try:
        yield
    except RefusedError as error:
        raise WeightsError(f"{path}: {error}") from None
    except Exception as error:  # a file that is no pickle makes the machine fail in a dozen ways
        said = " ".join(str(error).split())
        raise WeightsError(f"{path}: not a readable pickle, or cut short ({type(error).__name__}: {said})") from None


class _Dtype:
    """Stand-in for numpy.dtype: booleans, integers and floating-point numbers only."""

    def __init__(self, code: Any, *_: Any):
        if not isinstance(code, str) or not re.fullmatch(r"[<>|=]?(b1|[iu][1248]|f[248])", code):
            raise RefusedError(f"holds an array of dtype {code!r}; only numbers are read")
        self.numpy = np.dtype(code)

    def __setstate__(self, state: tuple) -> None:
        if state[1] in ("<", ">"):
            self.numpy = self.numpy.newbyteorder(state[1])


class Array:
    """Stand-in for numpy.ndarray: becomes an array when its state arrives."""

    def __setstate__(self, state: tuple) -> None:
        _, shape, dtype, fortran, data = state
        self.value = _from_bytes(data, dtype, shape, "F" if fortran else "C")


def _from_bytes(data: Any, dtype: Any, shape: tuple[int, ...], order: str) -> np.ndarray:
    if not isinstance(dtype, _Dtype):
        raise RefusedError(f"holds an array of dtype {described(dtype)}")
    if isinstance(data, str):  # Python 2 wrote byte strings, which the latin1 encoding turned into text one to one
        data = data.encode("latin1")
    return np.frombuffer(data, dtype.numpy).reshape(shape, order=order)


def _reconstruct(*_: Any) -> Array:
    return Array()


def _array_of_buffer(data: Any, dtype: Any, shape: tuple[int, ...], order: str) -> Array:
    array = Array()
    array.value = _from_bytes(data, dtype, shape, order)
    return array


def _scalar(dtype: Any, data: Any) -> np.generic:
    return _from_bytes(data, dtype, (), "C")[()]


def _latin1(text: Any, encoding: Any) -> bytes:
    """Stand-in for _codecs.encode, by which Python 3 writes bytes in the older protocols."""
    if not isinstance(text, str) or encoding != "latin1":
        raise RefusedError(f"encodes text as {encoding!r}")
    return text.encode("latin1")


_STAND_INS: dict[tuple[str, str], Callable] = {
    ("dnnlib.util", "EasyDict"): dict,
    ("collections", "OrderedDict"): dict,
    ("_codecs", "encode"): _latin1,
    ("numpy", "ndarray"): Array,
    ("numpy", "dtype"): _Dtype,
}
for _core in ("numpy.core", "numpy._core"):  # before and since NumPy 2
    _STAND_INS[f"{_core}.multiarray", "_reconstruct"] = _reconstruct
    _STAND_INS[f"{_core}.multiarray", "scalar"] = _scalar
    _STAND_INS[f"{_core}.numeric", "_frombuffer"] = _array_of_buffer


class _Sealed:
    """A function that a pickle may call, and not change: pickles can set attributes of whatever they have named."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable):
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setstate__(self, state: Any) -> None:
        raise RefusedError(f"refused: it changes {self._function.__name__.strip('_')}; nothing of it was run")


class Unpickler(pickle.Unpickler):
    """The pickle machine with nothing to call but arrays, containers and a reader's own stand-ins."""

    def __init__(self, file: BinaryIO, stand_ins: StandIns, hints: Mapping[str, str]):
        """hints: what to say of names of a module that stand for networks of another kind."""
        super().__init__(file, encoding="latin1")
        self._stand_ins, self._hints = {**_STAND_INS, **stand_ins}, hints

    def find_class(self, module: str, name: str) -> Callable:
        if (module, name) in self._stand_ins:
            found = self._stand_ins[module, name]
            return _Sealed(found) if isinstance(found, FunctionType) else found  # the classes here have a __setstate__
        if module in self._hints:
            raise RefusedError(self._hints[module])
        raise RefusedError(f"refused: it asks for {module}.{name}, which networks do not need; nothing of it was run")


def described(value: Any) -> str:
    return f"{len(value)} things" if isinstance(value, tuple | list) else type(value).__name__.lstrip("_")


def number(settings: Mapping[str, Any], name: str, default: float | None) -> float | None:
    """A stored setting that is a number, or None where the default is.

    Raises:
      RefusedError: it is neither.
    """
    value = settings.get(name, default)
    if value is None and default is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise RefusedError(f"{name}={value!r} is no number")
    return float(value)


def check_settings(settings: Mapping[str, Any], required: Mapping[str, Any], where: str) -> None:
    """Raises RefusedError for a setting of a network that ours would silently compute differently."""
    for name, wanted in required.items():
        value = settings.get(name, wanted)
        if (list(value) if isinstance(value, tuple) else value) != wanted:
            raise RefusedError(f"{where} has {name}={value!r}; only {wanted!r} can be converted")

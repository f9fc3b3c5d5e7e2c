"""Configurations from and to plain dicts, and overriding any field from the command line."""

import dataclasses
import json
import math
import types
import typing
from typing import Any, Literal

from jaxgan.errors import ConfigError


def to_dict(config: Any) -> dict:
    """Nested plain dict (JSON types only) of a configuration."""
    return dataclasses.asdict(config)


def from_dict(kind: type, values: dict, path: str = "") -> Any:
    """Configuration of class `kind` from a nested dict; fields left out keep their defaults.

    Raises:
      ConfigError: an unknown field or a value of the wrong type, named by its dotted path.
    """
    hints = typing.get_type_hints(kind)
    known = {f.name for f in dataclasses.fields(kind)}
    made = {}
    for name, value in values.items():
        here = f"{path}{name}"
        if name not in known:
            raise ConfigError(f"unknown field {here!r}; {kind.__name__} has {', '.join(sorted(known))}")
        hint = hints[name]
        if dataclasses.is_dataclass(hint):
            if not isinstance(value, dict):
                raise ConfigError(f"{here} is a group of fields, got {value!r}")
            made[name] = from_dict(hint, value, f"{here}.")
        else:
            made[name] = _checked(hint, value, here)
    return kind(**made)


def override(config: Any, assignments: list[str]) -> Any:
    """Copy of `config` with fields set from strings "group.field=value".

    Values are read as JSON where they are JSON (8, 1e-3, true, null) and as plain text otherwise.

    Raises:
      ConfigError: not of that form, an unknown field, or a value of the wrong type.
    """
    values = to_dict(config)
    for assignment in assignments:
        path, sep, text = assignment.partition("=")
        if not sep:
            raise ConfigError(f"override {assignment!r} is not of the form field=value")
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):  # besides no JSON: thousands of digits, thousands of brackets
            value = text
        *groups, last = path.split(".")
        target = values
        for depth, group in enumerate(groups):
            target = target.get(group) if isinstance(target, dict) else None
            if not isinstance(target, dict):
                raise ConfigError(f"unknown field {'.'.join(groups[: depth + 1])!r} in override {assignment!r}")
        target[last] = value
    return from_dict(type(config), values)


def _checked(hint: Any, value: Any, path: str) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise ConfigError(f"{path} must be a list, got {value!r}")
        return tuple(_checked(args[0], each, f"{path}[{i}]") for i, each in enumerate(value))
    if origin is Literal:
        if value not in args:
            raise ConfigError(f"{path} must be one of {', '.join(map(str, args))}; got {value!r}")
        return value
    allowed = args if origin in (typing.Union, types.UnionType) else (hint,)
    if float in allowed and type(value) is int:  # JSON writes 1.0 as 1
        value = float(value) if abs(value) < 2**1023 else math.inf
    if type(value) is float and not math.isfinite(value):
        raise ConfigError(f"{path} must be finite, got {value}")
    if type(value) not in allowed:
        names = " or ".join("null" if kind is type(None) else kind.__name__ for kind in allowed)
        raise ConfigError(f"{path} must be {names}, got {value!r}")
    return value

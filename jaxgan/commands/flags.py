"""Types of command-line flags: numbers whose range argparse checks, naming the flag."""

import argparse
import math
from collections.abc import Callable


def whole(text: str) -> int:
    """A whole number from 0 on."""
    return _whole_from(0, text)


def positive_whole(text: str) -> int:
    """A whole number from 1 on."""
    return _whole_from(1, text)


def finite(text: str) -> float:
    """A finite number."""
    return _number(text, math.isfinite, "a finite number")


def positive(text: str) -> float:
    """A finite number above 0."""
    return _number(text, lambda value: 0 < value < math.inf, "a number above 0")


def _whole_from(least: int, text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if value < least:
        raise argparse.ArgumentTypeError(f"must be a whole number from {least} on, got {text!r}")
    return value


def _number(text: str, fits: Callable[[float], bool], what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not fits(value):
        raise argparse.ArgumentTypeError(f"must be {what}, got {text!r}")
    return value

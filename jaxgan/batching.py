"""Calling compiled functions with any number of rows, without compiling them for each."""

from collections.abc import Callable
from typing import Any

import numpy as np


def in_batches(function: Callable[..., Any], size: int, *arrays: np.ndarray) -> np.ndarray:
    """function(*arrays) in batches of `size` rows, the last one padded: it compiles once, and once more for one row alone.

    Args:
      function: maps as many arrays as are given, [n, ...], to a result [n, ...].
      size: rows of a batch.
      *arrays: [N, ...] each.

    Returns:
      The concatenated results, [N, ...].
    """
    results, size = [], 1 if len(arrays[0]) == 1 else size
    for start in range(0, max(len(arrays[0]), 1), size):  # no rows: one padded call gives the result's shape
        rows = [array[start : start + size] for array in arrays]
        count = len(rows[0])
        padded = [np.concatenate([r, np.zeros((size - count, *r.shape[1:]), r.dtype)]) for r in rows]
        results.append(np.asarray(function(*padded))[:count])
    return np.concatenate(results)

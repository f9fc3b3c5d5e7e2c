"""What a metric returns: columns of the results tables, and notes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Literal

import numpy as np

RESAMPLES = 1000  # of the bootstrap
LEVEL = 0.95  # of its intervals
BLOCK = 2**24  # maximum number of values held at once while resampling

Better = Literal["lower", "higher", ""]


class NotApplicable(Exception):
    """A metric cannot be measured on this data; the message gives the reason in a few words."""


@dataclass(frozen=True)
class Column:
    """One column of a table: a number for each row (kind of picture) to which it applies.

    `values` are means or quantiles of `samples` [N], which hold NaN for pairs without a number, and `intervals` are 95%
    bootstrap intervals. Both `samples` and `intervals` are empty if only a whole set of pictures has a number.
    """

    name: str
    description: str  # a line of the table's legend, with the unit
    better: Better  # the better direction; "" if there is none
    values: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    samples: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Measurement:
    """The result of one metric: columns of a table, and notes below it."""

    title: str
    columns: tuple[Column, ...] = ()
    notes: tuple[str, ...] = ()
    failed: bool = False  # whether an unexpected error, named in the notes, stopped it


def mean_column(name: str, description: str, better: Better, samples: Mapping[str, np.ndarray]) -> Column:
    """Column of the means over pairs of `samples` ([N] per row). NaN marks a pair without a number, which is left out."""
    return _column(name, description, better, samples, np.mean, _resampled_means)


def quantile_column(name: str, description: str, better: Better, samples: Mapping[str, np.ndarray], share: float) -> Column:
    """Column of the quantiles of `samples` at `share` in [0, 1]; unlike `mean_column`, it does not keep the samples."""

    def quantile(numbers: np.ndarray) -> float:
        return np.quantile(numbers, share)

    def resampled(numbers: np.ndarray) -> np.ndarray:
        chosen, rows = _choices(len(numbers)), max(1, BLOCK // len(numbers))
        blocks = (numbers[chosen[start : start + rows]] for start in range(0, RESAMPLES, rows))
        return np.concatenate([np.quantile(block, share, axis=1) for block in blocks])

    return replace(_column(name, description, better, samples, quantile, resampled), samples={})


def _column(
    name: str,
    description: str,
    better: Better,
    samples: Mapping[str, np.ndarray],
    statistic: Callable[[np.ndarray], float],
    resampled: Callable[[np.ndarray], np.ndarray],
) -> Column:
    """Column of a statistic; `resampled` maps numbers [N] to the statistic [RESAMPLES] of its bootstrap samples."""
    values, intervals = {}, {}
    samples = {row: np.asarray(numbers, np.float64) for row, numbers in samples.items()}
    tails = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    for row, numbers in samples.items():
        numbers = numbers[~np.isnan(numbers)]
        values[row] = float(statistic(numbers)) if len(numbers) else float("nan")
        if len(numbers) > 1 and np.isfinite(numbers).all():
            low, high = np.quantile(resampled(numbers), tails)
            intervals[row] = float(low), float(high)
    return Column(name, description, better, values, intervals, samples)


def _resampled_means(numbers: np.ndarray) -> np.ndarray:
    return _draw_counts(len(numbers)) @ numbers / len(numbers)


@cache
def _choices(count: int) -> np.ndarray:
    """Indices int32 [RESAMPLES, count] of the numbers in each bootstrap sample, the same for every column."""
    return np.random.default_rng(0).integers(0, count, (RESAMPLES, count), np.int32)


@cache
def _draw_counts(count: int) -> np.ndarray:
    """How often each number occurs in each bootstrap sample: float64 [RESAMPLES, count]."""
    return np.stack([np.bincount(chosen, minlength=count) for chosen in _choices(count)]).astype(np.float64)

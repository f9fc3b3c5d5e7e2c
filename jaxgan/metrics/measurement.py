"""What a metric gives back: columns of the results table, remarks, pictures."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np


class NotApplicable(Exception):
    """A metric that cannot be taken on this data; the message says why, in a few words."""


@dataclass(frozen=True)
class Column:
    """One column of the table: a number for each row (kind of edit) that has one.

    `errors` holds the standard errors of the means in `values`, where the number is a mean over images.
    """

    name: str
    description: str  # one line of the table's legend: what, unit, which way is better
    values: Mapping[str, float]
    errors: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Measurement:
    """The result of one metric: columns for the table, notes below it, pictures uint8 [H, W, 3] by file name."""

    columns: tuple[Column, ...] = ()
    notes: tuple[str, ...] = ()
    pictures: Mapping[str, np.ndarray] = field(default_factory=dict)


def mean_column(name: str, description: str, samples: Mapping[str, np.ndarray]) -> Column:
    """Column of the means over images of `samples` ([N] for each row), with their standard errors.

    NaN marks an image without a value; it is left out. A row without any value gets NaN.
    """
    values, errors = {}, {}
    for row, numbers in samples.items():
        numbers = np.asarray(numbers, np.float64)
        numbers = numbers[~np.isnan(numbers)]
        with np.errstate(invalid="ignore"):  # infinite samples have a mean but no standard error
            values[row] = float(numbers.mean()) if numbers.size else float("nan")
            errors[row] = float(numbers.std(ddof=1) / np.sqrt(numbers.size)) if numbers.size > 1 else float("nan")
    return Column(name, description, values, errors)

"""Other portraits of the same person: true pictures of what an edit to their landmarks should show."""

from collections.abc import Sequence

import numpy as np

from jaxgan.errors import DatasetError

PREPARE = "prepare the dataset with --people, and pack it anew if it was packed; or train the editor with paired_share=0"


class Partners:
    """Draws for a portrait another one of the same person."""

    def __init__(self, people: Sequence[str] | None, where: str):
        """Takes the person on each portrait, "" where it is not known; `where` is said in errors.

        Raises:
          DatasetError: People are not known, or each is there once.
        """
        if people is None:
            raise DatasetError(f"{where}: does not say who is on its portraits, which paired targets need; {PREPARE}")
        named, group = np.unique(np.array(people), return_inverse=True)
        self._order = np.argsort(group, kind="stable")
        counts = np.bincount(group)
        starts = np.cumsum(counts) - counts
        self._start, self._count = starts[group], np.where(named == "", 1, counts)[group]
        self._place = np.empty_like(self._order)
        self._place[self._order] = np.arange(len(group))
        if self._count.max() < 2:
            raise DatasetError(f"{where}: has no two portraits of one person, which paired targets need; {PREPARE}")

    def of(self, rows: np.ndarray, fractions: np.ndarray) -> np.ndarray:
        """The partners int64 [B] of portraits `rows` [B], -1 where there are none, chosen by fractions float [B] in [0, 1)."""
        start, others = self._start[rows], self._count[rows] - 1
        step = 1 + np.floor(fractions * others).astype(np.int64)  # to one of the others, round the portraits of the person
        found = self._order[start + (self._place[rows] - start + step) % (others + 1)]
        return np.where(others > 0, found, -1)

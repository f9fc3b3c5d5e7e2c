"""What a training run reads of a dataset, wherever it is kept."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np

from jaxgan.data.batches import Batch, record_batches
from jaxgan.data.records import DatasetInfo, dataset_info, load_people, load_split


class Dataset(Protocol):
    """Portraits with landmarks, in a train and a test split."""

    info: DatasetInfo

    def batches(
        self,
        batch_size: int,
        *,
        seed: int,
        start_step: int,
        mirror: bool,
        targets: bool,
        retargeted: float,
        paired: float,
        process_index: int,
        process_count: int,
    ) -> Iterator[Batch]:
        """Endless batches of the train split; the arguments are those of data.batches.record_batches."""
        ...

    def people(self) -> list[str] | None:
        """Who is on each portrait of the train split, "" where it is not known; None where nobody is."""
        ...

    def load(self, split: str, limit: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The first `limit` portraits of a split: images uint8 [N, R, R, 3], keypoints float32 [N, 68, 2]."""
        ...


class Records:
    """A prepared dataset of TFRecords, read by tf.data."""

    def __init__(self, data_dir: str | Path, name: str, resolution: int):
        """Opens a dataset.

        Raises:
          DatasetError: There is no such dataset, or its images are not of `resolution` px.
        """
        self.data_dir, self.name = data_dir, name
        self.info = dataset_info(data_dir, name, resolution)

    def batches(self, batch_size: int, **options: int) -> Iterator[Batch]:
        """As in Dataset."""
        return record_batches(self.data_dir, self.name, "train", batch_size, **options)

    def people(self) -> list[str] | None:
        """As in Dataset."""
        return load_people(self.data_dir, self.name, "train")

    def load(self, split: str, limit: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """As in Dataset."""
        images, keypoints, _ = load_split(self.data_dir, self.name, split, limit)
        return images, keypoints

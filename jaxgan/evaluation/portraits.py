"""The test portraits of a dataset, cropped as an editor's training portraits were."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jaxgan.data.framing import Framing, is_framed, reframe
from jaxgan.data.records import DatasetInfo, dataset_info, load_labels, load_split
from jaxgan.errors import InputError
from jaxgan.evaluation.pairs import Portraits

ENLARGED = 1.1  # from which factor on it is said


@dataclass(frozen=True)
class Split:
    """Portraits to measure on."""

    portraits: Portraits
    training: tuple[np.ndarray, np.ndarray]  # images and keypoints of the training portraits, perhaps none
    info: DatasetInfo
    exact: bool  # whether the portraits are framed as the dataset has them
    notes: tuple[str, ...]  # on how they were cropped


def load_test_split(data_dir: str | Path, name: str, framing: Framing | None, resolution: int, num: int | None = None) -> Split:
    """Loads the test split of a dataset, and its training portraits.

    Where a framing is given and the dataset has another one, or a higher resolution, its portraits are cropped anew.

    Args:
      num: loads only the first test portraits.

    Raises:
      InputError: the dataset has a lower resolution.
      DatasetError: there is no such dataset, or it has another resolution and no framing is given.
    """
    info = dataset_info(data_dir, name, None if framing else resolution)
    if info.resolution < resolution:
        raise InputError(f"dataset {info.name} has {info.resolution} px, fewer than the editor's {resolution}")
    images, keypoints, files = load_split(data_dir, name, "test", num)
    labels = load_labels(data_dir, name, "test", num)
    training = load_split(data_dir, name, "train")[:2] if info.num_train else (np.zeros(0), np.zeros(0))
    if not framing or (info.resolution == resolution and is_framed(keypoints, resolution, framing)):
        return Split(Portraits(images, keypoints, files, labels), training, info, True, ())
    images, keypoints, sides = reframe(images, keypoints, framing, resolution)
    if len(training[0]):
        training = reframe(*training, framing, resolution)[:2]
    note = "The dataset frames faces otherwise than the editor's training portraits, so its portraits were cropped as these."
    if (scale := resolution / sides.mean()) > ENLARGED:
        note += f" That enlarged them {scale:.1f} times: prepare the dataset at a higher resolution for sharp ones."
    return Split(Portraits(images, keypoints, files, labels), training, info, False, (note,))

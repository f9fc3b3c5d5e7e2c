"""Prepared datasets, opened: what is known of them, and their splits in memory."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan.data.people import Label
from jaxgan.data.tfrecords import import_tensorflow, open_dataset
from jaxgan.errors import DatasetError


@dataclass(frozen=True)
class DatasetInfo:
    """What is known of a prepared dataset."""

    name: str
    resolution: int  # side of the images in pixels
    num_train: int
    num_test: int
    detector: str  # source of the landmarks; "exact" for procedural portraits
    filter: str | None  # with which the images were resampled
    source: str  # name of the folder or archive, or "procedural"
    seed: int | None  # of procedural portraits
    framing: str = "unknown"  # by which pictures were cropped, a key of framing.FRAMINGS


def dataset_info(data_dir: str | Path, name: str, resolution: int | None = None) -> DatasetInfo:
    """Describes a prepared dataset.

    Raises:
      DatasetError: There is no such dataset, jaxgan.data.prepare did not write it, or it has another resolution
          than the one asked for.
    """
    info = open_dataset(data_dir, name).info
    try:
        known = {key: info.metadata[key] for key in ("resolution", "detector", "filter", "source", "seed")}
    except KeyError as error:
        raise DatasetError(f"{describe(data_dir, name)}: its metadata lacks {error}; prepare it anew") from error
    if resolution not in (None, known["resolution"]):
        raise DatasetError(f"{describe(data_dir, name)}: has {known['resolution']} px, not {resolution} px")
    counts = {f"num_{each}": info.splits[each].num_examples if each in info.splits else 0 for each in ("train", "test")}
    return DatasetInfo(name=name, **known, **counts, framing=info.metadata.get("framing", "unknown"))


def load_split(
    data_dir: str | Path, name: str, split: str, limit: int | None = None
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Loads a split into memory, in the fixed order it has on disk.

    Args:
      data_dir: Folder of the datasets.
      name: Name of the dataset.
      split: "train" or "test".
      limit: Loads only the first records.

    Returns:
      Images uint8 [N, R, R, 3], keypoints float32 [N, 68, 2] and the N file names.

    Raises:
      DatasetError: There is no such dataset or split.
    """
    records, decode = open_split(data_dir, name, split)
    rows = list(read_all(records.take(-1 if limit is None else limit).map(decode), describe(data_dir, name)))
    images, keypoints = np.stack([row["image"] for row in rows]), np.stack([row["keypoints"] for row in rows])
    return images, keypoints, [row["file"].decode() for row in rows]


def load_labels(data_dir: str | Path, name: str, split: str, limit: int | None = None) -> list[Label] | None:
    """Who is on the portraits that `load_split` loads, in its order; None for a dataset prepared without --people.

    Raises:
      DatasetError: There is no such dataset or split.
    """
    records, _ = open_split(data_dir, name, split)
    if "person" not in records.element_spec:
        return None
    named = records.take(-1 if limit is None else limit).map(lambda record: (record["person"], record["clip"]))
    return [Label(*(part.decode() for part in each)) for each in read_all(named, describe(data_dir, name))]


def load_people(data_dir: str | Path, name: str, split: str) -> list[str] | None:
    """The person on each portrait of a split, "" where it is not known; None for a dataset prepared without --people.

    Raises:
      DatasetError: There is no such dataset or split.
    """
    labels = load_labels(data_dir, name, split)
    return labels and [label.person for label in labels]


def open_split(data_dir: str | Path, name: str, split: str) -> tuple[Any, Callable[[Any], Any]]:
    """A split as a tf.data.Dataset of records with encoded images, in fixed order, and what decodes one of them."""
    _, tfds = import_tensorflow()
    builder = open_dataset(data_dir, name)
    if split not in builder.info.splits:
        there = ", ".join(sorted(builder.info.splits))
        raise DatasetError(f"{describe(data_dir, name)}: no split {split} (there: {there})")
    # Caching is left to the operating system: tf.data's warns whenever a stream is not read to its end.
    options = tfds.ReadConfig(try_autocache=False)
    records = builder.as_dataset(split, decoders={"image": tfds.decode.SkipDecoding()}, read_config=options)
    image = builder.info.features["image"]

    def decode(record: Any) -> Any:
        return record | {"image": image.decode_example(record["image"])}

    return records, decode


def describe(data_dir: str | Path, name: str) -> str:
    """A dataset's name and place, for messages."""
    return f"dataset {name} in {data_dir}"


def read_all(dataset: Any, where: str) -> Iterator[Any]:
    """The elements of a tf.data.Dataset as NumPy arrays; `where` is said in errors."""
    tf, _ = import_tensorflow()
    try:
        yield from dataset.as_numpy_iterator()
    except tf.errors.OpError as error:
        reason = re.sub(r"\{\{.*?\}\} |\[Op:.*|\[\[.*", "", error.message.splitlines()[0]).strip()
        raise DatasetError(f"{where} cannot be read, prepare it anew: {reason}") from error

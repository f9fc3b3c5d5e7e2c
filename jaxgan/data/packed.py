"""A dataset in one folder of safetensors, for machines without TensorFlow (see jaxgan.storage).

Arrays: `images/K`, encoded pictures one after another (uint8); `sizes/K`, the bytes of each (int64 [N]); `keypoints/K`
(float32 [N, 68, 2]); `fit_FIELD/K`, the fields of the faces' fits (jaxgan.faces.fit.Fit), for targets that are retargeted; each
cut into K = 0, 1, ... of at most CHUNK_BYTES. The train split comes first. The description holds the DatasetInfo, the file
names and, where they are known, the people on the portraits.
"""

import dataclasses
import functools
import io
import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from jaxgan import storage
from jaxgan.data.batches import Batch, array_batches
from jaxgan.data.records import DatasetInfo, dataset_info, load_labels, load_split
from jaxgan.errors import DamagedError, DatasetError, InputError
from jaxgan.faces.fit import Fit, fit_model

SPLITS = ("train", "test")
KIND = "dataset"
CHUNK_BYTES = 4_000_000
MIN_FILE_BYTES = storage.HEADER_BYTES + 2**12

Item = TypeVar("Item")
Made = TypeVar("Made")


def pack(
    data_dir: str | Path, name: str, out: str | Path, quality: int | None = None, max_file_bytes: int | None = None
) -> DatasetInfo:
    """Writes a prepared dataset to one folder.

    Args:
      data_dir: Folder of the datasets.
      name: Name of the dataset.
      out: The folder to write.
      quality: Of lossy WebP, from 1 to 100; None keeps every pixel.
      max_file_bytes: Largest file, None for a single one.

    Returns:
      What is known of the dataset.

    Raises:
      DatasetError: There is no such dataset.
      InputError: The quality is out of range, or max_file_bytes below MIN_FILE_BYTES.
    """
    if quality is not None and not 1 <= quality <= 100:
        raise InputError(f"quality must lie in [1, 100], got {quality}")
    if max_file_bytes is not None and max_file_bytes < MIN_FILE_BYTES:
        raise InputError(f"files of at most {max_file_bytes:,} bytes are too small; the least is {MIN_FILE_BYTES:,}")
    info = dataset_info(data_dir, name)
    counts = (info.num_train, info.num_test)
    there = [split for split, count in zip(SPLITS, counts, strict=True) if count]
    splits = [load_split(data_dir, name, split) for split in there]
    labels = [load_labels(data_dir, name, split) for split in there]
    people = None if None in labels else [label.person for each in labels for label in each]
    encoded = [data for images, _, _ in splits for data in _in_threads(lambda image: _encode(image, quality), images)]
    files = [file for _, _, names in splits for file in names]
    whole = {
        "images": np.frombuffer(b"".join(encoded), np.uint8),
        "sizes": np.array([len(data) for data in encoded], np.int64),
        "keypoints": np.concatenate([keypoints for _, keypoints, _ in splits]).astype(np.float32),
    }
    whole |= {f"fit_{field}": array for field, array in fit_model(whole["keypoints"])._asdict().items()}
    chunk = CHUNK_BYTES if max_file_bytes is None else min(CHUNK_BYTES, max_file_bytes - storage.HEADER_BYTES)
    arrays = {f"{name}/{i}": part for name, array in whole.items() for i, part in enumerate(_cut(array, chunk))}
    about = {"info": dataclasses.asdict(info), "files": files} | ({} if people is None else {"people": people})
    storage.write(out, KIND, arrays, about, max_file_bytes)
    return info


class Packed:
    """A dataset that `pack` wrote, as training reads it (data.dataset.Dataset). Pictures are decoded when asked for."""

    def __init__(self, folder: str | Path, resolution: int):
        """Reads the folder.

        Raises:
          DatasetError: There is no such folder, `pack` did not write it, it is damaged, or not of `resolution` px.
        """
        self.folder = Path(folder)
        try:
            about, arrays = storage.read(folder, KIND)
        except (InputError, DamagedError) as error:
            raise DatasetError(f"{error}; `jaxgan pack` writes packed datasets") from None
        self.info = DatasetInfo(**about["info"])
        self._files: list[str] = about["files"]
        self._people: list[str] | None = about.get("people")
        self._images, sizes, self._keypoints = (_join(arrays, name) for name in ("images", "sizes", "keypoints"))
        fitted = "fit_scale/0" in arrays  # not by older versions
        self._fit = Fit(*(_join(arrays, f"fit_{field}") for field in Fit._fields)) if fitted else None
        self._offsets = np.concatenate([[0], np.cumsum(sizes)])
        if self.info.resolution != resolution:
            raise DatasetError(f"{folder}: has {self.info.resolution} px, not {resolution} px")

    def batches(self, batch_size: int, **options: int) -> Iterator[Batch]:
        """As in Dataset: those of data.batches.array_batches for the train split."""
        count, people = self.info.num_train, self.people()
        fit = self._fit and Fit(*(field[:count] for field in self._fit))
        return array_batches(*self._train, batch_size, people=people, fit=fit, **options)

    def people(self) -> list[str] | None:
        """As in Dataset."""
        return self._people and self._people[: self.info.num_train]

    def load(self, split: str, limit: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """As in Dataset: images uint8 [N, R, R, 3], keypoints float32 [N, 68, 2].

        Raises:
          DatasetError: There is no such split.
        """
        rows = self._rows(split)[:limit]
        images, offsets = self._images, self._offsets
        decoded = _in_threads(lambda row: _decode(images[offsets[row] : offsets[row + 1]]), rows)
        return np.stack(decoded), self._keypoints[rows.start : rows.stop]

    def files(self, split: str) -> list[str]:
        """Names of the portraits of a split, in its order.

        Raises:
          DatasetError: There is no such split.
        """
        rows = self._rows(split)
        return self._files[rows.start : rows.stop]

    @functools.cached_property
    def _train(self) -> tuple[np.ndarray, np.ndarray]:
        return self.load("train")

    def _rows(self, split: str) -> range:
        train, test = self.info.num_train, self.info.num_test
        rows = {"train": range(train), "test": range(train, train + test)}.get(split, range(0))
        if not rows:
            there = ", ".join(name for name, count in zip(SPLITS, (train, test), strict=True) if count)
            raise DatasetError(f"{self.folder}: no split {split} (there: {there})")
        return rows


def _cut(array: np.ndarray, chunk_bytes: int) -> Iterator[np.ndarray]:
    """The rows of an array, in parts of at most so many bytes."""
    rows = max(1, chunk_bytes // (array.nbytes // len(array)))
    return (array[start : start + rows] for start in range(0, len(array), rows))


def _join(arrays: dict[str, np.ndarray], name: str) -> np.ndarray:
    """The inverse of _cut: the parts NAME/0, NAME/1, ... in one array."""
    parts = itertools.takewhile(arrays.__contains__, (f"{name}/{i}" for i in itertools.count()))
    return np.concatenate([arrays[part] for part in parts])


def _encode(image: np.ndarray, quality: int | None) -> bytes:
    options: dict[str, Any] = {"lossless": True} if quality is None else {"quality": quality}
    file = io.BytesIO()
    Image.fromarray(image).save(file, "WEBP", method=6, **options)
    return file.getvalue()


def _decode(encoded: np.ndarray) -> np.ndarray:
    with Image.open(io.BytesIO(encoded.tobytes())) as image:
        return np.asarray(image.convert("RGB"))


def _in_threads(work: Callable[[Item], Made], items: Sequence[Item]) -> list[Made]:
    with ThreadPoolExecutor() as pool:
        return list(pool.map(work, items))

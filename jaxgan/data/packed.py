"""A dataset in one file, for machines without TensorFlow.

    python -m jaxgan.data.packed --data_dir data --dataset faces --out faces.npz [--quality 90]

The file is an .npz without pickles: `images`, the encoded pictures one after another (uint8), with `offsets` (int64 [N + 1])
into them; `keypoints` (float32 [N, 68, 2]); `counts`, how many of them are of train and of test, in this order (int64 [2]);
`files`, their names in UTF-8, each ended by a zero byte; `info`, the DatasetInfo as JSON; and `sha256`, the digest of all that.
"""

import argparse
import dataclasses
import functools
import hashlib
import io
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from jaxgan.data.batches import Batch, DatasetInfo, array_batches, dataset_info, load_split
from jaxgan.errors import DatasetError
from jaxgan.runtime import atomic_write

SPLITS = ("train", "test")
ENTRIES = ("images", "offsets", "keypoints", "counts", "files", "info")

Item = TypeVar("Item")
Made = TypeVar("Made")


def pack(data_dir: str | Path, name: str, out: str | Path, quality: int | None = None) -> DatasetInfo:
    """Writes a prepared dataset to one file, which appears whole or not at all.

    Args:
        data_dir: Folder of the datasets.
        name: Name of the dataset.
        out: The file to write.
        quality: Of lossy WebP, from 1 to 100; None keeps every pixel.

    Raises:
        DatasetError: There is no such dataset.
        ValueError: The quality is out of range.
    """
    if quality is not None and not 1 <= quality <= 100:
        raise ValueError(f"quality must lie in [1, 100], got {quality}")
    info = dataset_info(data_dir, name)
    counts = (info.num_train, info.num_test)
    splits = [load_split(data_dir, name, split) for split, count in zip(SPLITS, counts, strict=True) if count]
    encoded = [data for images, _, _ in splits for data in _in_threads(lambda image: _encode(image, quality), images)]
    files = [file for _, _, names in splits for file in names]
    arrays = {
        "images": np.frombuffer(b"".join(encoded), np.uint8),
        "offsets": np.cumsum([0, *map(len, encoded)], dtype=np.int64),
        "keypoints": np.concatenate([keypoints for _, keypoints, _ in splits]).astype(np.float32),
        "counts": np.array(counts, np.int64),
        "files": np.frombuffer(b"".join(file.encode() + b"\0" for file in files), np.uint8),
        "info": np.array(json.dumps(dataclasses.asdict(info))),
    }
    with atomic_write(out) as file:
        np.savez(file, **arrays, sha256=np.array(_digest(arrays)))
    return info


class Packed:
    """A dataset that `pack` wrote, as training reads it (data.dataset.Dataset). Pictures are decoded when asked for."""

    def __init__(self, path: str | Path, resolution: int):
        """Reads the file.

        Raises:
            DatasetError: There is no such file, `pack` did not write it, it is damaged, or has not `resolution` px.
        """
        self.path = Path(path)
        self._arrays = _read(self.path)
        self.info = DatasetInfo(**json.loads(str(self._arrays["info"])))
        if self.info.resolution != resolution:
            raise DatasetError(f"{path}: has {self.info.resolution} px, not {resolution} px")

    def batches(self, batch_size: int, **options: int) -> Iterator[Batch]:
        """As in Dataset: those of data.pipeline.array_batches for the train split."""
        return array_batches(*self._train, batch_size, **options)

    def load(self, split: str, limit: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """As in Dataset: images uint8 [N, R, R, 3], keypoints float32 [N, 68, 2].

        Raises:
            DatasetError: There is no such split.
        """
        rows = self._rows(split)[:limit]
        images, offsets = self._arrays["images"], self._arrays["offsets"]
        decoded = _in_threads(lambda row: _decode(images[offsets[row] : offsets[row + 1]]), rows)
        return np.stack(decoded), self._arrays["keypoints"][rows.start : rows.stop]

    def files(self, split: str) -> list[str]:
        """Names of the portraits of a split, in its order.

        Raises:
            DatasetError: There is no such split.
        """
        rows = self._rows(split)
        return self._arrays["files"].tobytes().decode().split("\0")[rows.start : rows.stop]

    @functools.cached_property
    def _train(self) -> tuple[np.ndarray, np.ndarray]:
        return self.load("train")

    def _rows(self, split: str) -> range:
        train, test = self._arrays["counts"].tolist()
        rows = {"train": range(train), "test": range(train, train + test)}.get(split, range(0))
        if not rows:
            there = ", ".join(name for name, count in zip(SPLITS, (train, test), strict=True) if count)
            raise DatasetError(f"{self.path}: no split {split} (there: {there})")
        return rows


def _read(path: Path) -> dict[str, np.ndarray]:
    if not path.exists():
        raise DatasetError(f"{path}: no such file; python -m jaxgan.data.packed writes it")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except Exception as error:  # NumPy raises a different type for each way in which a file is no archive
        raise DatasetError(f"{path}: not a packed dataset, or a damaged one ({type(error).__name__})") from None
    if arrays.keys() != {*ENTRIES, "sha256"}:
        raise DatasetError(f"{path}: not a packed dataset; python -m jaxgan.data.packed writes them")
    digest = str(arrays.pop("sha256"))
    if _digest(arrays) != digest:
        raise DatasetError(f"{path}: damaged, its contents are not those that were written; pack the dataset anew")
    return arrays


def _digest(arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name in ENTRIES:
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


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


def main(argv: Sequence[str] | None = None) -> int:
    """Packs a dataset; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m jaxgan.data.packed", description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", required=True, help="folder of prepared datasets")
    parser.add_argument("--dataset", required=True, help="name of the dataset")
    parser.add_argument("--out", required=True, type=Path, help="the .npz file to write")
    parser.add_argument("--quality", type=int, help="of lossy WebP, 1 to 100; by default every pixel is kept")
    args = parser.parse_args(argv)
    try:
        info = pack(args.data_dir, args.dataset, args.out, args.quality)
    except (OSError, ValueError) as error:
        print(f"packed: {error}", file=sys.stderr)
        return 1
    size = args.out.stat().st_size / 1e6
    print(f"{args.out}: {info.num_train:,} and {info.num_test:,} portraits of {info.resolution} px, {size:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())

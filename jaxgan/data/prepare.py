"""Prepares a dataset, as `jaxgan prepare` does.

Portraits of a folder or a ZIP archive get their landmarks from a detector; procedural ones come with exact landmarks.
The same input gives the same files, byte for byte. A dataset appears under its name only once it is complete.
"""

import contextlib
import hashlib
import os
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from jaxgan.data.detection import Detector, load_detector, search
from jaxgan.data.framing import FRAMINGS, framed
from jaxgan.data.images import decode_image, encode_png
from jaxgan.data.people import Label, labeller
from jaxgan.data.shape import check_face
from jaxgan.data.sources import Source, identical_files, open_source
from jaxgan.data.summary import Outcome, Summary
from jaxgan.data.tfrecords import Record, dataset_folder, import_tensorflow, write_dataset
from jaxgan.errors import DatasetError, ImageError, InputError
from jaxgan.runtime import lock_folder

REJECTED_FILE = "rejected.csv"
SPLITS = ("train", "test")
_CHUNK = 64  # procedural portraits drawn at once

Item = TypeVar("Item")
Result = TypeVar("Result")


def split_of(file: str, test_fraction: float) -> str:
    """The split of a file, decided by a hash of its name alone: adding files never moves another one."""
    digest = hashlib.sha256(file.encode("utf-8", "surrogateescape")).digest()
    return "test" if int.from_bytes(digest[:8], "big") < test_fraction * 2**64 else "train"


def prepare_images(
    images: str | Path,
    name: str,
    data_dir: str | Path,
    resolution: int,
    detector: str,
    *,
    framing: str = "unknown",
    filter: str = "lanczos",
    test_fraction: float = 0.1,
    people: str | None = None,
    workers: int | None = None,
    limit: int | None = None,
    overwrite: bool = False,
) -> Summary:
    """Prepares a dataset from the image files of a folder or ZIP archive.

    Args:
      images: Folder (searched with its subfolders) or ZIP archive.
      name: Name of the dataset: letters, digits and underscores.
      data_dir: Folder of the datasets.
      resolution: Side R of the stored images in pixels, a power of two from 8 on.
      detector: A key of detection.DETECTORS; finds landmarks at the resolution of the source.
      framing: "ffhq" crops as FFHQ was, "unknown" to the largest square around the landmarks.
      filter: A key of images.FILTERS; resamples the square to R.
      test_fraction: Expected share of the images, or of the people, in the test split, in [0, 1]. Byte-identical files share a
        split.
      people: Regular expression that tells from a file's path who is on it; see people.labeller. All portraits of a person
        share a split. None stores no people.
      workers: Threads that decode and detect; by default one for each CPU core.
      limit: Tries only the first images, by name.
      overwrite: Replaces a dataset of this name.

    Raises:
      SourceError, DetectorError: The images or the detector cannot be opened.
      DatasetError: There is a dataset of this name already, an argument is out of range or no image was accepted.
      InputError: `people` cannot be used, or is found in no file's path.
    """
    _check(name, resolution, test_fraction)
    label = labeller(people) if people is not None else lambda file: Label("", "")
    with _new_dataset(data_dir, name, overwrite) as folder:
        source = open_source(images)
        detect = load_detector(detector)
        files = source.files[:limit]
        labels = {file: label(file) for file in files}
        if people is not None and not any(each.person for each in labels.values()):
            raise InputError(f"--people {people!r} is found in none of {len(files)} files, such as {files[0]}")
        copies = identical_files(source, files)
        summary = Summary(resolution, source.ignored, copies)

        def outcomes(files: list[str], bar: tqdm) -> Iterator[Outcome]:
            for outcome in _in_order(lambda file: _prepare(source, file, detect, resolution, framing, filter), files, workers):
                bar.update()
                if outcome.record is not None:
                    outcome = replace(outcome, record=outcome.record._replace(label=labels[outcome.file]))
                yield outcome

        metadata = {
            "source": Path(images).resolve().name,
            "detector": detector,
            "filter": filter,
            "seed": None,
            "framing": framing,
        }
        if people is not None:
            metadata["people"] = people
        # a copy goes with the first of its kind, a portrait with its person
        first = {file: copies.get(file, file) for file in files}
        splits = {file: split_of(labels[each].person or each, test_fraction) for file, each in first.items()}
        _write(folder, name, resolution, splits, outcomes, test_fraction, metadata, summary)
    return summary


def prepare_synthetic(
    count: int,
    name: str,
    data_dir: str | Path,
    resolution: int,
    *,
    seed: int = 0,
    test_fraction: float = 0.1,
    overwrite: bool = False,
) -> Summary:
    """Prepares a dataset of the procedural portraits 0 to count - 1 of a seed; see prepare_images."""
    from jaxgan.faces import portraits as synthetic

    _check(name, resolution, test_fraction)
    with _new_dataset(data_dir, name, overwrite) as folder:
        files = {synthetic.record_name(seed, index): index for index in range(count)}

        def outcomes(names: list[str], bar: tqdm) -> Iterator[Outcome]:
            for start in range(0, len(names), _CHUNK):
                chunk = names[start : start + _CHUNK]
                images, keypoints = synthetic.portraits(seed, [files[file] for file in chunk], resolution)
                for file, image, points in zip(chunk, images, keypoints, strict=True):
                    bar.update()
                    yield Outcome(file, Record(file, encode_png(image), points))

        summary = Summary(resolution)
        metadata = {"source": "procedural", "detector": "exact", "filter": None, "seed": seed}
        splits = {file: split_of(file, test_fraction) for file in files}
        _write(folder, name, resolution, splits, outcomes, test_fraction, metadata, summary)
    return summary


def _check(name: str, resolution: int, test_fraction: float) -> None:
    if not (name.isascii() and name.isidentifier()):
        raise DatasetError(f"name {name!r}: use letters, digits and underscores, a letter first")
    if resolution < 8 or resolution & (resolution - 1):
        raise DatasetError(f"resolution {resolution}: must be a power of two from 8 on")
    if not 0 <= test_fraction <= 1:
        raise DatasetError(f"test_fraction {test_fraction}: must be in [0, 1]")


@contextlib.contextmanager
def _new_dataset(data_dir: str | Path, name: str, overwrite: bool) -> Iterator[Path]:
    """A scratch folder beside the dataset's. What is prepared in it takes its place when the block has succeeded.

    Raises:
      DatasetError: There is a dataset of this name and `overwrite` is not set, or a folder that is none.
      InputError: Another process prepares one of this name.
    """
    with lock_folder(data_dir, f".{name}.lock"):
        yield from _replace(data_dir, name, overwrite)


def _replace(data_dir: str | Path, name: str, overwrite: bool) -> Iterator[Path]:
    final = Path(data_dir) / name
    scratch, replaced = final.with_name(f".{name}.incomplete"), final.with_name(f".{name}.replaced")
    if replaced.exists() and not final.exists():  # a run died between its two renames
        os.replace(replaced, final)
    if final.exists() and not (dataset_folder(data_dir, name) / "dataset_info.json").is_file():
        raise DatasetError(f"{final}: already there, and no dataset")
    if final.exists() and not overwrite:
        raise DatasetError(f"{final}: already there (--overwrite replaces it)")
    for stale in (scratch, replaced):  # of an interrupted run
        if stale.exists():
            shutil.rmtree(stale)
    scratch.mkdir(parents=True)
    try:
        yield scratch
        if final.exists():
            os.replace(final, replaced)
        os.replace(scratch / name, final)
        shutil.rmtree(replaced, ignore_errors=True)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _prepare(source: Source, file: str, detect: Detector, resolution: int, framing: str, filter: str) -> Outcome:
    """Reads one image, finds its landmarks and resamples it. Never raises: a bad image does not stop the others."""
    try:
        file.encode()  # names that are not UTF-8 cannot be stored
        image = decode_image(source.read(file))
        faces = search(detect, image)
        if not faces:
            return Outcome(file, rejection="no face found")
        face, (height, width) = faces[0], image.shape[:2]
        try:
            check_face(face.keypoints, width, height)
            crop = framed(width, height, face.keypoints, FRAMINGS[framing])
        except InputError as error:
            return Outcome(file, rejection=f"implausible landmarks: {error}")
        small, keypoints = crop.apply(image, resolution, filter), crop.move(face.keypoints, resolution)
        notes = [f"several faces, the largest kept: {len(faces)}"] if len(faces) > 1 else []
        if face.weak:
            notes.append(f"weak detection, perhaps no face: score {face.score:.2f}")
        record = Record(file, encode_png(small), keypoints)
        return Outcome(file, record, notes=tuple(notes), enlarged=crop.side < resolution)
    except ImageError as error:
        return Outcome(file, rejection=str(error))
    except Exception as error:  # damaged archives, unreadable files, failing detectors
        return Outcome(file, rejection=f"failed: {type(error).__name__} {' '.join(str(error).split())}")


def _in_order(function: Callable[[Item], Result], items: Iterable[Item], workers: int | None) -> Iterator[Result]:
    """Maps by threads, in order, with a bounded number of results waiting. Decoders and dlib release the GIL."""
    workers = workers or os.cpu_count() or 1
    pool = ThreadPoolExecutor(workers)
    pending: deque[Future[Result]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > 4 * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _write(
    folder: Path,
    name: str,
    resolution: int,
    splits: dict[str, str],
    outcomes: Callable[[list[str], tqdm], Iterator[Outcome]],
    test_fraction: float,
    metadata: dict[str, Any],
    summary: Summary,
) -> None:
    """Writes the records of all files (file -> split), their metadata and the list of rejected ones; fills in the summary."""
    metadata |= {"resolution": resolution, "test_fraction": test_fraction}
    parts = {split: [file for file, its in splits.items() if its == split] for split in SPLITS}
    import_tensorflow()  # slow, and said to be missing before any image is worked on
    started = time.perf_counter()

    def records(split: str, bar: tqdm) -> Iterator[Record]:
        for outcome in outcomes(parts[split], bar):
            summary.add(outcome, split)
            if outcome.record is not None:
                yield outcome.record
        metadata.update({f"num_{each}": summary.accepted[each] for each in SPLITS}, rejected=len(summary.rejected))

    with tqdm(total=len(splits), desc=name, unit="image", smoothing=0.1) as bar:
        filled = {split: records(split, bar) for split in SPLITS}
        write_dataset(folder, name, resolution, filled, metadata, labelled="people" in metadata)
    summary.seconds = time.perf_counter() - started
    summary.write_csv(dataset_folder(folder, name) / REJECTED_FILE)

"""The dataset on disk: TFRecords written and opened through tensorflow-datasets.

A dataset lies in data_dir/NAME/VERSION. tensorflow_datasets.builder_from_directory reads it without this project.
"""

import contextlib
import io
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from jaxgan.data.landmarks import NUM_LANDMARKS
from jaxgan.data.people import Label
from jaxgan.errors import DatasetError

VERSION = "1.0.0"


class Record(NamedTuple):
    """One portrait of a dataset."""

    file: str  # the image's path in its source, or procedural/SEED/INDEX
    png: bytes  # the image as stored, uint8 [R, R, 3]
    keypoints: np.ndarray  # float32 [68, 2] in pixels of the stored image
    label: Label = Label("", "")  # who is on it, for datasets prepared with --people


def import_tensorflow() -> tuple[Any, Any]:
    """Imports (tensorflow, tensorflow_datasets), leaving every GPU to JAX.

    Raises:
      DatasetError: One of them is not installed.
    """
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # of no use to reading records, and announced at each start
    try:
        import tensorflow as tf
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise DatasetError(f"prepared datasets need tensorflow and tensorflow-datasets ({error})") from error
    if tf.config.get_visible_devices("GPU"):
        tf.config.set_visible_devices([], "GPU")
    return tf, tfds


def dataset_folder(data_dir: str | Path, name: str) -> Path:
    """The folder that holds the TFRecords of a dataset."""
    return Path(data_dir) / name / VERSION


def write_dataset(
    data_dir: str | Path,
    name: str,
    resolution: int,
    splits: Mapping[str, Iterable[Record]],
    metadata: dict[str, Any],
    labelled: bool = False,
) -> None:
    """Writes a dataset. Equal records give equal files, whatever order they come in.

    Args:
      data_dir: Folder in which the dataset's folder is made.
      name: Name of the dataset.
      resolution: Side R of the images in pixels.
      splits: The records of each split. They are read once, in turn; an empty split is left out.
      metadata: Values for JSON, saved with the dataset. It is read after the records, so they may add to it.
      labelled: Whether to store who is on each portrait.

    Raises:
      DatasetError: There is no record in any split.
    """
    tf, tfds = import_tensorflow()
    filled = {split: records for split, each in splits.items() if (records := _unless_empty(each)) is not None}
    if not filled:
        raise DatasetError(f"dataset {name}: no portrait was accepted, nothing written")
    described = tfds.core.MetadataDict()
    example_writer = _canonical_writer(tf)

    class Portraits(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        """Square portraits with 68 landmarks."""

        VERSION = tfds.core.Version(VERSION)
        url_infos: ClassVar[dict[str, Any]] = {}  # nothing is downloaded; looking for checksums needs more packages

        def _info(self) -> Any:
            return tfds.core.DatasetInfo(
                builder=self,
                description="Square portraits with the 68 landmarks of iBUG 300-W.",
                features=tfds.features.FeaturesDict(
                    {
                        "image": tfds.features.Image(shape=(resolution, resolution, 3), encoding_format="png"),
                        "keypoints": tfds.features.Tensor(shape=(NUM_LANDMARKS, 2), dtype=np.float32),
                        "file": tfds.features.Text(),
                    }
                    | {part: tfds.features.Text() for part in (Label._fields if labelled else ())}
                ),
                metadata=described,
            )

        def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[str, dict[str, Any]]]]:
            return {split: self._generate_examples(records) for split, records in filled.items()}

        def _generate_examples(self, records: Iterable[Record]) -> Iterator[tuple[str, dict[str, Any]]]:
            for record in records:
                image = io.BytesIO(record.png)
                known = record.label._asdict() if labelled else {}
                yield record.file, {"image": image, "keypoints": record.keypoints, "file": record.file, **known}
            described.update(metadata)

        def _example_writer(self) -> Any:
            return example_writer(self.info.file_format)

    Portraits.name = name
    tfds.disable_progress_bar()  # the records come with a bar of their own
    with contextlib.redirect_stdout(io.StringIO()):  # announcements of a download that is none
        Portraits(data_dir=str(data_dir)).download_and_prepare()


def _canonical_writer(tf: Any) -> type:
    """A writer of records whose bytes do not differ from one process to the next, as those of protobuf's maps do."""
    from tensorflow_datasets.core import writer

    class CanonicalWriter(writer.ExampleWriter):
        def write(self, path: Any, examples: Iterable[tuple[Any, bytes]]) -> Any:
            return super().write(path, ((key, canonical(example)) for key, example in examples))

    def canonical(example: bytes) -> bytes:
        return tf.train.Example.FromString(example).SerializeToString(deterministic=True)

    return CanonicalWriter


def _unless_empty(records: Iterable[Record]) -> Iterator[Record] | None:
    iterator = iter(records)
    first = next(iterator, None)
    return None if first is None else itertools.chain([first], iterator)


def open_dataset(data_dir: str | Path, name: str) -> Any:
    """Opens a dataset written by write_dataset as a read-only tensorflow-datasets builder.

    Raises:
      DatasetError: There is no such dataset; the message names those that are there.
    """
    _, tfds = import_tensorflow()
    folder = dataset_folder(data_dir, name)
    if not (folder / "dataset_info.json").is_file():
        if not Path(data_dir).is_dir():
            raise DatasetError(f"{data_dir}: no such folder")
        there = sorted(path.parts[-3] for path in Path(data_dir).glob(f"*/{VERSION}/dataset_info.json"))
        raise DatasetError(f"no dataset {name} in {data_dir} (there: {', '.join(there) or 'none'})")
    return tfds.builder_from_directory(folder)

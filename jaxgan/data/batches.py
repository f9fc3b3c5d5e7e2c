"""Batches for training, from prepared datasets or from arrays.

A batch is a dict of NumPy arrays: image uint8 [B, R, R, 3] and keypoints float32 [B, 68, 2], in pixels of the image;
with targets=True also target_keypoints float32 [B, 68, 2], drawn independently. A share of these can be retargeted to the bones
of the portrait that they are for, as edits do. Another share can be those of another portrait of the same person: then there
are also paired, bool [B], and target_image uint8 [B, R, R, 3], the picture of the target or, where not paired, the portrait.

Streams of batches are endless and decided by their seed: each epoch is a new permutation of the portraits, and each
portrait is mirrored or not by the toss of a coin. Several processes share a stream: one after another, their batches are the
batch that one process would draw with the size of all of theirs.
"""

import itertools
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from jaxgan.data.landmarks import mirror_keypoints
from jaxgan.data.mirroring import BothWays, mirrored
from jaxgan.data.partners import Partners
from jaxgan.data.records import describe, load_people, open_split, read_all
from jaxgan.data.tfrecords import import_tensorflow
from jaxgan.errors import InputError
from jaxgan.faces.fit import Fit
from jaxgan.faces.retarget import fit_faces, transfer
from jaxgan.runtime import on_cpu

Batch = dict[str, np.ndarray]
Placed = TypeVar("Placed")

DECODERS = 4  # images decoded at the same time
_SHUFFLE_BYTES = 2**30  # memory for shuffling; larger datasets are shuffled within a moving window of this size
# Independent random streams of one seed.
_ORDER, _MIRROR, _TARGET_ORDER, _TARGET_MIRROR, _RETARGETED, _PAIRED, _PARTNER = range(7)


def record_batches(
    data_dir: str | Path,
    name: str,
    split: str,
    batch_size: int,
    *,
    seed: int,
    start_step: int = 0,
    mirror: bool = True,
    targets: bool = False,
    retargeted: float = 0.0,
    paired: float = 0.0,
    process_index: int = 0,
    process_count: int = 1,
) -> Iterator[Batch]:
    """Endless batches from a prepared dataset, read by tf.data.

    Args:
      data_dir: Folder of the datasets.
      name: Name of the dataset.
      split: "train" or "test".
      batch_size: Portraits in a batch of this process.
      seed: Decides the stream.
      start_step: Goes on as a stream from 0 would after this many batches. Skipping reads at most one epoch,
          and decodes nothing.
      mirror: Mirrors every other portrait, and every other target, on average.
      targets: Adds target_keypoints.
      retargeted: Share of the targets that are retargeted to their portrait's bones (jaxgan.faces.retarget), on average. Above
          0 all faces are fitted first, on the CPU: some 5 ms each.
      paired: Share of the portraits whose target is another portrait of the same person, where there is one; the shares of the
          rest stay as they are. Above 0 all encoded pictures are kept in memory.
      process_index: Which of the processes this is.
      process_count: How many processes share the stream.

    Raises:
      DatasetError: There is no such dataset or split, or none of its people is there twice.
      ValueError: A number is out of range.
    """
    draws = _Draws(seed, batch_size, start_step, process_index, process_count, mirror, retargeted, paired)
    records, decode = open_split(data_dir, name, split)
    where = describe(data_dir, name)
    tf, _ = import_tensorflow()
    count = int(records.cardinality())
    first_epoch, skipped = divmod(start_step * batch_size * process_count, count)
    first_seed = int(np.random.SeedSequence([seed, _ORDER]).generate_state(1, np.uint64)[0] >> 2)
    window = _shuffle_window(records, count, where)

    numbered = records.enumerate().map(lambda row, record: record | {"row": row})

    def epoch(number: Any) -> Any:
        return numbered.shuffle(window, seed=first_seed + number, reshuffle_each_iteration=False)

    stream = tf.data.Dataset.range(first_epoch, np.iinfo(np.int64).max).flat_map(epoch).skip(skipped)
    if process_count > 1:
        # batches of all processes, of which this one decodes its rows
        rows = slice(process_index * batch_size, (process_index + 1) * batch_size)
        together = stream.batch(process_count * batch_size)
        stream = together.map(lambda batch: {name: value[rows] for name, value in batch.items()}).unbatch()
    stream = stream.map(decode, num_parallel_calls=DECODERS)
    options = tf.data.Options()
    options.autotune.enabled = False  # its thread keeps a stream from being closed for up to a minute
    batches = read_all(stream.batch(batch_size, drop_remainder=True).prefetch(2).with_options(options), where)
    portraits = ((batch["row"], batch["keypoints"], partial(mirrored, batch["image"])) for batch in batches)
    if not targets:
        return _batches(portraits, draws, None)
    pairs = None
    if paired:
        encoded = [record["image"] for record in read_all(records, where)]

        def pictures(rows: np.ndarray, flips: np.ndarray) -> np.ndarray:
            return mirrored(np.stack([decode({"image": encoded[row]})["image"].numpy() for row in rows]), flips)

        pairs = (Partners(load_people(data_dir, name, split), where), pictures)
    return _batches(portraits, draws, _Targets(_all_keypoints(records, where), draws, pairs))


def array_batches(
    images: np.ndarray,
    keypoints: np.ndarray,
    batch_size: int,
    *,
    seed: int,
    start_step: int = 0,
    mirror: bool = True,
    targets: bool = False,
    retargeted: float = 0.0,
    paired: float = 0.0,
    people: Sequence[str] | None = None,
    fit: Fit | None = None,
    process_index: int = 0,
    process_count: int = 1,
) -> Iterator[Batch]:
    """Endless batches from images uint8 [N, R, R, 3] and keypoints float32 [N, 68, 2], without TensorFlow.

    The other arguments are those of record_batches, and the stream has the same properties, but not the same order.
    It starts at any step at once. `people` are the persons on the images, "" where not known; above a share of 0 paired
    targets need them. `fit` is that of the faces, where it is known from before.

    Raises:
      DatasetError: No person is there twice.
      ValueError: The arrays do not fit each other or a number is out of range.
    """
    draws, count = _Draws(seed, batch_size, start_step, process_index, process_count, mirror, retargeted, paired), len(images)
    if count == 0 or images.ndim != 4 or keypoints.shape != (count, 68, 2):
        raise InputError(f"images {images.shape} and keypoints {keypoints.shape}: want [N, R, R, 3] and [N, 68, 2]")
    if people is not None and len(people) != count:
        raise InputError(f"{len(people)} people for {count} portraits")
    chosen = (draws.order(step, count, _ORDER) for step in itertools.count(start_step))
    pictures = BothWays(images, mirror)
    portraits = ((rows, keypoints[rows], partial(pictures, rows)) for rows in chosen)
    pairs = (Partners(people, "the portraits"), pictures) if targets and paired else None
    return _batches(portraits, draws, _Targets(keypoints, draws, pairs, fit) if targets else None)


def prefetch(iterator: Iterator[Any], put: Callable[[Any], Placed], size: int = 2) -> Iterator[Placed]:
    """Yields put(item) for each item, worked out up to `size` items ahead by a thread of its own.

    An exception of the iterator or of `put` is raised where its item would have come. Closing stops the thread.
    """
    room = threading.Semaphore(size)
    ready: queue.SimpleQueue[tuple[Placed | None, BaseException | None]] = queue.SimpleQueue()
    closed = threading.Event()

    def work() -> None:
        try:
            while room.acquire() and not closed.is_set():
                ready.put((put(next(iterator)), None))
        except BaseException as error:  # StopIteration included; all are for the consumer
            ready.put((None, error))

    thread = threading.Thread(target=work, name="prefetch", daemon=True)
    thread.start()
    try:
        while True:
            item, error = ready.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            room.release()
            yield item
    finally:
        closed.set()
        room.release()
        thread.join()


@dataclass(frozen=True)
class _Draws:
    """The random choices of one process: pure functions of seed and step."""

    seed: int
    batch_size: int
    start_step: int
    process_index: int
    process_count: int
    mirror: bool
    retargeted: float
    paired: float

    def __post_init__(self) -> None:
        for name in ("retargeted", "paired"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise InputError(f"{name} must lie in [0, 1], got {getattr(self, name)}")
        counts_fit = self.batch_size > 0 and 0 <= self.process_index < self.process_count
        if not counts_fit or min(self.seed, self.start_step) < 0:
            raise InputError(f"out of range: {self}")

    def order(self, step: int, count: int, stream: int) -> np.ndarray:
        """Which of `count` items make up a batch: int64 [batch_size]. Every epoch is a permutation of all items."""
        drawn = step * self.batch_size * self.process_count + self._rows()
        epochs, places = np.divmod(drawn, count)
        rows = np.empty_like(places)
        for epoch in np.unique(epochs):
            within = epochs == epoch
            rows[within] = _permutation(count, self.seed, stream, int(epoch))[places[within]]
        return rows

    def flips(self, step: int, stream: int) -> np.ndarray:
        """Which items of a batch are mirrored: bool [batch_size]."""
        return self.chosen(step, stream, 0.5 if self.mirror else 0.0)

    def chosen(self, step: int, stream: int, probability: float) -> np.ndarray:
        """Which items of a batch are taken, each with a probability: bool [batch_size]."""
        return self.fractions(step, stream) < probability

    def fractions(self, step: int, stream: int) -> np.ndarray:
        """A number in [0, 1) for each item of a batch: float64 [batch_size]."""
        return np.random.default_rng([self.seed, stream, step]).random(self.batch_size * self.process_count)[self._rows()]

    def _rows(self) -> np.ndarray:
        return self.process_index * self.batch_size + np.arange(self.batch_size)


@lru_cache(maxsize=4)
def _permutation(count: int, seed: int, stream: int, epoch: int) -> np.ndarray:
    return np.random.default_rng([seed, stream, epoch]).permutation(count)


class _Targets:
    """Target landmarks, drawn independently of the portraits that they are for, or from portraits of the same person."""

    def __init__(self, keypoints: np.ndarray, draws: _Draws, pairs: tuple[Partners, Callable] | None, fit: Fit | None = None):
        """Takes the landmarks of all portraits, [N, 68, 2]; fits their faces where any are to be retargeted.

        `pairs` are who is whose partner, and (rows [B], flips [B]) -> their pictures.
        """
        self.keypoints, self.draws, self.pairs, self.faces = keypoints, draws, pairs, None
        if draws.retargeted:
            with on_cpu():
                self.faces = fit_faces(keypoints, fit)

    def draw(self, step: int, rows: np.ndarray, flips: np.ndarray, images: np.ndarray) -> Batch:
        """What a batch holds of targets for portraits `rows` [B], mirrored where `flips` says so: `images` [B, R, R, 3]."""
        draws, width = self.draws, images.shape[2]
        drawn, target_flips = draws.order(step, len(self.keypoints), _TARGET_ORDER), draws.flips(step, _TARGET_MIRROR)
        points = _mirrored(self.keypoints[drawn], target_flips, width)
        if self.faces is not None:
            with on_cpu():  # the accelerator is busy with training steps
                made = transfer(self.faces.at(rows, flips, width), self.faces.at(drawn, target_flips, width))
            points = np.where(draws.chosen(step, _RETARGETED, draws.retargeted)[:, None, None], made, points)
        if self.pairs is None:
            return {"target_keypoints": points}
        partners, pictures = self.pairs
        partner = partners.of(rows, draws.fractions(step, _PARTNER))
        paired = draws.chosen(step, _PAIRED, draws.paired) & (partner >= 0)
        true = _mirrored(self.keypoints[partner], target_flips, width)
        target_images = images.copy()
        if paired.any():
            target_images[paired] = pictures(partner[paired], target_flips[paired])
        return {
            "target_keypoints": np.where(paired[:, None, None], true, points),
            "target_image": target_images,
            "paired": paired,
        }


def _batches(
    portraits: Iterator[tuple[np.ndarray, np.ndarray, Callable]], draws: _Draws, targets: _Targets | None
) -> Iterator[Batch]:
    """Mirrors the drawn portraits (rows, keypoints, flips [B] -> images) and adds the targets."""
    for step, (rows, keypoints, pictures) in enumerate(portraits, draws.start_step):
        flips = draws.flips(step, _MIRROR)
        images = pictures(flips)
        batch = {"image": images, "keypoints": _mirrored(keypoints, flips, images.shape[2])}
        yield batch | (targets.draw(step, rows, flips, images) if targets else {})


def _mirrored(keypoints: np.ndarray, flips: np.ndarray, width: int) -> np.ndarray:
    return np.where(flips[:, None, None], mirror_keypoints(keypoints, width), keypoints)


def _shuffle_window(records: Any, count: int, where: str) -> int:
    """How many encoded records fit into _SHUFFLE_BYTES."""
    sample = [len(record["image"]) for record in read_all(records.take(64), where)]
    return max(1, min(count, int(_SHUFFLE_BYTES / np.mean(sample))))


def _all_keypoints(records: Any, where: str) -> np.ndarray:
    return np.concatenate(list(read_all(records.map(lambda record: record["keypoints"]).batch(1024), where)))

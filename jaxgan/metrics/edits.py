"""The edits that all metrics measure: made once, by a fixed rule, from the test split."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from tqdm import tqdm

from jaxgan.data.synthetic import parse_record_name, truth
from jaxgan.metrics.measurement import Column, mean_column

CHUNK = 64  # images handed to the editor at once

MANIPULATED = "manipulated"
RECONSTRUCTION = "reconstruction"
INVERSION = "inversion"
COPY_SOURCE = "copy-source"
COPY_TARGET = "copy-target"
TRUE_PICTURE = "true picture"

# The rows of the table: what stands in for the edited portrait.
ROWS = {
    MANIPULATED: "the source, edited to the target's landmarks",
    RECONSTRUCTION: "the source, edited to its own landmarks",
    INVERSION: "the source through inverter and generator, without an edit",
    COPY_SOURCE: "the source itself: what doing nothing scores",
    COPY_TARGET: "the target's portrait: the detector's own error in landmarks, another person in identity",
    TRUE_PICTURE: "the source's person in the target's pose, drawn; only procedural portraits have one",
}


class SupportsEdits(Protocol):
    """What is asked of an editor; `jaxgan.Editor` is one."""

    resolution: int

    def invert(self, images: np.ndarray) -> np.ndarray: ...

    def render(self, latents: np.ndarray) -> np.ndarray: ...

    def edit(self, images: np.ndarray, keypoints: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True)
class Row:
    """Outputs of one kind of edit: images uint8 [N, R, R, 3] and the landmarks they ought to have [N, 68, 2]."""

    images: np.ndarray
    keypoints: np.ndarray


@dataclass
class Edits:
    """Source portraits, their targets and all outputs. Landmarks of outputs are detected when first asked for."""

    editor: SupportsEdits
    files: Sequence[str]  # [N] names of the source portraits
    sources: np.ndarray  # uint8 [N, R, R, 3]
    source_keypoints: np.ndarray  # float32 [N, 68, 2], pixels
    targets: np.ndarray  # int64 [N], index of the portrait whose landmarks each source is given
    rows: dict[str, Row]
    detect: Callable[[np.ndarray], list[np.ndarray | None]]  # images uint8 [N, R, R, 3] to landmarks [68, 2] or None
    _detected: dict[str, list[np.ndarray | None]] = field(default_factory=dict, repr=False)

    def detected(self, row: str) -> list[np.ndarray | None]:
        """Landmarks [68, 2] found in each output of a row, None where no face was found."""
        if row not in self._detected:
            if row == COPY_TARGET:  # the sources once more, in another order
                found = self.detected(COPY_SOURCE)
                self._detected[row] = [found[target] for target in self.targets]
            else:
                self._detected[row] = self.detect(self.rows[row].images)
        return self._detected[row]


def undetected_column(edits: Edits) -> Column:
    """Share of the outputs in which the detector finds no face."""
    samples = {row: [found is None for found in edits.detected(row)] for row in edits.rows}
    return mean_column("undetected", "share of outputs in which no face is found; lower is better", samples)


def is_procedural(name: str) -> bool:
    """Whether a file name stands for a procedural portrait."""
    try:
        parse_record_name(name)
    except ValueError:
        return False
    return True


def cyclic_derangement(count: int, seed: int) -> np.ndarray:
    """Permutation [count] of 0 ... count-1 without fixed points: one cycle, drawn uniformly (Sattolo's distribution).

    Raises ValueError for fewer than two elements.
    """
    if count < 2:
        raise ValueError(f"pairs of source and target need at least 2 portraits, got {count}")
    order = np.random.default_rng(seed).permutation(count)
    targets = np.empty(count, np.int64)
    targets[order] = np.roll(order, -1)
    return targets


def pairs_hash(files: Sequence[str], targets: np.ndarray) -> str:
    """16 hexadecimal digits that stand for the list of (source, target) file names."""
    pairs = [[files[source], files[target]] for source, target in enumerate(targets)]
    return hashlib.sha256(json.dumps(pairs).encode()).hexdigest()[:16]


def _chunks(count: int, description: str) -> Iterator[slice]:
    with tqdm(total=count, desc=description, unit="image") as bar:
        for start in range(0, count, CHUNK):
            yield slice(start, start + CHUNK)
            bar.update(min(CHUNK, count - start))


def edit_in_chunks(editor: SupportsEdits, images: np.ndarray, keypoints: np.ndarray, description: str) -> np.ndarray:
    """Edited portraits uint8 [N, R, R, 3], with a progress bar."""
    return np.concatenate([editor.edit(images[s], keypoints[s]) for s in _chunks(len(images), description)])


def invert_in_chunks(editor: SupportsEdits, images: np.ndarray, description: str) -> np.ndarray:
    """Inverted portraits uint8 [N, R, R, 3], with a progress bar."""
    return np.concatenate([editor.render(editor.invert(images[s])) for s in _chunks(len(images), description)])


def make_edits(
    editor: SupportsEdits,
    images: np.ndarray,
    keypoints: np.ndarray,
    files: Sequence[str],
    detect: Callable[[np.ndarray], list[np.ndarray | None]],
    seed: int,
) -> Edits:
    """Edit every portrait to the landmarks of another and to its own, invert it, and set the pictures to compare with.

    images uint8 [N, R, R, 3] with keypoints float32 [N, 68, 2] in their pixels; `detect` as in `Edits`. Raises
    ValueError when the portraits do not have the editor's resolution or are fewer than two.
    """
    if images.shape[1:3] != (editor.resolution, editor.resolution):
        height, width = images.shape[1:3]
        raise ValueError(f"the portraits are {width}x{height} px and the editor's {editor.resolution} px square")
    targets = cyclic_derangement(len(images), seed)
    wanted = keypoints[targets]
    rows = {
        MANIPULATED: Row(edit_in_chunks(editor, images, wanted, MANIPULATED), wanted),
        RECONSTRUCTION: Row(edit_in_chunks(editor, images, keypoints, RECONSTRUCTION), keypoints),
        INVERSION: Row(invert_in_chunks(editor, images, INVERSION), keypoints),
        COPY_SOURCE: Row(images, wanted),
        COPY_TARGET: Row(images[targets], wanted),
    }
    if all(map(is_procedural, files)):
        rows[TRUE_PICTURE] = Row(truth(files, [files[target] for target in targets], editor.resolution), wanted)
    return Edits(editor, files, images, keypoints, targets, rows, detect)

"""Pairs of source and target, and the pictures that every editor is compared with."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from jaxgan.errors import InputError
from jaxgan.faces.portraits import parse_record_name, truth

MANIPULATED = "manipulated"
RECONSTRUCTION = "reconstruction"
CYCLE = "cycle"
INVERSION = "inversion"
RANDOM = "random samples"
COPY_SOURCE = "copy-source"
NEAREST = "nearest real"
COPY_TARGET = "copy-target"
TRUE_PICTURE = "true picture"
REAL = "real"

# The rows of the tables: what takes the place of the edited portrait.
ROWS = {
    MANIPULATED: "the source, edited to the target's landmarks",
    RECONSTRUCTION: "the source, edited to its own landmarks",
    CYCLE: "the manipulated portrait, edited back to the source's landmarks",
    INVERSION: "the source, inverted and rendered without an edit",
    RANDOM: "random samples of the generator, without truncation",
    COPY_SOURCE: "the source itself: the score of doing nothing",
    NEAREST: "the training portrait whose landmarks are closest to the target's",
    COPY_TARGET: "the target's portrait: the detector's own error for landmarks, a random pair for identity",
    TRUE_PICTURE: "the source's person drawn in the target's pose; only procedural portraits have one",
    REAL: "as many training portraits: the score of real pictures against real ones",
}


@dataclass(eq=False)
class Row:
    """Pictures of one kind, and what has been computed from them."""

    images: np.ndarray  # uint8 [N, R, R, 3]
    keypoints: np.ndarray | None  # landmarks [N, 68, 2] they should have, in pixels; None if none were requested
    origin: tuple["Row", np.ndarray] | None = None  # (row, indices [N]): the same pictures in another order
    own: np.ndarray | None = None  # landmarks [N, 68, 2] they are known to have; None if the source's are the best guess
    _known: dict[str, np.ndarray] = field(default_factory=dict, repr=False)

    def once(self, what: str, measure: Callable[["Row"], np.ndarray]) -> np.ndarray:
        """measure(row) -> [N, ...], computed the first time it is requested under the name `what`.

        `measure` receives the row in which the pictures originate; its result is put in the order of this row.
        """
        if what not in self._known:
            if self.origin:
                row, order = self.origin
                self._known[what] = row.once(what, measure)[order]
            else:
                self._known[what] = measure(self)
        return self._known[what]


@dataclass(eq=False)
class Pairs:
    """Source portraits, each with a target, and the rows that do not depend on an editor."""

    files: Sequence[str]  # [N] names of the portraits
    sources: np.ndarray  # uint8 [N, R, R, 3]
    source_keypoints: np.ndarray  # float32 [N, 68, 2], pixels
    targets: np.ndarray  # int64 [N], index of the portrait whose landmarks each source is edited to
    rows: dict[str, Row]

    @property
    def wanted(self) -> np.ndarray:
        """Landmarks [N, 68, 2] of the targets."""
        return self.source_keypoints[self.targets]

    @property
    def hash(self) -> str:
        """16 hexadecimal digits that identify the list of (source, target) file names."""
        pairs = [[self.files[source], self.files[target]] for source, target in enumerate(self.targets)]
        return hashlib.sha256(json.dumps(pairs).encode()).hexdigest()[:16]


def is_procedural(name: str) -> bool:
    """Whether a file name denotes a procedural portrait."""
    try:
        parse_record_name(name)
    except ValueError:
        return False
    return True


def cyclic_derangement(count: int, seed: int) -> np.ndarray:
    """Permutation int64 [count] of 0 ... count - 1 that is a single cycle, drawn uniformly (Sattolo's distribution).

    Raises:
      InputError: count is below two.
    """
    if count < 2:
        raise InputError(f"pairs of source and target need at least 2 portraits, got {count}")
    order = np.random.default_rng(seed).permutation(count)
    targets = np.empty(count, np.int64)
    targets[order] = np.roll(order, -1)
    return targets


def nearest_landmarks(wanted: np.ndarray, known: np.ndarray, block: int = 64) -> np.ndarray:
    """Index [N] into known [M, 68, 2] of the landmarks with the smallest mean distance to each of wanted [N, 68, 2]."""
    nearest = []
    for start in range(0, len(wanted), block):
        distances = np.zeros((len(wanted[start : start + block]), len(known)), np.float32)
        for point in range(wanted.shape[1]):  # one at a time: all at once would need gigabytes
            offsets = wanted[start : start + block, None, point] - known[None, :, point]
            distances += np.hypot(offsets[..., 0], offsets[..., 1])
        nearest.append(distances.argmin(axis=1))
    return np.concatenate(nearest)


def make_pairs(
    portraits: tuple[np.ndarray, np.ndarray, Sequence[str]],
    training: tuple[np.ndarray, np.ndarray],
    seed: int,
    exact: bool = True,
) -> Pairs:
    """Assigns another portrait's landmarks to every portrait as its target, and collects the pictures to compare with.

    Args:
      portraits: test images uint8 [N, R, R, 3], keypoints float32 [N, 68, 2] in pixels, and file names.
      training: images and keypoints [M, ...] of the training portraits.
      seed: determines the pairs.
      exact: whether procedural portraits are framed as they were drawn, so that their true pictures can be drawn too.

    Raises:
      InputError: there are fewer than two portraits.
    """
    images, keypoints, files = portraits
    targets = cyclic_derangement(len(images), seed)
    wanted = keypoints[targets]
    sources = Row(images, wanted)
    rows = {COPY_SOURCE: sources, COPY_TARGET: Row(images[targets], wanted, (sources, targets))}
    if len(training[0]):
        rows[NEAREST] = Row(training[0][nearest_landmarks(wanted, training[1])], wanted)
        rows[REAL] = Row(training[0][: len(images)], None, own=training[1][: len(images)])
    if exact and all(map(is_procedural, files)):
        rows[TRUE_PICTURE] = Row(truth(files, [files[target] for target in targets], images.shape[1]), wanted)
    return Pairs(files, images, keypoints, targets, rows)

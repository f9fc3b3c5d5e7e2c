"""Pairs of source and target, and the pictures that every editor is compared with.

Targets are other people's portraits, or other frames of the source's own clip, which are the true pictures of their edits.
"""

import hashlib
import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from jaxgan.data.people import Label
from jaxgan.errors import InputError
from jaxgan.faces.portraits import parse_record_name, truth

MANIPULATED = "manipulated"
PERSONAL = "personal"
PASTED = "put back"
RECONSTRUCTION = "reconstruction"
CYCLE = "cycle"
INVERSION = "inversion"
RANDOM = "random samples"
COPY_SOURCE = "copy-source"
NEAREST = "nearest real"
COPY_TARGET = "copy-target"
TRUE_PICTURE = "true picture"
SAME_PERSON = "same person"
OTHER_PEOPLE = "other people"
REAL = "real"

# The rows of the tables: what takes the place of the edited portrait.
ROWS = {
    MANIPULATED: "the source, edited to the target's landmarks",
    PASTED: "the manipulated portrait put back into the source as into a photograph",
    PERSONAL: "the same, by a generator tuned to the source (Roich et al. 2021)",
    RECONSTRUCTION: "the source, edited to its own landmarks",
    CYCLE: "the manipulated portrait, edited back to the source's landmarks",
    INVERSION: "the source, inverted and rendered without an edit",
    RANDOM: "random samples of the generator, without truncation",
    COPY_SOURCE: "the source itself: the score of doing nothing",
    NEAREST: "the training portrait whose landmarks are closest to the target's",
    COPY_TARGET: "the target's portrait: the detector's own error for landmarks, a random pair for identity",
    TRUE_PICTURE: "the source's person in the target's pose: another frame of the clip, or drawn where portraits are drawn",
    SAME_PERSON: "other portraits of the source's person: the scale of identity",
    OTHER_PEOPLE: "portraits of all other people: the scale of identity",
    REAL: "as many training portraits: the score of real pictures against real ones",
}


Aim = Callable[[np.ndarray, np.ndarray], np.ndarray]  # landmarks [N, 68, 2] of sources and targets to those to edit to


class Portraits(NamedTuple):
    """Portraits to make pairs of."""

    images: np.ndarray  # uint8 [N, R, R, 3]
    keypoints: np.ndarray  # float32 [N, 68, 2], pixels
    files: Sequence[str]  # [N]
    labels: Sequence[Label] | None = None  # [N]; None if nothing is known of the people


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
    target_files: Sequence[str]  # [N] names of the portraits whose landmarks the sources are edited to
    wanted: np.ndarray  # float32 [N, 68, 2], landmarks of the targets
    rows: dict[str, Row]
    people: Sequence[str] | None = None  # [N] who is on the sources, "" where it is not known; None if nothing is known

    @property
    def hash(self) -> str:
        """16 hexadecimal digits that identify the list of (source, target) file names."""
        pairs = [list(pair) for pair in zip(self.files, self.target_files, strict=True)]
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


def other_people(targets: np.ndarray, people: Sequence[str], seed: int) -> np.ndarray:
    """A permutation close to `targets` [N] in which no portrait has one of the same person as its target.

    People who are not known, "", are taken for different ones.

    Raises:
      InputError: one person has more than half of the portraits.
    """
    _, person = np.unique([name or f"\0{place}" for place, name in enumerate(people)], return_inverse=True)
    if 2 * np.bincount(person).max() > len(person):
        raise InputError("one person has more than half of the portraits, so they cannot all be paired with other people's")
    targets, draw = targets.copy(), np.random.default_rng([seed, 1])
    while len(alike := np.flatnonzero(person == person[targets])):
        for i in alike:  # swaps with another pair, such that both are of different people then
            free = np.flatnonzero((person[targets] != person[i]) & (person != person[targets[i]]))
            j = draw.choice(free) if len(free) else draw.integers(len(person))
            targets[[i, j]] = targets[[j, i]]
    return targets


def clip_pairs(keypoints: np.ndarray, labels: Sequence[Label], seed: int) -> np.ndarray:
    """Indices int64 [P, 2] of two frames of one clip of each person, in an order drawn by the seed.

    They are the two of the clip whose landmarks [N, 68, 2] differ most, in the order they have among the portraits.
    """
    clips: dict[Label, list[int]] = {}
    for place, label in enumerate(labels):
        if label.person and label.clip:
            clips.setdefault(label, []).append(place)
    several = sorted(label for label, frames in clips.items() if len(frames) > 1)
    chosen: dict[str, tuple[int, int]] = {}
    for index in np.random.default_rng(seed).permutation(len(several)):
        label = several[index]
        if label.person not in chosen:
            frames = itertools.combinations(clips[label], 2)
            chosen[label.person] = max(frames, key=lambda pair: np.abs(keypoints[pair[0]] - keypoints[pair[1]]).mean())
    return np.array([*chosen.values()], np.int64).reshape(-1, 2)


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
    portraits: Portraits, training: tuple[np.ndarray, np.ndarray], seed: int, exact: bool = True, aim: Aim | None = None
) -> Pairs:
    """Assigns another person's landmarks to every portrait as its target, and collects the pictures to compare with.

    Args:
      portraits: test portraits.
      training: images and keypoints [M, ...] of the training portraits; M may be 0.
      seed: determines the pairs.
      exact: whether procedural portraits are framed as they were drawn, so that their true pictures can be drawn too.
      aim: makes of landmarks of sources and targets those to edit to; None takes the targets'.

    Raises:
      InputError: there are fewer than two portraits, or one person has more than half of them.
    """
    images, keypoints, files, labels = portraits
    people = None if labels is None else [label.person for label in labels]
    targets = cyclic_derangement(len(images), seed)
    if people is not None:
        targets = other_people(targets, people, seed)
    wanted = aim(keypoints, keypoints[targets]) if aim else keypoints[targets]
    sources, target_files = Row(images, wanted), [files[target] for target in targets]
    rows = {COPY_SOURCE: sources, COPY_TARGET: Row(images[targets], wanted, (sources, targets))}
    rows |= _training_rows(wanted, training)
    if exact and aim is None and all(map(is_procedural, files)):
        rows[TRUE_PICTURE] = Row(truth(files, target_files, images.shape[1]), wanted)
    return Pairs(files, images, keypoints, target_files, wanted, rows, people)


def make_same_pairs(
    portraits: Portraits, training: tuple[np.ndarray, np.ndarray], seed: int, num: int | None = None, aim: Aim | None = None
) -> Pairs:
    """Pairs of two frames of one clip, the second of which is the true picture of the first one's edit.

    Of each person one clip counts, drawn by the seed, and of its frames the two whose landmarks differ most.

    Args:
      portraits, training, seed, aim: as for `make_pairs`.
      num: most pairs; None for all.

    Raises:
      InputError: people or clips are not known, or no clip has two frames.
    """
    images, keypoints, files, labels = portraits
    if not any(label.clip for label in labels or ()):
        raise InputError("pairs of the same person need people and clips, which `jaxgan prepare --people` stores")
    pairs = clip_pairs(keypoints, labels, seed)[:num]
    if not len(pairs):
        raise InputError("pairs of the same person need a clip with two frames, and there is none")
    before, after = pairs.T
    wanted = aim(keypoints[before], keypoints[after]) if aim else keypoints[after]
    rows = {COPY_SOURCE: Row(images[before], wanted), TRUE_PICTURE: Row(images[after], wanted, own=keypoints[after])}
    rows |= _training_rows(wanted, training)
    names = ([files[i] for i in which] for which in (before, after))
    return Pairs(next(names), images[before], keypoints[before], next(names), wanted, rows, [labels[i].person for i in before])


def _training_rows(wanted: np.ndarray, training: tuple[np.ndarray, np.ndarray]) -> dict[str, Row]:
    images, keypoints = training
    if not len(images):
        return {}
    count = len(wanted)
    nearest = Row(images[nearest_landmarks(wanted, keypoints)], wanted)
    return {NEAREST: nearest, REAL: Row(images[:count], None, own=keypoints[:count])}

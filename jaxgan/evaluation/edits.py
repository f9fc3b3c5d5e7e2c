"""What an editor makes of the pairs, computed once for all metrics."""

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from tqdm import tqdm

from jaxgan.errors import InputError
from jaxgan.evaluation.measurement import Column, mean_column
from jaxgan.evaluation.pairs import CYCLE, INVERSION, MANIPULATED, PASTED, PERSONAL, RANDOM, RECONSTRUCTION, Pairs, Row
from jaxgan.photos.opened import OpenPhoto

CHUNK = 64  # images processed at once
FAILURES = "A picture without a detected face scores the distance between its source's landmarks and its target's."


class SupportsEdits(Protocol):
    """What metrics need from an editor, such as `jaxgan.Editor`. One whose stage is "inverter" makes no edits."""

    stage: str
    resolution: int
    w_avg: np.ndarray

    def invert(self, images: np.ndarray) -> np.ndarray: ...

    def edit_latents(self, images: np.ndarray, keypoints: np.ndarray, latents: np.ndarray | None = None) -> np.ndarray: ...

    def render(self, latents: np.ndarray) -> np.ndarray: ...

    def generate(self, seeds: np.ndarray, truncation: float) -> np.ndarray: ...

    def edit(self, images: np.ndarray, keypoints: np.ndarray, personal: bool) -> np.ndarray: ...


@dataclass(frozen=True)
class Instruments:
    """What pictures are measured with. A network without weights is None."""

    detect: Callable[[np.ndarray], list[np.ndarray | None]]  # images uint8 [N, R, R, 3] to landmarks [68, 2] or None
    inception: Callable[[np.ndarray], np.ndarray] | None = None  # images uint8 [N, R, R, 3] to pool3 features [N, 2048]
    facenet: Callable[[np.ndarray], np.ndarray] | None = None  # faces uint8 [N, S, S, 3] to embeddings [N, 512]
    lpips: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None  # two sets uint8 [N, R, R, 3] to distances [N]
    cache: Path | None = None  # folder for the features of real pictures; None computes them every time


@dataclass(frozen=True)
class Latents:
    """Latents float32 [N, L, latent] on the way from portraits to manipulated ones and back."""

    inverted: np.ndarray  # w
    edited: np.ndarray | None  # w + delta; None for an inverter
    cycle: np.ndarray | None  # after the edit back; None for an inverter
    average: np.ndarray  # [L, latent], the generator's mean w


@dataclass(frozen=True)
class Edits:
    """Pairs, every picture made from them or compared with them, and the instruments to measure these."""

    editor: SupportsEdits
    pairs: Pairs
    rows: dict[str, Row]
    latents: Latents
    instruments: Instruments
    images_per_second: float | None  # inversion, edit and rendering, without compilation; None for a single chunk

    def detected(self, row: str) -> np.ndarray:
        """Landmarks float32 [N, 68, 2] detected in each picture of a row; NaN if no face was found."""
        return self.rows[row].once("landmarks", self._detect)

    def aligned(self, row: str, what: str, size: int, describe: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """A description of a row's aligned faces, computed once under a name.

        A face that is not detected is cropped at its known landmarks or, if those are unknown, at the source's.

        Args:
          row: name of the row.
          what: name under which the result is kept.
          size: height and width of the faces, pixels.
          describe: maps faces uint8 [N, size, size, 3] to the result [N, ...].
        """

        def measure(row: Row) -> np.ndarray:
            found = row.once("landmarks", self._detect)
            known = self.pairs.source_keypoints if row.own is None else row.own
            landmarks = np.where(np.isnan(found), known, found)
            return describe(np.stack([aligned_face(*each, size) for each in zip(row.images, landmarks, strict=True)]))

        return self.rows[row].once(what, measure)

    def _detect(self, row: Row) -> np.ndarray:
        none = np.full((68, 2), np.nan, np.float32)
        return np.stack([none if found is None else found for found in self.instruments.detect(row.images)])

    def scored(self, row: str) -> tuple[np.ndarray, np.ndarray]:
        """Landmarks detected in a row and landmarks requested, float32 [N, 68, 2] each.

        If no face was found, the source's and the target's landmarks stand in, even in rows that request the source's own: a
        failure costs as much as making no edit.
        """
        found = self.detected(row)
        missing = np.isnan(found)
        return (
            np.where(missing, self.pairs.source_keypoints, found),
            np.where(missing, self.pairs.wanted, self.rows[row].keypoints),
        )

    def asked(self) -> list[str]:
        """Names of the rows whose pictures should have certain landmarks."""
        return [name for name, row in self.rows.items() if row.keypoints is not None]


def aligned_face(image: np.ndarray, keypoints: np.ndarray, size: int) -> np.ndarray:
    """The face uint8 [size, size, 3], upright and centred by its landmarks [68, 2] as dlib's networks were trained on."""
    import dlib

    # dlib puts pixel centres at integers and accepts only whole coordinates
    points = [dlib.point(int(x), int(y)) for x, y in np.rint(keypoints - 0.5)]
    height, width = image.shape[:2]
    shape = dlib.full_object_detection(dlib.rectangle(0, 0, width - 1, height - 1), points)
    return dlib.get_face_chip(np.ascontiguousarray(image), shape, size=size)


def undetected_column(edits: Edits) -> Column:
    """Column of the share of pictures in which the detector finds no face."""
    samples = {row: np.isnan(edits.detected(row)[:, 0, 0]) for row in edits.asked()}
    return mean_column("undetected", "share of pictures in which no face is found", "lower", samples)


def in_chunks(
    function: Callable[..., Any], description: str, *arrays: np.ndarray, pad: bool = False, size: int | None = None
) -> np.ndarray:
    """Applies a function to some rows at a time and shows a progress bar.

    Args:
      function: maps as many arrays as are given, [n, ...] with n at most `size`, to a result [n, ...].
      description: what the progress bar says.
      *arrays: [N, ...] each.
      pad: fills up a last, shorter chunk with zeros, so that one compiled program serves all chunks. A single chunk keeps
        its size.
      size: rows at a time; by default CHUNK.

    Returns:
      The concatenated results, [N, ...].
    """
    results, count, size = [], len(arrays[0]), size or CHUNK
    with tqdm(total=count, desc=description, unit="image") as bar:
        for start in range(0, max(count, 1), size):  # no rows are one empty chunk, whose result has the right shape
            rows = [array[start : start + size] for array in arrays]
            here = len(rows[0])
            if pad and start:
                rows = [np.pad(each, [(0, size - here), *[(0, 0)] * (each.ndim - 1)]) for each in rows]
            results.append(function(*rows)[:here])
            bar.update(here)
    return np.concatenate(results)


def make_edits(
    editor: SupportsEdits, pairs: Pairs, instruments: Instruments, personal: bool = False, paste: bool = False
) -> Edits:
    """Inverts every source; edits it to its target's landmarks, back again, and to its own; draws as many random samples.

    An editor whose stage is "inverter" yields only inversions and samples.

    Args:
      personal: whether to edit each source by a generator tuned to it as well, which takes seconds each.
      paste: whether to put edits back into their sources as well, as `Editor.edit_photo` does.

    Raises:
      InputError: the portraits do not have the editor's resolution, or the checkpoint has no inverter.
    """
    if editor.stage == "stylegan":
        raise InputError("a stylegan checkpoint has no inverter to measure")
    height, width = pairs.sources.shape[1:3]
    if (height, width) != (editor.resolution, editor.resolution):
        raise InputError(
            f"the portraits are {width}x{height} px, but the editor needs {editor.resolution}x{editor.resolution} px"
        )
    edits = editor.stage == "editor"
    inverted: list[np.ndarray] = []
    shifted: list[np.ndarray] = []
    speed: list[tuple[int, float]] = []

    def process(images: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
        started = time.perf_counter()
        inverted.append(editor.invert(images))
        if edits:
            shifted.append(editor.edit_latents(images, keypoints, inverted[-1]))
        made = editor.render((shifted if edits else inverted)[-1])
        speed.append((len(images), time.perf_counter() - started))
        return made

    own, wanted = pairs.source_keypoints, pairs.wanted
    made = in_chunks(process, MANIPULATED if edits else INVERSION, pairs.sources, wanted)
    w, edited, cycle, rows = np.concatenate(inverted), None, None, {}
    if edits:
        edited = np.concatenate(shifted)
        cycle = in_chunks(editor.edit_latents, "cycle latents", made, own, edited)
        reconstructed = in_chunks(editor.edit_latents, "reconstruction latents", pairs.sources, own, w)
        rows[MANIPULATED] = Row(made, wanted)
        if personal:
            one_by_one = functools.partial(editor.edit, personal=True)
            rows[PERSONAL] = Row(in_chunks(one_by_one, PERSONAL, pairs.sources, wanted, size=1), wanted)
        if paste:
            one_by_one = functools.partial(_put_back, editor)
            rows[PASTED] = Row(in_chunks(one_by_one, PASTED, pairs.sources, own, wanted, size=1), wanted)
        rows[RECONSTRUCTION] = Row(in_chunks(editor.render, RECONSTRUCTION, reconstructed), own)
        rows[CYCLE] = Row(in_chunks(editor.render, CYCLE, cycle), own)
        made = in_chunks(editor.render, INVERSION, w)
    rows[INVERSION] = Row(made, wanted)
    rows[RANDOM] = Row(in_chunks(lambda seeds: editor.generate(seeds, 1.0), RANDOM, np.arange(len(w))), None)
    later = speed[1:]  # the first chunk compiles
    pace = sum(count for count, _ in later) / sum(seconds for _, seconds in later) if later else None
    return Edits(editor, pairs, rows | pairs.rows, Latents(w, edited, cycle, editor.w_avg), instruments, pace)


def _put_back(editor: SupportsEdits, images: np.ndarray, own: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """One portrait uint8 [1, R, R, 3] as a photograph, with landmarks [1, 68, 2], edited to others; no rows give none."""
    if not len(images):
        return images
    try:
        opened = OpenPhoto(editor, images[0], own[0])
    except InputError:  # landmarks that cannot be a face
        return images
    return opened.edit(opened.crop.move(wanted[0], editor.resolution))[None]

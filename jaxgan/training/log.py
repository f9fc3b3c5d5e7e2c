"""What a training run writes: metrics.jsonl, PNG grids, TensorBoard summaries, and lines for the person watching."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from PIL import Image

from jaxgan.runtime import atomic_write


class TrainingLog:
    """Writes into a working folder. Scalars go to metrics.jsonl and, where clu is installed, to TensorBoard with the grids."""

    def __init__(self, workdir: str | Path, start_step: int):
        """Continues after `start_step`: lines of later steps, which will be trained again, are dropped."""
        self.workdir = Path(workdir)
        (self.workdir / "samples").mkdir(parents=True, exist_ok=True)
        metrics = self.workdir / "metrics.jsonl"
        if metrics.exists():
            kept = [line for line in metrics.read_text().splitlines(True) if _step_of(line) <= start_step]
            with atomic_write(metrics) as file:
                file.write("".join(kept).encode())
        self._lines = metrics.open("a")
        self._summaries = _summary_writer(self.workdir)

    def __enter__(self) -> "TrainingLog":
        return self

    def __exit__(self, kind: type | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._lines.close()
        if self._summaries:
            self._summaries.close()

    def say(self, text: str) -> None:
        """A line on standard output, at once."""
        print(text, flush=True)

    def scalars(self, step: int, values: Mapping[str, float | None]) -> None:
        """One line of metrics.jsonl."""
        self._lines.write(json.dumps({"step": step, **values}) + "\n")
        self._lines.flush()
        if self._summaries:
            self._summaries.write_scalars(step, {name: value for name, value in values.items() if value is not None})
            self._summaries.flush()

    def grid(self, step: int, images_seen: int, images: np.ndarray) -> None:
        """A grid of images uint8 [rows, columns, R, R, 3], as samples/IMAGES_SEEN.png and a summary."""
        rows, columns, height, width, channels = images.shape
        flat = images.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, channels)
        scale = max(1, 64 // height)  # small pictures are enlarged so that a person can judge them
        enlarged = Image.fromarray(flat).resize((flat.shape[1] * scale, flat.shape[0] * scale), Image.Resampling.NEAREST)
        enlarged.save(self.workdir / "samples" / f"{images_seen:09d}.png")
        if self._summaries:
            self._summaries.write_images(step, {"samples": flat[None]})
            self._summaries.flush()


class SilentLog(TrainingLog):
    """Writes and prints nothing: for all but one of several processes that train together."""

    def __init__(self) -> None:
        pass

    def __exit__(self, kind: type | None, value: BaseException | None, trace: TracebackType | None) -> None:
        pass

    def say(self, text: str) -> None:
        """Does nothing."""

    def scalars(self, step: int, values: Mapping[str, float | None]) -> None:
        """Does nothing."""

    def grid(self, step: int, images_seen: int, images: np.ndarray) -> None:
        """Does nothing."""


def _step_of(line: str) -> float:
    try:
        return json.loads(line)["step"]
    except (json.JSONDecodeError, KeyError):  # cut off by an interruption
        return float("inf")


def _summary_writer(workdir: Path) -> Any:
    try:
        from clu import metric_writers
    except ImportError as error:
        print(f"No TensorBoard summaries: {error}. metrics.jsonl and samples/ are written all the same.", file=sys.stderr)
        return None
    return metric_writers.SummaryWriter(str(workdir / "tensorboard"))

"""What became of the images of a run: accepted, rejected, noted."""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from jaxgan.data.tfrecords import Record
from jaxgan.runtime import atomic_write


@dataclass
class Outcome:
    """What became of one image: a record, or the reason why there is none."""

    file: str
    record: Record | None = None
    rejection: str = ""  # "kind" or "kind: detail"
    note: str = ""  # what a reader should know of an accepted image, in the same form
    enlarged: bool = False  # the source was smaller than the dataset's resolution


@dataclass
class Summary:
    """What became of all images."""

    resolution: int  # side of the stored images in pixels
    ignored: int = 0  # files that are hidden or no images
    accepted: Counter[str] = field(default_factory=Counter)  # images by split
    rejected: list[tuple[str, str]] = field(default_factory=list)  # (file, reason)
    notes: list[tuple[str, str]] = field(default_factory=list)  # (file, note)
    outside: int = 0  # accepted images with a landmark beyond their border
    enlarged: int = 0  # accepted images whose source was smaller
    seconds: float = 0.0  # time taken by reading, detecting and writing

    def add(self, outcome: Outcome, split: str) -> None:
        """Counts an image."""
        if outcome.record is None:
            self.rejected.append((outcome.file, outcome.rejection))
            return
        self.accepted[split] += 1
        if outcome.note:
            self.notes.append((outcome.file, outcome.note))
        points = outcome.record.keypoints
        self.outside += bool(np.any((points < 0) | (points > self.resolution)))
        self.enlarged += outcome.enlarged

    def lines(self) -> Iterator[str]:
        """The summary for a reader; figures that are nought are left out."""
        total = sum(self.accepted.values())
        tried = total + len(self.rejected)
        by_split = ", ".join(f"{count} {split}" for split, count in self.accepted.items())
        yield f"accepted {total} of {tried} images ({by_split}) at {tried / max(self.seconds, 1e-9):.1f} images/s"
        for verb, pairs in (("rejected", self.rejected), ("noted", self.notes)):
            for kind, count in Counter(text.partition(":")[0] for _, text in pairs).most_common():
                yield f"{verb} {count}: {kind}"
        if self.outside:
            yield f"landmarks beyond the border in {self.outside} images (kept as they are)"
        if self.enlarged:
            yield f"enlarged to {self.resolution} px: {self.enlarged} images"
        if self.ignored:
            yield f"ignored {self.ignored} files that are hidden or no images"

    def write_csv(self, path: Path) -> None:
        """Lists rejected images and notes: kind (rejected or note), file, reason."""
        rows = [("rejected", *pair) for pair in self.rejected] + [("note", *pair) for pair in self.notes]
        # File names that are not UTF-8 appear with their bytes escaped.
        with atomic_write(path) as file, io.TextIOWrapper(file, "utf-8", "backslashreplace", newline="") as text:
            writer = csv.writer(text)
            writer.writerow(["kind", "file", "reason"])
            writer.writerows(sorted(rows, key=lambda row: row[1]))

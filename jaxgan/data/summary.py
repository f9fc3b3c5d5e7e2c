"""What became of the images of a run: accepted, rejected, noted."""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from jaxgan.data.sources import describe_ignored
from jaxgan.data.tfrecords import Record
from jaxgan.runtime import atomic_write


@dataclass
class Outcome:
    """What became of one image: a record, or the reason why there is none."""

    file: str
    record: Record | None = None
    rejection: str = ""  # "kind" or "kind: detail"
    notes: tuple[str, ...] = ()  # what a reader should know of an accepted image, in the same form
    enlarged: bool = False  # the source was smaller than the dataset's resolution


@dataclass
class Summary:
    """What became of all images."""

    resolution: int  # side of the stored images in pixels
    ignored: list[str] = field(default_factory=list)  # files that are hidden or no images
    copies: dict[str, str] = field(default_factory=dict)  # files that are byte-identical to an earlier one -> that one
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
        self.notes += [(outcome.file, note) for note in outcome.notes]
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
        if self.copies:
            yield f"byte-identical to another: {len(self.copies)} images (each in the split of the first)"
        if not self.accepted["test"]:
            yield "no test split: `jaxgan evaluate` needs one (--test_fraction)"
        if self.ignored:
            yield f"ignored {describe_ignored(self.ignored)}"

    def write_csv(self, path: Path) -> None:
        """Lists what a reader should know of files: kind (rejected, note or ignored), file, reason."""
        rows = [("rejected", *pair) for pair in self.rejected] + [("note", *pair) for pair in self.notes]
        rows += [("note", file, f"byte-identical to: {first}") for file, first in self.copies.items()]
        rows += [("ignored", file, "hidden, or no image by its name") for file in self.ignored]
        # File names that are not UTF-8 appear with their bytes escaped.
        with atomic_write(path) as file, io.TextIOWrapper(file, "utf-8", "backslashreplace", newline="") as text:
            writer = csv.writer(text)
            writer.writerow(["kind", "file", "reason"])
            writer.writerows(sorted(rows, key=lambda row: row[1]))

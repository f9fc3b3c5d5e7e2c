"""Measurements as files: results.json, table.md and pictures."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jaxgan.atomic import atomic_write
from jaxgan.data.images import encode_png
from jaxgan.metrics.edits import ROWS
from jaxgan.metrics.measurement import Column, Measurement


@dataclass(frozen=True)
class Report:
    """All measurements of one evaluation. `setup` says what was measured: plain JSON values by name."""

    setup: Mapping[str, str | int | None]
    measurements: Sequence[Measurement]
    notes: Sequence[str]

    def columns(self) -> list[Column]:
        """Columns in the order of the metrics; one that several metrics report stands once."""
        return list({column.name: column for m in self.measurements for column in m.columns}.values())

    def rows(self) -> list[str]:
        """Those of `ROWS` that any column has."""
        return [row for row in ROWS if any(row in column.values for column in self.columns())]

    def all_notes(self) -> list[str]:
        """Notes of the evaluation, then those of the metrics."""
        return list(dict.fromkeys([*self.notes, *(note for m in self.measurements for note in m.notes)]))


def to_json(report: Report) -> str:
    """The report as JSON; numbers that JSON does not have (NaN, infinities) are null."""
    columns = report.columns()

    def pick(numbers: str, row: str) -> dict[str, float | None]:
        return {c.name: _finite(getattr(c, numbers)[row]) for c in columns if row in getattr(c, numbers)}

    content = {
        "setup": dict(report.setup),
        "columns": {column.name: column.description for column in columns},
        "rows": {row: pick("values", row) for row in report.rows()},
        "standard_errors": {row: pick("errors", row) for row in report.rows()},
        "notes": report.all_notes(),
    }
    return json.dumps(content, indent=2, allow_nan=False) + "\n"


def to_markdown(report: Report) -> str:
    """The report as a Markdown table of means ± standard errors, with its setup, a legend and notes."""
    columns = report.columns()
    lines = ["# Evaluation", "", ", ".join(f"{name} {value}" for name, value in report.setup.items()), ""]
    if columns:
        cells = [["", *(column.name for column in columns)]]
        cells += [[row, *(_cell(column, row) for column in columns)] for row in report.rows()]
        widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
        cells.insert(1, ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])])
        for name, *numbers in cells:
            padded = [name.ljust(widths[0]), *(n.rjust(w) for n, w in zip(numbers, widths[1:], strict=True))]
            lines.append(f"| {' | '.join(padded)} |")
        lines += ["", "Means ± standard errors.", "", *(f"- {column.name}: {column.description}" for column in columns)]
        lines += ["", "Rows", "", *(f"- {row}: {ROWS[row]}" for row in report.rows())]
    if notes := report.all_notes():
        lines += ["", "Notes", "", *(f"- {note}" for note in notes)]
    return "\n".join(lines).rstrip() + "\n"


def write(report: Report, out: str | Path) -> list[Path]:
    """Write the report into the folder `out`, each file in one step, and return the files' paths."""
    out = Path(out)
    texts = {"results.json": to_json(report), "table.md": to_markdown(report)}
    for name, text in texts.items():
        with atomic_write(out / name) as file:
            file.write(text.encode())
    pictures = {name: picture for m in report.measurements for name, picture in m.pictures.items()}
    for name, picture in pictures.items():
        with atomic_write(out / name) as file:
            file.write(encode_png(picture))
    return [out / name for name in (*texts, *pictures)]


def _finite(number: float) -> float | None:
    return float(number) if math.isfinite(number) else None


def _cell(column: Column, row: str) -> str:
    if row not in column.values:
        return ""
    value, error = column.values[row], column.errors.get(row, math.nan)
    if math.isnan(value):
        return "–"
    return f"{value:.4g} ± {error:.2g}" if math.isfinite(error) else f"{value:.4g}"

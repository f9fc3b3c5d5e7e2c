"""Measurements written to files: results.json, table.md, report.html, samples.csv and pictures."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from jaxgan.data.images import encode_png
from jaxgan.evaluation import html
from jaxgan.evaluation.measurement import Column, Measurement
from jaxgan.evaluation.pairs import ROWS, Pairs
from jaxgan.runtime import atomic_write

INTERVALS = "Brackets: 95% bootstrap intervals over pairs."


@dataclass(frozen=True)
class Table:
    """A table to be written as Markdown or HTML: lines of cells, the first of which is the head, and lines of text below."""

    title: str
    cells: list[list[str]]
    below: list[str]


@dataclass(frozen=True)
class Report:
    """All measurements of one evaluation. `setup` describes what was measured, as plain JSON values by name."""

    setup: Mapping[str, str | int | float | None]
    measurements: Sequence[Measurement]
    notes: Sequence[str]
    pairs: Pairs
    pictures: Mapping[str, np.ndarray] = field(default_factory=dict)  # uint8 [H, W, 3], by file name

    def columns(self) -> list[Column]:
        """Columns in the order of the metrics, without repeating one that several metrics report."""
        return list({column.name: column for m in self.measurements for column in m.columns}.values())

    def value(self, row: str, column: str) -> tuple[float, tuple[float, float] | None] | None:
        """The number of a row in a column and its interval, if any; None if the row has no such number."""
        for each in self.columns():
            if each.name == column and row in each.values:
                return each.values[row], each.intervals.get(row)
        return None

    def tables(self) -> list[Table]:
        """A table for each measurement, followed by the legend of the rows."""
        tables = []
        for m in self.measurements:
            rows = [row for row in ROWS if any(row in column.values for column in m.columns)]
            cells = [["", *(column.name for column in m.columns)]] if m.columns else []
            cells += [[row, *(_cell(column, row) for column in m.columns)] for row in rows]
            legend = [f"{column.name}: {column.description}{_direction(column)}" for column in m.columns]
            tables.append(Table(m.title, cells, [*legend, *m.notes]))
        shown = [row for row in ROWS if any(row in column.values for column in self.columns())]
        return [*tables, Table("Rows", [], [f"{row}: {ROWS[row]}" for row in shown])]


def to_json(report: Report) -> str:
    """The report as JSON; null replaces NaN and infinities."""
    columns = report.columns()
    rows = [row for row in ROWS if any(row in column.values for column in columns)]
    content = {
        "setup": dict(report.setup),
        "columns": {column.name: {"description": column.description, "better": column.better} for column in columns},
        "rows": {row: {c.name: _finite(c.values[row]) for c in columns if row in c.values} for row in rows},
        "intervals": {row: {c.name: c.intervals[row] for c in columns if row in c.intervals} for row in rows},
        "notes": [*report.notes, *dict.fromkeys(note for m in report.measurements for note in m.notes)],
    }
    return json.dumps(content, indent=2, allow_nan=False) + "\n"


def to_markdown(report: Report) -> str:
    """The report as Markdown: setup and notes, then a table of means and their intervals for each metric."""
    lines = ["# Evaluation", "", ", ".join(f"{name} {value}" for name, value in report.setup.items()), ""]
    lines += [*(f"- {note}" for note in (INTERVALS, *report.notes)), ""]
    for table in report.tables():
        lines += markdown_table(table)
    return "\n".join(lines).rstrip() + "\n"


def markdown_table(table: Table) -> list[str]:
    """The table as lines of Markdown, the last of which is empty."""
    lines = [f"## {table.title}", ""]
    if table.cells:
        widths = [max(len(line[i]) for line in table.cells) for i in range(len(table.cells[0]))]
        rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
        for name, *numbers in [table.cells[0], rule, *table.cells[1:]]:
            padded = [name.ljust(widths[0]), *(n.rjust(w) for n, w in zip(numbers, widths[1:], strict=True))]
            lines.append(f"| {' | '.join(padded)} |")
        lines.append("")
    return [*lines, *(f"- {line}" for line in table.below), ""]


def to_csv(report: Report) -> str:
    """Every number behind the means: a line for each pair and row, a field for each column that has samples."""
    columns = [column for column in report.columns() if column.samples]
    rows = [row for row in ROWS if any(row in column.samples for column in columns)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["source", "target", "row", *(column.name for column in columns)])
    for place, files in enumerate(zip(report.pairs.files, report.pairs.target_files, strict=True)):
        for row in rows:
            numbers = [column.samples[row][place] if row in column.samples else math.nan for column in columns]
            writer.writerow([*files, row, *("" if math.isnan(number) else f"{number:.6g}" for number in numbers)])
    return text.getvalue()


def write(report: Report, out: str | Path) -> list[Path]:
    """Writes the report to the folder `out`, each file atomically, and returns the paths."""
    notes = [INTERVALS, *report.notes]
    texts = {
        "results.json": to_json(report),
        "table.md": to_markdown(report),
        "report.html": html.page("Evaluation", report.setup, notes, report.tables(), report.pictures),
        "samples.csv": to_csv(report),
    }
    return write_files(out, texts, report.pictures)


def write_files(out: str | Path, texts: Mapping[str, str], pictures: Mapping[str, np.ndarray]) -> list[Path]:
    """Writes texts, and pictures uint8 [H, W, 3] as PNG, to a folder, each file atomically, and returns the paths."""
    out = Path(out)
    for name, text in texts.items():
        with atomic_write(out / name) as file:
            file.write(text.encode())
    for name, picture in pictures.items():
        with atomic_write(out / name) as file:
            file.write(encode_png(picture))
    return [out / name for name in (*texts, *pictures)]


def number(value: float, interval: tuple[float, float] | None) -> str:
    """A number with its interval, if any; a dash for NaN."""
    if math.isnan(value):
        return "–"
    return f"{value:.4g}" if interval is None else f"{value:.4g} [{interval[0]:.4g}, {interval[1]:.4g}]"


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _direction(column: Column) -> str:
    return f"; {column.better} is better" if column.better else ""


def _cell(column: Column, row: str) -> str:
    return number(column.values[row], column.intervals.get(row)) if row in column.values else ""

"""A report as a self-contained HTML page."""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Protocol

import numpy as np

from jaxgan.data.images import encode_png

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 1200px; padding: 0 1em; color: #222; }
table { border-collapse: collapse; margin: 1em 0; font-variant-numeric: tabular-nums; }
td, th { padding: .25em .7em; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap; }
td:first-child, th:first-child { text-align: left; }
.scroll { overflow-x: auto; }
ul, dl { color: #555; font-size: 14px; }
img { max-width: 100%; image-rendering: pixelated; }
"""


class SupportsTable(Protocol):
    """The parts of `jaxgan.evaluation.report.Table` that a page shows."""

    title: str
    cells: list[list[str]]
    below: list[str]


def page(
    title: str,
    setup: Mapping[str, Any],
    notes: Sequence[str],
    tables: Sequence[SupportsTable],
    pictures: Mapping[str, np.ndarray],
) -> str:
    """A page of setup, notes, pictures uint8 [H, W, 3] by name, and tables, in which cells between ** are bold."""
    facts = "".join(f"<li>{escape(str(name))}: {escape(str(value))}</li>" for name, value in setup.items())
    body = [f"<h1>{escape(title)}</h1>", f"<ul>{facts}</ul>", _list(notes)]
    for name, picture in pictures.items():
        data = base64.b64encode(encode_png(picture)).decode()
        body += [f"<h2>{escape(name)}</h2>", f'<img alt="{escape(name)}" src="data:image/png;base64,{data}">']
    for table in tables:
        body.append(f"<h2>{escape(table.title)}</h2>")
        if table.cells:
            head, *rest = table.cells
            lines = [_line(head, "th"), *(_line(line, "td") for line in rest)]
            body.append(f'<div class="scroll"><table>{"".join(lines)}</table></div>')
        body.append(_list(table.below))
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>\n' + "\n".join(body) + "\n</body></html>\n"


def _list(lines: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>" if lines else ""


def _line(cells: Sequence[str], tag: str) -> str:
    return f"<tr>{''.join(f'<{tag}>{_cell(cell)}</{tag}>' for cell in cells)}</tr>"


def _cell(text: str) -> str:
    bold = text.startswith("**") and text.endswith("**")
    return f"<b>{escape(text[2:-2])}</b>" if bold else escape(text)

"""Small pieces of a self-contained HTML page: style, figures, tables. All text is escaped here and nowhere else."""

from __future__ import annotations

import base64
import os
import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

__all__ = ["document", "figure", "flatten", "table", "write_document"]

_DPI = 150
"""Dots per inch of the figures' files; CSS has 96."""

_STYLE = """
:root { color-scheme: light; --ink: #222; --grey: #666; --line: #ddd; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1180px; padding: 1.2rem 1.4rem 3rem; background: #fff; color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { font-size: 1.25rem; font-weight: 600; margin: 0; }
h2 { font-size: 1.05rem; font-weight: 600; margin: 2.2rem 0 .6rem; padding-top: .7rem;
  border-top: 1px solid var(--line); }
p { margin: .4rem 0; }
header { display: flex; flex-wrap: wrap; align-items: center; gap: .4rem .9rem; }
.badge { padding: .12rem .7rem; border-radius: 1rem; font-size: .85rem; font-weight: 600; color: #fff;
  white-space: nowrap; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.converged { background: #00704f; }
.not-converged { background: #b34700; }
.in-part { background: #7d5f00; }
.not-checked, .not-known { background: #6b6b6b; }
.verdict { font-size: 1.12rem; line-height: 1.45; margin-top: 0; }
.note { color: var(--grey); font-size: .87rem; }
.first { display: grid; grid-template-columns: minmax(0, 11fr) minmax(0, 9fr); gap: 0 2rem; align-items: start;
  margin-top: .7rem; }
.first .words { order: 2; }
.row { display: flex; flex-wrap: wrap; gap: .6rem 1.4rem; align-items: flex-start; }
.row figure { flex: 1 1 330px; max-width: 400px; }
figure { margin: .3rem 0 .7rem; }
figcaption { color: var(--grey); font-size: .84rem; max-width: 62em; margin-top: .15rem; }
img { display: block; max-width: 100%; height: auto; }
.wide img { width: 100%; }
.numbers { display: grid; grid-template-columns: repeat(3, 1fr); gap: .5rem .8rem; margin: .7rem 0; }
.numbers div { border-left: 2px solid var(--line); padding-left: .6rem; }
.numbers b { display: block; font-size: 1.1rem; font-weight: 600; }
.numbers span { color: var(--grey); font-size: .82rem; }
.claims { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .55rem .9rem; margin: .8rem 0; }
.claims .badge { justify-self: start; align-self: start; margin-top: .1rem; }
.claims p, .claims ul { margin: 0; }
.claims ul { padding-left: 1.2rem; font-size: .92rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .87rem; margin: .5rem 0; }
td { padding: .18rem 1rem .18rem 0; vertical-align: top; border-bottom: 1px solid #eee; }
td.value { text-align: right; font-variant-numeric: tabular-nums; }
td.grey, td.unit { color: var(--grey); }
td.unit { white-space: nowrap; }
td.code { font: .82rem/1.45 ui-monospace, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
td.code:first-child { overflow-wrap: normal; }
@media screen and (max-width: 820px) {
  body { padding: .8rem .8rem 2rem; }
  .first { grid-template-columns: minmax(0, 1fr); }
  .first .words { order: 0; }
  .numbers { grid-template-columns: repeat(2, 1fr); }
  .wide { overflow-x: auto; }
  .wide img { width: 760px; max-width: none; }
}
@media print {
  body { max-width: none; padding: 0; font-size: 9.5pt; }
  .first { grid-template-columns: 1fr 1fr; gap: 0 1rem; }
  .verdict { font-size: 1rem; }
  .row figure { flex-basis: 30%; }
  .scroll { overflow: visible; }  /* paper does not scroll */
  table { font-size: 7.5pt; }
  td { padding-right: .6rem; }
  td.unit { white-space: normal; }
  section, figure, .numbers, tr { break-inside: avoid; }
  h2 { break-after: avoid; }
}
"""


def document(title: str, body: Iterable[str]) -> str:
    """A whole page that asks nothing of the network.

    Parameters
    ----------
    title
        Plain text.
    body
        Pieces of HTML, already escaped.
    """
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style>"
    )
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head>\n<body>\n' + "\n".join(body) + "\n</body></html>\n"


def write_document(path: str | os.PathLike[str], title: str, body: Iterable[str]) -> None:
    """Write such a page beside its place and rename it, so that nobody finds half of one."""
    path = Path(path)
    beside = path.with_name(path.name + ".part")
    beside.write_text(document(title, body), encoding="utf-8")
    os.replace(beside, path)


def figure(files: Mapping[str, Path], name: str, caption: str, kind: str = "") -> str:
    """One PNG inside the page with its caption; nothing where the run has no such figure.

    Parameters
    ----------
    files
        File of each figure by name.
    name
        Which one.
    caption
        Plain text; also what a screen reader says.
    kind
        CSS class.
    """
    if name not in files:
        return ""
    data = files[name].read_bytes()
    width, height = struct.unpack(">II", data[16:24])  # the header chunk of a PNG
    size = f'width="{round(width * 96 / _DPI)}" height="{round(height * 96 / _DPI)}"'
    source = "data:image/png;base64," + base64.b64encode(data).decode("ascii")
    image = f'<img {size} src="{source}" alt="{escape(name)}: {escape(caption)}">'
    if width < 5 * _DPI:
        kind = ""  # nothing small is stretched over the page
    return f'<figure class="{kind}">{image}<figcaption>{escape(caption)}</figcaption></figure>'


def table(rows: Iterable[Sequence[str]], kinds: Sequence[str]) -> str:
    """Rows of plain text as a table.

    Parameters
    ----------
    rows
        Text of each cell.
    kinds
        CSS class of each column: "", "value", "unit", "grey" or "code".
    """
    lines = (
        "<tr>"
        + "".join(f'<td class="{kind}">{_cell(cell, kind)}</td>' for cell, kind in zip(row, kinds, strict=True))
        + "</tr>"
        for row in rows
    )
    return '<div class="scroll"><table>' + "".join(lines) + "</table></div>"


def _cell(text: str, kind: str) -> str:
    """A cell that breaks, where columns are many, between a number and its interval (two spaces) and inside neither.

    Names of runs and programs break after what joins their parts, so that a long one does not push others off a page.
    """
    if kind != "value":
        return escape(text)
    parts = (part.replace(" ", "\u00a0") for part in text.split("  "))
    return re.sub(r"([/_])(?=.)", r"\1<wbr>", escape("  ".join(parts)))


def flatten(settings: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested settings as (dotted name, text), in their own order; tables inside lists in one line each."""
    rows: list[tuple[str, str]] = []
    for key, value in settings.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            rows += flatten(value, f"{name}.")
        elif isinstance(value, (list, tuple)) and any(isinstance(item, Mapping) for item in value):
            rows += [(name, "; ".join(f"{k}: {v}" for k, v in item.items())) for item in value]
        elif isinstance(value, (list, tuple)):
            rows.append((name, ", ".join(str(item) for item in value)))
        else:
            rows.append((name, "–" if value is None else str(value)))
    return rows

"""A table that can be stopped and continued: a CSV file whose finished cells are kept."""

import argparse
import csv
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

__all__ = ["Table", "markdown", "table_parser"]


class Table:
    """Lines of a CSV file, each with the label of the cell that it belongs to.

    Parameters
    ----------
    path
        The file; made with the first line.
    columns
        Names of the columns behind "cell".
    """

    def __init__(self, path: Path, columns: Iterable[str]):
        self.path, self.columns = path, ("cell", *columns)

    def lines(self) -> list[dict[str, str]]:
        """All lines that are there, as text."""
        if not self.path.exists():
            return []
        with self.path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def done(self) -> set[str]:
        """Labels of the finished cells."""
        return {line["cell"] for line in self.lines()}

    def add(self, label: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Append the lines of one cell, numbers with five digits, None as nothing."""
        new = not self.path.exists()
        with self.path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self.columns)
            if new:
                writer.writeheader()
            writer.writerows({"cell": label, **{name: _shown(value) for name, value in row.items()}} for row in rows)

    def fill(self, cells: Iterable[Any], label: Callable[[Any], str], run: Callable, dry_run: bool) -> None:
        """Add the one line, `run(cell)`, of every cell that is not there yet; in a dry run only say which."""
        for cell in cells:
            if label(cell) in self.done():
                continue
            print(label(cell), flush=True)
            if not dry_run:
                row = run(cell)
                self.add(label(cell), [row])
                print("  ", row, flush=True)


def table_parser(about: str | None, path: Path) -> argparse.ArgumentParser:
    """The flags of every script that fills a table: which file, only say which cells, only print."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=path)
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--markdown", action="store_true")
    return parser


def markdown(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table as text."""
    heads = tuple(heads)
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines) + "\n"


def _shown(value):
    return f"{value:.5g}" if isinstance(value, float) else "" if value is None else str(value)

"""The table of a sweep: a row a cell, read off what the cells left behind."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ppl_pvae.config import Cell, Grid, Settings
from ppl_pvae.directory import read_summary
from ppl_pvae.errors import UserError

__all__ = ["is_row_of", "row_of", "varied"]

_ALWAYS = ("program", "data", "units", "beta", "seed", "prior", "pays", "encoder_bias", "spike_price")
_OWN_COLUMNS = ("steps", "estimator")  # what came of these is measured
_DOUBLING = ("free_energy_change", "log_rate_change", "zeros_change")


def varied(grid: Grid) -> list[str]:
    """The settings that the grid speaks of beside those that every table has: each is a column."""
    named = {name for block in grid.blocks for name in block}
    return [name for name in asdict(Settings()) if name in named and name not in _ALWAYS + _OWN_COLUMNS]


def row_of(cell: Cell, folder: Path, columns: Sequence[str], problem: str | None) -> dict[str, Any] | None:
    """A cell's row: its settings, and its summary or what went wrong; None where it is not finished.

    Nested entries of the summary are left out, but for what the last doubling changed.
    """
    said = {"cell": cell.name, "error": problem} | {name: getattr(cell.settings, name) for name in (*_ALWAYS, *columns)}
    if problem is not None:
        return said
    try:
        summary = read_summary(folder)
    except UserError as damaged:
        return said | {"error": str(damaged)}
    if summary is None:
        return None
    plain = {name: value for name, value in summary.items() if not isinstance(value, dict | list)}
    doubling = summary.get("doubling", {})
    return plain | said | {name: doubling.get(name) for name in _DOUBLING}


def is_row_of(row: Mapping[str, Any], cell: Cell, max_doublings: int) -> bool:
    """Whether a row of an earlier table is that of a cell, finished: then its directory may be gone."""
    settings = cell.settings
    assert settings.steps is not None, "the cells of a grid have steps"
    same = row.get("cell") == cell.name and row.get("error") is None and row.get("steps") is not None
    return bool(same and (row.get("converged") or row["steps"] >= settings.steps * 2**max_doublings))

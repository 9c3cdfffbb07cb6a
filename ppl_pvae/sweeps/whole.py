"""A sweep and its directory: what it consists of, what of it is done, and its table."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import filelock

from ppl_pvae.analysis.bounds import BOUNDS_FILE, read_table
from ppl_pvae.analysis.sweeps import read_sweep, write_sweep
from ppl_pvae.config import Cell, Grid, Settings, cells_of, grid_to_toml, is_program_file, read_grid
from ppl_pvae.directory import check_writable, has_run
from ppl_pvae.errors import UserError
from ppl_pvae.sweeps.table import is_row_of, row_of, varied
from ppl_pvae.sweeps.task import PATH_FILE, Task

__all__ = ["RECORD", "Sweep", "begin_sweep", "open_sweep", "wherever"]

RECORD, TABLE = "sweep.toml", "sweep.csv"
GOLDEN = 0.382  # of a round, by which the next one is turned: no few turns bring it back


@dataclass(frozen=True)
class Sweep:
    """A grid, its cells, the directory that they go to, and which of them are asked for now, all where it is None."""

    grid: Grid
    cells: Sequence[Cell]
    out: Path
    asked: frozenset[str] | None = None

    def folder(self, cell: Cell) -> Path:
        """Where a cell's run stands."""
        return self.out / "cells" / cell.name

    def part(self, shard: tuple[int, int] | None) -> Sequence[Cell]:
        """The cells that are asked for, or part i of n of them.

        They are dealt out in rounds, each round from another part on: in the order of cells β comes back after as many
        as it has values, and where n divides that number each part would have one β alone, the same for every size.
        """
        asked = [cell for cell in self.cells if self.asked is None or cell.name in self.asked]
        at, count = shard or (1, 1)
        shift = max(1, round(GOLDEN * count))
        return [cell for place, cell in enumerate(asked) if (place + place // count * shift) % count == at - 1]

    def rows(self) -> list[dict[str, Any]]:
        """The table as it is on disk, empty where there is none yet."""
        path = self.out / TABLE
        return read_sweep(path) if path.is_file() else []

    def update(self, problems: Mapping[str, str]) -> list[dict[str, Any]]:
        """Write the table anew: from the cells that are there, what went wrong now, and what an earlier table kept.

        A cell without a directory, finished in the earlier table, keeps its row: directories may be deleted. Several
        processes may do this at once, and rows of cells that another one has added to the grid stay.
        """
        columns = varied(self.grid)
        with filelock.FileLock(self.out / ".table.lock"):
            earlier = {row["cell"]: row for row in self.rows()}
            rows = []
            for cell in self.cells:
                row = row_of(cell, self.folder(cell), columns, problems.get(cell.name))
                if row is None or (
                    row["error"] is not None and cell.name in earlier and not earlier[cell.name]["error"]
                ):
                    row = _kept(earlier[cell.name], cell, columns) if cell.name in earlier else row
                rows += [] if row is None else [row]
            mine = {cell.name for cell in self.cells}
            write_sweep(self.out / TABLE, rows + [row for name, row in earlier.items() if name not in mine])
            return self.rows()

    def is_here(self, task: Task) -> bool:
        """Whether a cell stands finished in this directory, whatever an earlier table says of it."""
        if task.betas:
            return (task.folder / PATH_FILE).is_file()
        cell = next(cell for cell in self.cells if cell.name == task.name)
        return self._is_finished(cell, {})

    def tasks(self) -> list[Task]:
        """The cells that are not finished, or may go on to more steps."""
        earlier = {row["cell"]: row for row in self.rows()}
        return [
            Task(
                cell.name,
                self.folder(cell).absolute(),
                wherever(cell.settings),
                self.grid.max_doublings,
                self.grid.warm_start,
            )
            for cell in self.cells
            if not self._is_finished(cell, earlier.get(cell.name, {}))
        ]

    def left(self) -> list[Cell]:
        """The cells of those that are asked for: what is finished asks nothing of its program any more."""
        names = {task.name for task in self.tasks()}
        return [cell for cell in self.part(None) if cell.name in names]

    def _is_finished(self, cell: Cell, earlier: Mapping[str, Any]) -> bool:
        here = row_of(cell, self.folder(cell), (), None)
        return is_row_of(here or earlier, cell, self.grid.max_doublings)


def open_sweep(grid: Grid | None, out: Path, *, resume: bool) -> Sweep:
    """A sweep as asked for, checked against what its directory holds; nothing is written.

    Parameters
    ----------
    grid
        None for that of the directory.
    out
        The directory.
    resume
        Whether what is there may be continued. A grid may have grown since, by cells or by doublings; of one that is
        a part of what is there, these cells alone are gone on with. Options of which it says nothing stay.

    Raises
    ------
    UserError
        If the grid cannot be, or the directory holds another sweep, a run, a sweep that is not to be continued, or
        damaged evidence.
    """
    check_writable(out)
    if has_run(out):
        raise UserError(f"{out} has a run; give --out another directory.")
    record = out / RECORD
    if not record.is_file() and (out / TABLE).is_file():
        raise UserError(
            f"{out} has the table of a sweep, but no {RECORD} that says what it is of; put that beside it, or give "
            "--out another directory."
        )
    if not record.is_file():
        if grid is None:
            raise UserError(f"{out} has no sweep to continue; look at --out, or say what to fit: --config or lists.")
        return Sweep(grid, cells_of(grid), out)
    if not resume:
        raise UserError(f"{out} has a sweep already; continue it with --resume, or give --out another directory.")
    there = read_grid(record)
    read_table(out / BOUNDS_FILE)  # what the end needs is known to be readable before hours are spent
    known = cells_of(there)
    if grid is None:
        return Sweep(there, known, out)
    options = there.with_options_of(grid)
    wanted = Sweep(replace(options, blocks=grid.blocks, merge=grid.merge), cells_of(grid), out)
    if len(wanted.cells) < len(known) and _are_among(known, wanted.cells):
        _check_options(out, there, options)
        return Sweep(options, known, out, asked=frozenset(cell.name for cell in wanted.cells))
    _check_same(out, there, known, wanted)
    return wanted


def _kept(row: Mapping[str, Any], cell: Cell, columns: Sequence[str]) -> dict[str, Any]:
    """An earlier row, with the columns that a grid which has grown since speaks of."""
    return {**row, **{name: getattr(cell.settings, name) for name in columns}}


def _check_same(out: Path, there: Grid, known: Sequence[Cell], wanted: Sweep) -> None:
    settings = {cell.name: cell.settings for cell in wanted.cells}
    for cell in known:
        if settings.get(cell.name) != cell.settings:
            raise UserError(
                f"{out} holds another sweep, with the cell {cell.name}; give --out another directory, or all of its "
                "cells again, with others if you like."
            )
    _check_options(out, there, wanted.grid)


def _check_options(out: Path, there: Grid, wanted: Grid) -> None:
    if there.max_doublings > wanted.max_doublings:
        raise UserError(
            f"{out} was started with max_doublings = {there.max_doublings}, not {wanted.max_doublings}; ask for as "
            "many or more, or give --out another directory."
        )
    if there.warm_start != wanted.warm_start:
        raise UserError(
            f"{out} was started with warm_start = {there.warm_start}, not {wanted.warm_start}; leave it out, or give "
            "--out another directory."
        )


def begin_sweep(sweep: Sweep) -> None:
    """Write what the sweep consists of, so that it can be continued.

    Raises
    ------
    UserError
        If another process has begun another sweep there in the meantime.
    """
    (sweep.out / "cells").mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(sweep.out / ".table.lock"):
        if (sweep.out / RECORD).is_file():
            there = read_grid(sweep.out / RECORD)
            known = cells_of(there)
            if len(sweep.cells) < len(known) and _are_among(known, sweep.cells):
                return  # another process of the same sweep, which has grown since
            _check_same(sweep.out, there, known, sweep)
        _record(sweep)


def _are_among(known: Sequence[Cell], cells: Sequence[Cell]) -> bool:
    settings = {cell.name: cell.settings for cell in known}
    return all(settings.get(cell.name) == cell.settings for cell in cells)


def _record(sweep: Sweep) -> None:
    beside = sweep.out / f"{RECORD}.part"
    beside.write_text(grid_to_toml(sweep.grid), encoding="utf-8")
    beside.replace(sweep.out / RECORD)


def wherever(settings: Settings) -> Settings:
    """The settings with paths that hold in any working directory: a worker has its own."""
    program = os.path.abspath(settings.program) if is_program_file(settings.program) else settings.program
    data = settings.data
    return replace(settings, program=program, data=os.path.abspath(data) if data and Path(data).exists() else data)

"""One code along β, beside the cells of a sweep: what it consists of, and whether it is there or to be followed."""

import hashlib
from dataclasses import replace
from pathlib import Path

from ppl_pvae.config import Cell, cells_of, is_followed_along, read_grid
from ppl_pvae.errors import UserError
from ppl_pvae.sweeps.task import PATH_FILE, Task
from ppl_pvae.sweeps.whole import RECORD, Sweep, wherever

__all__ = [
    "FOLLOW_ANEW",
    "check_path",
    "forget_figure",
    "is_followed",
    "keeps_figure",
    "path_cells",
    "path_figure",
    "path_task",
    "path_to_follow",
]

FOLLOW_ANEW = "delete figures/atoms.png to follow it anew"


def path_cells(sweep: Sweep) -> dict[float, Cell]:
    """The cells by β whose code is followed: the first Poisson cells of the size that is asked for; empty for none."""
    along = [cell for cell in sweep.cells if is_followed_along(cell.settings, sweep.grid.path_units)]
    if not along:
        return {}
    first = along[0].settings
    found = {c.settings.beta: c for c in along if replace(c.settings, beta=first.beta) == first}
    return dict(sorted(found.items()))


def path_task(sweep: Sweep) -> Task | None:
    """One code along β, over twice the steps that its cells begin with; None where no cell has such a code."""
    along = path_cells(sweep)
    if not along:
        return None
    betas = tuple(along)
    first = along[betas[0]].settings
    assert first.steps is not None, "the cells of a grid have steps"
    settings = replace(wherever(first), steps=2 * first.steps)
    # Another path, of other betas or settings, has another name.
    mark = hashlib.sha256(repr((settings, betas)).encode()).hexdigest()[:8]
    folder = sweep.out / "path" / f"{first.program}-K{first.units}-s{first.seed}-{mark}"
    return Task(f"path/{folder.name}", folder.absolute(), settings, 0, True, betas)


def path_figure(sweep: Sweep) -> Path:
    """Where its figure stands."""
    return sweep.out / "figures" / "atoms.png"


def is_followed(task: Task) -> bool:
    """Whether a path is there, finished."""
    return (task.folder / PATH_FILE).is_file()


def keeps_figure(sweep: Sweep) -> bool:
    """Whether a figure stands for a path whose directory is gone, as a row does for a cell.

    It does where the directory's record asks for the same path: the figure is not that of another one.
    """
    task, record = path_task(sweep), sweep.out / RECORD
    if task is None or task.folder.exists() or not path_figure(sweep).is_file() or not record.is_file():
        return False
    there = read_grid(record)
    return path_task(Sweep(there, cells_of(there), sweep.out)) == task


def path_to_follow(sweep: Sweep) -> Task | None:
    """The path along β; None where there is none, or its file or figure is there."""
    task = path_task(sweep)
    return None if task is None or is_followed(task) or keeps_figure(sweep) else task


def forget_figure(sweep: Sweep) -> None:
    """Remove the figure of another path, before the record asks for this one."""
    if path_to_follow(sweep) is not None:
        path_figure(sweep).unlink(missing_ok=True)


def check_path(sweep: Sweep) -> None:
    """Make sure that a path that is asked for can be followed.

    Raises
    ------
    UserError
        If the sweep has no Poisson code with a dictionary of that size.
    """
    units = sweep.grid.path_units
    if units is not None and not path_cells(sweep):
        raise UserError(
            f"path_units = {units} follows the dictionary of a Poisson code with a linear decoder and no price on "
            "spikes, and no cell of that size has one; leave it out."
        )

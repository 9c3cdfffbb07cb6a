"""What every cell of a sweep, and its path along β, is expected to take."""

from collections.abc import Mapping
from typing import NamedTuple

from ppl_pvae.sweeps.estimate import measured_seconds, scale_of, seconds_of, seconds_of_path, step_measured
from ppl_pvae.sweeps.images import Images
from ppl_pvae.sweeps.path import path_cells, path_task
from ppl_pvae.sweeps.whole import Sweep

__all__ = ["Costs", "costs_of"]


class Costs(NamedTuple):
    """Seconds of one core, by the name of a task; and the cells of which finished ones like them have told it."""

    seconds: Mapping[str, float]
    measured: frozenset[str]


def costs_of(sweep: Sweep, images: Mapping[str, Images]) -> Costs:
    """Seconds by finished cells of the same program and size; where there are none, by what others say of the machine.

    Parameters
    ----------
    sweep
        With its table.
    images
        Of each cell.
    """
    grid, rows = sweep.grid, sweep.rows()
    expected = {
        cell.name: seconds_of(cell.settings, images[cell.name].pixels, grid.max_doublings, warm_start=grid.warm_start)
        for cell in sweep.cells
    }
    scale = scale_of(rows, expected)
    known = {cell.name: measured_seconds(cell.settings, rows) for cell in sweep.cells}
    measured = {name: seconds for name, seconds in known.items() if seconds is not None}
    seconds = {name: scale * each for name, each in expected.items()} | measured
    if (path := path_task(sweep)) is not None:
        step, fits = step_measured(path.settings, rows), len(path.betas)
        pixels = images[next(iter(path_cells(sweep).values())).name].pixels
        assert path.settings.steps is not None, "the cells of a grid have steps"
        by_products = scale * seconds_of_path(path.settings, pixels, fits)
        seconds[path.name] = by_products if step is None else fits * path.settings.steps * step
    return Costs(seconds, frozenset(measured))

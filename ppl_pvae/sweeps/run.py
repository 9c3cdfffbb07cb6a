"""Running a sweep, or saying what it would take."""

import sys
from collections.abc import Mapping
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from typing import NamedTuple

from ppl_pvae.config import Cell, about_guess, about_trade, is_program_file, read_about, read_program_file
from ppl_pvae.data import digest, load
from ppl_pvae.errors import UserError, warn_caller
from ppl_pvae.sweeps.cluster import cluster_executor
from ppl_pvae.sweeps.estimate import disk_of, scale_of, seconds_of
from ppl_pvae.sweeps.local import LocalExecutor, cores
from ppl_pvae.sweeps.outputs import PATH_FILE, write_outputs
from ppl_pvae.sweeps.programs import check_programs
from ppl_pvae.sweeps.progress import Progress
from ppl_pvae.sweeps.running import fit_all
from ppl_pvae.sweeps.task import Task
from ppl_pvae.sweeps.whole import Sweep, begin_sweep

__all__ = ["describe_sweep", "run_sweep"]


def run_sweep(
    sweep: Sweep, *, workers: int | None, cluster: str | None, shard: tuple[int, int] | None
) -> dict[str, str]:
    """Fit what is not finished, and write table, figures, findings and report; what went wrong, by cell.

    Parameters
    ----------
    sweep
        As `open_sweep` gives it.
    workers
        Local processes, None for one per core.
    cluster
        Address of a Dask scheduler to run on instead, or None.
    shard
        (i, n): only every n-th of the cells, from the i-th.

    Raises
    ------
    UserError
        If data cannot be read, a program file cannot be fitted, or nobody answers at the address; nothing is written
        then.
    """
    mine = _names(sweep, shard)
    tasks = [task for task in sweep.tasks() if task.name in mine]
    done = len(mine) - len(tasks)
    path = sweep.path_task()
    if path is not None and (shard is None or shard[0] == 1) and not (path.folder / PATH_FILE).is_file():
        tasks = [path, *tasks]
    problems: dict[str, str] = {}
    if tasks:
        # As many threads a worker however many cells are left: the digits of a sum depend on them.
        with _executor(cluster, workers or cores()) as where:
            images = _images(sweep)
            costs = _costs(sweep, images)
            check_programs(_left(sweep))
            _remark(sweep, images)
            begin_sweep(sweep)
            _fit(sweep, tasks, where, Progress(tasks, done, [costs.get(task.name, 0.0) for task in tasks]), problems)
    try:
        write_outputs(sweep, problems)
    except OSError as problem:
        problems["report"] = f"{problem.strerror or problem}; the table before it is whole"
        print(f"warning: the report cannot be written: {problems['report']}", file=sys.stderr)
    return problems


def _names(sweep: Sweep, shard: tuple[int, int] | None) -> set[str]:
    """The cells of a part: every n-th, so that parts take equally long."""
    at, count = shard or (1, 1)
    return {cell.name for cell in sweep.cells[at - 1 :: count]}


def _left(sweep: Sweep) -> list[Cell]:
    """The cells that are to be fitted, of all parts: what is finished asks nothing of its program any more."""
    names = {task.name for task in sweep.tasks()}
    return [cell for cell in sweep.cells if cell.name in names]


def _executor(cluster: str | None, workers: int) -> AbstractContextManager[Executor]:
    return LocalExecutor(workers) if cluster is None else cluster_executor(cluster)


def _fit(sweep: Sweep, tasks: list[Task], where: Executor, progress: Progress, problems: dict[str, str]) -> None:
    try:
        for task, problem in fit_all(tasks, where, progress.look):
            if problem is not None:
                problems[task.name] = problem
            progress.finished(task, problem)
            _keep(sweep, problems)
    finally:
        progress.close()


def _keep(sweep: Sweep, problems: Mapping[str, str]) -> None:
    """The table as far as it is; where the disk is full the one before it stays, and the sweep goes on."""
    try:
        sweep.update(problems)
    except OSError as problem:
        print(f"warning: the table cannot be written now: {problem.strerror or problem}", file=sys.stderr)


class _Images(NamedTuple):
    """What a sweep has to know of its data: pixels of an image, letters that other images would not have, and (y, x)
    where that is a guess."""

    pixels: int
    digest: str
    guessed_shape: tuple[int, int] | None


def _costs(sweep: Sweep, images: Mapping[str, _Images]) -> dict[str, float]:
    """Seconds of one core that each cell is expected to take; cells that are finished tell how far this is off."""
    grid = sweep.grid
    expected = {
        cell.name: seconds_of(cell.settings, images[cell.name].pixels, grid.max_doublings, warm_start=grid.warm_start)
        for cell in sweep.cells
    }
    scale = scale_of(sweep.rows(), expected)
    return {name: scale * seconds for name, seconds in expected.items()}


def _images(sweep: Sweep) -> dict[str, _Images]:
    """The images of every cell; reads each data set once, so that what cannot be read is said before anything.

    Raises
    ------
    UserError
        If data cannot be read, or cells that are there were fitted to others.
    """
    known: dict[tuple, _Images] = {}
    for cell in sweep.cells:
        which = _data_of(cell)
        if which not in known:
            name, patch_size, seed = which
            data = load(name, patch_size=patch_size, seed=seed)
            known[which] = _Images(data.train.shape[1], digest(data), data.guessed_shape)
    found = {cell.name: known[_data_of(cell)] for cell in sweep.cells}
    for cell in sweep.cells:
        _check_unchanged(sweep, cell, found[cell.name])
    return found


def _remark(sweep: Sweep, images: Mapping[str, _Images]) -> None:
    """Warn of what can be fitted and hardly be meant, once for all cells; their workers say nothing of it."""
    by_data: dict[str, list[Cell]] = {}
    for cell in sweep.cells:
        by_data.setdefault(cell.settings.data or "natural", []).append(cell)
    remarks = [about_trade(cell.settings for cell in sweep.cells)]
    for data, cells in by_data.items():
        remarks.append(about_guess([cell.settings for cell in cells], data, images[cells[0].name].guessed_shape))
    for remark in filter(None, remarks):
        warn_caller(remark)


def _check_unchanged(sweep: Sweep, cell: Cell, images: _Images) -> None:
    """Make sure that a cell which is there was fitted to these images, and by the program that the file holds now."""
    record = sweep.folder(cell) / "config.toml"
    if not record.is_file():
        return
    about = read_about(record)
    if about.get("data_digest") != images.digest:
        raise UserError(f"{sweep.out} was begun with other images of {cell.settings.data}; give --out anew.")
    program = cell.settings.program
    if is_program_file(program) and about.get("program_text") != read_program_file(program).text:
        raise UserError(f"{sweep.out} was begun with another text of {program}; give --out another directory.")


def _data_of(cell: Cell) -> tuple[str, int, int]:
    return cell.settings.data or "natural", cell.settings.patch_size, cell.settings.data_seed


def describe_sweep(sweep: Sweep, *, workers: int | None) -> str:
    """The cells, those that are finished marked, and what time and disk they will take.

    Raises
    ------
    UserError
        If data cannot be read, or a program file cannot be fitted.
    """
    images, to_fit = _images(sweep), _left(sweep)
    check_programs(to_fit)
    _remark(sweep, images)
    left = {cell.name for cell in to_fit}
    costs = _costs(sweep, images)
    lines = [
        f"{cell.name}  from {cell.settings.steps} steps, about {costs[cell.name]:.0f} s"
        if cell.name in left
        else f"{cell.name}  done"
        for cell in sweep.cells
    ]
    workers = workers or cores()
    hours = sum(costs[name] for name in left) / 3600
    disk = disk_of(sweep.cells, {name: each.pixels for name, each in images.items()})
    threads = max(1, cores() // workers)
    return "\n".join(
        [
            *lines,
            f"cells   {len(sweep.cells)}, {len(left)} to fit, steps doubled {sweep.grid.max_doublings} times at most",
            f"time    about {hours:.1f} hours of a core, {hours / workers / threads:.1f} on {workers} workers, if two "
            "doublings settle each",
            f"disk    about {disk / 1e6:.0f} MB when finished; a running cell takes seven times its share",
        ]
    )

"""Running a sweep."""

import sys
from collections.abc import Mapping
from concurrent.futures import Executor
from contextlib import AbstractContextManager

from ppl_pvae.sweeps.cluster import cluster_executor
from ppl_pvae.sweeps.costs import costs_of
from ppl_pvae.sweeps.images import images_of, remark_on
from ppl_pvae.sweeps.local import LocalExecutor, cores
from ppl_pvae.sweeps.outputs import write_outputs
from ppl_pvae.sweeps.path import FOLLOW_ANEW, forget_figure, keeps_figure, path_to_follow
from ppl_pvae.sweeps.programs import check_programs
from ppl_pvae.sweeps.progress import Progress
from ppl_pvae.sweeps.running import fit_all
from ppl_pvae.sweeps.task import Task
from ppl_pvae.sweeps.whole import Sweep, begin_sweep

__all__ = ["REPORT", "run_sweep"]

REPORT = "report"  # among what went wrong, what is no cell
ELSEWHERE = "finished elsewhere: do the workers share this directory?"


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
    mine = {cell.name for cell in sweep.part(shard)}
    tasks = [task for task in sweep.tasks() if task.name in mine]
    done = len(mine) - len(tasks)
    path = path_to_follow(sweep)
    if path is not None and (shard is None or shard[0] == 1):
        tasks = [path, *tasks]
    if keeps_figure(sweep):
        print(f"the path along β keeps its figure; {FOLLOW_ANEW}", file=sys.stderr)
    problems: dict[str, str] = {}
    if tasks:
        # As many threads a worker however many cells are left: the digits of a sum depend on them.
        with _executor(cluster, workers or cores()) as where:
            images = images_of(sweep)
            costs = costs_of(sweep, images).seconds
            check_programs(sweep.left())
            remark_on(sweep, images)
            forget_figure(sweep)
            begin_sweep(sweep)
            _fit(sweep, tasks, where, Progress(tasks, done, [costs[task.name] for task in tasks]), problems)
    else:  # what was asked for is kept, if it is a comparison alone, or a part that no cell falls to
        begin_sweep(sweep)
    try:
        write_outputs(sweep, problems)
    except OSError as problem:
        problems[REPORT] = f"{problem.strerror or problem}; the table before it is whole"
        print(f"warning: the report cannot be written: {problems[REPORT]}", file=sys.stderr)
    return problems


def _executor(cluster: str | None, workers: int) -> AbstractContextManager[Executor]:
    return LocalExecutor(workers) if cluster is None else cluster_executor(cluster)


def _fit(sweep: Sweep, tasks: list[Task], where: Executor, progress: Progress, problems: dict[str, str]) -> None:
    try:
        for task, problem in fit_all(tasks, where, progress.look):
            if problem is None and not sweep.is_here(task):
                problem = ELSEWHERE
            if problem is not None:
                problems[task.name] = problem
            progress.finished(task, problem)
            _keep(sweep, problems)
    finally:
        progress.close()
    for task in tasks:  # a directory on a network may show a little later what is there
        if problems.get(task.name) == ELSEWHERE and sweep.is_here(task):
            del problems[task.name]


def _keep(sweep: Sweep, problems: Mapping[str, str]) -> None:
    """The table as far as it is; where the disk is full the one before it stays, and the sweep goes on."""
    try:
        sweep.update(problems)
    except OSError as problem:
        print(f"warning: the table cannot be written now: {problem.strerror or problem}", file=sys.stderr)

"""Workers that write somewhere else, and directories that are only partly there."""

from concurrent.futures import Executor, Future
from dataclasses import replace

import pytest

from ppl_pvae.analysis.sweeps import read_sweep
from ppl_pvae.sweeps import open_sweep, run, run_sweep
from tests.sweeps.test_whole import finish


class Elsewhere(Executor):
    """Calls that end without an error, and leave nothing here but what `leave` does."""

    def __init__(self, leave=lambda task: None):
        self.called, self._leave = [], leave

    def submit(self, fn, /, *args, **kwargs):
        self.called.append(args[0].name)
        self._leave(args[0])
        future = Future()
        future.set_result(None)
        return future


@pytest.fixture
def sweep(grid, tmp_path):
    return open_sweep(replace(grid, path_units=3), tmp_path / "out", resume=False)


def run_on(where, sweep, monkeypatch):
    monkeypatch.setattr(run, "LocalExecutor", lambda workers: where)
    return run_sweep(sweep, workers=1, cluster=None, shard=None)


def test_a_cell_that_is_finished_elsewhere_is_a_problem(sweep, monkeypatch, capsys):
    first, second = (cell.name for cell in sweep.cells)
    where = Elsewhere(lambda task: finish(sweep, first) if task.name == first else None)
    problems = run_on(where, sweep, monkeypatch)
    path, *cells = where.called
    assert cells == [first, second]
    assert problems == dict.fromkeys((path, second), run.ELSEWHERE)
    assert [row["error"] for row in read_sweep(sweep.out / "sweep.csv")] == [None, run.ELSEWHERE]
    assert f"{second}  failed: finished elsewhere: do the workers share this directory?" in capsys.readouterr().err


def test_a_longer_training_that_is_finished_elsewhere_is_a_problem_too(sweep, monkeypatch):
    for cell in sweep.cells:
        finish(sweep, cell.name, converged=False)
    more = replace(sweep, grid=replace(sweep.grid, max_doublings=2, path_units=None))
    assert set(run_on(Elsewhere(), more, monkeypatch).values()) == {run.ELSEWHERE}


def test_what_shows_up_late_is_no_problem(sweep, monkeypatch):
    """As on a network's directory: a cell is not to be seen when its call has ended, and is a little later."""
    alone = replace(sweep, grid=replace(sweep.grid, path_units=None))
    first, second = (cell.name for cell in sweep.cells)
    seen = []

    def finished(self, task, problem):
        seen.append(problem)
        if task.name == second:
            finish(sweep, first)

    monkeypatch.setattr(run.Progress, "finished", finished)
    problems = run_on(
        Elsewhere(lambda task: finish(sweep, second) if task.name == second else None), alone, monkeypatch
    )
    assert (seen, problems) == ([run.ELSEWHERE, None], {})
    assert [row["error"] for row in read_sweep(sweep.out / "sweep.csv")] == [None, None]

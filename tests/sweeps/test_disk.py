"""A disk that is full: the cell is reported, and what is there of the rest stays whole."""

import errno
from concurrent.futures import Executor, Future

from ppl_pvae.analysis.sweeps import read_sweep
from ppl_pvae.run import arrival
from ppl_pvae.sweeps import open_sweep, run, run_sweep, whole


class Here(Executor):
    """Calls in this process, at once."""

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def full(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_cell_that_finds_the_disk_full_is_reported(grid, tmp_path, monkeypatch):
    sweep = open_sweep(grid, tmp_path / "out", resume=False)
    monkeypatch.setattr(run, "LocalExecutor", lambda workers: Here())
    written = arrival.write_params

    def write_params(folder, params):
        if "b1-" in str(folder):
            full()
        written(folder, params)

    monkeypatch.setattr(arrival, "write_params", write_params)
    problems = run_sweep(sweep, workers=1, cluster=None, shard=None)
    assert list(problems.values()) == ["No space left on device"]
    rows = {row["beta"]: row for row in read_sweep(tmp_path / "out" / "sweep.csv")}
    assert (rows[0.5]["error"], rows[1.0]["error"]) == (None, "No space left on device")
    assert rows[0.5]["zeros"] is not None
    assert (tmp_path / "out" / "report.html").is_file()


def test_a_table_that_cannot_be_written_leaves_the_one_before(grid, tmp_path, monkeypatch, capsys):
    sweep = open_sweep(grid, tmp_path / "out", resume=False)
    monkeypatch.setattr(run, "LocalExecutor", lambda workers: Here())
    monkeypatch.setattr(run, "fit_all", lambda tasks, where, look: iter([(tasks[0], "first"), (tasks[1], "second")]))
    written, count = whole.write_sweep, []

    def write_sweep(path, rows):
        count.append(path)
        if len(count) > 1:
            full()
        written(path, rows)

    monkeypatch.setattr(whole, "write_sweep", write_sweep)
    problems = run_sweep(sweep, workers=1, cluster=None, shard=None)
    assert set(problems.values()) == {"first", "second", "No space left on device; the table before it is whole"}
    assert [row["error"] for row in read_sweep(tmp_path / "out" / "sweep.csv")] == ["first"]
    assert "cannot be written" in capsys.readouterr().err

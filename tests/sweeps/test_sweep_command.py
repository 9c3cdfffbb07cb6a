"""The sweep command: what it leaves behind, that it can be killed and continued, and what it refuses."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

from ppl_pvae import fit
from ppl_pvae.analysis.bounds import read_bounds
from ppl_pvae.analysis.sweeps import read_sweep
from ppl_pvae.sweep import main, parse, part_of
from ppl_pvae.sweeps import open_sweep
from ppl_pvae.sweeps.whole import begin_sweep
from tests.sweeps.test_whole import finish

ROOT = Path(__file__).parents[2]
FLAGS = ["--units", "3", "--batch-size", "50", "--steps", "20", "--learning-rate", "0.02", "--max-doublings", "1"]


def command(array, out, *more):
    return [*FLAGS, "--data", str(array), "--betas", "0.5", "1", "--out", str(out), *more]


def table(out):
    """The rows, without how long they took."""
    return [{name: value for name, value in row.items() if name != "seconds"} for row in read_sweep(out / "sweep.csv")]


@pytest.fixture(scope="module")
def done(array, tmp_path_factory):
    """A finished sweep of two cells."""
    out = tmp_path_factory.mktemp("sweeps") / "done"
    assert main(command(array, out, "--workers", "1", "--path-units", "3")) == 0
    return out


def test_everything_of_a_sweep_is_there(done):
    assert {path.name for path in done.iterdir() if not path.name.startswith(".")} == {
        *("cells", "path", "figures", "sweep.toml", "sweep.csv", "evidence.npz", "findings.json", "report.html")
    }
    rows = read_sweep(done / "sweep.csv")
    assert [(row["beta"], row["units"], row["error"], row["steps"]) for row in rows] == [
        (0.5, 3, None, 40),
        (1.0, 3, None, 40),
    ]
    for row in rows:
        summary = json.loads((done / "cells" / row["cell"] / "summary.json").read_text())
        assert row["zeros"] == summary["zeros"]
        assert row["converged"] == summary["converged"]
        assert np.isclose(read_bounds(done / "cells" / row["cell"]).bound.mean(), row["log_evidence"])
    found = json.loads((done / "findings.json").read_text())
    assert found["cells"] == 2
    assert found["remarks"] == []
    assert {"proportion", "trade", "coupling", "sparsity", "pattern", "unchanged", "price"} == set(found["claims"])
    page = (done / "report.html").read_text()
    assert page.count("data:image/png;base64,") == len(list((done / "figures").iterdir()))
    assert (done / "figures" / "atoms.png").is_file()
    assert not list(done.rglob("*.part"))


def test_a_finished_sweep_is_left_as_it_is(done, array, capsys):
    before = {path: path.stat().st_mtime_ns for path in (done / "cells").rglob("*") if path.is_file()}
    assert main(["--out", str(done), "--resume"]) == 0
    assert {path: path.stat().st_mtime_ns for path in (done / "cells").rglob("*") if path.is_file()} == before
    assert main(command(array, done)) == 2
    assert "has a sweep already" in capsys.readouterr().err


def test_a_dry_run_says_what_would_be_done(done, array, tmp_path, capsys):
    assert main(command(array, tmp_path / "new", "--dry-run")) == 0
    said = capsys.readouterr().out
    assert "from 20 steps" in said
    assert "2 to fit" in said
    assert not (tmp_path / "new").exists()
    assert main(["--out", str(done), "--resume", "--dry-run"]) == 0
    assert "0 to fit" in capsys.readouterr().out


def test_a_dry_run_of_a_part_is_of_that_part(array, tmp_path, capsys):
    assert main(command(array, tmp_path / "new", "--dry-run", "--shard", "2/2")) == 0
    said = capsys.readouterr().out
    assert "cells   1, 1 to fit, " in said  # and no path, which goes with the first part
    assert said.count("from 20 steps") == 1


def test_a_cell_whose_summary_is_damaged_is_reported_and_the_rest_goes_on(done, tmp_path, capfd):
    out = tmp_path / "out"
    shutil.copytree(done, out)
    (out / "sweep.csv").unlink()
    damaged, whole = sorted((out / "cells").iterdir())
    (damaged / "summary.json").write_text("{")
    capfd.readouterr()
    assert main(["--out", str(out), "--resume"]) == 1
    rows = {row["cell"]: row for row in read_sweep(out / "sweep.csv")}
    assert "is damaged, delete its directory" in rows[damaged.name]["error"]
    assert rows[whole.name]["error"] is None


def test_what_is_worth_a_word_is_said_once_as_the_fit_says_it(array, tmp_path, capsys):
    """Of both cells in one line, in a dry run as before a real one."""
    np.save(tmp_path / "flat.npy", np.load(array)[:, :4, :4].reshape(-1, 16))
    flags = ["--noise", "learned", "--encoder", "conv", "--betas", "0.5", "2", "--units", "3"]
    out = tmp_path / "out"
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert main([*flags, "--data", str(tmp_path / "flat.npy"), "--out", str(out), "--dry-run"]) == 0
    trade, guess = capsys.readouterr().err.splitlines()
    assert trade.startswith("warning: beta = 0.5, 2 with a learned variance: the two trade exactly")
    assert guess.startswith("warning: the conv network takes the 16 values")


@pytest.mark.slow
def test_a_cell_that_fails_is_reported_and_the_rest_goes_on(array, tmp_path, capfd):
    flags = [*command(array, tmp_path / "out"), "--workers", "1"]
    flags[flags.index("--learning-rate") + 1 : flags.index("--learning-rate") + 2] = ["0.02", "1e30"]
    assert main([*flags, "--betas", "1"]) == 1
    rows = read_sweep(tmp_path / "out" / "sweep.csv")
    assert [row["error"] is None for row in rows] == [True, False]
    assert "diverged" in rows[1]["error"]
    assert "1 failed, see sweep.csv" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([], "say what to fit"),
        (["--beats", "1"], "did you mean '--betas'"),
        (["--betas", "-1"], "beta must be >= 0"),
        (["--betas", "1", "1"], "twice"),
        (["--betas", "x"], "betas cannot be 'x'"),
        (["--units", "0"], "units must be >= 1"),
        (["--programs", "poison"], "did you mean 'poisson'"),
        (["--betas", "1", "--workers", "0"], "workers must be >= 1"),
        (["--betas", "1", "--workers", "2", "--cluster", "tcp://127.0.0.1:9"], "give one of the two"),
        (["--betas", "1", "--shard", "3/2"], "shard must be i/n"),
        (["--betas", "1", "--max-doublings", "-1"], "max_doublings must be from 0 to 20"),
        (["--betas", "1", "--match-distortion", "nan"], "match_distortion must be >= 0"),
        (["--betas", "1", "--path-units", "9"], "path_units must be a number of units in the grid (512), got 9"),
        (["--betas", "1", "--programs", "gaussian", "--path-units", "512"], "path_units = 512 follows the dictionary"),
        (["--betas", "1", "--decoder", "mlp", "--path-units", "512"], "no cell of that size has one"),
        (["--betas", "1", "--warm-start", "maybe"], "warm_start must be true or false, got 'maybe'"),
        (["--config", "none.toml"], "cannot read the recipe"),
        (["--betas", "1", "--data", "naturel"], "natural"),
        (["--resume", "--out", "nowhere"], "nowhere has no sweep to continue; look at --out"),
        (["--programs", "--betas", "1"], "--programs has no value"),
        (["--betas", "1", "--batch_size"], "--batch-size has no value"),
        (["--config", str(ROOT / "inference" / "quick.toml"), "--units", "--dry-run"], "--units has no value"),
        (["--programs", "", "--betas", "1"], "unknown program ''"),
        (["--betas", "1", "--encoder-bias"], "--encoder-bias has no value; give true, false or both"),
        (["--programs", "poisson", "rectified-gaussian", "--pays", "code"], "go in tables [[grid]] of their own"),
    ],
)
def test_bad_input_is_a_line_and_leaves_nothing(tmp_path, monkeypatch, capsys, flags, said):
    monkeypatch.chdir(tmp_path)
    assert main(flags) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.strip().splitlines()) <= 2
    assert not list(tmp_path.iterdir())


PROGRAM = """
import numpyro
from ppl_pvae.models.poisson import guide, model
"""
PICTURES = """
import numpyro
from ppl_pvae.distributions import Poisson
from ppl_pvae.models.poisson import guide, learned_rate

def model(x, nets):
    r = learned_rate(nets)
    with numpyro.plate("picture", len(x)):
        z = numpyro.sample("z", Poisson(r).to_event(1))
        numpyro.sample("x", nets.observe(nets.decode(z)), obs=x)
"""


@pytest.mark.parametrize(
    ("text", "dry"),
    [
        ("def model(x, nets)\n    pass", True),
        (PROGRAM.replace("guide, ", ""), True),
        (PROGRAM.replace("guide, ", ""), False),
        (PICTURES, True),
    ],
    ids=["syntax, dry", "no guide, dry", "no guide", "another plate, dry"],
)
def test_a_bad_program_is_refused_before_anything_as_a_fit_refuses_it(array, tmp_path, monkeypatch, capfd, text, dry):
    """Beside one that is sound, and a built-in one: exit code 2, the words of the fit, nothing written."""
    monkeypatch.chdir(tmp_path)
    Path("sound.py").write_text(PROGRAM)
    Path("mine.py").write_text(text)
    fitted = ["--program", "mine.py", "--data", str(array), *FLAGS[:-2], "--beta", "0.5", "--out", "run"]
    assert fit.main(fitted) == 2
    of_fit = capfd.readouterr().err
    assert "mine.py" in of_fit
    programs = ["--programs", "poisson", "sound.py", "mine.py"]
    assert main(command(array, Path("out"), *programs, *(["--dry-run"] if dry else []))) == 2
    assert capfd.readouterr() == ("", of_fit)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.py", "sound.py"]


def test_a_program_is_asked_nothing_where_its_cells_are_finished(array, tmp_path, monkeypatch, capfd):
    """A sound one is estimated; broken since, it is refused for a cell that is left, and not run where none is."""
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(PROGRAM)
    flags = command(array, Path("out"), "--programs", "mine.py", "--dry-run")
    assert main(flags) == 0
    assert "2 to fit" in capfd.readouterr().out
    _, grid, out = parse(flags)
    begin_sweep(sweep := open_sweep(grid, out, resume=False))
    first, second = (cell.name for cell in sweep.cells)
    finish(sweep, first)
    Path("mine.py").write_text("raise KeyError('gone')")
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    assert main(["--out", "out", "--resume"]) == 2
    assert capfd.readouterr().err.startswith("error: the program mine.py, line 1: KeyError: 'gone'")
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()} == before
    finish(sweep, second)
    assert main(["--out", "out", "--resume", "--dry-run"]) == 0
    assert "0 to fit" in capfd.readouterr().out


@pytest.mark.parametrize("flags", [[], ["--dry-run"]], ids=["run", "dry run"])
def test_an_address_where_nobody_answers_is_said_within_ten_seconds(array, tmp_path, capsys, flags):
    pytest.importorskip("distributed")
    begin = time.monotonic()
    assert main(command(array, tmp_path / "out", "--cluster", "tcp://127.0.0.1:9", *flags)) == 2
    assert time.monotonic() - begin < 10
    assert "no scheduler answers at tcp://127.0.0.1:9" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_what_is_asked_of_a_finished_sweep_is_kept(done, tmp_path):
    shutil.copytree(done, tmp_path / "out")
    assert main(["--out", str(tmp_path / "out"), "--resume", "--match-distortion", "3"]) == 0
    assert main(["--out", str(tmp_path / "out"), "--resume"]) == 0
    assert json.loads((tmp_path / "out" / "findings.json").read_text())["matched"]["distortion"] == 3


def test_a_part_of_a_sweep_is_asked_for_by_its_values(done, array, capsys):
    flags = command(array, done, "--resume", "--dry-run")
    flags[flags.index("--betas") + 1 : flags.index("--betas") + 3] = ["1"]
    assert main(flags) == 0
    assert "cells   1, 0 to fit" in capsys.readouterr().out


def test_parts_of_a_sweep():
    assert part_of(None) is None
    assert part_of("2/4") == (2, 4)


def test_every_setting_takes_several_values():
    _, grid, _ = parse(["--programs", "rectified-gaussian", "--encoder-bias", "true", "false", "--units", "8", "16"])
    assert grid is not None
    assert grid.blocks == ({"program": ("rectified-gaussian",), "units": (8, 16), "encoder_bias": (True, False)},)
    _, grid, _ = parse(["--units", "8", "--no-encoder-bias", "--betas", "1"])
    assert grid is not None
    assert grid.blocks == ({"beta": (1.0,), "units": (8,), "encoder_bias": (False,)},)


def test_a_part_that_no_cell_falls_to_says_what_it_is_a_part_of(array, tmp_path):
    assert main(command(array, tmp_path / "out", "--shard", "3/3", "--workers", "1")) == 0
    assert len(open_sweep(None, tmp_path / "out", resume=True).cells) == 2


@pytest.mark.slow
def test_shards_share_a_directory(done, array, tmp_path):
    out = tmp_path / "out"
    assert main(command(array, out, "--shard", "2/2", "--workers", "1")) == 0
    assert len(read_sweep(out / "sweep.csv")) == 1
    assert main(command(array, out, "--shard", "1/2", "--workers", "1")) == 0
    assert table(out) == table(done)


def long(array, out, *more):
    """A command whose trainings take seconds and leave a checkpoint every ten steps."""
    flags = command(array, out, "--checkpoint-every", "10", *more)
    flags[flags.index("--steps") + 1] = "3000"
    return flags


@pytest.fixture(scope="module")
def undisturbed(array, tmp_path_factory):
    """A finished sweep of two cells that take some seconds each."""
    out = tmp_path_factory.mktemp("sweeps") / "undisturbed"
    assert main(long(array, out, "--workers", "1")) == 0
    return out


@pytest.mark.slow
def test_a_sweep_that_is_killed_ends_the_same(undisturbed, array, tmp_path, environment):
    """Three times the whole, then a worker of it, each in the middle of a training that goes on from there."""
    out, seen = tmp_path / "out", {}
    line = [sys.executable, "-m", "ppl_pvae.sweep", *long(array, out, "--workers", "1", "--resume")]

    def start():
        sweep = subprocess.Popen(line, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
        wait_for(lambda: gone_on(out, seen))
        return sweep

    for _ in range(3):
        sweep = start()
        workers = workers_of(sweep.pid)
        assert workers
        sweep.send_signal(signal.SIGKILL)
        sweep.wait()
        wait_for(lambda workers=workers: not any(Path(f"/proc/{pid}").exists() for pid in workers), seconds=5.0)
        now = checkpoints(out)
        assert all(now[folder] >= step for folder, step in seen.items() if folder in now)
        seen |= now
        assert in_the_middle(seen)
        files = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
        time.sleep(1.0)
        assert {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()} == files  # no orphan writes
    sweep = start()
    killed = workers_of(sweep.pid)
    assert killed
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    assert sweep.wait(timeout=300) == 0
    assert table(out) == table(undisturbed)


@pytest.mark.slow
def test_a_local_worker_that_is_killed_beside_another_loses_nothing(undisturbed, array, tmp_path, environment):
    out = tmp_path / "out"
    line = [sys.executable, "-m", "ppl_pvae.sweep", *long(array, out, "--workers", "2")]
    sweep = subprocess.Popen(line, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    wait_for(lambda: len(in_the_middle(checkpoints(out))) == 2)  # a cell on each of them
    os.kill(workers_of(sweep.pid)[0], signal.SIGKILL)
    assert sweep.wait(timeout=300) == 0
    assert table(out) == table(undisturbed)


@pytest.mark.slow
def test_a_dask_worker_that_is_killed_loses_nothing(undisturbed, array, tmp_path, environment):
    distributed = pytest.importorskip("distributed")
    out, started = tmp_path / "out", []

    def start(module, *flags):
        line = [sys.executable, "-m", module, *flags]
        started.append(subprocess.Popen(line, cwd=ROOT, env=environment | {"NPROC": "1"}, stderr=subprocess.DEVNULL))
        return started[-1]

    try:
        at = ("--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(tmp_path / "scheduler.json"))
        start("distributed.cli.dask_scheduler", "--no-dashboard", *at)
        wait_for((tmp_path / "scheduler.json").is_file)
        address = json.loads((tmp_path / "scheduler.json").read_text())["address"]
        alone = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(tmp_path))
        workers = [start("distributed.cli.dask_worker", address, *alone) for _ in range(2)]
        with distributed.Client(address) as client:
            client.wait_for_workers(2)
        sweep = start("ppl_pvae.sweep", *long(array, out, "--cluster", address))
        wait_for(lambda: len(in_the_middle(checkpoints(out))) == 2)  # a cell on each of them
        workers[0].kill()
        assert sweep.wait(timeout=300) == 0
    finally:
        for process in started:
            process.kill()
            process.wait()
    assert [row["error"] for row in table(out)] == [None, None]
    assert table(out) == table(undisturbed)


def checkpoints(out):
    """The step that each training of cells has kept last, by its directory."""
    found = {}
    for path in out.glob("cells/*/steps-*/checkpoint*.npz"):  # for a moment the newest is called the previous one
        with contextlib.suppress(FileNotFoundError), np.load(path) as file:
            found[path.parent] = max(int(file["step"]), found.get(path.parent, 0))
    return found


def in_the_middle(steps):
    """Those that have begun and are not through."""
    return [folder for folder, step in steps.items() if 0 < step < int(folder.name.removeprefix("steps-"))]


def gone_on(out, seen):
    """Those in the middle that have come further than they were."""
    now = checkpoints(out)
    return [folder for folder in in_the_middle(now) if now[folder] > seen.get(folder, 0)]


def wait_for(holds, seconds=120.0):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "has not come to hold"
        time.sleep(0.05)


def workers_of(pid):
    """Processes that any thread of a process has spawned as workers."""
    children = [child for path in Path(f"/proc/{pid}/task").glob("*/children") for child in path.read_text().split()]
    lines = {int(child): Path(f"/proc/{child}/cmdline").read_text() for child in children}
    return [child for child, line in lines.items() if "spawn_main" in line]

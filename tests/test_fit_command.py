"""The command from end to end: what it writes and refuses, and that a killed run goes on as if nothing happened."""

import json
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from PIL import Image

from ppl_pvae.config import Settings, read_recipe
from ppl_pvae.directory import default_directory
from ppl_pvae.fit import main, parse

ROOT = Path(__file__).parents[1]
SMALL = ["--data", "synthetic", "--units", "16", "--batch-size", "200"]
LONGER = [*SMALL, "--steps", "1000", "--evaluate-every", "70", "--checkpoint-every", "100"]


def run_fit(arguments, environment, cwd, **options):
    command = [sys.executable, "-m", "ppl_pvae.fit", *map(str, arguments)]
    environment = environment | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=600, **options
    )


def contents(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()
    }


@pytest.fixture(scope="module")
def fitted(environment, tmp_path_factory):
    """One small finished run, made by the command in a process of its own."""
    place = tmp_path_factory.mktemp("fit")
    done = run_fit([*LONGER, "--out", "run"], environment, place)
    assert done.returncode == 0, done.stderr
    return place / "run", done


def test_a_fit_leaves_a_run_directory_and_says_where(fitted):
    run, done = fitted
    files = set(contents(run))
    assert {"config.toml", "metrics.jsonl", "params.npz", "checkpoint.npz", "posterior.nc", "summary.json"} <= files
    assert "report.html" in files
    assert len([name for name in files if name.startswith("figures/") and name.endswith(".png")]) >= 5
    assert not [name for name in files if name.endswith((".part", ".tmp"))]
    assert "free energy" in done.stdout
    assert "report.html" in done.stdout
    assert "Warning" not in done.stderr
    assert "Traceback" not in done.stderr


def test_what_the_files_say_agrees(fitted):
    run, _ = fitted
    summary = json.loads((run / "summary.json").read_text())
    assert (summary["program"], summary["units"], summary["beta"], summary["steps"]) == ("poisson", 16, 1.0, 1000)
    assert summary["converged"] is None
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert lines[0] == {"event": "start", "step": 0}
    assert {line["step"] for line in lines if "split" in line} == {*range(70, 1000, 70), 1000}
    with xr.open_datatree(run / "posterior.nc") as tree:
        rate = tree["posterior"]["rate"]
        assert rate.sizes["unit"] == 16
        # firing rate = mean rate over test images and units; float32 files, summed in float64 or not
        np.testing.assert_allclose(float(rate.mean()), summary["firing_rate"], rtol=1e-4)
    with np.load(run / "params.npz", allow_pickle=False) as params:
        assert all(np.isfinite(params[name]).all() for name in params.files)


def test_the_settings_of_a_run_are_a_recipe(fitted):
    run, _ = fitted
    command, _ = parse(["--config", str(run / "config.toml"), "--beta", "2", "--out", str(run.parent / "other")])
    assert (command.settings.units, command.settings.steps, command.settings.beta) == (16, 1000, 2.0)
    assert command.settings.prior == "learned"


def test_a_finished_run_is_refused_without_resume_and_left_alone_with_it(fitted, capsys):
    run, _ = fitted
    before = contents(run)
    assert main([*SMALL, "--out", str(run)]) == 2
    assert "has a run already" in capsys.readouterr().err
    assert main(["--out", str(run), "--resume"]) == 0
    assert "free energy" in capsys.readouterr().out
    assert main(["--out", str(run), "--resume", "--beta", "3"]) == 2
    assert "was started with beta = 1.0, not 3.0" in capsys.readouterr().err
    assert contents(run) == before


def test_a_dry_run_says_what_would_happen_and_writes_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([*SMALL, "--dry-run"]) == 0
    said = capsys.readouterr().out
    for word in ("poisson", "synthetic", "Poisson", "KL", "exact", "16"):
        assert word in said
    assert not list(tmp_path.iterdir())


def test_help_and_bad_flags_answer_without_jax(environment, tmp_path):
    code = (
        "import sys; from ppl_pvae.fit import main; code = main(['--units', '0']); "
        "assert code == 2; assert not {'jax', 'numpyro', 'matplotlib'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=environment | {"PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    helped = run_fit(["--help"], environment, tmp_path)
    assert helped.returncode == 0
    for field in Settings.__dataclass_fields__:
        assert f"--{field.replace('_', '-')}" in helped.stdout
    assert "RuntimeWarning" not in helped.stderr


SMALL_DATA = ["--data", "synthetic", "--patch-size", "6"]
BAD_FLAGS = {
    "beta below 0": (["--beta", "-1"], "beta must be >= 0, got -1.0; use 0 for no coding cost."),
    "beta NaN": (["--beta", "nan"], "beta must be >= 0, got nan"),
    "no units": (["--units", "0"], "units must be >= 1, got 0"),
    "many units": (["--units", "99999999999999999999"], "units must be <= 1e+06"),
    "steps in words": (["--steps", "1e3"], "steps must be a whole number, got '1e3'"),
    "speed in words": (["--prior-speed", "fast"], "prior_speed must be a number, got 'fast'"),
    "a name too long": (["--out", "a" * 300], "is too long; give --out a shorter one"),
    "capitals": (["--BETA", "1"], "did you mean '--beta'?"),
    "no steps": (["--steps", "0"], "steps must be >= 1, got 0"),
    "learning rate 0": (["--learning-rate", "0"], "learning_rate must be > 0, got 0.0"),
    "learning rate below 0": (["--learning-rate", "-0.1"], "learning_rate must be > 0"),
    "no batch": (["--batch-size", "0"], "batch_size must be >= 1, got 0"),
    "half a unit": (["--units", "3.5"], "units must be a whole number, got '3.5'"),
    "a flag without its value": (["--beta"], "Missing value for argument '--beta'"),
    "unknown flag": (["--betas", "1"], "unknown flag '--betas'; did you mean '--beta'"),
    "unknown flag with =": (["--unit=1"], "unknown flag '--unit'; did you mean '--units'"),
    "a word too many": (["poisson"], "'poisson' belongs to no flag"),
    "unknown program": (["--program", "poison"], "unknown program 'poison'; did you mean 'poisson'"),
    "unknown data": (["--data", "naturel"], "unknown data 'naturel'; did you mean 'natural'"),
    "unknown network": (["--encoder", "mpl"], "unknown encoder 'mpl'; did you mean 'mlp'?"),
    "no whole halves": ([*SMALL_DATA, "--decoder", "conv"], "needs height and width that 4 divides, got 6 × 6"),
    "pixels for bernoulli": ([*SMALL_DATA, "--likelihood", "bernoulli"], "pixels must be from 0 to 1"),
    "pixels for poisson": ([*SMALL_DATA, "--likelihood", "poisson"], "counts must be whole and not negative"),
    "width of a matrix": (["--width", "3"], "width means nothing to linear networks"),
    "a flag without meaning": (["--pays", "code"], "pays means nothing to the program 'poisson'"),
    "a recipe that is not there": (["--config", "none.toml"], "cannot read the recipe none.toml"),
}


def refused(arguments, place, monkeypatch, capsys) -> str:
    """Run the command in an empty directory; it must refuse in at most two lines and leave nothing behind."""
    monkeypatch.chdir(place)
    before = contents(place)
    assert main([str(argument) for argument in arguments]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("error: ")
    assert len(shown.err.splitlines()) <= 2
    assert contents(place) == before
    assert not (place / "runs").exists()
    assert not (place / "out").exists()
    return shown.err


@pytest.mark.parametrize("case", BAD_FLAGS)
def test_a_bad_flag_is_refused(case, tmp_path, monkeypatch, capsys):
    arguments, complaint = BAD_FLAGS[case]
    assert complaint in refused(arguments, tmp_path, monkeypatch, capsys)


class Trap:
    """An object that leaves a trace if it is ever unpickled."""

    def __reduce__(self):
        return (Path.touch, (Path("unpickled"),))


def images(count=300, side=8):
    return np.random.default_rng(0).normal(size=(count, side, side)).astype(np.float32)


def with_one(value):
    x = images()
    x[7, 3, 2] = value
    return x


BAD_ARRAYS = {
    "NaN pixel": (with_one(np.nan), "finite"),
    "infinite pixel": (with_one(np.inf), "finite"),
    "constant images": (np.ones((300, 8, 8), np.float32), "constant"),
    "one image": (images()[0, 0], "shape"),
    "four axes": (images()[:, None], "shape"),
    "texts": (np.array([["a", "b"]] * 300), "numbers"),
    "objects": (np.array([Trap()] * 300, dtype=object), "object"),
}


@pytest.mark.parametrize("case", BAD_ARRAYS)
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_a_bad_array_is_refused(case, suffix, tmp_path, monkeypatch, capsys):
    array, word = BAD_ARRAYS[case]
    path = tmp_path / f"x{suffix}"
    if suffix == ".npy":
        np.save(path, array, allow_pickle=True)
    else:
        np.savez(path, x=array)
    assert word in refused(["--data", path, "--out", "out"], tmp_path, monkeypatch, capsys)
    assert not (tmp_path / "unpickled").exists()


def test_a_file_that_is_not_what_its_name_says_is_refused(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("x.npy", "x.npz", "x.txt", "pictures/one.png"):
        (tmp_path / name).write_text("this is no array\n" * 20)
    np.savez(tmp_path / "other.npz", y=images())
    for name in ("x.npy", "x.npz", "x.txt", "pictures", "other.npz", "not-there.npy"):
        error = refused(["--data", tmp_path / name, "--out", "out"], tmp_path, monkeypatch, capsys)
        assert name in error or "one.png" in error


def test_a_folder_without_usable_images_is_refused(tmp_path, monkeypatch, capsys):
    empty, small, flat = (tmp_path / name for name in ("empty", "small", "flat"))
    for folder in (empty, small, flat):
        folder.mkdir()
    Image.fromarray(np.arange(100, dtype=np.uint8).reshape(10, 10)).save(small / "one.png")
    Image.fromarray(np.full((200, 200), 90, dtype=np.uint8)).save(flat / "one.png")
    for folder in (empty, small, flat):
        error = refused(["--data", folder, "--out", "out"], tmp_path, monkeypatch, capsys)
        assert folder.name in error or "one.png" in error


def test_an_output_path_that_cannot_be_is_refused(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "metrics.jsonl").write_text("")
    for path, complaint in (("file", "is a file"), ("file/under/it", "lies under"), ("run", "has a run already")):
        assert complaint in refused([*SMALL, "--out", path], tmp_path, monkeypatch, capsys)
    (tmp_path / "runs").write_text("mine")
    monkeypatch.chdir(tmp_path)
    assert main(SMALL) == 2
    assert "runs, which is a file" in capsys.readouterr().err


def test_the_default_directory_is_named_by_the_settings_and_numbered_if_taken(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = Settings(data="some where/my pictures.npz", beta=0.4, units=64, seed=3)
    assert default_directory(settings) == Path("runs/poisson-my-pictures-K64-b0.4-s3")
    assert default_directory(Settings(data=".")) == Path(f"runs/poisson-{tmp_path.name}-K512-b1-s0")
    for expected in ("poisson-natural-K512-b1-s0", "poisson-natural-K512-b1-s0-2", "poisson-natural-K512-b1-s0-3"):
        assert default_directory(Settings()) == Path("runs") / expected
        (Path("runs") / expected).mkdir(parents=True)
    assert default_directory(Settings(), resume=True) == Path("runs/poisson-natural-K512-b1-s0")


def test_a_bad_flag_and_bad_data_in_a_process_of_their_own(environment, tmp_path):
    np.save(tmp_path / "x.npy", with_one(np.nan))
    for arguments in (["--beta", "nan"], ["--data", "x.npy", "--out", "out"]):
        done = run_fit(arguments, environment, tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert len(done.stderr.splitlines()) <= 2
        assert done.stderr.startswith("error: ")
    assert [path.name for path in tmp_path.iterdir()] == ["x.npy"]


NO_CACHE = {"JAX_ENABLE_COMPILATION_CACHE": "false"}  # an entry half written by a process that is killed is no entry


def kill_after(arguments, environment, cwd, run: Path, seconds: float) -> None:
    """Start the command and kill it so many seconds after a checkpoint that was not there before."""
    command = [sys.executable, "-m", "ppl_pvae.fit", *map(str, arguments)]
    checkpoint = run / "checkpoint.npz"
    before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else None
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=environment | {"PYTHONPATH": str(ROOT)} | NO_CACHE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 120
        while not checkpoint.exists() or checkpoint.stat().st_mtime_ns == before:
            assert time.monotonic() < deadline, "no checkpoint within two minutes"
            assert process.poll() is None, "the run ended before it could be killed"
            time.sleep(0.002)
        time.sleep(seconds)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (run / "summary.json").exists(), "the run was finished before it was killed"


def same_outcome(run: Path, undisturbed: Path, *, starts: int) -> None:
    """Every number is bit-identical, and each process began at a checkpoint."""

    def lines(path):
        return [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]

    def measured(path):
        return [{k: v for k, v in line.items() if k != "seconds"} for line in lines(path) if "event" not in line]

    assert measured(run) == measured(undisturbed)
    begun = [line["step"] for line in lines(run) if line.get("event") == "start"]
    every = read_recipe(run / "config.toml").checkpoint_every
    assert len(begun) == starts
    assert begun[0] == 0
    assert all(step > 0 and step % every == 0 for step in begun[1:])
    assert begun == sorted(begun)
    for name in ("params.npz", "checkpoint.npz", "checkpoint-previous.npz"):
        with np.load(run / name, allow_pickle=False) as one, np.load(undisturbed / name, allow_pickle=False) as other:
            assert one.files == other.files
            assert all(one[key].tobytes() == other[key].tobytes() for key in one.files)
    with xr.open_datatree(run / "posterior.nc") as one, xr.open_datatree(undisturbed / "posterior.nc") as other:
        assert one.groups == other.groups
        for group in one.groups:
            for name, array in one[group].data_vars.items():
                assert array.values.tobytes() == other[group][name].values.tobytes(), (group, name)
    summaries = [json.loads((path / "summary.json").read_text()) for path in (run, undisturbed)]
    for summary in summaries:
        summary.pop("seconds")
    assert summaries[0] == summaries[1]


def kill_and_resume(arguments, moments, environment, cwd) -> Path:
    run = cwd / "killed"
    for seconds in moments:
        kill_after([*arguments, "--out", run.name, "--resume"], environment, cwd, run, seconds)
    done = run_fit([*arguments, "--out", run.name, "--resume"], environment, cwd)
    assert done.returncode == 0, done.stderr
    return run


@pytest.mark.slow
def test_a_killed_run_continues_bit_for_bit(fitted, environment, tmp_path):
    undisturbed, _ = fitted
    same_outcome(kill_and_resume(LONGER, [0.05], environment, tmp_path), undisturbed, starts=2)


@pytest.mark.slow
def test_three_kills_of_the_main_job_leave_no_trace(environment, tmp_path):
    arguments = ["--steps", 600, "--evaluate-every", 70, "--checkpoint-every", 50]
    done = run_fit([*arguments, "--out", "undisturbed"], environment, tmp_path)
    assert done.returncode == 0, done.stderr
    run = kill_and_resume(arguments, [0.013, 0.37, 0.9], environment, tmp_path)
    same_outcome(run, tmp_path / "undisturbed", starts=4)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_that_cannot_be_written_to_is_refused(tmp_path, monkeypatch, capsys):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    assert "cannot write to" in refused([*SMALL, "--out", "locked/out"], tmp_path, monkeypatch, capsys)


def test_a_warning_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    flags = [*SMALL_DATA, "--units", "2", "--batch-size", "50", "--dry-run", "--noise", "learned", "--beta", "2"]
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert main(flags) == 0
    assert capsys.readouterr().err.startswith("warning: beta = 2 with a learned variance: the two trade exactly")

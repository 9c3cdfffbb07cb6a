"""Every notebook in analysis/ runs at a small size, draws, prints its number, and is well-formed."""

import ast
import re
import runpy
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

from ppl_pvae.analysis.sweeps import read_sweep, write_sweep
from ppl_pvae.errors import UserError

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "analysis").glob("*.py"))
IMPORTED = {"ppl_pvae", "arviz_base", "arviz_plots", "arviz_stats", "numpyro", "jax", "matplotlib", "numpy", "scipy"}
IMPORTED |= {"dataclasses", "functools", "os"}  # of the standard library
LONGEST = 120
TABLE = ROOT / "docs" / "sweep" / "sweep.csv"
VARIABLES = ("DATA", "UNITS", "STEPS", "RUN", "RUNS", "SWEEP")
NUMBER = r"[+-]?\d+\.?\d*%?"
DEAR = {"a_new_prior", "poisson_or_rectified", "bill_and_energy", "how_good_is_the_posterior"}  # they compile long

each_file = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
cheap_first = pytest.mark.parametrize(
    "file",
    [pytest.param(file, marks=[pytest.mark.slow] if file.stem in DEAR else [], id=file.stem) for file in FILES],
)


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A directory that is empty but for little data, and the variables that say so; figures are closed afterwards."""
    rng = np.random.default_rng(0)
    images = rng.poisson(0.3, (600, 6)) @ rng.normal(0, 2, (6, 16)) + rng.normal(0, 0.7, (600, 16))
    np.save(tmp_path / "x.npy", images.reshape(-1, 4, 4).astype(np.float32))
    for name in VARIABLES:
        monkeypatch.delenv(f"PPL_PVAE_{name}", raising=False)
    for name, value in {"DATA": tmp_path / "x.npy", "UNITS": 6, "STEPS": 60, "SWEEP": TABLE}.items():
        monkeypatch.setenv(f"PPL_PVAE_{name}", str(value))
    monkeypatch.chdir(tmp_path)
    with matplotlib.rc_context():
        yield tmp_path
    plt.close("all")


@cheap_first
def test_a_notebook_runs(file, small, capsys):
    """It prints a number last, draws something into its last figure, and leaves no file behind."""
    runpy.run_path(str(file))
    last = capsys.readouterr().out.strip().splitlines()[-1]
    assert re.search(NUMBER, last)
    assert "nan" not in last
    drawn = plt.figure(plt.get_fignums()[-1])
    assert all(ax.has_data() for ax in drawn.axes)
    assert [path.name for path in small.iterdir()] == ["x.npy"]


@pytest.mark.parametrize("kept", ["no counts", "one β", "silent", "one family"])
def test_other_sweeps_can_be_read(kept, small, monkeypatch, capsys):
    rows = [row for row in read_sweep(TABLE) if row["units"] == 64 and not row["spike_price"]]
    if kept == "no counts":
        rows = [row for row in rows if row["program"] != "poisson"]
    elif kept == "one β":
        rows = [row for row in rows if row["beta"] == 1]
    elif kept == "one family":
        rows = [
            row for row in rows if row["program"] == "poisson" and row["prior"] == "learned" and row["encoder_bias"]
        ]
    else:
        silent = {"spikes_per_image": 0.0, "coding_rate": 0.0, "bits_per_spike": None, "zeros": 1.0}
        rows = [row | silent if row["beta"] == 8 and row["seed"] == 0 else row for row in rows]
    write_sweep(small / "sweep.csv", rows)
    monkeypatch.setenv("PPL_PVAE_SWEEP", str(small / "sweep.csv"))
    runpy.run_path(str(ROOT / "analysis" / "read_a_sweep.py"))
    assert re.search(NUMBER, capsys.readouterr().out.strip().splitlines()[-1])


def cells(text: str) -> list[tuple[str, list[str]]]:
    """Marker and lines of each cell; what stands before the first marker is a cell without one."""
    found: list[tuple[str, list[str]]] = [("", [])]
    for line in text.splitlines():
        if line.startswith("# %%"):
            found.append((line, []))
        else:
            found[-1][1].append(line)
    return found


@each_file
def test_a_notebook_is_in_percent_format_and_short(file):
    """Cells are code that compiles or Markdown in comments; the first asks, the last two draw and print."""
    text = file.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST
    before, *rest = cells(text)
    assert before == ("", [])
    for marker, lines in rest:
        assert marker in {"# %%", "# %% [markdown]"}
        written = [line for line in lines if line]
        assert written, "an empty cell"
        if marker == "# %%":
            compile("\n".join(lines), file.name, "exec")
        else:
            assert all(line == "#" or line.startswith("# ") for line in written)
    first, last = rest[0], rest[-1]
    assert first[0] == "# %% [markdown]"
    assert re.fullmatch(r"# # .+\?", first[1][0])
    assert rest[-2][1][-2:] == ["plt.show()", ""]
    assert "print(" in "\n".join(last[1])


@each_file
def test_a_notebook_uses_public_names_only(file):
    """Imported modules are public ones of few packages; no attribute and no name has a leading underscore."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
            assert node.level == 0
        if isinstance(node, ast.Attribute):
            assert not node.attr.startswith("_"), node.attr
    assert {name.split(".")[0] for name in names} <= IMPORTED
    assert not [name for name in names if any(part.startswith("_") for part in name.split("."))]


@each_file
def test_a_notebook_takes_its_sizes_from_the_environment(file):
    """A table alone, or data, units and steps, and `RUN` or `RUNS` as it opens one run or several."""
    asked = set(re.findall(r'environ\.get\("PPL_PVAE_(\w+)"', file.read_text(encoding="utf-8")))
    if asked != {"SWEEP"}:
        assert {"DATA", "UNITS", "STEPS"} == asked - {"RUN", "RUNS"}
        assert len(asked & {"RUN", "RUNS"}) == 1


def test_all_notebooks_and_variables_are_listed():
    assert FILES
    text = (ROOT / "analysis/README.md").read_text(encoding="utf-8")
    names = [*(file.name for file in FILES), *(f"PPL_PVAE_{variable}" for variable in VARIABLES)]
    assert [name for name in names if f"`{name}`" not in text] == []


def test_cells_are_told_apart():
    assert cells("# %%\nx = 1\n# %% [markdown]\n# a\n") == [("", []), ("# %%", ["x = 1"]), ("# %% [markdown]", ["# a"])]


@pytest.mark.slow
def test_runs_are_kept_and_opened(small, monkeypatch):
    """With a directory for its runs a notebook trains once and opens them the second time, a directory each."""
    monkeypatch.setenv("PPL_PVAE_RUNS", str(small / "runs"))
    file = str(ROOT / "analysis/bill_and_energy.py")
    runpy.run_path(file)
    kept = {path: path.stat().st_mtime_ns for path in (small / "runs").rglob("summary.json")}
    assert len(kept) == 3
    plt.close("all")
    runpy.run_path(file)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    monkeypatch.setenv("PPL_PVAE_STEPS", "61")
    with pytest.raises(UserError, match="steps"):
        runpy.run_path(file)
    plt.close("all")
    monkeypatch.setenv("PPL_PVAE_RUN", str(small / "runs/beta-1"))
    monkeypatch.setenv("PPL_PVAE_UNITS", "7")  # not asked: the run is opened as it is
    for name in ("read_a_run", "how_good_is_the_posterior"):
        assert runpy.run_path(str(ROOT / f"analysis/{name}.py"))["run"].settings.units == 6

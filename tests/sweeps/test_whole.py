"""A sweep and its directory: what is finished, what an earlier table keeps, and what is another sweep."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ppl_pvae.analysis.sweeps import read_sweep, write_sweep
from ppl_pvae.config import Grid, cells_of, grid_to_toml, over, read_grid
from ppl_pvae.errors import UserError
from ppl_pvae.sweeps import open_sweep
from ppl_pvae.sweeps.path import path_task
from ppl_pvae.sweeps.whole import Sweep, begin_sweep
from tests.sweeps.conftest import TINY

ROOT = Path(__file__).parents[2]
SUMMARY = {"steps": 40, "converged": True, "free_energy": 3.25, "seconds": 1.5, "doubling": {"zeros_change": 0.001}}


def finish(sweep, name, **values):
    """Leave a cell behind as if it had been fitted."""
    folder = sweep.out / "cells" / name
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text(json.dumps(SUMMARY | values))


@pytest.fixture
def sweep(grid, tmp_path):
    begun = open_sweep(grid, tmp_path / "out", resume=False)
    begin_sweep(begun)
    return begun


def test_a_new_sweep_has_all_its_cells_to_do_and_writes_nothing(grid, tmp_path):
    sweep = open_sweep(grid, tmp_path / "out", resume=True)
    assert [task.name for task in sweep.tasks()] == [cell.name for cell in cells_of(grid)]
    assert not (tmp_path / "out").exists()


def test_rows_are_settings_and_summary(sweep):
    first, second = (cell.name for cell in sweep.cells)
    finish(sweep, first)
    rows = sweep.update({second: "the disk is full"})
    assert rows == read_sweep(sweep.out / "sweep.csv")
    by_name = {row["cell"]: row for row in rows}
    assert by_name[first]["free_energy"] == 3.25
    assert by_name[first]["zeros_change"] == 0.001
    assert (by_name[first]["units"], by_name[first]["beta"], by_name[first]["learning_rate"]) == (3, 0.5, 0.02)
    assert by_name[second]["error"] == "the disk is full"
    assert by_name[second]["free_energy"] is None
    # What failed is tried again, what is finished is not.
    assert [task.name for task in sweep.tasks()] == [second]


def test_a_cell_that_has_not_converged_goes_on_when_more_doublings_are_asked_for(sweep):
    for cell in sweep.cells:
        finish(sweep, cell.name, converged=False)
    assert sweep.tasks() == []
    more = open_sweep(replace(sweep.grid, max_doublings=2), sweep.out, resume=True)
    assert len(more.tasks()) == 2


def test_an_earlier_row_stands_for_a_directory_that_was_deleted(sweep):
    first, second = (cell.name for cell in sweep.cells)
    for name in (first, second):
        finish(sweep, name)
    rows = sweep.update({})
    shutil.rmtree(sweep.out / "cells")
    assert sweep.tasks() == []
    assert sweep.update({}) == rows
    # Not where it says that the cell failed, or stopped before it had converged.
    write_sweep(sweep.out / "sweep.csv", [rows[0] | {"error": "x"}, rows[1] | {"converged": False, "steps": 20}])
    assert [task.name for task in sweep.tasks()] == [first, second]


def test_an_earlier_row_has_the_columns_of_a_grid_that_has_grown(sweep):
    for cell in sweep.cells:
        finish(sweep, cell.name)
    sweep.update({})
    shutil.rmtree(sweep.out / "cells")
    usual = sweep.cells[0].settings.weight_scale
    other = dict(sweep.grid.blocks[0]) | {"weight_scale": (0.5,)}
    grown = open_sweep(replace(sweep.grid, blocks=(*sweep.grid.blocks, other)), sweep.out, resume=True)
    assert [row.get("weight_scale") for row in grown.update({})] == [usual] * len(sweep.cells)


def test_two_processes_may_write_the_table(sweep):
    first, second = (cell.name for cell in sweep.cells)
    other = open_sweep(sweep.grid, sweep.out, resume=True)
    finish(sweep, first)
    sweep.update({})
    rows = other.update({second: "failed over there"})
    assert [row["error"] for row in rows] == [None, "failed over there"]
    assert sweep.update({}) == rows  # which knows of no error itself


def test_the_grid_may_grow_and_no_other_may_take_its_place(sweep, array):
    more = dict(sweep.grid.blocks[0]) | {"beta": (0.5, 1.0, 2.0)}
    assert len(open_sweep(replace(sweep.grid, blocks=(more,)), sweep.out, resume=True).cells) == 3
    assert open_sweep(None, sweep.out, resume=True).grid == sweep.grid
    other = dict(sweep.grid.blocks[0]) | {"batch_size": (60,)}
    beside = dict(sweep.grid.blocks[0]) | {"beta": (1.0, 2.0)}  # one of two, and a new one
    for block in (other, beside):
        with pytest.raises(UserError, match="holds another sweep"):
            open_sweep(replace(sweep.grid, blocks=(block,)), sweep.out, resume=True)
    for changed in ({"warm_start": False}, {"max_doublings": 0}):
        with pytest.raises(UserError, match="was started with"):
            open_sweep(replace(sweep.grid, **changed), sweep.out, resume=True)
    with pytest.raises(UserError, match="has a sweep already"):
        open_sweep(sweep.grid, sweep.out, resume=False)


def test_a_part_of_what_is_there_is_gone_on_with_alone(sweep):
    """Its cells are fitted, the table and the record are of the whole."""
    block = dict(sweep.grid.blocks[0]) | {"beta": (1.0,)}
    part = open_sweep(Grid((block,), match_distortion=3.0, max_doublings=4), sweep.out, resume=True)
    assert [cell.name for cell in part.part(None)] == [cell.name for cell in part.left()] == [sweep.cells[1].name]
    assert part.cells == sweep.cells
    begin_sweep(part)
    assert open_sweep(None, sweep.out, resume=True).grid == replace(
        sweep.grid, match_distortion=3.0, max_doublings=part.grid.max_doublings
    )
    with pytest.raises(UserError, match="was started with"):
        open_sweep(replace(sweep.grid, blocks=(block,), warm_start=False), sweep.out, resume=True)


def test_options_of_which_nothing_is_said_stay(array, tmp_path):
    """Whatever they are, of the whole and of a part; what is said though it is the default holds."""
    block = {**TINY, "data": (str(array),), "beta": (0.5, 1.0)}
    options = {"max_doublings": 1, "warm_start": False, "match_distortion": 9.0, "path_units": 3}
    begin_sweep(open_sweep(Grid((block,), **options), tmp_path, resume=False))
    for betas in ((0.5, 1.0), (1.0,), (0.5, 1.0, 2.0)):
        asked = Grid((block | {"beta": betas},))
        there = open_sweep(asked, tmp_path, resume=True).grid
        assert {name: getattr(there, name) for name in options} == options
        more = open_sweep(replace(asked, said=frozenset({"max_doublings"})), tmp_path, resume=True).grid
        assert (more.max_doublings, more.match_distortion) == (4, 9.0)
    with pytest.raises(UserError, match="started with warm_start = False, not True; leave it out"):
        open_sweep(Grid((block,), said=frozenset({"warm_start"})), tmp_path, resume=True)
    with pytest.raises(UserError, match="started with max_doublings = 1, not 0; ask for as many or more"):
        open_sweep(Grid((block,), max_doublings=0), tmp_path, resume=True)


def test_a_part_without_the_path_along_beta_leaves_it_in_the_record(array, tmp_path):
    recipe = tmp_path / "recipe.toml"
    block = {**TINY, "data": (str(array),), "beta": (0.5, 1.0), "units": (3, 4)}
    recipe.write_text(grid_to_toml(Grid((block,), path_units=3)))
    begin_sweep(open_sweep(read_grid(recipe), tmp_path / "out", resume=False))
    part = open_sweep(over(read_grid(recipe), {"units": [4]}), tmp_path / "out", resume=True)
    assert {cell.settings.units for cell in part.part(None)} == {4}
    assert part.grid.path_units == 3


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 16, 300])
def test_parts_share_out_all_cells_and_no_part_has_one_beta_alone(count):
    paper = cells_of(read_grid(ROOT / "inference" / "paper.toml"))
    sweep = Sweep(Grid(({},)), paper, ROOT)
    parts = [sweep.part((at, count)) for at in range(1, count + 1)]
    assert sorted(cell.name for part in parts for cell in part) == sorted(cell.name for cell in paper)
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1
    if count <= 16:
        assert all(len({cell.settings.beta for cell in part}) >= 4 for part in parts)


def test_a_table_without_its_record_is_not_taken_over(sweep):
    for cell in sweep.cells:
        finish(sweep, cell.name)
    sweep.update({})
    (sweep.out / "sweep.toml").unlink()
    for resume in (False, True):
        with pytest.raises(UserError, match=r"has the table of a sweep, but no sweep\.toml"):
            open_sweep(sweep.grid, sweep.out, resume=resume)


def test_other_directories_are_refused(grid, tmp_path):
    with pytest.raises(UserError, match="has no sweep"):
        open_sweep(None, tmp_path / "nothing", resume=True)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.toml").write_text("")
    with pytest.raises(UserError, match="has a run"):
        open_sweep(grid, tmp_path / "run", resume=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="is a file"):
        open_sweep(grid, tmp_path / "file", resume=True)


def test_a_path_is_followed_over_all_beta_of_its_code(grid, tmp_path):
    block = dict(grid.blocks[0]) | {"beta": (2.0, 0.5, 1.0), "spike_price": (0.0, 1.0), "seed": (1, 2)}
    sweep = open_sweep(replace(grid, blocks=(block,), path_units=3), tmp_path, resume=False)
    task = path_task(sweep)
    assert task is not None
    assert task.betas == (0.5, 1.0, 2.0)
    assert (task.settings.beta, task.settings.seed, task.settings.steps) == (0.5, 1, 40)
    assert path_task(open_sweep(replace(grid, path_units=4), tmp_path, resume=False)) is None
    assert path_task(open_sweep(grid, tmp_path, resume=False)) is None


def test_the_record_is_a_recipe(sweep, tmp_path):
    (tmp_path / "again.toml").write_text(grid_to_toml(sweep.grid))
    assert isinstance(sweep.grid, Grid)
    assert (sweep.out / "sweep.toml").read_text() == (tmp_path / "again.toml").read_text()


@pytest.mark.parametrize("content", [b"not an archive", b""])
def test_damaged_evidence_is_said_before_anything_is_fitted(content, sweep):
    (sweep.out / "evidence.npz").write_bytes(content)
    with pytest.raises(UserError, match=r"cannot read .*evidence\.npz: .*it is damaged, delete it"):
        open_sweep(sweep.grid, sweep.out, resume=True)


def test_evidence_without_its_arrays_is_damaged(sweep):
    np.savez(sweep.out / "evidence.npz", **{"abc/cell": np.array(["one"])})
    with pytest.raises(UserError, match=r"cannot read .*evidence\.npz: "):
        open_sweep(sweep.grid, sweep.out, resume=True)

"""The path along β as part of a sweep: when it is followed, when its figure is kept, and what it is to cost."""

import base64
import shutil
from dataclasses import replace

import pytest

from ppl_pvae.sweeps import open_sweep
from ppl_pvae.sweeps.path import keeps_figure, path_task
from ppl_pvae.sweeps.whole import begin_sweep
from tests.sweeps.test_elsewhere import Elsewhere, run_on
from tests.sweeps.test_whole import finish

# One grey pixel.
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
)


@pytest.fixture
def clone(grid, tmp_path):
    """A finished sweep with a path, of which table, record and figures are left."""
    sweep = open_sweep(replace(grid, path_units=3), tmp_path / "out", resume=False)
    begin_sweep(sweep)
    for cell in sweep.cells:
        finish(sweep, cell.name)
    sweep.update({})
    shutil.rmtree(sweep.out / "cells")
    (sweep.out / "figures").mkdir()
    (sweep.out / "figures" / "atoms.png").write_bytes(PICTURE)
    return sweep


def test_a_path_whose_directory_is_gone_keeps_its_figure(clone, monkeypatch, capsys):
    where = Elsewhere()
    assert run_on(where, clone, monkeypatch) == {}
    assert where.called == []
    assert (clone.out / "figures" / "atoms.png").read_bytes() == PICTURE
    assert base64.b64encode(PICTURE).decode() in (clone.out / "report.html").read_text()
    assert "keeps its figure; delete figures/atoms.png to follow it anew" in capsys.readouterr().err


def test_a_path_without_its_figure_is_followed_anew(clone, monkeypatch):
    (clone.out / "figures" / "atoms.png").unlink()
    run_on(where := Elsewhere(), clone, monkeypatch)
    assert where.called == [path_task(clone).name]


def test_the_figure_of_another_path_does_not_stand_for_this_one(clone, monkeypatch):
    longer = dict(clone.grid.blocks[0]) | {"beta": (0.5, 1.0, 2.0)}
    grown = open_sweep(replace(clone.grid, blocks=(longer,)), clone.out, resume=True)
    assert keeps_figure(clone)
    assert not keeps_figure(grown)
    run_on(where := Elsewhere(), grown, monkeypatch)
    assert where.called[0] == path_task(grown).name != path_task(clone).name
    assert not (clone.out / "figures" / "atoms.png").exists()
    assert not keeps_figure(grown)


def test_a_path_that_was_left_in_the_middle_goes_on(clone, monkeypatch):
    path_task(clone).folder.mkdir(parents=True)
    run_on(where := Elsewhere(), clone, monkeypatch)
    assert where.called == [path_task(clone).name]

"""What a sweep expects to take: the path along β counts, and finished cells like those that are left tell best."""

from dataclasses import replace

import numpy as np
import pytest

from ppl_pvae.sweeps import describe_sweep, estimate, open_sweep
from ppl_pvae.sweeps.costs import costs_of
from ppl_pvae.sweeps.images import images_of
from ppl_pvae.sweeps.path import path_task
from ppl_pvae.sweeps.task import PATH_FILE
from ppl_pvae.sweeps.whole import begin_sweep
from tests.sweeps.test_whole import finish

PRODUCT = 1e-3


@pytest.fixture(autouse=True)
def product(monkeypatch):
    """A product of matrices takes as long on every machine."""
    monkeypatch.setattr(estimate, "_product", lambda images, pixels, units: PRODUCT)


@pytest.fixture
def sweep(grid, tmp_path):
    begun = open_sweep(replace(grid, path_units=3), tmp_path / "out", resume=False)
    begin_sweep(begun)
    return begun


def a_line(text, name):
    return next(line for line in text.splitlines() if line.startswith(name))


def test_the_path_along_beta_is_counted(sweep):
    """Two fits of twice the 20 steps that a cell begins with, each with five products of matrices a step."""
    path = path_task(sweep)
    seconds = costs_of(sweep, images_of(sweep)).seconds
    one = estimate.BESIDE_STEPS + 40 * 5 * PRODUCT * estimate.STEP_OVER_PRODUCTS
    np.testing.assert_allclose(seconds[path.name], 2 * one)
    for cell in sweep.cells:
        finish(sweep, cell.name)
    sweep.update({})
    said = describe_sweep(sweep, workers=1)
    assert a_line(said, path.name) == f"{path.name}  2 fits of 40 steps, about 3 s"  # 1.5 s for 40 steps, as measured
    assert "0 to fit and a path along β" in a_line(said, "cells")
    path.folder.mkdir(parents=True)
    (path.folder / PATH_FILE).touch()
    said = describe_sweep(sweep, workers=1)
    assert a_line(said, path.name) == f"{path.name}  done"
    assert "0 to fit, steps" in a_line(said, "cells")
    assert a_line(said, "time").startswith("time    about 0.0 hours")


def test_the_dictionaries_of_a_path_take_disk(sweep):
    settings = replace(path_task(sweep).settings, units=1000)
    assert estimate.disk_of_path(settings, 256, 8) == pytest.approx(8 * 1000 * 256 * 4, rel=0.01)


def test_a_path_that_keeps_its_figure_costs_nothing(sweep):
    (sweep.out / "figures").mkdir()
    (sweep.out / "figures" / "atoms.png").touch()
    said = describe_sweep(sweep, workers=1)
    assert "keeps its figure; delete figures/atoms.png to follow it anew" in a_line(said, "path/")
    assert "2 to fit, steps" in a_line(said, "cells")


def test_finished_cells_of_the_same_program_and_size_tell_what_others_take(sweep):
    """Medians of 40, 80 and 160 steps, and of .1, .5 and .2 seconds a step."""
    block = dict(sweep.grid.blocks[0])
    more = open_sweep(
        replace(sweep.grid, blocks=({**block, "beta": (0.5, 1.0, 2.0, 4.0)}, {**block, "units": (5,)})),
        sweep.out,
        resume=True,
    )
    one, two, three, left = (cell for cell in more.cells if cell.settings.units == 3)
    assert "if two doublings settle each" in a_line(describe_sweep(more, workers=1), "time")
    for cell, steps, seconds in ((one, 40, 4.0), (two, 80, 40.0), (three, 160, 32.0)):
        finish(more, cell.name, steps=steps, seconds=seconds)
    more.update({})
    costs = costs_of(more, images_of(more))
    np.testing.assert_allclose(costs.seconds[left.name], 80 * 0.2)
    others = [cell.name for cell in more.cells if cell.settings.units == 5]
    assert not costs.measured & set(others)
    said = describe_sweep(more, workers=1)
    assert "about 16 s" in a_line(said, left.name)
    assert "1 of 3 by finished cells of the same program and K, the others if two doublings" in a_line(said, "time")


def test_the_time_on_a_cluster_goes_by_the_threads_that_it_has(sweep, monkeypatch):
    """But no less than the longest of them takes, the path along β."""
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(estimate, "_product", lambda images, pixels, units: 60.0)
    seconds = costs_of(sweep, images_of(sweep)).seconds
    hours, longest = sum(seconds.values()) / 3600, max(seconds.values()) / 3600
    assert longest > hours / 12
    here = {"processes": False, "protocol": "tcp", "host": "127.0.0.1", "dashboard_address": None}
    with distributed.LocalCluster(n_workers=0, threads_per_worker=2, **here) as cluster:
        address = cluster.scheduler_address
        for workers, told in (
            (0, f"{hours:.1f} on one thread ({address} has no workers yet)"),
            (1, f"{max(hours / 2, longest):.1f} on 2 threads at {address}"),
            (6, f"{longest:.1f} on 12 threads at {address}"),  # some of Dask's own lists end at five workers
        ):
            cluster.scale(workers)
            if workers:
                cluster.wait_for_workers(workers)
            said = a_line(describe_sweep(sweep, workers=None, cluster=address), "time")
            assert said.startswith(f"time    about {hours:.1f} hours of a core, {told}")

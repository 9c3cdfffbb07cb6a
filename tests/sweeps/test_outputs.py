"""What outputs read beside the table: the bounds of single images, of the training that a row is of."""

import numpy as np
from numpy.testing import assert_allclose

from ppl_pvae.analysis.bounds import BOUNDS_FILE, bounds_of, write_table
from ppl_pvae.sweeps.outputs import bounds_of_rows


def test_bounds_are_read_of_cells_whose_row_is_of_the_same_training(tmp_path):
    x = np.arange(12.0).reshape(3, 4)
    bounds = bounds_of(np.arange(3), np.zeros(3, int), np.array([-4.0, -5.0, -6.0]), x)
    for name in ("same", "later", "none"):
        (tmp_path / "cells" / name).mkdir(parents=True)
        np.savez(tmp_path / "cells" / name / BOUNDS_FILE, **bounds.arrays())
    values = {"same": -5.0, "later": -5.5, "none": None, "gone": -5.0}
    found = bounds_of_rows(tmp_path, [{"cell": name, "log_evidence": value} for name, value in values.items()])
    assert list(found) == ["same"]
    assert found["same"].mark == bounds.mark
    assert np.array_equal(found["same"].bound, bounds.bound)


def test_bounds_stay_when_cells_are_gone(tmp_path):
    """Of two kinds of images; what a cell holds now goes before what was kept of it."""
    x, rng = np.arange(12.0).reshape(3, 4), np.random.default_rng(0)
    kept = {
        name: bounds_of(np.arange(3), np.array([0, 0, 1]), rng.normal(-200, 9, 3), images)
        for name, images in (("one", x), ("two", x), ("other", x + 1))
    }
    write_table(tmp_path / BOUNDS_FILE, kept)
    anew = bounds_of(np.arange(3), np.zeros(3, int), kept["two"].bound[::-1].copy(), x)
    (tmp_path / "cells" / "two").mkdir(parents=True)
    np.savez(tmp_path / "cells" / "two" / BOUNDS_FILE, **anew.arrays())
    means = {name: each.bound.mean() for name, each in kept.items()} | {"stale": 0.0}
    found = bounds_of_rows(tmp_path, [{"cell": name, "log_evidence": mean} for name, mean in means.items()])
    assert list(found) == ["one", "two", "other"]
    for name, each in (kept | {"two": anew}).items():
        assert_allclose(found[name].bound, each.bound, rtol=1e-6)
        assert found[name].mark == each.mark
    assert found["one"].group.tolist() == [0, 0, 1]
    assert found["two"].group.tolist() == [0, 0, 0]
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [BOUNDS_FILE]


def test_a_cell_whose_bounds_are_damaged_is_compared_without_them(tmp_path, capfd):
    x = np.arange(12.0).reshape(3, 4)
    bounds = bounds_of(np.arange(3), np.zeros(3, int), np.array([-4.0, -5.0, -6.0]), x)
    for name in ("whole", "damaged"):
        (tmp_path / "cells" / name).mkdir(parents=True)
        np.savez(tmp_path / "cells" / name / BOUNDS_FILE, **bounds.arrays())
    torn = tmp_path / "cells" / "damaged" / BOUNDS_FILE
    torn.write_bytes(torn.read_bytes()[:200])
    found = bounds_of_rows(tmp_path, [{"cell": name, "log_evidence": -5.0} for name in ("whole", "damaged")])
    assert list(found) == ["whole"]
    assert f"warning: cannot read {torn}" in capfd.readouterr().err

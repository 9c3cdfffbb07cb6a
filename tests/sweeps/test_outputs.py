"""What outputs read beside the table: the bounds of single images, of the training that a row is of."""

import numpy as np

from ppl_pvae.analysis.bounds import BOUNDS_FILE, bounds_of
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

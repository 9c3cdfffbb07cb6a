"""The study of how many sweeps close the amortisation gap, on a run whose gains are known."""

from types import SimpleNamespace

import numpy as np
import xarray as xr
from numpy.testing import assert_allclose
from refinement import shares


def known_run(gap):
    """Image i gains i · gap · (1 − 2^−sweeps)."""

    def refine(x, iterations):
        gained = gap * x[:, 0] * (1 - 0.5**iterations)
        return xr.Dataset({"free_energy_before": ("image", 0 * gained), "free_energy_after": ("image", -gained)})

    x = xr.DataArray(np.repeat(np.arange(11.0)[:, np.newaxis], 4, axis=1), dims=("image", "pixel"))
    return SimpleNamespace(tree={"observed_data": {"x": x}}, refine=refine)


def test_shares_are_of_what_many_sweeps_gain():
    """Of images 0, 5 and 10, 5 in the mean."""
    gap, found = shares(known_run(2.0), 3, (1, 2), 60)
    assert_allclose(gap, 10.0)
    assert_allclose(found, [0.5, 0.75])


def test_a_run_without_a_gap_has_it_closed():
    assert shares(known_run(0.0), 3, (1,), 5) == (0.0, [1.0])

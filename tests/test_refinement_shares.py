"""The study of how many sweeps close the amortisation gap, on a run whose gains are known."""

from types import SimpleNamespace

import numpy as np
import xarray as xr
from numpy.testing import assert_allclose
from refinement import moved, shares


def known_run(gap):
    """Image i gains i · gap · (1 − 2^−sweeps)."""

    def refine(x, iterations):
        gained = gap * x[:, 0] * (1 - 0.5**iterations)
        return xr.Dataset({"free_energy_before": ("image", 0 * gained), "free_energy_after": ("image", -gained)})

    x = xr.DataArray(np.repeat(np.arange(11.0)[:, np.newaxis], 4, axis=1), dims=("image", "pixel"))
    return SimpleNamespace(tree={"observed_data": {"x": x}}, refine=refine)


def test_shares_are_of_what_many_sweeps_gain():
    """Of images 0, 5 and 10, 5 in the mean."""
    gap, found, last = shares(known_run(2.0), 3, (1, 2), 60)
    assert_allclose(gap, 10.0)
    assert_allclose(found, [0.5, 0.75])
    assert_allclose(last["free_energy_after"], [0, -10, -20])


def test_a_run_without_a_gap_has_it_closed():
    assert shares(known_run(0.0), 3, (1,), 5)[:2] == (0.0, [1.0])


def test_where_codes_are_before_and_after():
    """Of two images and two units: all equal has no sparseness, and one of two units silent for good counts 1."""
    dims = ("image", "unit")
    codes = {"z_before": (dims, np.ones((2, 2))), "z_after": (dims, np.array([[3.0, 0.0], [3.0, 0.0]]))}
    zeros = {"zeros_before": (dims, np.zeros((2, 2))), "zeros_after": (dims, np.array([[0.2, 0.8], [0.0, 1.0]]))}
    distortion = {"distortion_sampled_before": ("image", [1.0, 3.0]), "distortion_sampled_after": ("image", [0.5, 1.5])}
    said = moved(xr.Dataset(codes | zeros | distortion))
    assert said == ("2.0 → 1.0", "0.000 → 0.500", "0.000 → 0.500")

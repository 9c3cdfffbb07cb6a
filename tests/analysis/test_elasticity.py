"""Slopes in logarithms: powers that are known, the fit of NumPy, and what photographs in common leave out."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ppl_pvae.analysis.elasticity import elasticity
from ppl_pvae.analysis.intervals import interval

RNG = np.random.default_rng(0)
X = np.geomspace(0.003, 3, 6)
GROUP = np.repeat(np.arange(5), 40)


def test_a_power_law_has_its_power_and_no_width():
    """y = c_image x^0.7: the factor of an image is in every setting, so no resample moves the slope."""
    factor = RNG.gamma(2.0, size=200) * (1 + GROUP)
    got = elasticity(X, factor[:, np.newaxis] * X**0.7, GROUP)
    assert_allclose((got.estimate, got.low, got.high), 0.7, rtol=1e-12)
    assert got.groups == 5


def test_the_slope_is_the_line_through_the_logarithms_of_the_means():
    """Estimate and every quantile against NumPy's polynomial fit, written out over resamples of photographs."""
    values = RNG.gamma(1.5, size=(200, 6)) * (1 + X * GROUP[:, np.newaxis])

    def slope(rows):
        return float(np.polyfit(np.log(X), np.log(rows.mean(axis=0)), 1)[0])

    got = elasticity(X, values, GROUP, resamples=100, seed=2)
    expected = interval(slope, (values,), GROUP, resamples=100, seed=2)
    assert_allclose((got.estimate, got.low, got.high), (expected.estimate, expected.low, expected.high), rtol=1e-9)
    assert got.low < got.estimate < got.high


def test_two_settings_are_the_slope_between_neighbours():
    values = RNG.gamma(1.5, size=(200, 6)) * X
    means = values.mean(axis=0)
    got = elasticity(X[2:4], values[:, 2:4], GROUP)
    assert_allclose(got.estimate, np.log(means[3] / means[2]) / np.log(X[3] / X[2]), rtol=1e-12)


def test_means_of_photographs_do_where_all_have_as_many_images():
    values = RNG.gamma(1.5, size=(200, 6)) * X
    by_photograph = values.reshape(5, 40, 6).mean(axis=1)
    full, short = elasticity(X, values, GROUP), elasticity(X, by_photograph, np.arange(5))
    assert_allclose((short.estimate, short.low, short.high), (full.estimate, full.low, full.high), rtol=1e-12)


def test_what_has_no_slope_is_refused():
    ones = np.ones((200, 2))
    with pytest.raises(ValueError, match="two different values > 0"):
        elasticity(np.array([2.0, 2.0]), ones, GROUP)
    with pytest.raises(ValueError, match="two different values > 0"):
        elasticity(np.array([0.0, 2.0]), ones, GROUP)
    with pytest.raises(ValueError, match="means over images must be > 0"):
        elasticity(np.array([1.0, 2.0]), ones * [0, 1], GROUP)

"""Planted elements and the units that are matched to them, against NumPy's correlations and all assignments."""

from itertools import permutations

import numpy as np
from numpy.testing import assert_allclose

from ppl_pvae.analysis import matched_correlations

RNG = np.random.default_rng(0)
PLANTED, FOUND = RNG.normal(size=(3, 8)), RNG.normal(size=(5, 8))


def by_trying_all(alike):
    """Of the best of all assignments, by the sum of its correlations; no scale, no order of units matters."""
    rows = np.arange(len(alike))
    return max((alike[rows, list(each)] for each in permutations(range(alike.shape[1]), len(alike))), key=np.sum)


def test_each_element_has_the_unit_that_makes_the_sum_largest():
    alike = np.corrcoef(PLANTED, FOUND)[:3, 3:]
    assert_allclose(matched_correlations(PLANTED, FOUND), by_trying_all(alike), rtol=1e-12)
    assert_allclose(matched_correlations(PLANTED, FOUND, signed=True), by_trying_all(np.abs(alike)), rtol=1e-12)


def test_order_and_scale_do_not_matter_and_signs_do():
    shuffled = np.array([[3.0], [0.2], [7.0]]) * PLANTED[[2, 0, 1]] + 4
    assert_allclose(matched_correlations(PLANTED, shuffled), np.ones(3))
    assert_allclose(matched_correlations(PLANTED, -shuffled, signed=True), np.ones(3))
    assert matched_correlations(PLANTED, -shuffled).max() < 0.99


def test_what_has_no_unit_or_a_flat_one_has_nothing():
    assert_allclose(np.sort(matched_correlations(PLANTED, PLANTED[1:2])), [0, 0, 1], atol=1e-12)
    assert_allclose(matched_correlations(PLANTED[:1], np.ones((1, 8))), [0])

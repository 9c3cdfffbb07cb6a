"""Ranks by a loop, ties that are broken evenly, tests with the size they claim, and bands that hold what they say."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import chisquare

from ppl_pvae.analysis.calibration import judge_ranks, pooled_ecdf, pooled_histogram, rank_among


def test_ranks_count_what_is_below():
    """Without ties, by a loop; an array of draws and a generator are the same."""
    rng = np.random.default_rng(0)
    z, posterior = rng.normal(size=(5, 3)), rng.normal(size=(9, 5, 3))
    found = rank_among(z, posterior, seed=0)
    loop = [[sum(posterior[s, i, k] < z[i, k] for s in range(9)) for k in range(3)] for i in range(5)]
    assert_array_equal(found.ranks, loop)
    assert_array_equal(found.tied, np.zeros(3))
    assert found.draws == 9
    assert_array_equal(rank_among(z, iter(posterior), seed=0).ranks, loop)


def test_ranks_lie_among_the_equals():
    z = np.array([[2, 0]])
    posterior = np.array([[[1, 0]], [[2, 0]], [[2, 1]], [[5, 0]]])
    drawn = np.concatenate([rank_among(z, posterior, seed=seed).ranks for seed in range(300)])
    assert set(drawn[:, 0]) == {1, 2, 3}
    assert set(drawn[:, 1]) == {0, 1, 2, 3}
    assert_allclose(rank_among(z, posterior, seed=0).tied, [0.5, 0.75])


@pytest.mark.parametrize("rate", [0.0, 0.02, 0.7, 20.0])
def test_ranks_of_counts_are_uniform_by_construction(rate):
    """Code and draws from one Poisson distribution, silent and rare ones as well: chi-square p above .001."""
    rng = np.random.default_rng(1)
    z, posterior = rng.poisson(rate, (4000, 1)), rng.poisson(rate, (9, 4000, 1))
    ranks = rank_among(z, posterior, seed=2).ranks
    assert chisquare(np.bincount(ranks[:, 0], minlength=10)).pvalue > 1e-3


def test_no_draws_and_few_images_are_refused():
    with pytest.raises(ValueError, match="no posterior draws"):
        rank_among(np.zeros((3, 2)), iter(()), seed=0)
    with pytest.raises(ValueError, match="ranks of 19 images"):
        judge_ranks(np.zeros((19, 2), int), 9)


@pytest.mark.parametrize(("images", "draws", "bins"), [(200, 9, 10), (200, 99, 20), (60, 9, 6), (20, 99, 2)])
def test_p_values_are_those_of_a_chi_square_test(images, draws, bins):
    """SciPy's, with the share of ranks in bins as nearly equal as can be; all units together by Bonferroni."""
    ranks = np.random.default_rng(3).integers(0, draws + 1, (images, 4))
    judged = judge_ranks(ranks, draws)
    assert judged.bins == bins
    edges = np.round(np.linspace(0, draws + 1, bins + 1)) - 0.5
    expected = images * np.diff(edges) / (draws + 1)
    each = [chisquare(np.histogram(column, edges)[0], expected).pvalue for column in ranks.T]
    assert_allclose(judged.p_values, each, rtol=1e-10)
    assert_allclose(judged.p_value, min(1.0, 4 * min(each)))


@pytest.mark.parametrize("alike", [False, True], ids=["independent units", "equal units"])
def test_uniform_ranks_are_rarely_refused(alike):
    """1,000 sets of ranks: p <= .05 in at most 5% (+ 3 standard errors), however much units hang together."""
    rng = np.random.default_rng(4)
    p_values = []
    for _ in range(1000):
        ranks = rng.integers(0, 20, (100, 1 if alike else 5))
        p_values.append(judge_ranks(np.repeat(ranks, 5, axis=1) if alike else ranks, 19).p_value)
    share = np.mean(np.array(p_values) <= 0.05)
    assert share < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 1000)
    assert (share < 0.025) if alike else (share > 0.025)


def test_shift_and_spread_of_uniform_and_of_known_ranks():
    uniform = np.tile(np.arange(10), 4)
    ranks = np.stack([uniform, np.full(40, 9), np.repeat([0, 9], 20)], axis=1)
    judged = judge_ranks(ranks, 9)
    assert_allclose(judged.shift, [0, 0.5, 0], atol=1e-12)
    assert_allclose(judged.spread, [1, 0, 4.5**2 / (99 / 12)])
    assert_allclose(judged.p_values[0], 1)


def test_curves_by_a_loop():
    ranks = np.random.default_rng(5).integers(0, 20, (100, 3))
    judged = judge_ranks(ranks, 19)
    ecdf, histogram = pooled_ecdf(judged), pooled_histogram(judged)
    assert_array_equal(ecdf.at, np.arange(19))
    assert_allclose(ecdf.value, [(ranks <= r).mean() - (r + 1) / 20 for r in range(19)], atol=1e-12)
    assert_array_equal(histogram.at, np.arange(1, 20, 2))
    assert_allclose(histogram.value, [np.isin(ranks, [r - 1, r]).mean() * 10 - 1 for r in histogram.at], atol=1e-12)


@pytest.mark.parametrize("curve", [pooled_ecdf, pooled_histogram])
@pytest.mark.parametrize("alike", [False, True], ids=["independent units", "equal units"])
def test_bands_hold_uniform_ranks_95_times_in_100(curve, alike):
    """All points of the curve at once, in 200 cases: within 3.3 standard errors above 90%, and not always."""
    rng = np.random.default_rng(6)
    inside = []
    for _ in range(200):
        ranks = rng.integers(0, 40, (200, 1 if alike else 6))
        band = curve(judge_ranks(np.repeat(ranks, 6, axis=1) if alike else ranks, 39))
        inside.append((np.abs(band.value) <= band.half).all())
    assert 0.90 < np.mean(inside) < 1

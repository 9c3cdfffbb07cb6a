"""Intervals: every resample of three photographs written out, the two ways against each other, and coverage."""

import itertools
import time

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ppl_pvae.analysis import metrics
from ppl_pvae.analysis.intervals import interval, interval_of_means

RNG = np.random.default_rng(0)
GROUP = np.repeat(["camera", "coffee", "grass"], [5, 8, 11])
VALUES = RNG.normal(size=24) + np.repeat([0.0, 2.0, 5.0], [5, 8, 11])


def test_three_photographs_by_writing_out_all_resamples():
    parts = [VALUES[name == GROUP] for name in np.unique(GROUP)]
    every = [np.concatenate([parts[i] for i in chosen]).mean() for chosen in itertools.product(range(3), repeat=3)]
    got = interval_of_means(VALUES, GROUP, resamples=20_000, level=0.8)
    assert_allclose(got.estimate, VALUES.mean(), rtol=1e-12)
    # Quantiles of a distribution of ten values sit on values, so that they agree to rounding.
    assert_allclose((got.low, got.high), np.quantile(every, [0.1, 0.9], method="inverted_cdf"), rtol=1e-12)
    assert got.groups == 3


def test_both_ways_agree_draw_by_draw():
    table = np.stack([VALUES, VALUES**2 + 1], axis=1)
    quick = interval_of_means(table, GROUP, lambda m: m[:, 0] / m[:, 1], resamples=100, seed=4)
    slow = interval(lambda a: a[:, 0].mean() / a[:, 1].mean(), (table,), GROUP, resamples=100, seed=4)
    assert_allclose((quick.estimate, quick.low, quick.high), (slow.estimate, slow.low, slow.high), rtol=1e-10)


def test_any_metric_can_be_resampled():
    z = RNG.poisson(0.3, (24, 6)).astype(np.float32)
    got = interval(metrics.lifetime_sparseness, (z,), GROUP, resamples=50)
    assert got.low <= got.estimate <= got.high
    assert got == interval(metrics.lifetime_sparseness, (z,), GROUP, resamples=50)


def test_patches_of_one_photograph_are_not_independent():
    # 20 photographs of 100 patches each; the deviation of a mean is that of 20 values and not of 2,000.
    level = RNG.normal(0, 1, 20)
    group = np.repeat(np.arange(20), 100)
    values = level[group] + 0.1 * RNG.normal(size=2000)
    got = interval_of_means(values, group, resamples=4000)
    assert_allclose((got.high - got.low) / 2, 1.96 * level.std() / np.sqrt(20), rtol=0.1)
    alone = interval_of_means(values, np.arange(2000), resamples=1000)
    assert (alone.high - alone.low) < (got.high - got.low) / 5


def test_one_photograph_says_nothing_about_the_next():
    got = interval_of_means(VALUES, np.zeros(24, int))
    assert np.isnan([got.low, got.high]).all()
    assert_allclose(got.estimate, VALUES.mean())


def test_several_columns_need_a_function():
    with pytest.raises(ValueError, match="combine"):
        interval_of_means(np.ones((4, 2)), np.arange(4))


def test_a_thousand_resamples_take_no_time():
    values, group = RNG.normal(size=15_000), RNG.integers(0, 10, 15_000)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        interval_of_means(values, group, resamples=1000)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.1

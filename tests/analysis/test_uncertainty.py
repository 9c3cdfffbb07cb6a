"""Intervals of every metric against recomputing the metric for each resample."""

import pytest
from numpy.testing import assert_allclose

from ppl_pvae.analysis import metrics, summarise
from ppl_pvae.analysis.intervals import interval
from ppl_pvae.analysis.uncertainty import metric_intervals
from tests.analysis.conftest import planted_posterior


@pytest.mark.parametrize("kind", ["poisson", "rectified", "gaussian"])
def test_estimates_are_those_of_the_summary(kind):
    p = planted_posterior(kind)
    row = summarise(p, 0.7)
    for key, inside in metric_intervals(p, 0.7).items():
        assert_allclose(inside.estimate, row[key], rtol=2e-5, atol=1e-7, err_msg=key)
        assert inside.low <= inside.estimate <= inside.high


@pytest.mark.parametrize(
    ("key", "metric", "names"),
    [
        ("zeros", metrics.zeros, ("z",)),
        ("lifetime_sparseness", metrics.lifetime_sparseness, ("z",)),
        ("population_sparseness", metrics.population_sparseness, ("z",)),
        ("r2", metrics.r2, ("x", "squared_error")),
        ("active_units", metrics.active_units, ("kl",)),
        ("nats_per_spike", metrics.nats_per_spike, ("kl", "mean")),
        ("coding_rate", metrics.coding_rate, ("kl",)),
    ],
)
def test_intervals_are_those_of_resampling_the_images(key, metric, names):
    p = planted_posterior("poisson", images=120)
    slow = interval(metric, tuple(getattr(p, name) for name in names), p.group, resamples=1000)
    fast = metric_intervals(p, 1.0)[key]
    # The same draws of photographs; lifetime takes the number of images in 1/(1 − 1/m) as given.
    loose = 2e-3 if key == "lifetime_sparseness" else 1e-5
    assert_allclose([fast.low, fast.high], [slow.low, slow.high], rtol=loose, atol=1e-7)


def test_intervals_of_codes_that_are_no_counts_leave_spikes_out():
    assert "nats_per_spike" not in metric_intervals(planted_posterior("gaussian"), 1.0)

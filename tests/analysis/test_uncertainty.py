"""Intervals of every metric against recomputing the metric for each resample."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ppl_pvae.analysis import metrics, summarise
from ppl_pvae.analysis.intervals import interval
from ppl_pvae.analysis.uncertainty import metric_intervals
from tests.analysis.conftest import planted_posterior


@pytest.mark.parametrize("kind", ["poisson", "rectified", "gaussian"])
def test_estimates_are_those_of_the_summary(kind):
    p = planted_posterior(kind)
    row = summarise(p, 0.7) | {"coding_rate_bits": metrics.coding_rate(p.kl) / np.log(2)}
    row["fano_factor"] = np.nanmean(metrics.fano_factor(p.z))
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
        ("coding_rate_bits", metrics.coding_rate_bits, ("kl",)),
        ("r2_per_image", metrics.r2_per_image, ("x", "squared_error")),
        ("fano_factor", metrics.mean_fano_factor, ("z",)),
    ],
)
def test_intervals_are_those_of_resampling_the_images(key, metric, names):
    p = planted_posterior("poisson", images=120)
    slow = interval(metric, tuple(getattr(p, name) for name in names), p.group, resamples=1000)
    fast = metric_intervals(p, 1.0)[key]
    # The same draws of photographs; lifetime takes the number of images in 1/(1 − 1/m) as given.
    loose = 2e-3 if key == "lifetime_sparseness" else 1e-5
    assert_allclose([fast.low, fast.high], [slow.low, slow.high], rtol=loose, atol=1e-7)


def test_flat_images_and_silent_units_have_no_part_in_a_mean_that_they_have_no_value_for():
    """Half of the images of one value, half of the units silent: the metrics of the others, to float precision."""
    p = planted_posterior("poisson", images=120)
    x, z = p.x.copy(), p.z.copy()
    x[::2], z[:, ::2] = 1.0, 0
    found = metric_intervals(replace(p, x=x, z=z), 1.0)
    varied, firing = metrics.r2_per_image(x[1::2], p.squared_error[1::2]), metrics.fano_factor(z[:, 1::2]).mean()
    assert_allclose(found["r2_per_image"].estimate, varied, rtol=1e-6)
    assert_allclose(found["fano_factor"].estimate, firing, rtol=1e-5)


def test_intervals_of_codes_that_are_no_counts_leave_spikes_out():
    found = metric_intervals(planted_posterior("gaussian"), 1.0)
    assert not {"nats_per_spike", "fano_factor"} & set(found)

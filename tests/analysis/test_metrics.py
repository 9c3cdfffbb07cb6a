"""Metrics against hand-made arrays with known answers and against loops written from the definitions."""

import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ppl_pvae.analysis import metrics

# Four images by three units: unit 0 fires always equally, unit 1 once, unit 2 never.
CODE = np.array([[2, 0, 0], [2, 0, 0], [2, 4, 0], [2, 0, 0]], dtype=np.float32)


def test_zeros_counts_exact_zeros():
    assert metrics.zeros(CODE) == 7 / 12
    assert metrics.zeros(np.full((3, 2), 1e-30, dtype=np.float32)) == 0


def test_lifetime_sparseness_is_0_for_constant_1_for_single_and_1_for_silent_units():
    assert_allclose(metrics.sparseness(CODE, axis=0), [0, 1, 1], atol=1e-12)
    assert_allclose(metrics.lifetime_sparseness(CODE), 2 / 3, rtol=1e-12)


def test_population_sparseness_by_hand():
    # (2, 0, 0): 1. (2, 4, 0): (1 − 36 / (3·20)) / (1 − 1/3) = 0.6.
    assert_allclose(metrics.sparseness(CODE, axis=1), [1, 1, 0.6, 1], rtol=1e-12)
    assert_allclose(metrics.population_sparseness(np.zeros((2, 3))), 1)


@pytest.mark.parametrize("axis", [0, 1])
def test_sparseness_against_the_published_loop(axis):
    z = np.random.default_rng(1).poisson(0.3, (40, 30)).astype(np.float32)
    z[:, 3] = z[5] = 0
    expected = []
    for v in z.astype(float) if axis == 1 else z.T.astype(float):
        m = len(v)
        expected.append(1.0 if not v.any() else (1 - (v.sum() ** 2 / m) / (v**2).sum()) / (1 - 1 / m))
    assert_allclose(metrics.sparseness(z, axis), expected, rtol=1e-12)


def test_sparseness_of_one_entry_is_not_defined():
    assert np.isnan(metrics.population_sparseness(np.ones((4, 1))))
    assert metrics.lifetime_sparseness(np.ones((4, 1))) == 0


def test_activity_is_a_mean_per_unit_and_a_sum_per_image():
    assert_allclose(metrics.firing_rate(CODE), 1.0)
    assert_allclose(metrics.spikes_per_image(CODE), 3.0)


def test_sums_keep_float32_codes_exact_over_many_images():
    # A float32 accumulator stops counting at 2**24.
    assert_allclose(metrics.firing_rate(np.full((20_000, 1000), 1.1, np.float32)), np.float32(1.1), rtol=1e-12)


def test_r2_pooled_and_per_image_by_hand():
    x = np.array([[1.0, -1.0], [3.0, -3.0]], dtype=np.float32)
    error = np.array([2.0, 2.0], dtype=np.float32)  # SST is 2 and 18
    assert_allclose(metrics.r2(x, error), 1 - 4 / 20)
    assert_allclose(metrics.r2_per_image(x, error), (0 + 1 - 2 / 18) / 2)


def test_r2_agrees_with_scikit_learn_image_by_image():
    sklearn_metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(2)
    x, guess = rng.normal(1, 2, (2, 7, 11))
    error = ((x - guess) ** 2).sum(1)
    each = sklearn_metrics.r2_score(x.T, guess.T, multioutput="raw_values")
    assert_allclose(metrics.r2_per_image(x, error), each.mean(), rtol=1e-12)
    pooled = sklearn_metrics.r2_score(x.T, guess.T, multioutput="variance_weighted")
    assert_allclose(metrics.r2(x, error), pooled, rtol=1e-12)


def test_r2_of_each_image_by_hand():
    x = np.array([[1.0, -1.0], [3.0, -3.0], [5.0, 5.0]])
    assert_allclose(metrics.r2_of_each_image(x, np.array([2.0, 2.0, 1.0])), [0, 1 - 2 / 18, np.nan])


def test_fano_factor_by_hand_and_of_a_mixture():
    z = np.array([[2, 0, 0], [2, 0, 0], [2, 4, 0], [2, 0, 0]])
    assert_allclose(metrics.fano_factor(z), [0, 3, np.nan])
    # Over images with rates 1 and 3 it is 1 + Var λ / E λ = 1.5.
    drawn = np.random.default_rng(0).poisson(np.tile([[1.0], [3.0]], (50_000, 1)))
    assert_allclose(metrics.fano_factor(drawn), 1.5, rtol=0.02)  # five standard errors


def test_rate_distortion_distance_by_hand():
    assert_allclose(metrics.rate_distortion_distance(r2=0.7, zeros=0.6), 0.5)


def test_flat_images_leave_the_mean_and_alone_define_nothing():
    x = np.array([[1.0, -1.0], [5.0, 5.0]])
    assert_allclose(metrics.r2_per_image(x, np.array([1.0, 9.0])), 0.5)
    assert np.isnan(metrics.r2_per_image(x[1:], np.array([9.0])))
    assert np.isnan(metrics.r2(x[1:], np.array([9.0])))


def test_cost_and_active_units_by_hand():
    kl = np.array([[0.5, 0.0, 0.02], [1.5, 0.0, 0.0]], dtype=np.float32)
    assert_allclose(metrics.nats_per_unit(kl), [1.0, 0.0, 0.01], rtol=1e-6)
    assert_allclose(metrics.coding_rate(kl), 1.01, rtol=1e-6)
    assert_allclose(metrics.active_units(kl), 1 / 3)  # float32(0.02)/2 is just below 0.01
    assert_allclose(metrics.nats_per_spike(kl, np.full((2, 3), 0.5, np.float32)), 1.01 / 1.5, rtol=1e-6)
    assert np.isnan(metrics.nats_per_spike(kl, np.zeros((2, 3), np.float32)))


def test_rate_mismatch_looks_at_active_units_only():
    kl = np.array([[1.0, 1.0, 0.0]], dtype=np.float32)
    rate = np.array([[2.0, 3.0, 0.0]], dtype=np.float32)
    prior = np.array([2.0, 1.5, 7.0], dtype=np.float32)
    assert_allclose(metrics.rate_mismatch(prior, rate, kl), np.log(2), rtol=1e-6)
    assert np.isnan(metrics.rate_mismatch(prior, rate, np.zeros_like(kl)))


def test_metrics_need_numpy_alone():
    code = (
        "import sys, ppl_pvae.analysis.metrics\n"
        "print([m for m in ('jax', 'matplotlib', 'xarray', 'scipy') if m in sys.modules])"
    )
    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert seen.stdout.strip() == "[]"

"""The bill against enumeration: every count of a tiny code written out, with SciPy's Poisson and plain entropies."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import poisson

from ppl_pvae.analysis.information import (
    TAIL,
    aggregate_counts,
    bits_per_spike,
    log_factorial,
    poisson_bill,
)

# Two units, four images.
RATE = np.array([[0.0, 2.0], [0.3, 0.5], [4.0, 2.0], [1.0, 7.0]])
PRIOR = np.array([0.8, 3.0])


def entropy(p: np.ndarray) -> float:
    return float(-np.sum(p[p > 0] * np.log(p[p > 0])))


def by_enumeration(rate: np.ndarray, prior: np.ndarray, counts: int):
    """Paid, delivered and mismatch of every unit, from the definitions."""
    n = np.arange(counts)
    rows = []
    for k in range(rate.shape[1]):
        each = [poisson.pmf(n, lam) for lam in rate[:, k].astype(float)]
        aggregate, log_prior = np.mean(each, axis=0), poisson.logpmf(n, prior[k])
        paid = np.mean([np.sum(p[p > 0] * (np.log(p[p > 0]) - log_prior[p > 0])) for p in each])
        delivered = entropy(aggregate) - np.mean([entropy(p) for p in each])
        rows.append((paid, delivered, -entropy(aggregate) - aggregate @ log_prior))
    return np.array(rows).T


def test_a_tiny_code_by_enumeration():
    bill = poisson_bill(RATE, PRIOR)
    paid, delivered, mismatch = by_enumeration(RATE, PRIOR, 60)
    assert_allclose(bill.paid, paid, atol=1e-12)
    assert_allclose(bill.delivered, delivered, atol=1e-12)
    assert_allclose(bill.mismatch, mismatch, atol=1e-12)


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 0.1, 3.0, 60.0, 200.0, 1500.0])
def test_any_rate_by_enumeration(scale):
    rng = np.random.default_rng(int(scale))
    rate, prior = scale * rng.gamma(0.5, 2, (30, 2)), scale * rng.uniform(0.5, 2, 2)
    bill = poisson_bill(rate, prior)
    counts = int(rate.max() + 12 * np.sqrt(rate.max()) + 30)
    expected = by_enumeration(rate, prior, counts)
    # SciPy's probabilities themselves lose digits as rates grow: some 1e-16 times the rate each.
    for actual, desired in zip((bill.paid, bill.delivered, bill.mismatch), expected, strict=True):
        assert_allclose(actual, desired, rtol=1e-8, atol=1e-15)


def test_paid_is_the_closed_form_of_the_kl():
    rng = np.random.default_rng(3)
    rate = np.exp(rng.normal(-2, 2, (400, 5))).astype(np.float32)
    prior = np.full(5, 0.3, np.float32)
    bill = poisson_bill(rate, prior)
    lam, r = rate.astype(float), prior.astype(float)
    # KL = λ log(λ/r) − λ + r
    assert_allclose(bill.paid, (lam * np.log(lam / r) - lam + r).mean(0), rtol=1e-12)
    assert_allclose(bill.paid, bill.delivered + bill.mismatch, rtol=1e-15)


def test_no_prior_rate_takes_the_shape_away():
    rate = np.array([[0.1], [5.0]])
    best = poisson_bill(rate, rate.mean(0))
    assert best.shape[0] > 0.1
    assert_allclose(best.mismatch, best.shape, rtol=1e-12)
    assert poisson_bill(rate, rate.mean(0) * 1.5).mismatch > best.mismatch


def test_a_unit_that_does_not_move_delivers_nothing():
    bill = poisson_bill(np.full((7, 2), [[3.0, 0.0]]), np.array([3.0, 0.25]))
    assert_allclose(bill.delivered, 0, atol=1e-12)
    assert_allclose(bill.mismatch, [0, 0.25], atol=1e-12)  # silence costs r


def test_two_images_that_no_count_confuses_are_one_bit():
    bill = poisson_bill(np.array([[0.0], [180.0]]), np.array([90.0]))
    assert_allclose(bill.delivered / np.log(2), 1, rtol=1e-12)


def test_the_aggregate_is_the_mean_of_the_probabilities():
    rate = np.array([1e-6, 0.2, 9.0, 200.0, 1000.0])
    p = aggregate_counts(rate)
    assert_allclose(p, poisson.pmf(np.arange(len(p))[:, np.newaxis], rate).mean(1), rtol=1e-9, atol=2 * TAIL)
    assert_allclose(p.sum(), 1, atol=1e-12)
    assert_allclose(aggregate_counts(np.zeros(3)), [1.0])


def test_the_information_of_the_whole_code_is_less_than_the_sum_over_units():
    n = np.arange(45)
    joint = np.mean([np.outer(poisson.pmf(n, a), poisson.pmf(n, b)) for a, b in RATE], axis=0)
    each = np.mean([entropy(poisson.pmf(n, lam)) for lam in RATE.ravel()]) * 2
    redundancy = entropy(joint.sum(1)) + entropy(joint.sum(0)) - entropy(joint)
    assert redundancy > 0.05
    assert_allclose(poisson_bill(RATE, PRIOR).delivered.sum(), entropy(joint) - each + redundancy, rtol=1e-9)


def test_bits_per_spike_by_hand():
    assert_allclose(bits_per_spike(3 * np.log(2), 2.0), 1.5)
    assert np.isnan(bits_per_spike(0.0, 0.0))


def test_log_factorials():
    assert_allclose(np.exp(log_factorial(6)), [1, 1, 2, 6, 24, 120], rtol=1e-12)
    assert len(log_factorial(1)) == 1

"""Bounds on the information of a whole code: enumeration, a Gaussian channel, and densities that integrate to one."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import quad
from scipy.stats import norm, poisson

from ppl_pvae.analysis.population import (
    gaussian_log_probability,
    poisson_log_probability,
    population_bounds,
    rectified_log_probability,
)


def test_counts_by_enumeration():
    # Over a few images that are all there are, the lower bound is their information itself.
    rate = np.array([[0.1, 2.0], [0.5, 0.5], [4.0, 2.0]])
    n = np.arange(40)
    each = [np.outer(poisson.pmf(n, a), poisson.pmf(n, b)) for a, b in rate]
    mixture = np.mean(each, axis=0)
    exact = np.mean([np.sum(p[p > 0] * np.log(p[p > 0] / mixture[p > 0])) for p in each])
    own = np.repeat(np.arange(3), 20_000)
    z = np.random.default_rng(0).poisson(rate[own])
    bounds = population_bounds(lambda part: poisson_log_probability(z[part], rate), own)
    # One draw has a deviation of 0.55 nat: the standard error of 60,000 is 0.0022.
    assert_allclose(bounds.lower, exact, atol=0.009)
    assert bounds.upper > exact
    assert_allclose(bounds.cap, np.log(3))


def test_the_definitions_by_a_loop():
    rng = np.random.default_rng(1)
    log_q, own = rng.normal(0, 2, (7, 4)), np.array([0, 1, 2, 3, 0, 1, 2])
    lower, upper = [], []
    for row, j in zip(log_q, own, strict=True):
        others = np.delete(row, j)
        lower.append(row[j] - np.log(np.mean(np.exp(row))))
        upper.append(row[j] - np.log(np.mean(np.exp(others))))
    bounds = population_bounds(log_q, own)
    assert_allclose((bounds.lower, bounds.upper), (np.mean(lower), np.mean(upper)), rtol=1e-12)
    assert_allclose(population_bounds(log_q - 3000.0, own).lower, bounds.lower, rtol=1e-9)


def test_a_gaussian_channel_lies_between_the_bounds():
    # z = x + σ·noise, x standard normal: I = ½ log(1 + 1/σ²) a unit.
    rng = np.random.default_rng(2)
    x, scale = rng.normal(size=(1500, 2)), np.full((1500, 2), 0.8)
    z = x + scale * rng.normal(size=x.shape)
    bounds = population_bounds(gaussian_log_probability(z, x, scale), np.arange(1500))
    exact = np.log(1 + 1 / 0.64)
    assert bounds.lower - 3 * bounds.lower_error < exact < bounds.upper + 3 * bounds.upper_error
    assert_allclose((bounds.lower, bounds.upper), exact, atol=0.1)
    assert 0.01 < bounds.lower_error < 0.04


def test_the_lower_bound_stops_at_the_number_of_images_and_the_upper_does_not():
    x = 1000.0 * np.arange(20.0)[:, np.newaxis]
    bounds = population_bounds(gaussian_log_probability(x, x, np.ones_like(x)), np.arange(20))
    assert_allclose(bounds.lower, np.log(20))
    assert bounds.upper > 1000


def test_one_image_has_no_bound_from_above():
    bounds = population_bounds(np.zeros((2, 1)), np.zeros(2, dtype=int))
    assert (bounds.lower, bounds.upper) == (0, np.inf)
    assert np.isnan(bounds.lower_error)


def test_probabilities_of_counts_and_values():
    rng = np.random.default_rng(3)
    rate, z = rng.gamma(1, 2, (3, 5)), rng.poisson(2.0, (4, 5))
    expected = [[poisson.logpmf(row, lam).sum() for lam in rate] for row in z]
    assert_allclose(poisson_log_probability(z, rate), expected, rtol=1e-12)
    assert poisson_log_probability(np.zeros((1, 1)), np.zeros((1, 1))) == 0  # a silent unit that is silent
    loc, scale, v = rng.normal(size=(3, 5)), rng.uniform(0.3, 2, (3, 5)), rng.normal(size=(4, 5))
    expected = [[norm.logpdf(row, m, s).sum() for m, s in zip(loc, scale, strict=True)] for row in v]
    assert_allclose(gaussian_log_probability(v, loc, scale), expected, rtol=1e-12)


@pytest.mark.parametrize("loc", [-2.0, 0.3])
def test_a_rectified_value_has_an_atom_and_a_density(loc):
    def log_q(z):
        return rectified_log_probability(np.array([[z]]), np.array([[loc]]), np.array([[0.7]]))[0, 0]

    atom = np.exp(log_q(0.0))
    assert_allclose(atom, norm.cdf(0, loc, 0.7), rtol=1e-12)
    assert_allclose(atom + quad(lambda z: np.exp(log_q(z)), 1e-12, 8)[0], 1, atol=1e-8)

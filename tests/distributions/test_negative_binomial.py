"""Negative binomial counts against scipy's in float64, and against the Poisson counts that they become."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats
from jax import random
from numpy.testing import assert_allclose, assert_array_equal

from ppl_pvae.distributions import NegativeBinomial, Poisson

RATES = np.array([1e-6, 0.3, 4.0, 150.0])
CONCENTRATIONS = np.array([0.01, 0.5, 3.9, 4.1, 10.0, 1e3, 1e4])[:, None]


def scipys(rate, concentration):
    return scipy.stats.nbinom(concentration, concentration / (concentration + rate))


def test_log_prob_is_scipys():
    """For counts up to 1,000, at every φ: 3e-6 in float32, relative or absolute."""
    n = np.array([0, 1, 2, 3, 5, 8, 20, 150, 1000.0])[:, None, None]
    found = NegativeBinomial(jnp.asarray(RATES), jnp.asarray(CONCENTRATIONS)).log_prob(jnp.asarray(n))
    assert_allclose(found, scipys(RATES, CONCENTRATIONS).logpmf(n), rtol=3e-6, atol=3e-6)


def test_log_prob_at_a_large_concentration_is_that_of_poisson_counts():
    """To first order it differs by ((n − λ)² − n)/(2φ), which float32 still sees at φ = 10⁴: to 2e-6 and 1% of it."""
    n, rate, phi = np.arange(12.0), 4.0, 1e4
    found = NegativeBinomial(rate, phi).log_prob(n)
    change = ((n - rate) ** 2 - n) / (2 * phi)
    assert_allclose(found - scipy.stats.poisson(rate).logpmf(n), change, rtol=0.01, atol=2e-6)
    assert_allclose(NegativeBinomial(rate, 1e8).log_prob(n), scipy.stats.poisson(rate).logpmf(n), rtol=1e-6)


def test_log_prob_has_its_closed_form_gradient():
    """(n − λ)φ/(φ + λ) in log λ, and ψ(n + φ) − ψ(φ) − log(1 + λ/φ) + (λ − n)/(φ + λ) in φ: 1e-5 and rounding."""
    n = np.array([0, 1, 6, 60.0])[:, None, None]

    def nats(log_rate, phi):
        return NegativeBinomial(log_rate=log_rate, concentration=phi).log_prob(n).sum((0, 2))

    for phi in CONCENTRATIONS[:-1, 0]:  # at 10⁴ the second is a difference beyond float64
        slopes = jax.vjp(nats, jnp.log(RATES), jnp.full(4, phi))[1](jnp.ones(1))
        by_rate = (n - RATES) * phi / (phi + RATES)
        digamma = scipy.special.digamma
        by_phi = digamma(n + phi) - digamma(phi) - np.log1p(RATES / phi) + (RATES - n) / (phi + RATES)
        assert_allclose(slopes[0], by_rate.sum((0, 1)), rtol=1e-5)
        assert_allclose(slopes[1], by_phi.sum((0, 1)), rtol=1e-4, atol=2e-6 * np.abs(by_phi).max())


def test_mean_and_variance_are_scipys():
    law, found = scipys(RATES, CONCENTRATIONS), NegativeBinomial(jnp.asarray(RATES), jnp.asarray(CONCENTRATIONS))
    assert found.batch_shape == found.mean.shape == found.variance.shape == (7, 4)
    assert_allclose(found.mean, law.mean(), rtol=1e-5)
    assert_allclose(found.variance, law.var(), rtol=1e-5)


@pytest.mark.parametrize(("rate", "phi"), [(0.3, 0.1), (4.0, 0.5), (4.0, 30.0), (60.0, 10.0), (2.0, 1e4)])
def test_draws_follow_the_law(rate, phi):
    """Chi-square over counts that are expected at least five times, p > 1e-4; 20,000 draws of two shapes."""
    q = NegativeBinomial(log_rate=jnp.full(2, np.log(rate)), concentration=phi).expand([5, 2]).to_event(1)
    z = q.sample(random.key(0), (2000,))
    assert z.shape == (2000, 5, 2)
    assert_array_equal(z, np.round(z))
    law = scipys(rate, phi)
    top = int(law.isf(5 / z.size))
    expected = np.append(law.pmf(np.arange(top)), law.sf(top - 1)) * z.size
    observed = np.bincount(np.minimum(np.asarray(z).ravel(), top).astype(int), minlength=top + 1)
    often = expected >= 5
    pooled = [np.append(each[often], each[~often].sum()) for each in (observed, expected)]
    keep = pooled[1] > 0
    assert scipy.stats.chisquare(pooled[0][keep], pooled[1][keep]).pvalue > 1e-4


def test_no_rate_gives_no_count():
    """At log-rates of −300 and −∞: no spike, log p(0) = 0, finite gradients; log p(2) at e⁻⁸⁰ is about −160."""
    silent = NegativeBinomial(log_rate=jnp.array([-300.0, -jnp.inf]), concentration=jnp.array([0.5, 20.0]))
    assert_array_equal(silent.sample(random.key(0), (100,)), 0)
    assert_array_equal(silent.log_prob(jnp.zeros(2)), 0)
    assert_array_equal(silent.variance, 0)
    assert silent.log_prob(jnp.array([0.0, 2.0]))[1] == -np.inf

    def nats(log_rate, phi):
        return jnp.sum(NegativeBinomial(log_rate=log_rate, concentration=phi).log_prob(jnp.array([0.0, 2.0, 0.0])))

    slopes = jax.grad(nats, (0, 1))(jnp.array([-80.0, -80.0, -300.0]), jnp.full(3, 2.0))
    assert_allclose(slopes[0], [0.0, 2.0, 0.0], atol=1e-6)  # (n − λ)φ/(φ + λ)
    assert_allclose(slopes[1], [0.0, scipy.special.digamma(4) - scipy.special.digamma(2) - 1, 0.0], atol=1e-5)


@pytest.mark.parametrize("arguments", [{}, {"rate": 1.0, "log_rate": 0.0, "concentration": 1.0}, {"rate": 1.0}])
def test_one_of_rate_and_log_rate_and_a_concentration_are_needed(arguments):
    with pytest.raises(TypeError, match=r"exactly one of rate|needs a concentration"):
        NegativeBinomial(**arguments)


def test_what_is_out_of_range_is_refused():
    with pytest.raises(ValueError, match="invalid log_rate"):
        NegativeBinomial(-1.0, 1.0)
    with pytest.raises(ValueError, match="invalid concentration"):
        NegativeBinomial(1.0, 0.0)


def test_numbers_will_do_and_jax_transformations_pass():
    assert NegativeBinomial(2, 3).batch_shape == ()
    assert_allclose(NegativeBinomial(2, 3).log_rate, Poisson(2).log_rate)
    batched = jax.vmap(lambda rate: NegativeBinomial(rate, 2 * rate))(jnp.array([1.0, 2.0]))
    assert_allclose(batched.variance, [1.5, 3.0], rtol=1e-6)

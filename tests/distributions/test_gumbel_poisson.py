"""The Gumbel-softmax count against a direct softmax over counts, in value, derivative and law."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats
from numpy.testing import assert_allclose, assert_array_equal

from ppl_pvae.distributions import gumbel_softmax_poisson
from ppl_pvae.distributions.gumbel_poisson import _gumbel, _largest_count
from ppl_pvae.distributions.random_words import cipher_key, random_words

RATES = np.array([1e-4, 0.03, 0.7, 4.0, 30.0, 180.0])


def gumbels(key, log_rate):
    """The Gumbel variables that the count is made of, (count, element), float64."""
    most = int(_largest_count(jnp.exp(jnp.max(log_rate)))) // 2 * 2 + 2
    words = [random_words(cipher_key(key), log_rate.shape, jnp.uint32(pair)) for pair in range(most // 2)]
    return np.stack([np.float64(_gumbel(word)) for pair in words for word in pair])


def directly(gumbel, log_rate, temperature):
    """Softmax over all counts at once, float64."""
    n = np.arange(len(gumbel))[:, None]
    y = scipy.special.softmax((n * log_rate - scipy.special.gammaln(n + 1) + gumbel) / temperature, axis=0)
    return np.sum(n * y, axis=0)


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_value_and_derivative_are_those_of_the_direct_softmax(temperature):
    """Against central differences in float64; 2e-4 for values and 1e-3 for slopes, relative or absolute."""
    log_rate = jnp.asarray(np.log(np.repeat(RATES, 50)), jnp.float32)
    key, step = jax.random.key(0), 1e-5
    value, slope = jax.jvp(
        lambda x: gumbel_softmax_poisson(key, x, jnp.float32(temperature)), (log_rate,), (jnp.ones_like(log_rate),)
    )
    gumbel, at = gumbels(key, log_rate), np.float64(log_rate)
    assert_allclose(value, directly(gumbel, at, temperature), atol=2e-4, rtol=2e-4)
    change = directly(gumbel, at + step, temperature) - directly(gumbel, at - step, temperature)
    assert_allclose(slope, change / (2 * step), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("rate", [0.05, 0.9, 12.0])
def test_hard_counts_are_poisson(rate):
    """Chi-square over counts that are expected at least five times, p > 1e-4."""
    draws = 20_000
    z = gumbel_softmax_poisson(jax.random.key(1), jnp.full(draws, np.log(rate)), jnp.float32(0.5), True)
    assert_array_equal(z, np.round(z))
    top = int(scipy.stats.poisson.isf(5 / draws, rate))
    observed = np.bincount(np.minimum(z, top).astype(int), minlength=top + 1)
    expected = np.append(scipy.stats.poisson.pmf(np.arange(top), rate), scipy.stats.poisson.sf(top - 1, rate)) * draws
    assert scipy.stats.chisquare(observed, expected).pvalue > 1e-4


def test_the_hard_and_the_soft_count_share_the_derivative():
    log_rate, key = jnp.log(jnp.full(200, 3.0)), jax.random.key(2)

    def slope(hard):
        draw = lambda x: gumbel_softmax_poisson(key, x, jnp.float32(0.3), hard)  # noqa: E731
        return jax.jvp(draw, (log_rate,), (jnp.ones_like(log_rate),))[1]

    assert_array_equal(slope(True), slope(False))


def test_counts_reach_the_quantile_of_the_largest_rate():
    """No more than one in a million lies beyond."""
    for rate in (1e-3, 0.1, 1.0, 10.0, 200.0):
        assert scipy.stats.poisson.sf(float(_largest_count(jnp.float32(rate))), rate) < 1e-6


def test_no_rate_gives_no_count_and_what_is_beyond_counting_is_no_number():
    """At a rate of 0 count and derivative are 0; beyond 1e5, at infinity and at NaN both are NaN, and soon."""
    log_rate = jnp.array([-jnp.inf, -200.0, 1.0, 12.0, 100.0, jnp.inf, jnp.nan])
    z, slope = jax.jvp(
        lambda x: gumbel_softmax_poisson(jax.random.key(0), x, jnp.float32(0.5)), (log_rate,), (jnp.ones(7),)
    )
    assert_array_equal(z[:2], 0.0)
    assert_array_equal(slope[:2], 0.0)
    assert np.isfinite(z[2])
    assert np.isnan(z[3:]).all()
    assert np.isnan(slope[3:]).all()

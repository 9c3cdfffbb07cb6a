"""The Poisson that keeps its log-rate, against scipy and against NumPyro's own."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
import scipy.stats
from jax import random
from numpy.testing import assert_allclose, assert_array_equal

from ppl_pvae.distributions import Poisson, log_rate_of

RATES = np.array([0.0, 1e-6, 0.3, 4.0, 150.0])


def test_log_prob_is_scipys():
    n = np.arange(6.0)[:, None]
    with np.errstate(divide="ignore"):
        expected = scipy.stats.poisson(RATES).logpmf(n)
    # float32: log n! and n log λ are rounded before they are added
    assert_allclose(Poisson(jnp.asarray(RATES)).log_prob(n), expected, rtol=1e-5, atol=1e-5)


def test_rate_and_log_rate_are_the_same_distribution():
    by_rate, by_log = Poisson(jnp.asarray(RATES)), Poisson(log_rate=jnp.log(jnp.asarray(RATES)))
    assert_allclose(by_rate.log_rate, by_log.log_rate)
    for of in ("mean", "variance", "rate"):
        assert_allclose(getattr(by_log, of), RATES, rtol=1e-5)


def test_numbers_and_whole_numbers_will_do():
    assert Poisson(2).batch_shape == ()
    assert_allclose(Poisson(2).log_rate, np.log(2), rtol=1e-6)
    assert_allclose(Poisson(log_rate=1).rate, np.e, rtol=1e-6)
    assert_allclose(log_rate_of(dist.Poisson(2)), np.log(2), rtol=1e-6)


@pytest.mark.parametrize("arguments", [{}, {"rate": 1.0, "log_rate": 0.0}])
def test_one_of_rate_and_log_rate_is_needed(arguments):
    with pytest.raises(TypeError, match="exactly one of rate"):
        Poisson(**arguments)


def test_a_rate_below_zero_is_refused():
    with pytest.raises(ValueError, match="invalid log_rate"):
        Poisson(jnp.array([1.0, -1.0]))


def test_draws_have_their_shape_and_mean():
    """Mean of 20,000 counts within 4.5 standard errors; a rate of e⁻⁸⁰ never fires."""
    log_rate = jnp.array([-80.0, -1.0, 1.0, 3.0])
    z = Poisson(log_rate=log_rate).expand([2, 4]).to_event(1).sample(random.key(0), (10_000,))
    assert z.shape == (10_000, 2, 4)
    assert_array_equal(z, np.round(z))
    rate = np.exp(np.asarray(log_rate, np.float64))
    mean = np.asarray(z, np.float64).mean((0, 1))
    assert mean[0] == 0
    assert (np.abs(mean - rate)[1:] < 4.5 * np.sqrt(rate / 20_000)[1:]).all()


def test_silent_units_have_finite_gradients():
    def nats(log_rate):
        return jnp.sum(Poisson(log_rate=log_rate).log_prob(jnp.array([0.0, 2.0, 0.0])))

    slope = jax.grad(nats)(jnp.array([-80.0, -80.0, -300.0]))
    assert_allclose(slope, [0.0, 2.0, 0.0], atol=1e-6)  # n − λ


def test_log_rate_of_either_poisson():
    log_rate = jnp.array([-2.0, 0.0, 3.0])
    assert_array_equal(log_rate_of(Poisson(log_rate=log_rate)), log_rate)
    assert_allclose(log_rate_of(dist.Poisson(jnp.exp(log_rate))), log_rate, atol=1e-6)
    assert np.isnan(log_rate_of(dist.Poisson(-1.0, validate_args=False)))


def test_it_passes_through_jax_transformations():
    batched = jax.vmap(lambda rate: Poisson(rate))(jnp.array([1.0, 2.0]))
    assert_allclose(batched.rate, [1.0, 2.0], rtol=1e-6)

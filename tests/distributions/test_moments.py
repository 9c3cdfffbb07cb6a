"""Means and variances by counting against NumPy and against what families say of themselves."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ppl_pvae.distributions import Poisson, RectifiedNormal, mean_of, variance_of
from tests.distributions.families import SMOOTH, log_pmf

AT = np.array([-1.0, 0.5, 2.0])


def moments(name, v):
    n, q = np.arange(2000), np.exp(log_pmf(name, v))
    mean = np.sum(n * q)
    return mean, np.sum((n - mean) ** 2 * q)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", ["own", "Conway–Maxwell–Poisson", "truncated"])
def test_moments_of_families_without_them(name):
    """Relative 1e-10 in float64; slopes by central differences to 1e-6; through an expanded event."""

    def both(v):
        q = SMOOTH[name](v).expand([2, 3]).to_event(1)
        return jnp.stack([mean_of(q), variance_of(q)])

    found = jax.jit(both)(jnp.asarray(AT))
    assert found.shape == (2, 2, 3)
    expected = np.transpose([moments(name, v) for v in AT])
    assert_allclose(found[:, 0], expected, rtol=1e-10)
    assert_array_equal(found[:, 0], found[:, 1])
    slopes = jax.jit(jax.jacrev(lambda v: both(v)[:, 0].sum(axis=1)))(jnp.asarray(AT))
    step = 1e-5
    difference = [(np.array(moments(name, v + step)) - moments(name, v - step)) / (2 * step) for v in AT]
    assert_allclose(slopes, np.transpose(difference), rtol=1e-6)


def test_a_variance_that_the_square_of_the_mean_would_swallow():
    """Rates of 300 in float32, 1e-4: E n² − (E n)² would keep two digits."""
    q = SMOOTH["own"](jnp.log(jnp.array([30.0, 300.0])))
    expected = np.transpose([moments("own", np.log(rate)) for rate in (30.0, 300.0)])
    assert_allclose(jax.jit(lambda: (mean_of(q), variance_of(q)))(), expected, rtol=1e-4)


def test_what_a_family_says_of_itself_comes_first():
    for q in (Poisson(jnp.array([0.5, 2.0])), RectifiedNormal(jnp.zeros(2), 1.0), dist.Normal(jnp.ones(2), 2.0)):
        assert_array_equal(mean_of(q), q.mean)
        assert_array_equal(variance_of(q), q.variance)


def test_what_is_no_count_has_no_sum():
    base = dist.Normal(0.0, 1.0)
    squashed = dist.TransformedDistribution(base, dist.transforms.SigmoidTransform())
    for moment in (mean_of, variance_of):
        with pytest.raises(NotImplementedError, match=r"TransformedDistribution has no (mean|variance) of its own"):
            moment(squashed)

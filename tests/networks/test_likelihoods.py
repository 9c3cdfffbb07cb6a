"""Likelihoods against SciPy, and what they refuse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpyro.handlers import seed, substitute, trace
from scipy import stats

from ppl_pvae.distributions import SquaredError
from ppl_pvae.networks import LIKELIHOODS, Nets
from ppl_pvae.networks.likelihoods import log_softplus

OUT = np.float32(np.random.default_rng(0).normal(size=(4, 5)))


def log_prob(likelihood, x, params=None):
    nets = Nets(units=3, pixels=5, likelihood=likelihood)
    fn = seed(substitute(lambda: nets.observe(jnp.asarray(OUT)), params or {}), 0)()
    assert fn.event_shape == (5,)
    return fn.log_prob(jnp.asarray(x, jnp.float32))


def test_default_likelihood_is_the_squared_error():
    """−log p = ‖x − mean‖² + (D/2) log π."""
    x = np.random.default_rng(1).normal(size=(4, 5))
    assert isinstance(Nets(units=3, pixels=5).observe(jnp.asarray(OUT)).base_dist, SquaredError)
    assert_allclose(-log_prob("gaussian", x), np.square(x - OUT).sum(1) + 2.5 * np.log(np.pi), rtol=1e-5)


def test_learned_noise_is_one_scale_for_all_pixels_from_that_of_the_default():
    x = np.random.default_rng(1).normal(size=(4, 5))
    for params, scale in ((None, np.sqrt(0.5)), ({"log_pixel_scale": jnp.log(2.0)}, 2.0)):
        expected = stats.norm(OUT, scale).logpdf(x).sum(1)
        assert_allclose(log_prob("gaussian-learned", x, params), expected, rtol=1e-5)
    nets = Nets(units=3, pixels=5, likelihood="gaussian-learned")
    assert set(trace(lambda: nets.observe(jnp.asarray(OUT))).get_trace()) == {"log_pixel_scale"}


def test_bernoulli_pixels_take_what_is_decoded_as_logits():
    x = np.random.default_rng(1).integers(0, 2, (4, 5))
    expected = stats.bernoulli(1 / (1 + np.exp(-OUT))).logpmf(x).sum(1)
    assert_allclose(log_prob("bernoulli", x), expected, rtol=1e-5)


def test_grey_bernoulli_pixels_pay_the_cross_entropy():
    x = np.random.default_rng(1).uniform(0, 1, (4, 5))
    lit = 1 / (1 + np.exp(-OUT))
    assert_allclose(log_prob("bernoulli", x), (x * np.log(lit) + (1 - x) * np.log1p(-lit)).sum(1), rtol=1e-5)


def test_poisson_counts_have_rates_by_softplus():
    x = np.random.default_rng(1).poisson(2.0, (4, 5))
    assert_allclose(log_prob("poisson", x), stats.poisson(np.logaddexp(0, OUT)).logpmf(x).sum(1), rtol=1e-5)


def test_the_log_of_softplus_keeps_value_and_slope_everywhere():
    """Against float64; slope σ(x)/softplus(x), which is 1 far below zero; relative 1e-5."""
    x = np.array([-200.0, -100.0, -15.5, -14.5, -3.0, 0.0, 4.0, 80.0])
    value, slope = jax.vmap(jax.value_and_grad(log_softplus))(jnp.asarray(x))
    softplus = np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0)
    assert_allclose(value, np.where(x < -30, x, np.log(np.maximum(softplus, 1e-30))), rtol=1e-5, atol=1e-6)
    assert_allclose(slope, np.where(x < -30, 1, 1 / (1 + np.exp(-x)) / np.maximum(softplus, 1e-300)), rtol=1e-5)


@pytest.mark.parametrize(
    ("likelihood", "x", "problem"),
    [
        ("bernoulli", [0.0, 1.0, 0.5], None),
        ("bernoulli", [0.0, 1.5], "from 0 to 1, and 1 of 2 is not: these go from 0 to 1.5"),
        ("bernoulli", np.float32([0.0, 1.0001]), "these go from 0 to 1.0001"),
        ("bernoulli", [-0.25, 1.0], "these go from -0.25"),
        ("poisson", [0.0, 3.0, 17.0], None),
        ("poisson", [0.0, 2.5], "1 of 2 is not, the first 2.5"),
        ("poisson", [-0.5, -1.0], "2 of 2 are not, the first -0.5"),
        ("poisson", np.float32([1.0, 3.0001]), "the first 3.0001"),
        ("gaussian", [-1e6, 0.3], None),
    ],
)
def test_images_that_have_no_probability_are_told_apart(likelihood, x, problem):
    found = LIKELIHOODS[likelihood].unfit(np.array([x]))
    assert found is None if problem is None else problem in found

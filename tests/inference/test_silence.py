"""The cost of silence against scipy, under the likelihood that a program itself observes with."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
import scipy.stats
from numpy.testing import assert_allclose
from numpyro.handlers import scale

from ppl_pvae.distributions import Poisson, SquaredError
from ppl_pvae.inference.silence import silent_free_energy
from ppl_pvae.networks import Nets

RNG = np.random.default_rng(0)
REAL = RNG.normal(0.3, 1.0, (40, 3)).astype(np.float32)
COUNTS = RNG.poisson(2.0, (40, 3)).astype(np.float32)
BITS = RNG.integers(0, 2, (40, 3)).astype(np.float32)


def silence(observe, x, factor=None, nets=None):
    """Of a program with two units and the given likelihood of a reconstruction."""

    def model(x, nets):
        with numpyro.plate("image", len(x)):
            z = numpyro.sample("z", Poisson(jnp.ones(2)).to_event(1))
            numpyro.sample("x", observe(z @ jnp.ones((2, 3)), x).to_event(1), obs=x)

    def guide(x, nets):
        with numpyro.plate("image", len(x)):
            numpyro.sample("z", Poisson(log_rate=x[:, :2]).to_event(1))

    if factor is not None:
        model, guide = scale(model, factor), scale(guide, factor)
    return silent_free_energy({}, model, guide, nets, x, x.mean(axis=0))


def test_the_default_likelihood_pays_the_squared_pixels():
    assert_allclose(silence(lambda mean, x: SquaredError(mean), REAL), np.square(REAL).sum(1).mean(), rtol=1e-5)


def test_a_decoder_with_a_bias_is_silent_at_the_mean():
    nets = Nets(units=2, pixels=REAL.shape[1], decoder_bias=True)
    expected = np.square(REAL - REAL.mean(0)).sum(1).mean()
    assert_allclose(silence(lambda mean, x: SquaredError(mean), REAL, nets=nets), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("observe", "x", "log_prob"),
    [
        (lambda mean, x: dist.Normal(mean, 0.1), REAL, lambda x, m: scipy.stats.norm(m, 0.1).logpdf(x)),
        (
            lambda mean, x: dist.Normal(mean, jnp.array([0.1, 1.0, 2.0])),
            REAL,
            lambda x, m: scipy.stats.norm(m, [0.1, 1.0, 2.0]).logpdf(x),
        ),
        (lambda mean, x: dist.Poisson(jnp.exp(mean)), COUNTS, lambda x, m: scipy.stats.poisson(m).logpmf(x)),
        (lambda mean, x: Poisson(jax.nn.softplus(mean)), COUNTS, lambda x, m: scipy.stats.poisson(m).logpmf(x)),
        (lambda mean, x: dist.Bernoulli(logits=mean), BITS, lambda x, m: scipy.stats.bernoulli(m).logpmf(x)),
    ],
)
def test_other_likelihoods_pay_for_the_mean_of_each_pixel(observe, x, log_prob):
    """Against scipy in float64, relative 1e-5."""
    expected = -log_prob(np.float64(x), np.float64(x).mean(axis=0)).sum(axis=1).mean()
    assert_allclose(silence(observe, x), expected, rtol=1e-5)


def test_a_scaled_program_has_a_scaled_silence():
    whole, tenth = (silence(lambda mean, x: dist.Normal(mean, 0.5), REAL, factor) for factor in (None, 0.1))
    assert_allclose(tenth, 0.1 * whole, rtol=1e-6)


def test_what_silence_is_elsewhere_is_left_open():
    assert silence(lambda mean, x: dist.Laplace(mean, 1.0), REAL) is None
    assert silence(lambda mean, x: dist.Normal(mean, jnp.exp(x)), REAL) is None

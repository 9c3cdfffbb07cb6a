"""Draws of latents of the whole data set, against the distributions that they come from."""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from jax import random
from numpy.testing import assert_allclose

from ppl_pvae.inference.global_draws import draw_globals

NETS = SimpleNamespace(units=3, pixels=4)


def model(x, nets):
    rate = numpyro.sample("rate", dist.Gamma(2.0, jnp.full(nets.units, 4.0)).to_event(1))
    with numpyro.plate("image", len(x)):
        z = numpyro.sample("z", dist.Poisson(rate).to_event(1))
        numpyro.sample("x", dist.Normal(z.sum(axis=1, keepdims=True) * jnp.ones(4), 1.0).to_event(1), obs=x)


def guide(x, nets):
    loc = numpyro.param("loc", jnp.zeros(nets.units))
    numpyro.sample("rate", dist.LogNormal(loc, 0.1).to_event(1))
    with numpyro.plate("image", len(x)):
        numpyro.sample("z", dist.Poisson(jnp.ones((len(x), nets.units))).to_event(1))


def test_draws_are_of_guide_and_prior():
    params, x = {"loc": jnp.log(jnp.array([1.0, 2.0, 3.0]))}, np.zeros((5, 4), np.float32)
    drawn = draw_globals(random.key(0), params, model, guide, NETS, x, draws=4000, prior_draws=4001)
    assert drawn.posterior.keys() == drawn.prior.keys() == {"rate"}
    assert drawn.posterior["rate"].shape == (4000, 3)
    assert drawn.prior["rate"].shape == (4001, 3)
    # s.e. of log: .1/√4000; of a Gamma(2, 4): mean .5, deviation √2/4, s.e. .0056
    assert_allclose(np.log(drawn.posterior["rate"]).mean(axis=0), np.log([1, 2, 3]), atol=4 * 0.1 / np.sqrt(4000))
    assert_allclose(drawn.prior["rate"].mean(axis=0), 0.5, atol=4 * 0.0056)


def test_a_prior_that_cannot_be_drawn_leaves_the_posterior_its_draws():
    """A local prior that changed its law and not its draws: the guide's draws of the global are there."""

    class Changed(dist.Normal):
        def log_prob(self, value, intermediates=None):
            return super().log_prob(value - 1)

    def changed(x, nets):
        scale = numpyro.sample("rate", dist.LogNormal(jnp.zeros(nets.units), 1.0).to_event(1))
        with numpyro.plate("image", len(x)):
            z = numpyro.sample("z", Changed(0.0, scale).to_event(1))
            numpyro.sample("x", dist.Normal(z.sum(axis=1, keepdims=True) * jnp.ones(4), 1.0).to_event(1), obs=x)

    params, x = {"loc": jnp.zeros(3)}, np.zeros((5, 4), np.float32)
    drawn = draw_globals(random.key(0), params, changed, guide, NETS, x, draws=10, prior_draws=10)
    assert drawn.posterior["rate"].shape == (10, 3)
    assert drawn.prior == {}


def test_a_program_without_globals_has_none():
    def local(x, nets):
        with numpyro.plate("image", len(x)):
            numpyro.sample("z", dist.Poisson(jnp.ones((len(x), nets.units))).to_event(1))

    drawn = draw_globals(random.key(0), {}, local, local, NETS, np.zeros((5, 4), np.float32), draws=3, prior_draws=3)
    assert drawn.posterior == drawn.prior == {}

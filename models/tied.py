"""One prior rate for all units. Asked: is it worth that each unit has a rate of its own?"""

from functools import partial

import jax.numpy as jnp
import numpyro

from ppl_pvae.models import poisson


def tied(nets):
    return jnp.exp(numpyro.param("log_prior_rate", jnp.array(-1.0)) * jnp.ones(nets.units))


model = partial(poisson.model, prior_rate=tied)
guide = partial(poisson.guide, prior_rate=tied)

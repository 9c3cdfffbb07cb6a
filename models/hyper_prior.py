"""How many units do the data pay for? Prior rates have a gamma prior that favours silence: one global latent each.

TODO
"""

from functools import partial

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist

from ppl_pvae.models import poisson


def gamma(nets):
    return numpyro.sample("prior_rate", dist.Gamma(0.1, 1.0).expand([nets.units]).to_event(1))


def log_normal(nets):
    loc = numpyro.param("log_rate", jnp.full(nets.units, -1.0))
    scale = numpyro.param("log_rate_scale", jnp.full(nets.units, 0.1), constraint=dist.constraints.positive)
    return numpyro.sample("prior_rate", dist.LogNormal(loc, scale).to_event(1))


model = partial(poisson.model, prior_rate=gamma)
guide = partial(poisson.guide, prior_rate=log_normal)

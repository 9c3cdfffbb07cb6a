"""Prior rates under a gamma prior that favours silence, global latents: how many units do the data pay for?

Nearly all: 471 of 512 keep more than .01 spikes an image; free energy 134.3 nats, .04 of them KL(global)/N.
`python -m ppl_pvae.fit --program models/hyper_prior.py`
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

"""Latent events behind spike counts of neurons: with 24 units, do the 16 planted loadings come back?

TODO
"""

import jax
import jax.numpy as jnp
import numpyro

from ppl_pvae.distributions import Poisson
from ppl_pvae.models.poisson import guide as guide
from ppl_pvae.models.poisson import learned_rate

DATA = "synthetic-counts"


def model(x, nets):
    baseline = numpyro.param("baseline", jnp.zeros(nets.pixels))
    r = learned_rate(nets)
    with numpyro.plate("image", len(x)):
        z = numpyro.sample("z", Poisson(r).to_event(1))
        numpyro.sample("x", Poisson(jax.nn.softplus(nets.decode(z) + baseline)).to_event(1), obs=x)

"""Negative binomial counts of one concentration φ for all units, learned: how much more than Poisson do they vary?

TODO
"""

import jax.numpy as jnp
import numpyro

from ppl_pvae.distributions import NegativeBinomial
from ppl_pvae.models.poisson import learned_rate
from ppl_pvae.networks import soft_clamp


def concentration():
    return jnp.exp(numpyro.param("log_concentration", jnp.log(10.0)))


def model(x, nets):
    r, phi = learned_rate(nets), concentration()
    with numpyro.plate("image", len(x)):
        z = numpyro.sample("z", NegativeBinomial(r, phi).to_event(1))
        numpyro.sample("x", nets.observe(nets.decode(z)), obs=x)


def guide(x, nets):
    r, phi = learned_rate(nets), concentration()
    with numpyro.plate("image", len(x)):
        log_rate = jnp.log(r) + soft_clamp(nets.encode(x), 3.0)
        numpyro.sample("z", NegativeBinomial(log_rate=log_rate, concentration=phi).to_event(1))

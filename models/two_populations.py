"""Excitation and inhibition, half of the units each, weights of one sign: what does Dale's law cost?

Dear on planted images: 318.0 nats with 128 units, where 64 units of weights of both signs are at 261.5.
`python -m ppl_pvae.fit --program models/two_populations.py --data synthetic --units 128 --steps 2000`
"""

import jax.numpy as jnp
import numpyro
from jax import random

from ppl_pvae.distributions import Poisson
from ppl_pvae.models.poisson import learned_rate
from ppl_pvae.networks import soft_clamp

SIGNS = {"excitatory": 1.0, "inhibitory": -1.0}


def weights(name, units, pixels):
    start = numpyro.param(f"log_weight_{name}", lambda key: -4 + random.normal(key, (units, pixels)))
    return jnp.exp(start)


def halves(of_units):
    return dict(zip(SIGNS, jnp.split(of_units, 2, axis=-1), strict=True))


def model(x, nets):
    rates, drawn = halves(learned_rate(nets)), 0.0
    with numpyro.plate("image", len(x)):
        for name, r in rates.items():
            z = numpyro.sample(name, Poisson(r).to_event(1))
            drawn += SIGNS[name] * z @ weights(name, r.size, nets.pixels)
        numpyro.sample("x", nets.observe(drawn), obs=x)


def guide(x, nets):
    log_rates = halves(jnp.log(learned_rate(nets)))
    with numpyro.plate("image", len(x)):
        for name, log_gain in halves(soft_clamp(nets.encode(x), 3.0)).items():
            numpyro.sample(name, Poisson(log_rate=log_rates[name] + log_gain).to_event(1))

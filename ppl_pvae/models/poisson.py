"""The Poisson VAE: spike counts whose rates the encoder modulates around learned prior rates."""

import jax.numpy as jnp
import numpyro
from jax import random

from ppl_pvae.distributions import Poisson
from ppl_pvae.networks import Nets, soft_clamp

__all__ = ["LARGEST_LOG_RATE", "SMALLEST_LOG_RATE", "fixed_rate", "guide", "learned_rate", "model"]

LARGEST_LOG_RATE = 5.3  # about 200 spikes a window
SMALLEST_LOG_RATE = -80.0  # float32 rates underflow at −87; a unit this silent stays finite


def learned_rate(nets: Nets, start=(-1.5, -0.5)):
    """r, one per unit, learned from a uniform start of log r; model and guide share it through its name."""
    low, high = start
    log_r = numpyro.param("log_prior_rate", lambda key: random.uniform(key, (nets.units,), minval=low, maxval=high))
    return jnp.exp(jnp.maximum(log_r, SMALLEST_LOG_RATE))


def fixed_rate(nets: Nets, rate=0.37):
    """r held at one value for all units."""
    return jnp.full((nets.units,), rate)


def model(x, nets: Nets, prior_rate=learned_rate):
    """z ~ Pois(r), x ~ observe(decode(z)); x is (image, pixel)."""
    r = prior_rate(nets)
    with numpyro.plate("image", len(x)):
        z = numpyro.sample("z", Poisson(r).to_event(1))
        numpyro.sample("x", nets.observe(nets.decode(z)), obs=x)


def guide(x, nets: Nets, prior_rate=learned_rate):
    """z ~ Pois(λ), λ = r·δr(x), soft-clamped from above so that a bad step cannot overflow."""
    r = prior_rate(nets)
    with numpyro.plate("image", len(x)):
        log_rate = soft_clamp(jnp.log(r) + nets.encode(x), LARGEST_LOG_RATE)
        numpyro.sample("z", Poisson(log_rate=log_rate).to_event(1))

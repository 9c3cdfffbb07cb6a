"""The negative binomial VAE: spike counts as in the Poisson VAE, of a variance that is free to exceed their mean."""

import math

import jax.numpy as jnp
import numpyro

from ppl_pvae.distributions import NegativeBinomial
from ppl_pvae.models.poisson import bounded_once, learned_ceiling, learned_rate
from ppl_pvae.networks import Nets, soft_clamp

__all__ = [
    "LARGEST_CONCENTRATION",
    "SMALLEST_CONCENTRATION",
    "START_CONCENTRATION",
    "fixed_concentration",
    "guide",
    "learned_concentration",
    "model",
]

START_CONCENTRATION = 10.0
SMALLEST_CONCENTRATION, LARGEST_CONCENTRATION = 0.01, 1e6  # a factor of ten beyond where it may start


def learned_concentration(nets: Nets, start=START_CONCENTRATION):
    """φ, one per unit, learned; model and guide share it through its name, without which the KL has no closed form.

    It is soft-clamped on both sides: where a unit is best off with Poisson counts log φ would climb for ever.
    """
    log_phi = numpyro.param("log_concentration", jnp.full((nets.units,), math.log(start)))
    low, high = math.log(SMALLEST_CONCENTRATION), math.log(LARGEST_CONCENTRATION)
    return jnp.exp(soft_clamp(-soft_clamp(-log_phi, -low), high))


def fixed_concentration(nets: Nets, concentration=START_CONCENTRATION):
    """φ held at one value for all units."""
    return jnp.full((nets.units,), concentration)


def model(x, nets: Nets, prior_rate=learned_rate, concentration=learned_concentration):
    """z ~ NB(r, φ), of variance r + r²/φ, x ~ observe(decode(z)); x is (image, pixel)."""
    r, phi = prior_rate(nets), concentration(nets)
    with numpyro.plate("image", len(x)):
        z = numpyro.sample("z", NegativeBinomial(r, phi).to_event(1))
        numpyro.sample("x", nets.observe(nets.decode(z)), obs=x)


def guide(
    x,
    nets: Nets,
    prior_rate=learned_rate,
    ceiling=learned_ceiling,
    concentration=learned_concentration,
    bounded=bounded_once,
):
    """z ~ NB(λ, φ), λ = r·δr(x) as in the Poisson VAE, φ the prior's."""
    log_r, top, phi = jnp.log(prior_rate(nets)), ceiling(nets), concentration(nets)
    with numpyro.plate("image", len(x)):
        log_rate = bounded(log_r, nets.encode(x), top)
        numpyro.sample("z", NegativeBinomial(log_rate=log_rate, concentration=phi).to_event(1))

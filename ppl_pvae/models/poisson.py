"""The Poisson VAE: spike counts whose rates the encoder modulates around learned prior rates."""

import jax.numpy as jnp
import numpyro
from jax import random

from ppl_pvae.distributions import Poisson
from ppl_pvae.networks import Nets, scaled_inputs, scaled_outputs, soft_clamp

__all__ = [
    "LARGEST_LOG_GAIN",
    "LARGEST_LOG_RATE",
    "SMALLEST_LOG_RATE",
    "bounded_once",
    "bounded_twice",
    "fixed_ceiling",
    "fixed_rate",
    "from_spread_units",
    "guide",
    "in_spread_units",
    "learned_ceiling",
    "learned_rate",
    "model",
]

LARGEST_LOG_RATE = 5.3  # about 200 spikes a window: a bad step cannot overflow
LARGEST_LOG_GAIN = 3.0  # where the ceiling of the gain starts: 20 times the prior rate
SMALLEST_LOG_RATE = -80.0  # float32 rates underflow at −87; a unit this silent stays finite


def learned_rate(nets: Nets, start=(-1.5, -0.5)):
    """r, one per unit, learned from a uniform start of log r; model and guide share it through its name."""
    low, high = start
    log_r = numpyro.param("log_prior_rate", lambda key: random.uniform(key, (nets.units,), minval=low, maxval=high))
    return jnp.exp(jnp.maximum(log_r, SMALLEST_LOG_RATE))


def fixed_rate(nets: Nets, rate=0.37):
    """r held at one value for all units."""
    return jnp.full((nets.units,), rate)


def learned_ceiling(nets: Nets, start=LARGEST_LOG_GAIN):
    """The log-gain at which each unit saturates, learned.

    Without a ceiling (the published one is e¹⁰) exp(Wx) is heavy-tailed: its outliers rule the gradient in training and
    the free energy of images not seen. A ceiling that is learned leaves r and λ free to meet, r = E λ.
    """
    return numpyro.param("log_largest_gain", jnp.full((nets.units,), float(start)))


def fixed_ceiling(nets: Nets, log_gain=10.0):
    """One log-gain at which all units saturate; the default is the published one."""
    return jnp.full((nets.units,), log_gain)


def bounded_once(log_r, log_gain, ceiling):
    """log λ, bent where the gain meets its ceiling or the rate `LARGEST_LOG_RATE`, whichever comes first."""
    return log_r + soft_clamp(log_gain, jnp.minimum(ceiling, LARGEST_LOG_RATE - log_r))


def bounded_twice(log_r, log_gain, ceiling):
    """log λ as published, softclamp(log r + softclamp(log δr, ceiling), 5.3): the gain is bent, and then the rate."""
    return soft_clamp(log_r + soft_clamp(log_gain, ceiling), LARGEST_LOG_RATE)


def model(x, nets: Nets, prior_rate=learned_rate):
    """z ~ Pois(r), x ~ observe(decode(z)); x is (image, pixel)."""
    r = prior_rate(nets)
    with numpyro.plate("image", len(x)):
        z = numpyro.sample("z", Poisson(r).to_event(1))
        numpyro.sample("x", nets.observe(nets.decode(z)), obs=x)


def guide(x, nets: Nets, prior_rate=learned_rate, ceiling=learned_ceiling, bounded=bounded_once):
    """z ~ Pois(λ), λ = r·δr(x), gain and rate soft-clamped from above."""
    log_r, top = jnp.log(prior_rate(nets)), ceiling(nets)
    with numpyro.plate("image", len(x)):
        numpyro.sample("z", Poisson(log_rate=bounded(log_r, nets.encode(x), top)).to_event(1))


def in_spread_units(params):
    """The parameters with the weights of unit k, in encoder and decoder, taken √(1 + r_k) times: what training moves.

    A unit that spikes often is nearly linear: x̂ gets (λ − r)Φ, λ − r ≈ r·Wx, at the cost of a noise r‖Φ‖² and a KL
    r(Wx)²/2. All three stay what they are while r grows and W and Φ shrink as 1/√r, so that the rate lies on the floor
    of a flat valley that runs across the axes of log r, W and Φ. With W√(1 + r) and Φ√(1 + r) held, it runs along the
    axis of log r. Units that hardly spike are left as they are.
    """
    return _times_spread(params, 0.5)


def from_spread_units(params):
    """The inverse of `in_spread_units`."""
    return _times_spread(params, -0.5)


def _times_spread(params, power):
    if "log_prior_rate" not in params:
        return params
    factor = (1 + jnp.exp(params["log_prior_rate"])) ** power
    encoder, decoder = scaled_outputs(params["encoder"], factor), scaled_inputs(params["decoder"], factor)
    moved = {"encoder": encoder, "decoder": decoder}
    if "encoder_bias" in params:
        moved["encoder_bias"] = params["encoder_bias"] * factor
    return params | moved

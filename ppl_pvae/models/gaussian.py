"""The Gaussian VAE: real-valued codes of either sign."""

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist

from ppl_pvae.networks import Nets

__all__ = ["LARGEST_LOG_SCALE", "guide", "learned_normal", "model", "posterior_normal", "standard_normal"]

LARGEST_LOG_SCALE = 5.3


def standard_normal(nets: Nets):
    """Prior mean and standard deviation of each unit: 0 and 1, fixed."""
    return jnp.zeros(nets.units), jnp.ones(nets.units)


def learned_normal(nets: Nets):
    """Prior mean of each unit, learned from 0, and a standard deviation of 1.

    The deviation is the unit of measurement: z, m, s and σ times any c, and the decoder's weights divided by it, are
    the same model at the same KL. A learned deviation would change no free energy and leave the activity undefined.
    """
    return numpyro.param("prior_loc", jnp.zeros(nets.units)), jnp.ones(nets.units)


def posterior_normal(x, nets: Nets):
    """μ and σ of each image and unit; log σ = 5.3·tanh(·/5.3), as published."""
    loc, log_scale = nets.encode(x, heads=2)
    return loc, jnp.exp(LARGEST_LOG_SCALE * jnp.tanh(log_scale / LARGEST_LOG_SCALE))


def model(x, nets: Nets, prior=learned_normal):
    """z ~ N(m, s²), x ~ observe(decode(z)); x is (image, pixel)."""
    loc, scale = prior(nets)
    with numpyro.plate("image", len(x)):
        z = numpyro.sample("z", dist.Normal(loc, scale).to_event(1))
        numpyro.sample("x", nets.observe(nets.decode(z)), obs=x)


def guide(x, nets: Nets):
    """z ~ N(μ(x), σ(x)²)."""
    with numpyro.plate("image", len(x)):
        loc, scale = posterior_normal(x, nets)
        numpyro.sample("z", dist.Normal(loc, scale).to_event(1))

"""Sums over so many arrivals that they are normal: what keeps a rate of a billion from taking a billion draws."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from ppl_pvae.distributions.random_words import CipherKey, random_words

__all__ = ["crowd_sums"]


def crowd_sums(
    key: CipherKey, arrivals: Float[Array, "*shape"], temperature: Float[Array, ""], hard: bool
) -> tuple[Float[Array, "*shape"], Float[Array, "*shape"]]:
    """Draw the sums of `window_sums` from the bivariate normal with their means, variances and covariance.

    For one arrival, with u uniform on (−1, 1), the cubic step g (or the hard one) and h = g′(u)(1 − τu)/τ:

    ====================  ============  ==============
    moment                cubic         hard
    ====================  ============  ==============
    mean of the step      1/2           1/2
    its variance          17/140        1/4
    mean of h             1/(2τ)        the same
    variance of h         1/(20τ²) + 3/70
    covariance            −9/140        −3/32
    ====================  ============  ==============
    """
    step_variance, covariance = (1 / 4, -3 / 32) if hard else (17 / 140, -9 / 140)
    slope_variance = 1 / (20 * temperature**2) + 3 / 70
    along = covariance / jnp.sqrt(step_variance)
    across = jnp.sqrt(slope_variance - along**2)
    normal0, normal1 = _normals(key, arrivals.shape)
    root = jnp.sqrt(arrivals)
    soft = arrivals / 2 + root * jnp.sqrt(step_variance) * normal0
    slope = arrivals / (2 * temperature) + root * (along * normal0 + across * normal1)
    return jnp.round(soft) if hard else soft, slope


def _normals(key, shape):
    """Two independent standard normals per element (Box and Muller)."""
    word0, word1 = random_words(key, shape)
    uniform = (word0.astype(jnp.float32) + 0.5) * jnp.float32(2.0**-32)
    angle = word1.astype(jnp.float32) * jnp.float32(2.0 * jnp.pi / 2**32)
    radius = jnp.sqrt(-2.0 * jnp.log(uniform))
    return radius * jnp.cos(angle), radius * jnp.sin(angle)

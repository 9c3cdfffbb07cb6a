"""Sums over so many arrivals that they are normal: what keeps a rate of a billion from taking a billion draws."""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float

from ppl_pvae.distributions.random_words import CipherKey, random_words

__all__ = ["crowd_sums"]

PLACES = 4096  # of the midpoint rule for the moments of one arrival


def crowd_sums(
    key: CipherKey, arrivals: Float[Array, "*shape"], temperature: Float[Array, ""], step: Callable
) -> tuple[Float[Array, "*shape"], Float[Array, "*shape"]]:
    """Draw the sums of `window_sums` from the bivariate normal with their means, variances and covariance.

    Moments are those of one arrival by the midpoint rule, which puts the edge of a hard step to 1/4096 of the window.
    """
    u = (jnp.arange(PLACES) + 0.5) * (2 / PLACES) - 1
    count, slope = step(u, temperature)
    mean, mean_slope = jnp.mean(count), jnp.mean(slope)
    deviation = jnp.sqrt(jnp.mean((count - mean) ** 2))
    along = jnp.mean((count - mean) * (slope - mean_slope)) / deviation
    across = jnp.sqrt(jnp.maximum(jnp.mean((slope - mean_slope) ** 2) - along**2, 0.0))
    normal0, normal1 = _normals(key, arrivals.shape)
    root = jnp.sqrt(arrivals)
    counts = arrivals * mean + root * deviation * normal0
    return counts, arrivals * mean_slope + root * (along * normal0 + across * normal1)


def _normals(key, shape):
    """Two independent standard normals per element (Box and Muller)."""
    word0, word1 = random_words(key, shape)
    uniform = (word0.astype(jnp.float32) + 0.5) * jnp.float32(2.0**-32)
    angle = word1.astype(jnp.float32) * jnp.float32(2.0 * jnp.pi / 2**32)
    radius = jnp.sqrt(-2.0 * jnp.log(uniform))
    return radius * jnp.cos(angle), radius * jnp.sin(angle)

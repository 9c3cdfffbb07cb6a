"""The arrival-time estimator done directly: one exponential per possible arrival, differentiated through all of them.

What the cheap form must have the law of. Its work and memory grow with the largest count, which is why it is an oracle.
"""

import jax
import jax.numpy as jnp

__all__ = ["direct_soft_poisson"]


def direct_soft_poisson(key, rate, temperature, arrivals, indicator="cubic"):
    """Soft counts Σ_n g((1 − S_n)/τ), with S_n the sum of n exponential waiting times over the rate.

    Parameters
    ----------
    key
        JAX random key.
    rate
        Expected counts, any shape.
    temperature
        Half-width of the soft window.
    arrivals
        Waiting times to draw; P(Pois(λ(1 + τ)) > arrivals) must be negligible (with a sigmoid, of λ(1 + 15τ)).
    """
    waiting = jax.random.exponential(key, (arrivals, *jnp.shape(rate)))
    times = jnp.cumsum(waiting, axis=0) / rate
    if indicator == "sigmoid":
        return jnp.sum(jax.nn.sigmoid((1 - times) / temperature), axis=0)
    v = jnp.clip((1 + (1 - times) / temperature) / 2, 0, 1)
    return jnp.sum(3 * v**2 - 2 * v**3, axis=0)

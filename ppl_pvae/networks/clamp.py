"""A bound that bends what comes near it and leaves a slope everywhere."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

__all__ = ["soft_clamp"]


@jax.custom_jvp
def soft_clamp(x: Float[Array, "..."], upper: float | Float[Array, "..."]) -> Float[Array, "..."]:
    """x, bent so that it never exceeds `upper`: upper − softplus(upper − x). Shapes broadcast."""
    return _bent(x, upper)[0]


@soft_clamp.defjvp
def _soft_clamp_jvp(primals, tangents):
    # Slope s = 1/(1 + e^(x − c)) in x, 1 − s in c
    x, upper = primals
    value, small = _bent(x, upper)
    slope = jnp.where(x < upper, 1.0, small) / (1 + small)
    # Written so that backward both gradients sum what is needed anyway, g and s·g, and not (1 − s)·g besides.
    return value, slope * tangents[0] - slope * tangents[1] + tangents[1]


def _bent(x, upper):
    # The same number in a form that neither overflows nor cancels: min(x, c) − log(1 + e^−|x − c|)
    small = jnp.exp(-jnp.abs(x - upper))
    return jnp.minimum(x, upper) - jnp.log(1 + small), small

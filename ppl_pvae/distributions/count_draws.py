"""Draws from any family of counts with a log-probability, by the inverse of its distribution function."""

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jax import lax, random
from jaxtyping import Array

from ppl_pvae.distributions.count_expectation import BLOCK
from ppl_pvae.distributions.count_totals import add_probabilities, total_of
from ppl_pvae.distributions.counted import counted

__all__ = ["draw_counts"]


def draw_counts(key: jax.Array, distribution: dist.Distribution, shape: tuple[int, ...]) -> Array:
    """Independent draws of a bare family of counts, broadcast to `shape`: the first n with Σ_{m ≤ n} p(m) > u Σ p.

    Probabilities are summed up twice, block by block: for what they come to, and until every element has its count, so
    that the time goes with the largest one. Counts from 65,536 on are never drawn.
    """
    law = counted(distribution, BLOCK, len(shape))
    whole = total_of(distribution)
    wanted = random.uniform(key, shape) * whole.total

    def add_block(state):
        start, below, drawn = state
        counts, upto = add_probabilities(law, start, below, shape)
        before = jnp.concatenate([below[None], upto[:-1]])
        # Rounding may leave no sum above a u near 1: the last count that added something stands for it.
        last = jnp.max(jnp.where(upto > before, counts, drawn), axis=0)
        first = jnp.min(jnp.where(upto > wanted, counts, jnp.inf), axis=0)
        now = jnp.where(upto[-1] > wanted, first, last)
        return start + BLOCK, upto[-1], jnp.where(below > wanted, drawn, now)

    def is_open(state):
        start, below, _ = state
        return (start < whole.stop) & jnp.any(below <= wanted)

    zero = jnp.zeros(shape, wanted.dtype)
    return lax.while_loop(is_open, add_block, (jnp.int32(0), zero, zero))[2]

"""Draws from any family of counts with a log-probability, by the inverse of its distribution function."""

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jax import lax, random
from jaxtyping import Array

from ppl_pvae.distributions.count_expectation import BLOCK, MOST
from ppl_pvae.distributions.counted import counted

__all__ = ["draw_counts"]


NEARLY = 1e-4  # below 1 by more than this a sum is not at its end, whether its last block has added anything or not


def draw_counts(key: jax.Array, distribution: dist.Distribution, shape: tuple[int, ...]) -> Array:
    """Independent draws of a bare family of counts, broadcast to `shape`: the first n with Σ_{m ≤ n} p(m) > u.

    Probabilities are summed up block by block until every element has its count, so that the time goes with the largest
    one. Where they do not come up to u for rounding, the largest count that has a probability is taken; a family whose
    probabilities are not used up by 65,536 counts gives none beyond.
    """
    law = counted(distribution, BLOCK, len(shape))
    u = random.uniform(key, shape)

    def add_block(state):
        start, below, drawn, _ = state
        n = start.astype(u.dtype) + jnp.arange(BLOCK, dtype=u.dtype)
        p = jnp.broadcast_to(jnp.exp(law.log_prob(n, *law.arrays)), (BLOCK, *shape))
        upto = below + jnp.cumsum(p, axis=0)
        counts = n.reshape((BLOCK,) + (1,) * len(shape))
        # Where u is not reached yet, the last count with a probability so far stands.
        reached = upto > u
        last = jnp.max(jnp.where(p > 0, counts, drawn), axis=0)
        first = jnp.min(jnp.where(reached, counts, jnp.inf), axis=0)
        drawn = jnp.where(below > u, drawn, jnp.where(jnp.any(reached, axis=0), first, last))
        # Rounding may keep the sum below a u near 1: nothing that is left has a say then.
        below, grown = upto[-1], jnp.any((upto[-1] > below) | (upto[-1] < 1 - NEARLY))
        return start + BLOCK, below, drawn, grown

    def is_open(state):
        start, below, _, grown = state
        return (start < MOST) & grown & jnp.any(below <= u)

    zero = jnp.zeros(shape, u.dtype)
    return lax.while_loop(is_open, add_block, (jnp.int32(0), zero, zero, jnp.array(True)))[2]

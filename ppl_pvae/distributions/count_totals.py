"""What the probabilities of a family of counts add up to."""

from typing import NamedTuple

import jax.numpy as jnp
import numpyro.distributions as dist
from jax import lax
from jaxtyping import Array, Float, Int

from ppl_pvae.distributions.count_expectation import BLOCK, MOST
from ppl_pvae.distributions.counted import Counted, counted

__all__ = ["Total", "add_probabilities", "total_of"]

SMALL = 1e-7  # share of a sum that its last block adds where it is at an end
MISSING = 1e-3  # what rounding may leave of 1 there; where more is missing, a mode further out is looked for


class Total(NamedTuple):
    """Sum of the probabilities of counts below `stop`, of each element, and the part that the last block had in it."""

    total: Float[Array, "..."]
    stop: Int[Array, ""]
    added: Float[Array, "..."]


def add_probabilities(law: Counted, start, below, shape: tuple[int, ...]):
    """Counts of the block from `start`, (count, 1…), and the sums of probabilities up to each, (count, *shape)."""
    n = start.astype(below.dtype) + jnp.arange(BLOCK, dtype=below.dtype)
    p = jnp.broadcast_to(jnp.exp(law.log_prob(n, *law.arrays)), (BLOCK, *shape))
    return n.reshape((BLOCK,) + (1,) * len(shape)), below + jnp.cumsum(p, axis=0)


def total_of(distribution: dist.Distribution) -> Total:
    """Σ_n p(n) of a bare family of counts, of its batch shape, block by block until nothing is added any more.

    At most 65,536 counts: what the sum has come up to by then is a lower bound.
    """
    shape = tuple(distribution.batch_shape)
    law = counted(distribution, BLOCK, len(shape))

    def add_block(state):
        start, below, _ = state
        _, upto = add_probabilities(law, start, below, shape)
        return start + BLOCK, upto[-1], upto[-1] - below

    def is_open(state):
        start, below, added = state
        return (start < MOST) & jnp.any((added > SMALL * below) | (below < 1 - MISSING))

    zero = jnp.zeros(shape, jnp.result_type(float))
    start, total, added = lax.while_loop(is_open, add_block, (jnp.int32(0), zero, zero + 1))
    return Total(total, start, added)

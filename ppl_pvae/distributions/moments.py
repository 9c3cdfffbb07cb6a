"""Mean and variance of a distribution: what it says of itself, else a sum over its counts."""

import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array, Float

from ppl_pvae.distributions.count_expectation import BLOCK, expected_over_counts
from ppl_pvae.distributions.counted import counted, is_of_counts
from ppl_pvae.distributions.kl import without_mask
from ppl_pvae.distributions.laws import has_own

__all__ = ["mean_of", "variance_of"]


def mean_of(distribution: dist.Distribution) -> Float[Array, "..."]:
    """E z, in the shape of a draw; of single counts without a mean of their own by exact summation.

    Raises
    ------
    NotImplementedError
        If the family has no mean and is none of single counts.
    """
    return _own_or_summed(distribution, "mean", lambda base: _central(base, 0.0, 1))


def variance_of(distribution: dist.Distribution) -> Float[Array, "..."]:
    """Var z, in the shape of a draw; of single counts without a variance of their own by exact summation.

    Raises
    ------
    NotImplementedError
        If the family has no variance and is none of single counts.
    """
    return _own_or_summed(distribution, "variance", lambda base: _central(base, mean_of(base), 2))


def _own_or_summed(distribution, name, summed):
    base = without_mask(distribution)
    if has_own(base, name):
        try:
            return getattr(distribution, name)
        except NotImplementedError:
            pass
    if not is_of_counts(base):
        raise NotImplementedError(f"{type(base).__name__} has no {name} of its own")
    return jnp.broadcast_to(summed(base), distribution.batch_shape + distribution.event_shape)


def _central(base, centre, power):
    """E (n − centre)^power of a bare family of counts."""
    shape = tuple(base.batch_shape)
    log_q = counted(base, BLOCK, len(shape))

    def deviation(n, log_q, centre):
        return (n.reshape((BLOCK,) + (1,) * len(shape)) - centre) ** power + jnp.zeros_like(log_q)

    value, _ = expected_over_counts(log_q.log_prob, log_q.arrays, deviation, [jnp.asarray(centre)], shape)
    return value

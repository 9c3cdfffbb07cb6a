"""A distribution of counts as a function of the count and of arrays, which custom derivatives can be taken in."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax.core import Tracer, eval_jaxpr
from numpyro.distributions import constraints

__all__ = ["Counted", "accumulate", "counted", "is_of_counts", "zeros_of"]


class Counted(NamedTuple):
    """log p(n) as a function of a block of counts and of the arrays that the distribution is made of.

    `log_prob(n, *arrays)` takes `block` counts, (count,), and gives (count, *shape) with `shape` the distribution's
    own batch shape, filled up with ones to the number of dimensions that was asked for.
    """

    log_prob: Callable
    arrays: list
    shape: tuple[int, ...]


def is_of_counts(distribution: dist.Distribution) -> bool:
    """Whether a bare family is of single counts 0, 1, 2, ..., or some of these."""
    support: Any = distribution.support
    if distribution.event_shape or support is None or not support.is_discrete:
        return False
    lower = getattr(support, "lower_bound", 0)
    # A bound that is only traced is taken on trust: with mass below zero the sums fall short of one, and say NaN.
    return isinstance(lower, Tracer) or bool(np.all(np.asarray(lower) >= 0))


def counted(distribution: dist.Distribution, block: int, ndim: int) -> Counted:
    """The log-probability of a bare family at `block` counts at a time, for a batch of `ndim` dimensions."""
    shape = (1,) * (ndim - len(distribution.batch_shape)) + tuple(distribution.batch_shape)
    support: Any = distribution.support
    # Families of a bounded range may look their probabilities up, and want whole numbers for that.
    bounded = hasattr(support, "upper_bound") or support is constraints.boolean
    dtype = jnp.result_type(int if bounded else float)

    def log_prob(n):
        n = n.astype(dtype).reshape((block,) + (1,) * ndim)
        inside = support(n)
        # What a family says outside its support is no probability, and its gradient there may be NaN.
        given = distribution.log_prob(jnp.where(inside, n, support.feasible_like(n)))
        return jnp.broadcast_to(jnp.where(inside, given, -jnp.inf), (block, *shape))

    program = jax.make_jaxpr(log_prob)(jnp.zeros(block))

    def on_arrays(n, *arrays):
        return eval_jaxpr(program.jaxpr, arrays, n)[0]

    return Counted(on_arrays, list(program.consts), shape)


def zeros_of(arrays: Sequence) -> list:
    """Where cotangents of these arrays are gathered: zeros, and None for those that have none."""
    return [jnp.zeros_like(each) if jnp.issubdtype(jnp.result_type(each), jnp.inexact) else None for each in arrays]


def accumulate(function: Callable, arrays: Sequence, cotangent, total: list) -> list:
    """`total` and the cotangents of `arrays` under `function(*arrays)`."""
    smooth = [at for at, each in enumerate(total) if each is not None]

    def of_smooth(*values):
        filled = list(arrays)
        for at, value in zip(smooth, values, strict=True):
            filled[at] = value
        return function(*filled)

    _, pull = jax.vjp(of_smooth, *(arrays[at] for at in smooth))
    grown = list(total)
    for at, each in zip(smooth, pull(cotangent), strict=True):
        grown[at] = grown[at] + each
    return grown

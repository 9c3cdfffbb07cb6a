"""Expectations under Poisson counts of a function that is tabulated per unit, by summation: fast.

Two ways are combined, as most rates of a sparse code are small and a few large. All elements go through a short sum,
E f = e^{−λ} Σ_n f(n) λⁿ/n!, by Horner's rule: a multiplication and an addition per count, and nothing of the size
(count, image, unit). The elements whose rate is too large for its length are listed and summed by themselves
(`poisson_list`). How long the short sum is depends on the rates, by what is quicker.

Rates up to some 750 are within the table; beyond it, results are NaN.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.special import gammaln
from jaxtyping import Array, Float
from scipy.special import gammaincinv

from ppl_pvae.distributions.count_expectation import tail_tolerance
from ppl_pvae.distributions.counted import accumulate, zeros_of
from ppl_pvae.distributions.numbering import Numbering, number_through
from ppl_pvae.distributions.poisson_list import ROWS, add_listed_slopes, largest_rate, listed_sums, window_of

__all__ = ["TABLE_BLOCK", "poisson_expectation"]

TABLE_BLOCK = 16
LENGTHS = (12, 20, 36, 68, 116)  # of the short sum, multiples of UNROLL; the last one up to λ = 70: no e^λ overflows
UNROLL = 4
EVERY = 8  # images of which one is looked at to choose a length
ROW_COST, ITEM_COST = 0.5, 900.0  # nanoseconds per element: of a count in the short sum, and of being listed


class _Plan(NamedTuple):
    """How the sums are taken at given rates."""

    length: Array  # of the short sum
    edge: Array  # the largest rate that it is good for
    rows: Array  # of the table that are wanted
    listed: Numbering


def poisson_expectation(
    log_rate: Float[Array, "image unit"], table: Callable[..., Array], arrays: list
) -> Float[Array, "image unit"]:
    """E f(n) under Poisson counts, f the same for all images.

    Parameters
    ----------
    log_rate
        ℓ; −inf is a rate of 0.
    table
        (n, *arrays) to f(n), (count, unit), at `TABLE_BLOCK` counts n. It may be −inf: E f is −inf where more than the
        tail tolerance is on such counts, with the derivatives of the rest of the sum; elsewhere they are left out.
    """
    return _expectation(table, log_rate, tuple(arrays))


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _expectation(table, log_rate, arrays):
    return _forward(table, log_rate, arrays)[0]


def _forward(table, log_rate, arrays):
    rate = jnp.exp(log_rate)
    plan = _plan(rate)
    values = _tabulate(lambda n: table(n, *arrays), plan.rows, log_rate.shape[1], rate.dtype)
    barred = values == -jnp.inf
    value, slope = _sums(rate, jnp.where(barred, 0.0, values), plan)
    value = lax.cond(jnp.any(barred), lambda: _barred(value, log_rate, rate, barred, plan.rows), lambda: value)
    return value, (rate, slope, plan, arrays)


def _backward(table, residuals, cotangent):
    rate, slope, plan, arrays = residuals
    units = rate.shape[1]
    slopes = _table_slopes(rate, cotangent, plan)

    def add_block(state):
        start, total = state
        part = lax.dynamic_slice(slopes, (start, jnp.zeros_like(start)), (TABLE_BLOCK, units))
        n = _counts(start, rate.dtype)
        return start + TABLE_BLOCK, accumulate(lambda *arrays: table(n, *arrays), arrays, part, total)

    start = (jnp.int32(0), zeros_of(arrays))
    _, total = lax.while_loop(lambda state: state[0] < plan.rows, add_block, start)
    return cotangent * slope, tuple(total)


_expectation.defvjp(_forward, _backward)


def _counts(start, dtype):
    return start.astype(dtype) + jnp.arange(TABLE_BLOCK, dtype=dtype)


def _plan(rate) -> _Plan:
    """The length of the short sum that costs least, and the list of the elements beyond it."""
    lengths = np.array(LENGTHS)
    # P(n ≥ length) is the tail tolerance at a rate of edge
    edges = gammaincinv(lengths, tail_tolerance(rate.dtype)).astype(rate.dtype)
    some = rate[::EVERY]  # any choice is right, so a part of the images will do to make it
    beyond = jnp.stack([jnp.mean((some > edge).astype(rate.dtype)) for edge in edges])
    best = jnp.argmin(ROW_COST * lengths + ITEM_COST * beyond)
    edge, length = jnp.asarray(edges)[best], jnp.asarray(lengths, jnp.int32)[best]
    largest = jnp.max(jnp.where(rate <= largest_rate(rate.dtype), rate, 0.0))
    last = window_of(largest)[1].astype(jnp.int32) + 2  # f(n + 1) is looked up
    rows = jnp.maximum(length + 1, jnp.where(largest > edge, last, 0))
    return _Plan(length, edge, rows, number_through((rate > edge).reshape(-1).astype(jnp.float32)))


def _tabulate(table, rows, units, dtype):
    """The first rows of a table (ROWS, unit), the others zero."""

    def add_block(state):
        start, values = state
        block = table(_counts(start, dtype)).astype(dtype)
        return start + TABLE_BLOCK, lax.dynamic_update_slice(values, block, (start, jnp.zeros_like(start)))

    start = (jnp.int32(0), jnp.zeros((ROWS, units), dtype))
    return lax.while_loop(lambda state: state[0] < rows, add_block, start)[1]


def _sums(rate, values, plan):
    """E f of every element, and its derivative in the log-rate, λ E[f(n + 1) − f(n)]."""
    value, slope = (each.reshape(-1) for each in _short_sums(rate, values, plan))
    value, slope = listed_sums(rate.reshape(-1), values, plan.listed, value, slope)
    return value.reshape(rate.shape), slope.reshape(rate.shape)


def _short_sums(rate, values, plan):
    """Horner's rule, Σ f(n) λⁿ/n! = f(0) + λ/1 (f(1) + λ/2 (f(2) + …)), for f(n) and for f(n + 1)."""
    rate = jnp.minimum(rate, plan.edge)

    def rows_of(block):
        start = jnp.maximum(plan.length - (block + 1) * UNROLL, 0)
        f = lax.dynamic_slice(values, (start, jnp.zeros_like(start)), (UNROLL + 1, values.shape[1]))
        return f, 1 / (start + 1 + jnp.arange(UNROLL)).astype(rate.dtype)

    def add_block(block, state):
        # The rows go round the loop with the sums, one block ahead: looked up where they are used they are looked up
        # anew for every element, at ten times the time.
        here, ahead, (f, reciprocal) = state
        for step in reversed(range(UNROLL)):
            factor = rate * reciprocal[step]
            here, ahead = f[step] + factor * here, f[step + 1] + factor * ahead
        return here, ahead, rows_of(block + 1)

    zero = jnp.zeros_like(rate)
    here, ahead, _ = lax.fori_loop(0, plan.length // UNROLL, add_block, (zero, zero, rows_of(0)))
    silent = jnp.exp(-rate)
    return silent * here, rate * silent * (ahead - here)


def _barred(value, log_rate, rate, barred, rows):
    """The same, −inf where counts that are barred have probability. A pass over all elements for each count: with
    Poisson counts there is hardly a case without an infinite element."""

    def add_row(n, weight):
        count = n.astype(rate.dtype)
        q = jnp.exp(jnp.where(n == 0, 0.0, count * log_rate) - rate - gammaln(count + 1))
        return weight + jnp.where(barred[n], q, 0.0)

    weight = lax.fori_loop(0, rows, add_row, jnp.zeros_like(rate))
    return jnp.where(weight > tail_tolerance(rate.dtype), -jnp.inf, value)


def _table_slopes(rate, cotangent, plan):
    """Σ_image c q(n) of each count and unit, (ROWS, unit)."""
    slopes = jnp.zeros((ROWS, rate.shape[1]), rate.dtype)
    small = jnp.minimum(rate, plan.edge)
    weight = jnp.where(rate > plan.edge, 0.0, cotangent * jnp.exp(-small))

    def add_row(n, state):
        slopes, weight = state
        slopes = lax.dynamic_update_slice(slopes, jnp.sum(weight, axis=0)[None], (n, jnp.zeros_like(n)))
        return slopes, weight * (small * (1 / (n + 1).astype(rate.dtype)))

    slopes, _ = lax.fori_loop(0, plan.length, add_row, (slopes, weight))
    return add_listed_slopes(rate.reshape(-1), cotangent.reshape(-1), plan.listed, slopes)

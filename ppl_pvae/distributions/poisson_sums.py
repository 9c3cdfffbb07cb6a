"""Expectations under Poisson counts of a function that is tabulated per unit, by summation: fast.

Two ways are combined, as most rates of a sparse code are small and a few large. All elements go through a short sum,
E f = e^{−λ} Σ_n f(n) λⁿ/n!, by Horner's rule: a multiplication and an addition per count, and nothing of the size
(count, image, unit). The elements whose rate is too large for its length are listed, and each takes the counts within
some standard deviations of its rate, with weights that start from 1 at the lowest of these and are renormalised: so
e^{−λ} cannot underflow. How long the short sum is depends on the rates, by what is quicker.

Rates up to some 750 are within the table; beyond it, results are NaN.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.special import gammaln
from jaxtyping import Array, Float
from scipy.special import gammaincinv

from ppl_pvae.distributions.count_expectation import tail_tolerance
from ppl_pvae.distributions.counted import accumulate, zeros_of
from ppl_pvae.distributions.numbering import Numbering, number_through, owner_of

__all__ = ["ROWS", "TABLE_BLOCK", "poisson_expectation", "window_of"]

ROWS = 1024  # counts 0, 1, 2, ... that a table can hold
TABLE_BLOCK = 16
LENGTHS = (12, 20, 36, 68, 116)  # of the short sum, multiples of UNROLL; the last one up to λ = 70: no e^λ overflows
UNROLL = 4
EVERY = 8
PIECE = 1024
_REACH = {4: (6.0, 4.0), 8: (9.0, 12.0)}  # standard deviations and counts to go beyond a rate, by bytes of a float
ROW_COST, ITEM_COST = 0.5, 900.0  # nanoseconds of a count in the short sum, and of a listed element


class _Plan(NamedTuple):
    """How the sums are taken at given rates."""

    length: Array  # of the short sum
    edge: Array  # the largest rate that it is good for
    rows: Array  # of the table that are wanted
    listed: Numbering


def window_of(rate: Array) -> tuple[Array, Array]:
    """First and last count between which a Poisson of this rate has all its probability, up to the tail tolerance."""
    deviations, more = _REACH[rate.dtype.itemsize]
    reach = deviations * jnp.sqrt(rate)
    return jnp.floor(jnp.maximum(rate - reach, 0.0)), jnp.ceil(rate + reach + more)


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
    edges = gammaincinv(lengths, tail_tolerance(rate.dtype)).astype(rate.dtype)  # P(n ≥ length) = tolerance at rate edge
    some = rate[::EVERY]  # any choice is right, so a part of the images will do to make it
    beyond = jnp.stack([jnp.mean((some > edge).astype(rate.dtype)) for edge in edges])
    best = jnp.argmin(ROW_COST * lengths + ITEM_COST * beyond)
    edge, length = jnp.asarray(edges)[best], jnp.asarray(lengths, jnp.int32)[best]
    largest = jnp.max(jnp.where(rate <= _largest_rate(rate.dtype), rate, 0.0))
    last = window_of(largest)[1].astype(jnp.int32) + 2  # f(n + 1) is looked up
    rows = jnp.maximum(length + 1, jnp.where(largest > edge, last, 0))
    return _Plan(length, edge, rows, number_through((rate > edge).reshape(-1).astype(jnp.float32)))


def _largest_rate(dtype) -> float:
    """The rate whose window ends where the table does."""
    deviations, more = _REACH[jnp.dtype(dtype).itemsize]
    room = ROWS - more - 3  # λ + dλ^½ = room
    return ((math.sqrt(deviations**2 + 4 * room) - deviations) / 2) ** 2


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
    value, slope = _short_sums(rate, values, plan)
    return _listed_sums(rate.reshape(-1), values, plan, value, slope)


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


class _Piece(NamedTuple):
    """Some listed elements: which, their units, rates, first counts, and how many counts they take at most."""

    owner: Array
    unit: Array
    rate: Array
    held: Array
    first: Array
    counts: Array


def _piece(start, rate, units, plan) -> _Piece:
    number = start + lax.iota(jnp.int32, PIECE)
    inside = number < plan.listed.total
    owner = owner_of(plan.listed, number)
    own = jnp.where(inside, rate[jnp.where(inside, owner, 0)], 0.0)
    held = own <= _largest_rate(rate.dtype)
    own = jnp.where(held, own, 0.0)
    first, last = window_of(own)
    counts = jnp.max(last - first).astype(jnp.int32) + 1
    return _Piece(jnp.where(inside, owner, rate.size), owner % units, own, held, first, counts)


def _over_counts(piece: _Piece, add: Callable[..., Any], state):
    """Take `add(state, n, w)` over the counts of a piece, with weights λⁿ/n! that start from 1."""

    def add_count(carry):
        step, w, state = carry
        n = piece.first + step.astype(w.dtype)
        return step + 1, w * (piece.rate / (n + 1)), add(state, n.astype(jnp.int32), w)

    start = (jnp.int32(0), jnp.ones_like(piece.rate), state)
    return lax.while_loop(lambda carry: carry[0] < piece.counts, add_count, start)[2]


def _listed_sums(rate, values, plan, value, slope):
    units = values.shape[1]

    def add_piece(state):
        start, value, slope = state
        piece = _piece(start, rate, units, plan)

        def row(n):
            return values[n, piece.unit]

        def add(sums, n, w):
            weight, here, change, f = sums
            ahead = row(n + 1)
            return weight + w, here + w * f, change + w * (ahead - f), ahead

        zero = jnp.zeros_like(piece.rate)
        weight, here, change, _ = _over_counts(piece, add, (zero, zero, zero, row(piece.first.astype(jnp.int32))))
        found = jnp.where(piece.held, here / weight, jnp.nan)
        value = value.at[piece.owner].set(found, mode="drop")
        changed = jnp.where(piece.held, piece.rate * change / weight, jnp.nan)
        return start + PIECE, value, slope.at[piece.owner].set(changed, mode="drop")

    start = (jnp.int32(0), value.reshape(-1), slope.reshape(-1))
    _, found, changed = lax.while_loop(lambda state: state[0] < plan.listed.total, add_piece, start)
    return found.reshape(value.shape), changed.reshape(slope.shape)


def _table_slopes(rate, cotangent, plan):
    """Σ_image c q(n) of each count and unit, (ROWS, unit)."""
    slopes = jnp.zeros((ROWS, rate.shape[1]), rate.dtype)
    weight = jnp.where(rate > plan.edge, 0.0, cotangent * jnp.exp(-rate))

    def add_row(n, state):
        slopes, weight = state
        slopes = lax.dynamic_update_slice(slopes, jnp.sum(weight, axis=0)[None], (n, jnp.zeros_like(n)))
        return slopes, weight * (rate * (1 / (n + 1).astype(rate.dtype)))

    slopes, _ = lax.fori_loop(0, plan.length, add_row, (slopes, weight))
    rate, cotangent = rate.reshape(-1), cotangent.reshape(-1)

    def add_piece(state):
        start, slopes = state
        piece = _piece(start, rate, slopes.shape[1], plan)
        total = _over_counts(piece, lambda total, n, w: total + w, jnp.zeros_like(piece.rate))
        inside = piece.owner < rate.size
        own = jnp.where(inside & piece.held, cotangent[jnp.where(inside, piece.owner, 0)], 0.0) / total

        def add(slopes, n, w):
            return slopes.at[n, piece.unit].add(own * w)

        return start + PIECE, _over_counts(piece, add, slopes)

    return lax.while_loop(lambda state: state[0] < plan.listed.total, add_piece, (jnp.int32(0), slopes))[1]

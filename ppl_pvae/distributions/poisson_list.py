"""Sums over Poisson counts for a list of elements with large rates, a piece of the list at a time.

Each element takes the counts within some standard deviations of its rate. Weights start from 1 at the lowest of these,
grow and fall by λ/(n + 1), and are renormalised: so no e^{−λ} underflows, and rounding stays that of a few operations.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from ppl_pvae.distributions.numbering import Numbering, owner_of

__all__ = ["ROWS", "add_listed_slopes", "largest_rate", "listed_sums", "window_of"]

ROWS = 1024  # counts 0, 1, 2, ... that a table can hold
PIECE = 1024
REACH = {4: (6.0, 4.0), 8: (9.0, 12.0)}  # standard deviations and counts to go beyond a rate, by bytes of a float


def window_of(rate: Array) -> tuple[Array, Array]:
    """First and last count between which a Poisson of this rate has all its probability, up to the tail tolerance."""
    deviations, more = REACH[rate.dtype.itemsize]
    reach = deviations * jnp.sqrt(rate)
    return jnp.floor(jnp.maximum(rate - reach, 0.0)), jnp.ceil(rate + reach + more)


def largest_rate(dtype) -> float:
    """The rate whose window ends where the table does."""
    deviations, more = REACH[jnp.dtype(dtype).itemsize]
    room = ROWS - more - 3  # λ + dλ^½ = room
    return ((math.sqrt(deviations**2 + 4 * room) - deviations) / 2) ** 2


class _Piece(NamedTuple):
    """Some listed elements: which, their units, rates, first counts, and how many counts they take at most."""

    owner: Array
    unit: Array
    rate: Array
    held: Array
    first: Array
    counts: Array


def _piece(start, rate, units, listed) -> _Piece:
    number = start + lax.iota(jnp.int32, PIECE)
    inside = number < listed.total
    owner = owner_of(listed, number)
    own = jnp.where(inside, rate[jnp.where(inside, owner, 0)], 0.0)
    held = own <= largest_rate(rate.dtype)
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


def listed_sums(
    rate: Float[Array, " element"],
    values: Float[Array, "row unit"],
    listed: Numbering,
    value: Float[Array, " element"],
    slope: Float[Array, " element"],
) -> tuple[Array, Array]:
    """`value` and `slope` with those of the listed elements in place: E f, and λ E[f(n + 1) − f(n)]."""
    units = values.shape[1]

    def add_piece(state):
        start, value, slope = state
        piece = _piece(start, rate, units, listed)

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

    _, value, slope = lax.while_loop(lambda state: state[0] < listed.total, add_piece, (jnp.int32(0), value, slope))
    return value, slope


def add_listed_slopes(
    rate: Float[Array, " element"],
    cotangent: Float[Array, " element"],
    listed: Numbering,
    slopes: Float[Array, "row unit"],
) -> Float[Array, "row unit"]:
    """`slopes` and Σ c q(n) over the listed elements, at their units."""

    def add_piece(state):
        start, slopes = state
        piece = _piece(start, rate, slopes.shape[1], listed)
        total = _over_counts(piece, lambda total, n, w: total + w, jnp.zeros_like(piece.rate))
        inside = piece.owner < rate.size
        own = jnp.where(inside & piece.held, cotangent[jnp.where(inside, piece.owner, 0)], 0.0) / total

        def add(slopes, n, w):
            return slopes.at[n, piece.unit].add(own * w)

        return start + PIECE, _over_counts(piece, add, slopes)

    return lax.while_loop(lambda state: state[0] < listed.total, add_piece, (jnp.int32(0), slopes))[1]

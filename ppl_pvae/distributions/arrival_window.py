"""Sums over the arrivals in the soft window of the arrival-time estimator.

An element with M arrivals needs M uniform draws, and M differs from element to element. Most elements have none or a
few, some may have hundreds, so two ways are combined: passes over all elements that draw two arrivals each, as long as
enough elements still want some; then one list of the arrivals that are left, taken in pieces of fixed size, so that
memory does not depend on the counts.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from ppl_pvae.distributions.numbering import number_through, owner_of
from ppl_pvae.distributions.random_words import CipherKey, centred, random_words, threefry_2x32

__all__ = ["MANY", "window_sums"]

MANY = 2.0**16  # arrivals beyond which their sums are drawn as normal variables; skewness there is 0.002
WORTH_A_PASS = 1 / 12  # arrivals per element below which the list is quicker: 20 ns an arrival, 3 ns an element
PIECE = 8192
LIST_BLOCK = 2**31  # the list takes cipher blocks from here on, the passes those below

Sums = tuple[Float[Array, "*shape"], Float[Array, "*shape"]]
Step = Callable[[Float[Array, "*shape"], Float[Array, ""]], Sums]


def window_sums(key: CipherKey, arrivals: Float[Array, "*shape"], temperature: Float[Array, ""], step: Step) -> Sums:
    """Sum two functions of u over the arrivals of every element, with u uniform on (−1, 1).

    Parameters
    ----------
    key
        Cipher key of these draws alone.
    arrivals
        Number of arrivals in the window of each element, whole and at most `MANY`.
    temperature
        τ, handed to the step.
    step
        (u, τ) to what an arrival at u counts and its derivative in the log-rate; see `arrival_steps`.

    Returns
    -------
    soft, slope
        The sums of both: the part of the count in the window, and its derivative in the log-rate.
    """
    shape = arrivals.shape
    zero = jnp.zeros(arrivals.size, jnp.float32)
    if not arrivals.size:
        return zero.reshape(shape), zero.reshape(shape)
    left, soft, slope = _passes(key, arrivals.reshape(-1), zero, zero, temperature, step)
    soft, slope = _list_rounds(key, left, soft, slope, temperature, step)
    return soft.reshape(shape), slope.reshape(shape)


def _passes(key, left, soft, slope, temperature, step):
    """Two arrivals of every element at a time, while enough elements still have some."""
    worth = WORTH_A_PASS * left.size

    def one_pass(state):
        number, left, soft, slope, _ = state
        for rank, word in enumerate(random_words(key, left.shape, number)):
            count, change = step(centred(word), temperature)
            soft = soft + jnp.where(left > rank, count, 0.0)
            slope = slope + jnp.where(left > rank, change, 0.0)
        left = jnp.maximum(left - 2.0, 0.0)
        return number + 1, left, soft, slope, jnp.sum(jnp.minimum(left, 2.0)) > worth

    start = (jnp.uint32(0), left, soft, slope, jnp.sum(jnp.minimum(left, 2.0)) > max(worth, PIECE / 4))
    _, left, soft, slope, _ = lax.while_loop(lambda state: state[4], one_pass, start)
    return left, soft, slope


def _list_rounds(key, left, soft, slope, temperature, step):
    """All arrivals that are left, in as many lists as it takes to number each list's arrivals in an int32."""
    most = float(max(1, min(int(MANY), (2**31 - PIECE - 1) // left.size)))

    def one_round(state):
        number, left, soft, slope = state
        now = jnp.minimum(left, most)
        soft, slope = _one_list(key, number, now, soft, slope, temperature, step)
        return number + 1, left - now, soft, slope

    start = (jnp.uint32(LIST_BLOCK), left, soft, slope)
    _, _, soft, slope = lax.while_loop(lambda state: jnp.any(state[1] > 0), one_round, start)
    return soft, slope


def _one_list(key, block, arrivals, soft, slope, temperature, step):
    """Number the arrivals through, and take them piece by piece: find the owner, draw u, add."""
    numbering = number_through(arrivals)
    total = numbering.total

    def one_piece(state):
        first, soft, slope = state
        number = first + lax.iota(jnp.int32, PIECE)
        owner = owner_of(numbering, number)
        word, _ = threefry_2x32(key, number.astype(jnp.uint32), jnp.full(number.shape, block, jnp.uint32))
        count, change = step(centred(word), temperature)
        inside = number < total
        at = {"mode": "drop", "indices_are_sorted": True}
        owner = jnp.where(inside, owner, soft.size)
        soft = soft.at[owner].add(count, **at)
        slope = slope.at[owner].add(change, **at)
        return first + PIECE, soft, slope

    _, soft, slope = lax.while_loop(lambda state: state[0] < total, one_piece, (jnp.int32(0), soft, slope))
    return soft, slope

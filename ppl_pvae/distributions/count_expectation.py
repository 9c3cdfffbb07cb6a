"""Expectations over counts by summation, with their derivatives, for any family with a log-probability.

Counts are taken a block at a time, for all elements at once, until the tail of every element is below tolerance. That
is known by two signs together. The blocks fall off: with c the sum of q(n)(1 + |f(n)|) over a block and ρ its ratio to
the block before, what is still to come is about cρ/(1 − ρ). And the weights summed so far come up to 1, within what
rounding of a log-probability costs: so no mode further out is missed. Where they do not come up to 1 by more than that
(rounding of a badly conditioned family), but to `NEARLY`, the sum goes on to four times the count where it last
mattered, and is taken if nothing was found.

The sum is over at most `MOST` counts; elements that are not done by then are NaN. A geometric posterior of mean 200
takes some 4,000 counts, 40 ms for 1,000 elements with their gradient on one core; a power law like n^{−1.5} runs to the
limit, after 10 s. All elements go on until the last one is done.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from ppl_pvae.distributions.counted import accumulate, zeros_of

__all__ = ["BLOCK", "MOST", "expected_over_counts", "tail_tolerance"]

BLOCK = 4
MOST = 2**16
NEARLY, PATIENCE = 0.99, 256


def tail_tolerance(dtype) -> float:
    """Probability that a sum leaves out, and beyond which a count without probability under p makes a KL infinite."""
    return float(jnp.finfo(dtype).eps) / 8


def expected_over_counts(
    log_q: Callable, q_arrays: list, payoff: Callable, arrays: list, shape: tuple[int, ...]
) -> tuple[Array, Array]:
    """E_q f(n) of each element, and the log of the sum of all weights, which is 0 up to rounding.

    Weights are renormalised. The derivative in what `log_q` is made of is that of the weights alone, Σ q(n)(f(n) − E f)
    ∇log q(n): where f depends on log q itself, as in a KL, the rest of the derivative is zero.

    Parameters
    ----------
    log_q
        (n, *q_arrays) to log q(n), (count, *shape) up to broadcasting, at `BLOCK` counts n.
    payoff
        (n, log q(n), *arrays) to f(n), the same shape; +inf where that is meant: an E f of +inf then has the
        derivative of the finite part of the sum.
    """
    found: Any = _expected(log_q, payoff, shape, tuple(q_arrays), tuple(arrays))
    return found


@partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2))
def _expected(log_q, payoff, shape, q_arrays, arrays):
    return _forward(log_q, payoff, shape, q_arrays, arrays)[0]


def _block(start, dtype):
    return start.astype(dtype) + jnp.arange(BLOCK, dtype=dtype)


def _forward(log_q, payoff, shape, q_arrays, arrays):
    dtype = jax.eval_shape(log_q, jnp.zeros(BLOCK), *q_arrays).dtype
    eps, tail = jnp.finfo(dtype).eps, tail_tolerance(dtype)
    zero = jnp.zeros(shape, dtype)

    def add_block(state):
        start, weight, total, before, last, _ = state
        n = _block(start, dtype)
        log_weight = jnp.broadcast_to(log_q(n, *q_arrays), (BLOCK, *shape))
        q = jnp.exp(log_weight)
        f = payoff(n, log_weight, *arrays)
        weight = weight + jnp.sum(q, axis=0)
        total = total + jnp.sum(jnp.where(q > 0, q * f, 0.0), axis=0)
        now = jnp.sum(jnp.where(q > 0, q * (1 + jnp.abs(f)), 0.0), axis=0)
        # Σ of a geometric series with the ratio of the last two blocks; a first block never passes.
        left = jnp.where(now == 0, 0.0, jnp.where(now < before, now**2 / (before - now), jnp.inf))
        reached = n[-1]
        last = jnp.where(left > tail, reached, last)
        complete = 1 - weight <= eps * jnp.maximum(64, reached * jnp.log(reached + 2) / 4)
        waited = (weight > NEARLY) & (reached >= 4 * last + PATIENCE)
        done = (left <= tail) & (complete | waited) | jnp.isinf(total)
        return start + BLOCK, weight, total, now, last, done

    def is_open(state):
        return (state[0] < MOST) & ~jnp.all(state[5])

    start = (jnp.int32(0), zero, zero, zero, zero, jnp.zeros(shape, bool))
    stop, weight, total, _, _, done = lax.while_loop(is_open, add_block, start)
    value = jnp.where(done, total / weight, jnp.nan)
    log_weight = lax.stop_gradient(jnp.where(done, jnp.log(weight), 0.0))
    return (value, log_weight), (value, weight, stop, q_arrays, arrays)


def _backward(log_q, payoff, shape, residuals, cotangents):
    value, weight, stop, q_arrays, arrays = residuals
    cotangent = cotangents[0] / weight
    value = jnp.where(jnp.isinf(value), 0.0, value)

    def add_block(state):
        start, q_total, total = state
        n = _block(start, value.dtype)
        log_weight = jnp.broadcast_to(log_q(n, *q_arrays), (BLOCK, *shape))
        q = cotangent * jnp.exp(log_weight)
        f = payoff(n, log_weight, *arrays)
        counts = (jnp.exp(log_weight) > 0) & jnp.isfinite(f)

        def log_q_of(*q_arrays):
            return jnp.broadcast_to(log_q(n, *q_arrays), (BLOCK, *shape))

        def payoff_of(*arrays):
            return jnp.broadcast_to(payoff(n, log_weight, *arrays), (BLOCK, *shape))

        # Σ q ∇log q (f − E f), and Σ q ∇f
        q_total = accumulate(log_q_of, q_arrays, jnp.where(counts, q * (f - value), 0.0), q_total)
        total = accumulate(payoff_of, arrays, jnp.where(counts, q, 0.0), total)
        return start + BLOCK, q_total, total

    start = (jnp.int32(0), zeros_of(q_arrays), zeros_of(arrays))
    _, q_total, total = lax.while_loop(lambda state: state[0] < stop, add_block, start)
    return tuple(q_total), tuple(total)


_expected.defvjp(_forward, _backward)

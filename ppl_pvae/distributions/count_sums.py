"""KL divergences between families of counts by exact summation, where no closed form is known."""

import math

import jax.numpy as jnp
import numpyro.distributions as dist
from jax.scipy.special import gammaln
from jaxtyping import Array, Float

from ppl_pvae.distributions.count_expectation import BLOCK, expected_over_counts, tail_tolerance
from ppl_pvae.distributions.counted import counted, is_of_counts
from ppl_pvae.distributions.kl import base_of, poisson_kl
from ppl_pvae.distributions.poisson import is_poisson, log_rate_of
from ppl_pvae.distributions.poisson_sums import TABLE_BLOCK, poisson_expectation

__all__ = ["count_kl", "has_count_sum"]


def has_count_sum(q: dist.Distribution, p: dist.Distribution) -> bool:
    """Whether both are families of counts whose units are independent: each a count by itself, behind `to_event`."""
    q, p = base_of(q), base_of(p)
    if isinstance(q, dist.MaskedDistribution) and isinstance(p, dist.MaskedDistribution):
        return has_count_sum(q.base_dist, p.base_dist)
    without = dist.Delta | dist.MaskedDistribution
    return not any(isinstance(each, without) or not is_of_counts(each) for each in (q, p))


def count_kl(q: dist.Distribution, p: dist.Distribution) -> Float[Array, "..."]:
    """KL(q‖p) = Σ_n q(n) [log q(n) − log p(n)] in nats, with the units kept apart: (image, unit) for a code.

    Any two families with a log-probability of single counts, differentiable in the parameters of both. Summed until
    less than the tail tolerance is left (an eighth of the float type's epsilon); weights are renormalised. A Poisson q
    against a p that is the same for all images takes a path of its own, some thirty times quicker.

    Where p gives no probability to counts on which q has more than the tail tolerance, +inf, with the derivatives of
    the finite part of the sum; where q has none, nothing. A sum that does not end within the limit (65,536 counts; for
    Poisson counts rates up to 750) is NaN, as is that of a q whose probabilities do not add up to 1.

    The gradient of NumPyro's zero-inflated families is NaN at a gate of exactly 0: start inside.
    """
    shape = jnp.broadcast_shapes(q.batch_shape + q.event_shape, p.batch_shape + p.event_shape)
    return jnp.broadcast_to(_kl(base_of(q), base_of(p)), shape)


def _kl(q, p):
    if isinstance(q, dist.MaskedDistribution):
        inner = _kl(base_of(q.base_dist), base_of(p.base_dist))
        return jnp.where(jnp.asarray(q._mask) & jnp.asarray(p._mask), inner, 0.0)
    shape = jnp.broadcast_shapes(q.batch_shape, p.batch_shape)
    units = tuple(p.batch_shape)
    while units and units[0] == 1:
        units = units[1:]
    units = units or shape[-1:]
    images = math.prod(shape) // math.prod(units)
    shared = shape[len(shape) - len(units) :] == units and images > 1  # one prior for many images
    if is_poisson(q) and shared:
        log_rate = jnp.broadcast_to(log_rate_of(q), shape).reshape(images, -1)
        return _poisson_kl(log_rate, p, units).reshape(shape)
    return _general_kl(q, p, shape)


def _general_kl(q, p, shape):
    log_q, log_p = counted(q, BLOCK, len(shape)), counted(p, BLOCK, len(shape))

    def log_ratio(n, log_q, *arrays):
        log_p_n = log_p.log_prob(n, *arrays)
        # What p does not allow counts where q is more than what a sum leaves out, and not at all elsewhere.
        barred = jnp.exp(log_q) > tail_tolerance(log_q.dtype)
        return jnp.where(log_p_n == -jnp.inf, jnp.where(barred, jnp.inf, 0.0), log_q - log_p_n)

    nats, log_weight = expected_over_counts(log_q.log_prob, log_q.arrays, log_ratio, log_p.arrays, shape)
    return nats - log_weight


def _poisson_kl(log_rate, p, units):
    """KL of Poisson counts against a prior of each unit, (image, unit).

    With h(n) = log n! + log p(n), which is a straight line for a Poisson prior, KL = λ(ℓ − 1) − E h(n). A line is taken
    off in closed form, that through n = 1 and 2, and the sum is left with the bend of h: nothing large cancels, and
    rounding is that of the closed form wherever the prior is nearly Poisson, be it but for its zeros.
    """
    flat = counted(p, TABLE_BLOCK, len(units))

    def h(n, *arrays):
        log_p = jnp.broadcast_to(flat.log_prob(n, *arrays), (TABLE_BLOCK, *units)).reshape(TABLE_BLOCK, -1)
        return log_p + gammaln(n + 1)[:, None]

    start, slope = _line_through_two(h(jnp.arange(TABLE_BLOCK, dtype=log_rate.dtype), *flat.arrays))

    def bend(n, start, slope, *arrays):
        return h(n, *arrays) - start - n[:, None] * slope

    bent = poisson_expectation(log_rate, bend, [start, slope, *flat.arrays])
    # λ(ℓ − 1) − E h = [λ(ℓ − a) − λ + e^a] − e^a − b − E bend(n), with the line b + an
    return poisson_kl(log_rate, slope) - (jnp.exp(slope) + start) - bent


def _line_through_two(h: Float[Array, "count unit"]) -> tuple[Float[Array, " unit"], Float[Array, " unit"]]:
    """Value at n = 0 and slope of the line through the first two counts that a prior allows.

    Without 0 where there are two others: inflated or deflated zeros lie off the line of all other counts.
    """
    n = jnp.arange(len(h))[:, None]
    allowed = h > -jnp.inf
    allowed &= (n > 0) | (jnp.sum(allowed, axis=0) < 3)
    first = jnp.argmax(allowed, axis=0)
    later = allowed & (n > first)
    second = jnp.argmax(later, axis=0)
    finite = jnp.where(allowed, h, 0.0)
    one, two = (jnp.take_along_axis(finite, at[None], axis=0)[0] for at in (first, second))
    slope = jnp.where(jnp.any(later, axis=0), (two - one) / jnp.maximum(second - first, 1), 0.0)
    return one - first * slope, slope

"""A Poisson count that can be differentiated in its rate: the arrival-time estimator, in its cheap form.

A Poisson count is the number of arrivals of a rate-λ process in [0, 1]. The indicator S ≤ 1 is replaced by the smooth
step g((1 − S)/τ), g(u) = 3v² − 2v³ with v = clip((u + 1)/2, 0, 1). Only arrivals in (1 − τ, 1 + τ) are then soft; the
process is independent on disjoint sets and uniform given its number, so the count and its derivative have the law of

    N₀ ~ Pois(λ(1 − τ)),  M ~ Pois(2τλ),  u_1 … u_M ~ U(−1, 1)
    z = N₀ + Σ_j g(u_j),  dz/dlog λ = Σ_j g′(u_j)(1 − τu_j)/τ

The derivative is known as the sample is drawn: nothing is differentiated through a loop.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from ppl_pvae.distributions.arrival_crowd import crowd_sums
from ppl_pvae.distributions.arrival_window import MANY, window_sums
from ppl_pvae.distributions.poisson_sampler import counts_of_rates
from ppl_pvae.distributions.random_words import cipher_keys

__all__ = ["soft_poisson", "soft_poisson_from_log"]


def soft_poisson(
    key: Array, rate: Float[Array, "*shape"], temperature: float | Float[Array, ""], hard: bool = False
) -> Float[Array, "*shape"]:
    """Draw soft spike counts with a gradient in the expected count.

    E z = λ and E dz/dλ = 1 at every temperature, Var z = λ(1 − 9τ/35): as τ → 0 the count becomes Poisson and the
    derivative, of variance 6/(5·2τλ) at small τ, noisier. The work is about 2τλ draws, the memory independent of it.

    Parameters
    ----------
    key
        JAX random key, typed or raw.
    rate
        Expected counts λ, >= 0. At λ = 0 the derivative is 0 (that of any sample, not of the mean).
    temperature
        Half-width τ of the soft window, 0 < τ <= 1. It is a setting: its gradient is zero.
    hard
        Count arrivals before time 1, so that the value is an exact Poisson count, and keep the derivative of the soft
        one. The pair is then not consistent, as with every straight-through estimator.

    Returns
    -------
    counts
        Where the rate is negative or NaN, NaN; where it is infinite, infinity.

    Raises
    ------
    ValueError
        If the temperature is a Python number outside (0, 1].
    """
    rate = jnp.asarray(rate)
    return _from_rate(key, rate.astype(_float(rate)), _checked(temperature), hard)


def soft_poisson_from_log(
    key: Array, log_rate: Float[Array, "*shape"], temperature: float | Float[Array, ""], hard: bool = False
) -> Float[Array, "*shape"]:
    """Draw soft spike counts with a gradient in the logarithm of the expected count.

    As `soft_poisson`, with dz/dlog λ = λ dz/dλ, E dz/dlog λ = λ: finite at every log-rate, however small.
    """
    log_rate = jnp.asarray(log_rate)
    return _from_log_rate(key, log_rate.astype(_float(log_rate)), _checked(temperature), hard)


@partial(jax.custom_jvp, nondiff_argnums=(3,))
def _from_rate(key, rate, temperature, hard):
    return _draw(key, rate, temperature, hard)[0]


@_from_rate.defjvp
def _from_rate_jvp(hard, primals, tangents):
    key, rate, temperature = primals
    counts, slope = _draw(key, rate, temperature, hard)
    # dz/dλ = (dz/dlog λ)/λ; a rate of 0 has no arrivals to move
    return counts, jnp.where(rate == 0, 0, slope / jnp.where(rate == 0, 1, rate)) * tangents[1]


@partial(jax.custom_jvp, nondiff_argnums=(3,))
def _from_log_rate(key, log_rate, temperature, hard):
    return _draw(key, jnp.exp(log_rate), temperature, hard)[0]


@_from_log_rate.defjvp
def _from_log_rate_jvp(hard, primals, tangents):
    key, log_rate, temperature = primals
    counts, slope = _draw(key, jnp.exp(log_rate), temperature, hard)
    return counts, slope * tangents[1]


@partial(jax.jit, static_argnames="hard")
def _draw(key, rate, temperature, hard):
    """Counts and their derivative in the log-rate, drawn together."""
    dtype = rate.dtype
    rate = rate.astype(jnp.float32)
    before_cipher, window_cipher, arrivals_cipher, crowd_cipher = cipher_keys(key, 4)
    # N₀ before the window, M in it
    before, arrivals = counts_of_rates(
        [before_cipher, window_cipher], (rate * (1 - temperature), rate * (2 * temperature))
    )
    few = jnp.where(arrivals <= MANY, arrivals, 0)
    sums = window_sums(arrivals_cipher, few, temperature, _hard_step if hard else _cubic_step)
    many = arrivals - few

    def add_crowds(sums):
        return tuple(a + b for a, b in zip(sums, crowd_sums(crowd_cipher, many, temperature, hard), strict=True))

    soft, slope = lax.cond(jnp.any(many > 0), add_crowds, lambda sums: sums, sums)
    usual = (rate >= 0) & jnp.isfinite(rate)
    unusual = jnp.where(rate > 0, jnp.inf, jnp.nan)
    counts = jnp.where(usual, before + soft, unusual)
    return counts.astype(dtype), jnp.where(usual, slope, unusual).astype(dtype)


def _cubic_step(u):
    # g(u) = 3v² − 2v³, v = (u + 1)/2
    v = 0.5 * (u + 1)
    return v * v * (3 - 2 * v)


def _hard_step(u):
    return (u > 0).astype(u.dtype)  # S < 1


def _float(x):
    return jnp.promote_types(x.dtype, jnp.float32)


def _checked(temperature):
    if isinstance(temperature, int | float) and not 0 < temperature <= 1:
        raise ValueError(f"temperature must be in (0, 1], got {temperature}; 0.05 is close to exact counts.")
    return jnp.asarray(temperature, jnp.float32)

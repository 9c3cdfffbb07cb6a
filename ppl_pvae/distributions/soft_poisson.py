"""A Poisson count that can be differentiated in its rate: the arrival-time estimator, in its cheap form.

A Poisson count is the number of arrivals of a rate-λ process in [0, 1]. The indicator S ≤ 1 is replaced by the smooth
step g((1 − S)/τ), g(u) = 3v² − 2v³ with v = clip((u + 1)/2, 0, 1). Only arrivals in (1 − τ, 1 + τ) are then soft; the
process is independent on disjoint sets and uniform given its number, so the count and its derivative have the law of

    N₀ ~ Pois(λ(1 − τ)),  M ~ Pois(2τλ),  u_1 … u_M ~ U(−1, 1)
    z = N₀ + Σ_j g(u_j),  dz/dlog λ = Σ_j g′(u_j)(1 − τu_j)/τ

The derivative is known as the sample is drawn: nothing is differentiated through a loop. A sigmoid step, as published,
goes the same way in a wider window.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from ppl_pvae.distributions.arrival_crowd import crowd_sums
from ppl_pvae.distributions.arrival_steps import STEPS
from ppl_pvae.distributions.arrival_window import MANY, window_sums
from ppl_pvae.distributions.poisson_sampler import counts_of_rates
from ppl_pvae.distributions.random_words import cipher_keys

__all__ = ["soft_poisson", "soft_poisson_from_log"]


def soft_poisson(
    key: Array,
    rate: Float[Array, "*shape"],
    temperature: float | Float[Array, ""],
    hard: bool = False,
    indicator: str = "cubic",
) -> Float[Array, "*shape"]:
    """Draw soft spike counts with a gradient in the expected count.

    With the cubic indicator E z = λ and E dz/dλ = 1 at every temperature, Var z = λ(1 − 9τ/35): as τ → 0 the count
    becomes Poisson and the derivative, of variance 6/(5·2τλ) at small τ, noisier. The work is about 2τλ draws, the
    memory independent of it. With the sigmoid one E z = λτ log(1 + e^(1/τ)), and the work up to (1 + 15τ)λ draws.

    Parameters
    ----------
    key
        JAX random key, typed or raw.
    rate
        Expected counts λ, >= 0. At λ = 0 the derivative is 0 (that of any sample, not of the mean).
    temperature
        Half-width τ of the soft window, 0 < τ <= 1 (any τ > 0 for the sigmoid). It is a setting: its gradient is zero.
    hard
        Count arrivals before time 1, so that the value is an exact Poisson count, and keep the derivative of the soft
        one. The pair is then not consistent, as with every straight-through estimator.
    indicator
        "cubic" or "sigmoid": the step from "before time 1" to "after".

    Returns
    -------
    counts
        Where the rate is negative or NaN, NaN; where it is infinite, infinity.

    Raises
    ------
    ValueError
        If the temperature is a Python number that leaves no window, or the indicator has another name.
    """
    rate = jnp.asarray(rate)
    return _from_rate(key, rate.astype(_float(rate)), _checked(temperature, indicator), hard, indicator)


def soft_poisson_from_log(
    key: Array,
    log_rate: Float[Array, "*shape"],
    temperature: float | Float[Array, ""],
    hard: bool = False,
    indicator: str = "cubic",
) -> Float[Array, "*shape"]:
    """Draw soft spike counts with a gradient in the logarithm of the expected count.

    As `soft_poisson`, with dz/dlog λ = λ dz/dλ, E dz/dlog λ = λ: finite at every log-rate, however small.
    """
    log_rate = jnp.asarray(log_rate)
    return _from_log_rate(key, log_rate.astype(_float(log_rate)), _checked(temperature, indicator), hard, indicator)


@partial(jax.custom_jvp, nondiff_argnums=(3, 4))
def _from_rate(key, rate, temperature, hard, indicator):
    return _draw(key, rate, temperature, hard, indicator)[0]


@_from_rate.defjvp
def _from_rate_jvp(hard, indicator, primals, tangents):
    key, rate, temperature = primals
    counts, slope = _draw(key, rate, temperature, hard, indicator)
    # dz/dλ = (dz/dlog λ)/λ; a rate of 0 has no arrivals to move
    return counts, jnp.where(rate == 0, 0, slope / jnp.where(rate == 0, 1, rate)) * tangents[1]


@partial(jax.custom_jvp, nondiff_argnums=(3, 4))
def _from_log_rate(key, log_rate, temperature, hard, indicator):
    return _draw(key, jnp.exp(log_rate), temperature, hard, indicator)[0]


@_from_log_rate.defjvp
def _from_log_rate_jvp(hard, indicator, primals, tangents):
    key, log_rate, temperature = primals
    counts, slope = _draw(key, jnp.exp(log_rate), temperature, hard, indicator)
    return counts, slope * tangents[1]


@partial(jax.jit, static_argnames=("hard", "indicator"))
def _draw(key, rate, temperature, hard, indicator):
    """Counts and their derivative in the log-rate, drawn together."""
    dtype = rate.dtype
    rate = rate.astype(jnp.float32)
    before_cipher, window_cipher, arrivals_cipher, crowd_cipher = cipher_keys(key, 4)
    step = STEPS[indicator]
    first, last = step.window(temperature)
    # N₀ before the window, M in it
    before, arrivals = counts_of_rates([before_cipher, window_cipher], (rate * first, rate * (last - first)))
    few = jnp.where(arrivals <= MANY, arrivals, 0)
    counted = _hardened(step) if hard else step
    sums = window_sums(arrivals_cipher, few, temperature, counted)
    many = arrivals - few

    def add_crowds(sums):
        soft, slope = crowd_sums(crowd_cipher, many, temperature, counted)
        return sums[0] + (jnp.round(soft) if hard else soft), sums[1] + slope

    soft, slope = lax.cond(jnp.any(many > 0), add_crowds, lambda sums: sums, sums)
    usual = (rate >= 0) & jnp.isfinite(rate)
    unusual = jnp.where(rate > 0, jnp.inf, jnp.nan)
    counts = jnp.where(usual, before + soft, unusual)
    return counts.astype(dtype), jnp.where(usual, slope, unusual).astype(dtype)


def _hardened(step):
    """The step that counts what came before time 1 as one and keeps the derivative of the soft one."""

    def hard(u, temperature):
        first, last = step.window(temperature)
        passed = u > (last + first - 2) / (last - first)  # where time 1 lies in the window
        return passed.astype(u.dtype), step(u, temperature)[1]

    return hard


def _float(x):
    return jnp.promote_types(x.dtype, jnp.float32)


def _checked(temperature, indicator):
    if indicator not in STEPS:
        raise ValueError(f"indicator must be one of {', '.join(STEPS)}, got {indicator!r}.")
    if isinstance(temperature, int | float):
        if indicator == "cubic" and not 0 < temperature <= 1:
            raise ValueError(f"temperature must be in (0, 1], got {temperature}; 0.05 is close to exact counts.")
        if not 0 < temperature < jnp.inf:
            raise ValueError(f"temperature must be > 0, got {temperature}; 0.05 is close to exact counts.")
    return jnp.asarray(temperature, jnp.float32)

"""Poisson counts of large rates, by transformed rejection."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from ppl_pvae.distributions.random_words import CipherKey, centred, random_words

__all__ = ["transformed_rejection"]

# Coefficients of (1 + x) log(1 + x) − x = x² Σ_i (−x)^i / ((i + 1)(i + 2)), for |x| < ¼ to 2⁻²⁴.
DEVIANCE_SERIES = tuple((-1) ** i / ((i + 1) * (i + 2)) for i in range(10))
SERIES_RADIUS = 0.25


def transformed_rejection(
    key: CipherKey, rate: Float[Array, "*shape"], wanted: Bool[Array, "*shape"], *, first_block: int
) -> Float[Array, "*shape"]:
    """Poisson counts where `wanted` (rates of at least 10), 0 elsewhere; no work at all where nothing is wanted.

    Counts above 2²⁴ are rounded as float32 rounds. Uses the words of `first_block` and all blocks after it.

    Source: Hörmann 1993, The transformed rejection method for generating Poisson random variables, algorithm PTRS.
    """
    rate = jnp.where(wanted, rate, 1024.0)
    whole = jnp.floor(rate)
    fraction = rate - whole
    b = 0.931 + 2.53 * jnp.sqrt(rate)
    a = -0.059 + 0.02483 * b
    log_inverse_alpha = jnp.log(1.1239 + 1.1328 / (b - 3.4))
    squeeze = 0.9277 - 3.6224 / (b - 2.0)

    def propose(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        block, away, waiting = state
        word0, word1 = random_words(key, rate.shape, block)
        u = 0.5 * centred(word0)
        v = 0.5 + 0.5 * centred(word1)
        u_s = 0.5 - jnp.abs(u)
        # Counts are kept as whole distances from ⌊λ⌋: λ + s in one float32 would move large counts.
        proposal = jnp.floor((2.0 * a / u_s + b) * u + 0.43 + fraction)
        log_ratio = jnp.log(v) + log_inverse_alpha - jnp.log(a / (u_s * u_s) + b)
        accept = ((u_s >= 0.07) & (v <= squeeze)) | (log_ratio <= _log_probability(proposal - fraction, rate))
        accept &= whole + proposal >= 0
        return block + 1, jnp.where(waiting & accept, proposal, away), waiting & ~accept

    start = (jnp.uint32(first_block), jnp.zeros_like(rate), wanted)
    _, away, _ = lax.while_loop(lambda state: jnp.any(state[2]), propose, start)
    return jnp.where(wanted, whole + away, 0.0)


def _log_probability(distance: Float[Array, "*shape"], rate: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """log P(rate + distance) in Loader's saddle-point form: no difference of large numbers.

    Source: Loader 2000, Fast and accurate computation of binomial probabilities.
    """
    x = distance / rate
    count = jnp.maximum(rate + distance, 0.5)
    series = jnp.zeros_like(x)
    for coefficient in reversed(DEVIANCE_SERIES):
        series = series * x + coefficient
    outside = (1.0 + x) * jnp.log(jnp.maximum(count / rate, 1e-30)) - x
    # D = k log(k/λ) + λ − k = λ [(1 + x) log(1 + x) − x]
    deviance = rate * jnp.where(jnp.abs(x) < SERIES_RADIUS, x * x * series, outside)
    stirling = 1.0 / (12.0 * count)
    return -deviance - stirling - 0.5 * jnp.log(2.0 * jnp.pi * count)

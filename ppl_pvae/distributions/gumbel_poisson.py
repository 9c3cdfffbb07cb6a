"""A Poisson count relaxed by a Gumbel softmax over the counts that it could be.

With G_n independent Gumbel variables, argmax_n (log p(n) + G_n) is a Poisson count, and z = Σ_n n y_n with
y = softmax((log p(n) + G_n)/τ) its relaxation. Since log p(n) = n log λ − λ − log n!, the derivative of z in the
log-rate is the variance of n under y, over τ. Both are running sums over n, in memory that no count makes larger.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from ppl_pvae.distributions.random_words import cipher_key, random_words

__all__ = ["gumbel_softmax_poisson"]

LARGEST_RATE = 1e5  # beyond which nobody waits for so many counts: NaN, which training takes for divergence
TAIL_QUANTILE = 4.753  # of the normal distribution, one-sided 1e-6


@partial(jax.custom_jvp, nondiff_argnums=(3,))
def gumbel_softmax_poisson(
    key: Array, log_rate: Float[Array, "*shape"], temperature: Float[Array, ""], hard: bool = False
) -> Float[Array, "*shape"]:
    """Draw relaxed spike counts with a gradient in the log-rate.

    Counts beyond the 1e-6 quantile of the largest rate are left out. The work is that quantile for every element,
    whatever its own rate. Rates above 1e5 give NaN.

    Parameters
    ----------
    key
        JAX random key.
    log_rate
        Logarithm of the expected counts.
    temperature
        τ of the softmax, > 0; its gradient is zero.
    hard
        Give the count of the largest perturbed log-probability, a Poisson count, and the derivative of the soft one.

    Notes
    -----
    Source: Jang, Gu & Poole 2017 (arXiv:1611.01144), Maddison, Mnih & Teh 2017 (arXiv:1611.00712); truncated for
    Poisson counts as in "A hitchhiker's guide to Poisson gradient estimation" (arXiv:2602.03896).
    """
    return _draw(key, log_rate, temperature, hard)[0]


@gumbel_softmax_poisson.defjvp
def _gumbel_softmax_poisson_jvp(hard, primals, tangents):
    counts, slope = _draw(*primals, hard)
    return counts, slope * tangents[1]


@partial(jax.jit, static_argnames="hard")
def _draw(key, log_rate, temperature, hard):
    """Counts and their derivative in the log-rate: moments of n − λ under y, as n goes up."""
    cipher, zero, rate = cipher_key(key), jnp.zeros_like(log_rate), jnp.exp(log_rate)
    usual = rate <= LARGEST_RATE
    most = _largest_count(jnp.max(jnp.where(usual, rate, 0.0), initial=0.0))

    def two_counts(state):
        pair, log_factorial, best, arg, total, first, second = state
        for rank, word in enumerate(random_words(cipher, log_rate.shape, pair.astype(jnp.uint32))):
            n = 2.0 * pair + rank
            log_factorial = log_factorial + jnp.log(jnp.maximum(n, 1.0))
            # At a rate of 0 the log-rate is −inf, and 0 is the only count.
            perturbed = jnp.where(n == 0, 0.0, n * log_rate) - log_factorial + _gumbel(word)
            new_best = jnp.maximum(best, perturbed)
            shrink = jnp.exp((best - new_best) / temperature)
            weight = jnp.exp((perturbed - new_best) / temperature)
            arg = jnp.where(perturbed > best, n, arg)
            total = total * shrink + weight
            first, second = first * shrink + (n - rate) * weight, second * shrink + (n - rate) ** 2 * weight
            best = new_best
        return pair + 1, log_factorial, best, arg, total, first, second

    start = (jnp.float32(0), jnp.float32(0), jnp.full_like(log_rate, -jnp.inf), zero, zero, zero, zero)
    _, _, _, arg, total, first, second = lax.while_loop(lambda state: 2 * state[0] <= most, two_counts, start)
    excess = first / total
    slope = jnp.maximum(second / total - excess**2, 0.0) / temperature
    return jnp.where(usual, arg if hard else rate + excess, jnp.nan), jnp.where(usual, slope, jnp.nan)


def _largest_count(rate):
    # The quantile of Cornish and Fisher, λ + q√λ + (q² − 1)/6, and one more
    return jnp.ceil(rate + TAIL_QUANTILE * jnp.sqrt(rate) + (TAIL_QUANTILE**2 - 1) / 6 + 1)


def _gumbel(word):
    uniform = jnp.minimum((word.astype(jnp.float32) + 0.5) * jnp.float32(2.0**-32), 1 - 2.0**-24)  # never 1
    return -jnp.log(-jnp.log(uniform))

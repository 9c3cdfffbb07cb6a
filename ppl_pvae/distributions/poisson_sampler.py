"""Exact Poisson counts, fast on CPUs.

Poisson variables add: a rate is cut into 16·m + g/8 + δ, with whole m < 64 and g < 128, and δ in [0, 1/8). Each part
is drawn by what suits it: δ by inversion, g/8 and 16·m by a look-up in an alias table, and rates of 1024 and more by
rejection. What no rate of the call needs is left out, so rates below 16 cost one fused pass.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float, Shaped, UInt32

from ppl_pvae.distributions.poisson_large import transformed_rejection
from ppl_pvae.distributions.poisson_table import draw_from_table, poisson_table
from ppl_pvae.distributions.random_words import CipherKey, cipher_key, random_words

__all__ = ["counts_of_rates", "poisson_counts"]

FINE, FINE_ROWS, FINE_COLUMNS = 0.125, 128, 64  # rates 0 … 15⅞, counts to 63: 12 standard deviations above
COARSE, COARSE_ROWS, COARSE_COLUMNS = 16.0, 64, 512  # rates 0 … 1008, counts 8 standard deviations to both sides
LARGE = COARSE * COARSE_ROWS
LARGEST_FRACTION_COUNT = 6  # P(count > 6 | rate < 1/8) = 1e-10 < 2⁻³²


@partial(jax.jit, static_argnames="dtype")
def poisson_counts(
    key: Array, rate: Float[Array, "*shape"], *, dtype: DTypeLike = jnp.float32
) -> Shaped[Array, "*shape"]:
    """Independent Poisson counts, one for every rate (expected spikes in the window).

    Works under jit and vmap, with any key implementation, for any shape and any rate. Every part of a draw spends one
    32-bit uniform word, so that probabilities are exact to 2⁻³² each; below that, a rate of 1e-6 has the right share of
    ones to 1e-4 of itself. From rate 1024 on the acceptance test is done in float32.

    No gradient flows to the rate; `soft_poisson` has one.

    Parameters
    ----------
    key
        JAX random key, typed or raw.
    rate
        Expected counts; 32-bit precision is used.
    dtype
        Of the counts. float32 counts are whole up to 2²⁴ and rounded above; integers stop at the type's largest value.

    Returns
    -------
    counts
        Where the rate is negative or NaN: NaN, or −1 in an integer type (0 in an unsigned one). Infinite rates give
        infinite counts.
    """
    rate = lax.stop_gradient(jnp.asarray(rate, jnp.float32))
    (counts,) = counts_of_rates([cipher_key(key)], (rate,))
    counts = jnp.where(jnp.isposinf(rate), jnp.inf, counts)
    return _as_type(counts, rate >= 0, jnp.dtype(dtype))


def counts_of_rates(
    ciphers: list[CipherKey], rates: tuple[Float[Array, "*shape"], ...]
) -> list[Float[Array, "*shape"]]:
    """Counts for some arrays of float32 rates of one shape, 0 where a rate is negative, NaN or infinite.

    One call for several arrays compiles the rejection, the longest part, once.
    """
    counts = [_tabled_counts(cipher, rate) for cipher, rate in zip(ciphers, rates, strict=True)]
    large = [(rate >= LARGE) & jnp.isfinite(rate) for rate in rates]

    def add_large(counts):
        more = transformed_rejection(ciphers[0], jnp.stack(rates), jnp.stack(large), first_block=2)
        return [few + many for few, many in zip(counts, more, strict=True)]

    return lax.cond(jnp.any(jnp.stack([jnp.any(some) for some in large])), add_large, lambda counts: counts, counts)


def _tabled_counts(cipher: CipherKey, rate: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    rate = jnp.where((rate >= 0) & (rate < LARGE), rate, 0.0)
    return lax.cond(
        jnp.max(rate, initial=0.0) >= COARSE,
        lambda counts: counts + _multiples_of_sixteen(rate, cipher),
        lambda counts: counts,
        _below_sixteen(rate, cipher),
    )


def _below_sixteen(rate: Float[Array, "*shape"], cipher: CipherKey) -> Float[Array, "*shape"]:
    """Counts of g/8 + δ, what is left of a rate beside multiples of sixteen."""
    word0, word1 = random_words(cipher, rate.shape)
    eighths = jnp.floor(rate / FINE)
    row = eighths.astype(jnp.int32) % FINE_ROWS
    table = poisson_table(FINE, FINE_ROWS, FINE_COLUMNS)
    return draw_from_table(table, row, word0).astype(jnp.float32) + _invert(rate - FINE * eighths, word1)


def _multiples_of_sixteen(rate: Float[Array, "*shape"], cipher: CipherKey) -> Float[Array, "*shape"]:
    word, _ = random_words(cipher, rate.shape, block=1)
    table = poisson_table(COARSE, COARSE_ROWS, COARSE_COLUMNS)
    return draw_from_table(table, (rate / COARSE).astype(jnp.int32), word).astype(jnp.float32)


def _invert(rate: Float[Array, "*shape"], word: UInt32[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Counts of rates below 1/8: the number of j with u < P(count ≥ j), which is precise where these are tiny."""
    probability = [jnp.exp(-rate)]
    for count in range(1, LARGEST_FRACTION_COUNT + 2):
        probability.append(probability[-1] * rate * jnp.float32(1.0 / count))
    uniform = (word.astype(jnp.float32) + 0.5) * jnp.float32(2.0**-32)
    survivor = probability.pop()
    counts = jnp.zeros_like(rate)
    for term in reversed(probability[1:]):
        survivor = survivor + term  # summed from the far end: all digits are kept
        counts += (uniform < survivor).astype(jnp.float32)
    return counts


def _as_type(counts: Float[Array, "*shape"], valid: Bool[Array, "*shape"], dtype: jnp.dtype) -> Shaped[Array, "*shape"]:
    if jnp.issubdtype(dtype, jnp.floating):
        return jnp.where(valid, counts, jnp.nan).astype(dtype)
    limits = jnp.iinfo(dtype)
    return jnp.where(valid, jnp.minimum(counts, limits.max), max(-1, limits.min)).astype(dtype)

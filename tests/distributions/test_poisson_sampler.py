"""Counts against scipy's Poisson: seeded chi-square tests, and exact counting of the words that give each count."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from jax.extend.random import threefry_2x32 as jax_threefry_2x32
from numpy.testing import assert_allclose, assert_array_equal

from ppl_pvae.distributions import poisson_sampler
from ppl_pvae.distributions.poisson_sampler import poisson_counts
from ppl_pvae.distributions.poisson_table import poisson_table, table_weights
from ppl_pvae.distributions.random_words import centred, random_words, threefry_2x32

DRAWS = 300_000
# Both sides of every seam (1/8, 16, 1024), whole and odd rates, and what is far beyond.
RATES = [1e-6, 1e-3, 0.05, 0.124, 0.3, 1.0, 2.0, 7.93, 15.99, 16.0, 31.7, 100.0, 200.5, 999.9, 1023.9, 1024.0, 5e3, 1e5]


def chi_square_p_value(counts, rate):
    """P value of counts against Poisson(rate), in bins of at least 20 expected counts."""
    law = scipy.stats.poisson(rate)
    edges = np.unique(law.ppf(np.linspace(0, 1, 201)[1:-1]))  # a bin ends at each edge, edge included
    edges = edges[law.sf(edges) * len(counts) > 20]
    cumulative = np.concatenate([[0.0], law.cdf(edges), [1.0]])
    expected = np.diff(cumulative) * len(counts)
    observed = np.bincount(np.searchsorted(edges, counts), minlength=len(expected))
    return scipy.stats.chisquare(observed, expected).pvalue if len(expected) > 1 else 1.0


@pytest.mark.parametrize("rate", RATES)
def test_counts_follow_the_poisson_law(rate):
    counts = np.asarray(poisson_counts(jax.random.key(round(rate * 7) + 1), jnp.full(DRAWS, rate)), np.float64)
    assert_array_equal(counts, np.floor(counts))
    exact = np.float64(np.float32(rate))
    assert chi_square_p_value(counts, exact) > 1e-4  # 18 tests: a false alarm once in 500 seeds
    standard_error = np.sqrt(exact / DRAWS)
    assert_allclose(counts.mean(), exact, atol=4.5 * standard_error, rtol=1e-7)
    assert_allclose(counts.var(), exact, atol=4.5 * np.sqrt((exact + 2 * exact**2) / DRAWS))


def test_far_tail_of_the_law():
    """P(count ≥ 4) at rate 0.1 is 3.8e-6: 2²⁶ draws must show 258 ± 16."""
    rate, blocks, size = 0.1, 64, 2**20
    keys = jax.random.split(jax.random.key(4), blocks)
    hits = jax.lax.map(lambda key: jnp.sum(poisson_counts(key, jnp.full(size, rate)) >= 4), keys)
    expected = blocks * size * scipy.stats.poisson.sf(3, rate)
    assert abs(int(hits.sum()) - expected) < 4.5 * np.sqrt(expected)


@pytest.mark.slow
def test_tiny_rates_at_full_length():
    """2³² draws at rate 1e-6: 4295 ± 66 ones (a 23-bit uniform would be off by 12%)."""
    size = 2**22
    keys = jax.random.split(jax.random.key(1), 2**10)
    sums = jax.lax.map(lambda key: jnp.sum(poisson_counts(key, jnp.full(size, 1e-6))), keys)
    assert abs(float(sums.sum()) - 4294.97) < 4.5 * 65.6


@pytest.mark.parametrize("rate", [1e-9, 1e-6, 3e-6, 1e-5])
def test_tiny_rates_get_the_nearest_number_of_words(rate):
    """Of all 2³² words, those below P(count ≥ 1)·2³² give one: counted exactly, they are the nearest whole number."""
    words = jnp.arange(2**16, dtype=jnp.uint32)
    ones = int(jnp.sum(poisson_sampler._invert(jnp.full(words.shape, rate), words)))
    assert ones == round(-np.expm1(-np.float64(np.float32(rate))) * 2**32)


@pytest.mark.parametrize("rate", [0.001, 0.03, 0.1249])
def test_inversion_thresholds_match_scipy(rate):
    """Words just inside and outside each survivor probability give counts on both sides of it."""
    survivor = scipy.stats.poisson.sf(np.arange(5), np.float64(np.float32(rate))) * 2.0**32
    survivor = survivor[survivor > 10]
    slack = 2 + survivor * 3e-7  # the words and probabilities are compared in float32
    below = poisson_sampler._invert(jnp.full(len(survivor), rate), jnp.asarray(survivor - slack, jnp.uint32))
    above = poisson_sampler._invert(jnp.full(len(survivor), rate), jnp.asarray(survivor + slack, jnp.uint32))
    assert_array_equal(below, np.arange(len(survivor)) + 1)
    assert_array_equal(above, np.arange(len(survivor)))


@pytest.mark.parametrize(
    ("step", "rows", "columns"),
    [
        (poisson_sampler.FINE, poisson_sampler.FINE_ROWS, poisson_sampler.FINE_COLUMNS),
        (poisson_sampler.COARSE, poisson_sampler.COARSE_ROWS, poisson_sampler.COARSE_COLUMNS),
    ],
)
def test_tables_hold_scipys_probabilities(step, rows, columns):
    table = poisson_table(step, rows, columns)
    rate = step * np.arange(rows)[:, None]
    counts = table.first[:, None] + np.arange(columns)
    exact = scipy.stats.poisson.pmf(counts, rate) * 2.0**32
    weights = table_weights(table)
    assert_array_equal(weights.sum(axis=1), 2**32)
    off = np.abs(weights - exact)
    mode = exact > exact.max(axis=1, keepdims=True) * (1 - 1e-9)  # whole rates have two
    assert off[mode].max() < columns  # one takes the rounding of all others: 1e-7 of itself
    assert off[~mode].max() < 0.51
    outside = scipy.stats.poisson.sf(counts[:, -1:], rate) + scipy.stats.poisson.cdf(counts[:, :1] - 1, rate)
    assert outside.max() < 2.0**-33


def test_cipher_is_threefry():
    words = jax_threefry_2x32(jnp.array([3, 2**31 + 5], jnp.uint32), jnp.arange(2000, dtype=jnp.uint32))
    ours = threefry_2x32(
        (jnp.uint32(3), jnp.uint32(2**31 + 5)),
        jnp.arange(1000, dtype=jnp.uint32),
        jnp.arange(1000, 2000, dtype=jnp.uint32),
    )
    assert_array_equal(jnp.concatenate(ours), words)


def test_blocks_of_words_do_not_repeat():
    key = (jnp.uint32(1), jnp.uint32(2))
    words = np.concatenate([np.ravel(word) for block in range(3) for word in random_words(key, (40, 50), block)])
    assert len(np.unique(words)) == words.size


def test_centred_uniform_reaches_both_ends():
    words = jnp.array([0, 2**31 - 1, 2**31, 2**32 - 1], jnp.uint32)
    assert_allclose(centred(words), [2.0**-32, 1.0, -1.0, -(2.0**-32)], rtol=1e-7)


@pytest.mark.parametrize("make", [jax.random.key, jax.random.PRNGKey, lambda seed: jax.random.key(seed, impl="rbg")])
def test_any_kind_of_key(make):
    rate = jnp.full(DRAWS, 3.0)
    counts = poisson_counts(make(0), rate)
    assert chi_square_p_value(np.asarray(counts), 3.0) > 1e-3
    assert not np.array_equal(counts, poisson_counts(make(1), rate))
    assert_array_equal(counts, poisson_counts(make(0), rate))


@pytest.mark.parametrize("shape", [(), (1,), (2, 3, 4)])
def test_shapes(shape):
    counts = jax.eval_shape(poisson_counts, jax.random.key(0), jnp.full(shape, 20.0))
    assert counts.shape == shape
    assert counts.dtype == jnp.float32
    assert poisson_counts(jax.random.key(0), jnp.zeros((*shape, 0))).shape == (*shape, 0)


def test_vmap_gives_the_counts_of_single_calls():
    keys = jax.random.split(jax.random.key(3), 3)
    rates = jnp.array([[0.5, 3.0], [40.0, 1.0], [5e3, 0.0]])
    together = jax.jit(jax.vmap(poisson_counts))(keys, rates)
    assert_array_equal(together, jnp.stack([poisson_counts(key, rate) for key, rate in zip(keys, rates, strict=True)]))


def test_draws_are_independent_of_their_neighbours():
    counts = np.asarray(poisson_counts(jax.random.key(9), jnp.full(DRAWS, 4.3)), np.float64)
    centred_counts = counts - 4.3
    for lag in (1, 2, 64, 500):
        correlation = np.mean(centred_counts[lag:] * centred_counts[:-lag]) / 4.3
        assert abs(correlation) < 4.5 / np.sqrt(DRAWS)


def test_integer_counts_saturate():
    rate = jnp.array([2.5, 400.0, jnp.inf, -1.0, jnp.nan])
    wide = np.asarray(poisson_counts(jax.random.key(0), rate, dtype=jnp.int32))
    narrow = np.asarray(poisson_counts(jax.random.key(0), rate, dtype=jnp.uint8))
    assert_array_equal(wide[2:], [2**31 - 1, -1, -1])
    assert_array_equal(narrow[1:], [255, 255, 0, 0])
    assert narrow[0] == wide[0] >= 0


def test_rates_that_are_none():
    counts = np.asarray(poisson_counts(jax.random.key(0), jnp.array([0.0, -0.0, -1e-3, jnp.nan, jnp.inf, 1e30])))
    assert_array_equal(counts[:2], 0.0)
    assert np.isnan(counts[2:4]).all()
    assert counts[4] == np.inf
    assert_allclose(counts[5], 1e30, rtol=1e-6)


def test_no_gradient_reaches_the_rate():
    gradient = jax.grad(lambda rate: poisson_counts(jax.random.key(0), rate).sum())(jnp.array([0.5, 30.0, 2e3]))
    assert_array_equal(gradient, 0.0)

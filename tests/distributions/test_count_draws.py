"""Draws of counts from their probabilities alone."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
import scipy.special
import scipy.stats
from jax import random
from numpy.testing import assert_allclose, assert_array_equal

from ppl_pvae.distributions import draw_counts, total_of
from tests.distributions.families import SMOOTH, log_pmf

DRAWS = 20_000
AT = 0.7


@pytest.mark.parametrize(
    "name", ["own", "Conway–Maxwell–Poisson", "truncated", "mixture", "categorical", "zero-inflated"]
)
def test_draws_follow_the_law(name):
    """Chi-square over counts that are expected five times at least, the rest in one, p above 1e-4; seeded."""
    drawn = np.asarray(jax.jit(lambda key: draw_counts(key, SMOOTH[name](jnp.asarray(AT)), (DRAWS,)))(random.key(0)))
    expected = DRAWS * np.exp(log_pmf(name, AT, 300))
    often = expected >= 5
    seen = np.bincount(drawn.astype(int), minlength=300)[:300]
    counts = np.append(seen[often], DRAWS - seen[often].sum())
    wanted = np.append(expected[often], DRAWS - expected[often].sum())
    keep = wanted > 1e-6
    assert counts[~keep].sum() == 0
    assert scipy.stats.chisquare(counts[keep], wanted[keep] * counts[keep].sum() / wanted[keep].sum()).pvalue > 1e-4


def test_units_and_images_are_drawn_independently():
    """A batch of units, broadcast to images: means by unit, and no correlation."""
    rates = jnp.array([0.1, 1.0, 30.0])
    drawn = np.asarray(draw_counts(random.key(1), dist.Poisson(rates), (5000, 3)))
    assert np.all(np.abs(drawn.mean(axis=0) - rates) < 4.5 * np.sqrt(rates / 5000))
    assert np.all(np.abs(np.corrcoef(drawn.T)[np.triu_indices(3, 1)]) < 4.5 / np.sqrt(5000))


def test_a_law_that_falls_short_of_one_keeps_its_shape():
    """Nine tenths of a Poisson, rate 1: the draws of the whole."""

    class Short(dist.Poisson):
        def log_prob(self, value, intermediates=None):
            return super().log_prob(value) + jnp.log(0.9)

    drawn = np.asarray(draw_counts(random.key(2), Short(1.0), (20_000,)))
    expected = 20_000 * scipy.stats.poisson.pmf(np.arange(5), 1.0)
    seen = np.bincount(drawn.astype(int), minlength=20)
    assert np.all(np.abs(seen[:5] - expected) < 4.5 * np.sqrt(expected))
    assert drawn.max() < 12


@pytest.mark.parametrize(
    ("log_prob", "total"),
    [
        (lambda n: n * jnp.log(2.0) - jax.scipy.special.gammaln(n + 1.0), np.exp(2)),
        (lambda n: jnp.where(n == 700, jnp.log(0.5), -jnp.inf), 0.5),
        (lambda n: -1.5 * jnp.log1p(n), scipy.special.zeta(1.5) - 2 / 256),
        (lambda n: 0.0 * n, 65_536),
    ],
)
def test_what_probabilities_add_up_to(log_prob, total):
    """Those that end, late ones, and of those that do not end the first 65,536."""

    class Listed(dist.Distribution):
        support = dist.constraints.nonnegative_integer

        def log_prob(self, value):
            return log_prob(value)

    assert_allclose(total_of(Listed(())).total, total, rtol=1e-3)


def test_counts_that_begin_late_and_large_ones_are_reached():
    """All mass at one count; a rate of 500, whose first blocks hold nothing that float32 can see."""

    class At(dist.Distribution):
        support = dist.constraints.nonnegative_integer

        def log_prob(self, value):
            return jnp.where(value == 1000, 0.0, -jnp.inf)

    assert_array_equal(draw_counts(random.key(0), At(()), (4,)), 1000)
    drawn = np.asarray(draw_counts(random.key(0), dist.Poisson(500.0), (2000,)))
    assert abs(drawn.mean() - 500) < 4.5 * np.sqrt(500 / 2000)
    assert scipy.stats.kstest((drawn - 500) / np.sqrt(500), "norm").statistic < 0.05

"""Draws of counts from their probabilities alone."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
import scipy.stats
from jax import random
from numpy.testing import assert_array_equal

from ppl_pvae.distributions import draw_counts
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

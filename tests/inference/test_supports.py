"""Which families are numbers of spikes, and which may be negative."""

import jax.numpy as jnp
import numpyro.distributions as dist
import pytest

from ppl_pvae.distributions import NegativeBinomial, Poisson, RectifiedNormal
from ppl_pvae.inference.supports import is_count, is_nonnegative

HALF = jnp.full((2, 3), 0.5)
FAMILIES = {
    "Poisson": (Poisson(HALF), True, True),
    "negative binomial": (NegativeBinomial(HALF, HALF), True, True),
    "counts up to a largest one": (dist.BinomialProbs(HALF, 4), True, True),
    "one spike or none": (dist.BernoulliProbs(HALF), True, True),
    "categories": (dist.CategoricalLogits(jnp.zeros((2, 3, 4))), True, True),
    "one event of several units": (dist.MultinomialLogits(jnp.zeros((2, 3)), total_count=1), False, True),
    "whole numbers from -1 on": (dist.DiscreteUniform(-1, 3), False, False),
    "rectified": (RectifiedNormal(HALF, HALF), False, True),
    "gamma": (dist.Gamma(HALF, HALF), False, True),
    "a share": (dist.Beta(HALF, HALF), False, True),
    "normal": (dist.Normal(HALF, HALF), False, False),
    "from -1 to 1": (dist.Uniform(-HALF, HALF), False, False),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_what_the_values_of_a_family_are(name):
    family, counts, nonnegative = FAMILIES[name]
    for each in (family, family.to_event(len(family.batch_shape))):
        assert is_count(each) is counts
        assert is_nonnegative(each) is nonnegative

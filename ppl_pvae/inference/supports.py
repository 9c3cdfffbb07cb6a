"""What kind of values a family has: numbers of spikes, or at least never below zero."""

import numpy as np
import numpyro.distributions as dist
from jax.core import Tracer

from ppl_pvae.distributions import base_of
from ppl_pvae.distributions.counted import is_of_counts

__all__ = ["is_count", "is_nonnegative"]

EVENTS = (dist.MultinomialLogits, dist.MultinomialProbs)  # events that are shared out among units


def is_count(distribution: dist.Distribution) -> bool:
    """Whether each unit is a whole number from 0 on by itself, without or with a largest one."""
    return is_of_counts(base_of(distribution))


def is_nonnegative(distribution: dist.Distribution) -> bool:
    """Whether units are never below zero."""
    base = base_of(distribution)
    lower = 0 if isinstance(base, EVENTS) else getattr(base.support, "lower_bound", -np.inf)
    return is_of_counts(base) or not (isinstance(lower, Tracer) or np.any(np.asarray(lower) < 0))

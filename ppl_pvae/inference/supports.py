"""What kind of values a family has: numbers of spikes, or at least never below zero."""

import numpy as np
import numpyro.distributions as dist
from jax.core import Tracer

from ppl_pvae.distributions import base_of
from ppl_pvae.distributions.counted import is_of_counts

__all__ = ["is_count", "is_nonnegative"]

EVENTS = (dist.MultinomialLogits, dist.MultinomialProbs)  # counts of all units at once


def is_count(distribution: dist.Distribution) -> bool:
    """Whether units are whole numbers from 0 on, without or with a largest one."""
    base = base_of(distribution)
    return isinstance(base, EVENTS) or is_of_counts(base)


def is_nonnegative(distribution: dist.Distribution) -> bool:
    """Whether units are never below zero."""
    lower = getattr(base_of(distribution).support, "lower_bound", -np.inf)
    return is_count(distribution) or not (isinstance(lower, Tracer) or np.any(np.asarray(lower) < 0))

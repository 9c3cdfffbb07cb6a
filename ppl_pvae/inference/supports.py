"""What kind of values a family has: numbers of spikes, or at least never below zero."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax.core import Tracer

from ppl_pvae.distributions import base_of
from ppl_pvae.distributions.counted import is_of_counts

__all__ = ["is_count", "is_nonnegative", "reach"]

EVENTS = (dist.MultinomialLogits, dist.MultinomialProbs)  # events that are shared out among units


def is_count(distribution: dist.Distribution) -> bool:
    """Whether each unit is a whole number from 0 on by itself, without or with a largest one."""
    return is_of_counts(base_of(distribution))


def is_nonnegative(distribution: dist.Distribution) -> bool:
    """Whether units are never below zero."""
    base = base_of(distribution)
    lower = 0 if isinstance(base, EVENTS) else getattr(base.support, "lower_bound", -np.inf)
    return is_of_counts(base) or not (isinstance(lower, Tracer) or np.any(np.asarray(lower) < 0))


def reach(distribution: dist.Distribution) -> tuple[Any, Any]:
    """The least and the greatest value that a bare family can have, infinite where there is none."""
    support: Any = distribution.support
    while hasattr(support, "base_constraint"):
        support = support.base_constraint
    low, high = getattr(support, "lower_bound", -np.inf), getattr(support, "upper_bound", np.inf)
    # The widest over a batch, whose members may have ranges of their own.
    return jnp.min(jnp.asarray(low)), jnp.max(jnp.asarray(high))

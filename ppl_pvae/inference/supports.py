"""What kind of values a family has: numbers of spikes, or at least never below zero."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax.core import Tracer

from ppl_pvae.distributions import base_of
from ppl_pvae.distributions.counted import is_of_counts

__all__ = ["DEPENDENT", "is_count", "is_nonnegative", "reach", "wanted"]

DEPENDENT = type(dist.constraints.dependent)  # on other arguments: NumPyro itself checks none of these

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


def wanted(constraint: Any) -> str:
    """The range that a constraint leaves to a number, in words."""
    ends: list[Any] = [getattr(constraint, end, None) for end in ("lower_bound", "upper_bound")]
    low, high = ends
    if isinstance(low, Tracer) or isinstance(high, Tracer) or np.ndim(low) or np.ndim(high):
        return "within its bounds"
    kind = "a whole number" if constraint.is_discrete else "a number"
    with jax.ensure_compile_time_eval():
        from_low = low is not None and f" {'from' if constraint(low) else 'above'} {low:g}"
        to_high = high is not None and f" {'to' if constraint(high) else 'below'} {high:g}"
    return kind + (from_low or "") + (to_high or "")

"""Parameters taken off the point where they stand, each within its constraint."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import numpy as np
from numpyro.distributions import biject_to, constraints

__all__ = ["constraints_in", "moved"]


def constraints_in(traces: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What each parameter must satisfy, by name, in NumPyro traces."""
    sites = {name: site for trace in traces for name, site in trace.items() if site["type"] == "param"}
    return {name: site["kwargs"].get("constraint", constraints.real) for name, site in sites.items()}


def moved(
    params: Mapping[str, Any], within: Mapping[str, Any], step: Callable[[tuple[int, ...]], np.ndarray]
) -> dict[str, Any]:
    """The parameters after a step, an array for each shape, in the unconstrained space behind their constraints."""
    after = {}
    for name, value in params.items():
        transform = biject_to(within.get(name, constraints.real))
        free = transform.inv(value)
        after[name] = transform(jax.tree.map(lambda leaf: leaf + step(np.shape(leaf)), free))
    return after

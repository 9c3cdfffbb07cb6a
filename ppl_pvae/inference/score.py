"""The score-function gradient: for counts through which no gradient passes."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ppl_pvae.inference.estimators import is_local

__all__ = ["log_prob_of_counts", "with_score_gradient"]


def log_prob_of_counts(traces, plate: str) -> Float[Array, " image"]:
    """log q of the local sites that are not reparameterised, per image, at the values that were drawn.

    Raises
    ------
    ValueError
        If a site outside the plate is not reparameterised: what it costs is no sum over images.
    """
    total = jnp.zeros(())
    for name, site in traces.guide.items():
        if site["type"] != "sample" or site["is_observed"] or site["fn"].has_rsample:
            continue
        if not is_local(site, plate):
            raise ValueError(f"site {name!r} is a count outside the plate {plate!r}: make it continuous, or local.")
        log_prob = site["fn"].log_prob(jax.lax.stop_gradient(site["value"]))
        total = total + log_prob.reshape(log_prob.shape[0], -1).sum(-1)
    return total


def with_score_gradient(
    cost: Float[Array, "particle image"], log_prob: Float[Array, "particle *image"]
) -> Float[Array, "particle image"]:
    """The same costs, with the gradient E[(f − b) ∇log q] + E[∇f], b the mean cost of the other particles."""
    held = jax.lax.stop_gradient(cost)
    baseline = (jnp.sum(held, axis=0) - held) / (len(held) - 1)
    weighted = (held - baseline) * log_prob
    return cost + weighted - jax.lax.stop_gradient(weighted)

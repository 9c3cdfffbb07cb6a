"""The score-function gradient: for counts through which no gradient passes."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ppl_pvae.inference.estimators import is_local

__all__ = ["log_prob_of_counts", "with_score_gradient"]


def log_prob_of_counts(traces, plate: str) -> Float[Array, " image"]:
    """log q of the local sites that are not reparameterised, per image, at the values that were drawn.

    Sites outside the plate are reparameterised, or were refused when they were drawn.
    """
    total = jnp.zeros(())
    for site in traces.guide.values():
        if site["type"] != "sample" or site["fn"].has_rsample or not is_local(site, plate):
            continue
        log_prob = site["fn"].log_prob(jax.lax.stop_gradient(site["value"]))
        total = total + log_prob.reshape(log_prob.shape[0], -1).sum(-1)
    return total


def with_score_gradient(
    cost: Float[Array, "particle image"], log_prob: Float[Array, "particle *image"]
) -> Float[Array, "particle image"]:
    """The same costs, with the gradient E[(f − b) ∇log q] + E[∇f], b the mean cost of the other particles."""
    held = jax.lax.stop_gradient(cost)
    baseline = (jnp.sum(held, axis=0) - held) / (len(held) - 1)
    weighted = (held - baseline) * log_prob.reshape(len(held), -1)  # one number where there are no counts
    return cost + weighted - jax.lax.stop_gradient(weighted)

"""Draws of the latents that belong to the whole data set, from the guide and from the prior."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import random
from numpyro.handlers import seed, substitute, trace, uncondition

from ppl_pvae.inference.draws import Drawn
from ppl_pvae.inference.estimators import Hard, LocalValues, is_local

__all__ = ["GlobalDraws", "draw_globals"]


class GlobalDraws(NamedTuple):
    """Independent draws of each global latent by name, (draw, ...)."""

    posterior: dict[str, np.ndarray]
    prior: dict[str, np.ndarray]


def draw_globals(
    key: jax.Array, params, model, guide, nets, x, *, draws: int, prior_draws: int, plate: str = "image"
) -> GlobalDraws:
    """Draw the global latents of a program under its trained parameters; empty where it has none.

    None from a prior that has a latent that cannot be drawn.
    """
    x = jnp.asarray(x[:2], jnp.float32)

    def drawn(program, key):
        # Local sites are drawn too, whatever their family.
        sites = trace(LocalValues(Drawn(seed(substitute(program, params), key)), Hard(), 1.0, plate)).get_trace(x, nets)
        return {n: s["value"] for n, s in sites.items() if _is_global(s, plate)}

    def many(program, key, draws):
        if not jax.eval_shape(lambda key: drawn(program, key), key):
            return {}
        values = jax.jit(jax.vmap(lambda key: drawn(program, key)))(random.split(key, draws))
        return {name: np.asarray(value) for name, value in values.items()}

    key_posterior, key_prior = random.split(key)
    posterior = many(guide, key_posterior, draws)
    try:
        prior = many(uncondition(model), key_prior, prior_draws) if posterior else {}
    except ValueError:
        prior = {}
    return GlobalDraws(posterior, prior)


def _is_global(site, plate):
    return site["type"] == "sample" and not site["infer"].get("was_observed") and not is_local(site, plate)

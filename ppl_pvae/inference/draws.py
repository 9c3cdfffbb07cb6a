"""Draws of a site, also of families of counts that only say how likely each count is."""

from typing import Any

import jax
import numpyro.distributions as dist
from jaxtyping import Array
from numpyro.primitives import Messenger

from ppl_pvae.distributions import draw_counts, has_own, without_mask
from ppl_pvae.inference.supports import is_count

__all__ = ["Drawn", "draw_of"]


def draw_of(name: str, key: jax.Array, fn: dist.Distribution) -> Array:
    """A draw of the distribution of site `name`: its own, else of counts from their probabilities.

    Raises
    ------
    ValueError
        If it has no way to be drawn that goes with its log-probability.
    """
    base = without_mask(fn)
    if has_own(base, "sample"):
        try:
            return fn.sample(key)
        except NotImplementedError:
            pass
    if not is_count(base):
        raise ValueError(f"site {name!r}: {type(base).__name__} cannot be drawn from; give the class a sample.")
    return draw_counts(key, base, fn.batch_shape + fn.event_shape)


class Drawn(Messenger):
    """Handler that draws the sites that have no value yet, all as `draw_of` does; goes round `seed`."""

    def process_message(self, msg: Any) -> None:
        if msg["type"] == "sample" and msg["value"] is None and not msg["kwargs"].get("sample_shape"):
            msg["value"] = draw_of(msg["name"], msg["kwargs"]["rng_key"], msg["fn"])

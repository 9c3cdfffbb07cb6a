"""Can every image be observed? Asked of the site that observes, before anything is trained or written."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax import random
from jaxtyping import Float

from ppl_pvae.distributions import base_of, without_mask
from ppl_pvae.inference.estimators import Hard
from ppl_pvae.inference.free_energy import run_program
from ppl_pvae.inference.supports import DEPENDENT, wanted
from ppl_pvae.networks import shortest

__all__ = ["check_observed"]

MOST_IMAGES = 1000  # looked at by one call: where bounds hang on the code, it is drawn and decoded for them


class _Seen(NamedTuple):
    """What a site observes of some images, and where that is a value which its distribution cannot have."""

    value: Any
    outside: Any


def check_observed(
    params,
    model,
    guide,
    splits: Mapping[str, Float[np.ndarray, "image pixel"]],
    *args,
    plate: str = "image",
) -> None:
    """Make sure that whatever the model observes of these images is in the support of its distribution there.

    Grey pixels from 0 to 1 pass as Bernoulli, and what a mask leaves out may be anything.

    Parameters
    ----------
    params
        At which bounds are looked at that hang on them.
    splits
        Images by the name of their part.

    Raises
    ------
    ValueError
        For the first part with a value outside, with the site, the value, and how many there are.
    """
    words: dict[str, str] = {}

    @jax.jit
    def look(params, x):
        run = {"estimator": Hard(), "temperature": 1.0, "plate": plate}
        traces = run_program(random.key(0), params, model, guide, (x, *args), {}, **run)
        name, site = next((n, s) for n, s in traces.model.items() if s["type"] == "sample" and s["is_observed"])
        base = without_mask(site["fn"])
        words.update(site=name, family=type(base).__name__, wanted=wanted(_support(base)))
        return _Seen(site["value"], _outside(site["fn"], _support(base), jnp.asarray(site["value"])))

    size = min(MOST_IMAGES, *map(len, splits.values()))  # one for all parts, so that one compilation serves
    for split, x in splits.items():
        bad, first = 0, None
        for start in range(0, len(x), size):
            begin = min(start, len(x) - size)
            value, outside = (np.asarray(each)[start - begin :] for each in look(params, x[begin : begin + size]))
            bad += int(outside.sum())
            first = value[outside][0] if first is None and outside.any() else first
        if bad:
            raise ValueError(
                f"site {words['site']!r} observes the {split} images as {words['family']}, each value "
                f"{words['wanted']}, and {bad:,} of {x.size:,} {'is' if bad == 1 else 'are'} not, the first "
                f"{shortest(first)}; mend the data, or choose a distribution that can have it."
            )


def _support(base: dist.Distribution) -> Any:
    # The log-probability of a grey pixel is the cross entropy.
    return dist.constraints.unit_interval if base.support is dist.constraints.boolean else base.support


def _outside(fn: dist.Distribution, support: Any, value):
    if isinstance(support, DEPENDENT):
        return jnp.zeros(value.shape, bool)
    outside = _over_events(~jnp.asarray(support(value)), support.event_dim)
    while isinstance(fn := base_of(fn), dist.MaskedDistribution):
        outside, fn = outside & _over_events(fn._mask, len(fn.event_shape)), fn.base_dist
    return jnp.broadcast_to(outside, value.shape)


def _over_events(holds, event_dim: int):
    """What holds of events, for each of their parts."""
    return jnp.reshape(jnp.asarray(holds), (*jnp.shape(holds), *(1,) * event_dim))

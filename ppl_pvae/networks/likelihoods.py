"""How pixels, or counts, are distributed around what a decoder gives."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from jaxtyping import Array, Float

from ppl_pvae.distributions import Poisson, SquaredError

__all__ = ["LIKELIHOODS", "Likelihood", "log_softplus", "shortest"]

FIRST_SCALE = 0.5**0.5  # of a pixel whose noise is learned: where the default likelihood has it for good
ONLY_EXPONENTIAL = -15.0  # below it log(1 + e^x) is e^x to float32


class Likelihood(NamedTuple):
    """A likelihood by name.

    `observe` makes it from what the decoder gives, (image, pixel). `needs_bias` says that the decoder always has one:
    at no code at all pixels are not at 0 but in the middle of their range. `unfit` says what keeps images from being
    observed so, or None.
    """

    observe: Callable[[Float[Array, "image pixel"]], dist.Distribution]
    needs_bias: bool
    unfit: Callable[[np.ndarray], str | None]


def log_softplus(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """log log(1 + eˣ): of a count whose rate is log(1 + eˣ), without underflow and with a slope everywhere."""
    inside = jnp.maximum(x, ONLY_EXPONENTIAL)
    return jnp.where(x < ONLY_EXPONENTIAL, x, jnp.log(jax.nn.softplus(inside)))


def _with_learned_scale(mean):
    scale = jnp.exp(numpyro.param("log_pixel_scale", jnp.log(jnp.asarray(FIRST_SCALE))))
    return dist.Normal(mean, scale)


def _anything(x):
    return None


def shortest(value: Any) -> str:
    """A number of an image in the fewest digits that tell it from its neighbours: 1.0001 is not 1."""
    return str(np.asarray(value)[()]).removesuffix(".0")


def _outside_unit_interval(x):
    outside = np.count_nonzero((x < 0) | (x > 1))
    if not outside:
        return None
    are = f"{outside:,} of {x.size:,} {'is' if outside == 1 else 'are'} not"
    return f"pixels must be from 0 to 1, and {are}: these go from {shortest(x.min())} to {shortest(x.max())}"


def _no_counts(x):
    odd = x[(x < 0) | (x != np.floor(x))]
    if not odd.size:
        return None
    are = f"{odd.size:,} of {x.size:,} {'is' if odd.size == 1 else 'are'} not"
    return f"counts must be whole and not negative, and {are}, the first {shortest(odd[0])}"


LIKELIHOODS: Mapping[str, Likelihood] = {
    "gaussian": Likelihood(SquaredError, False, _anything),
    "gaussian-learned": Likelihood(_with_learned_scale, False, _anything),
    "bernoulli": Likelihood(lambda out: dist.BernoulliLogits(out, validate_args=False), True, _outside_unit_interval),
    "poisson": Likelihood(lambda out: Poisson(log_rate=log_softplus(out)), True, _no_counts),
}

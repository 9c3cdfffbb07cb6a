"""What sending nothing costs, under the likelihood that a program itself observes with."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax import random
from numpyro.distributions.discrete import BernoulliLogits, BernoulliProbs

from ppl_pvae.distributions import SquaredError, base_of, is_poisson
from ppl_pvae.inference.estimators import Exact
from ppl_pvae.inference.free_energy import run_program

__all__ = ["silent_free_energy"]

SMALLEST = 1e-6  # mean of a pixel that training never saw lit


def silent_free_energy(params, model, guide, nets, x, mean, *, plate: str = "image") -> float | None:
    """Mean over images of −log p(x) with each pixel at its training mean.

    Of the default likelihood, the squared error, about 0 as published, unless the decoder has a bias.
    The likelihood is read off the model's one observed site: its family, its scale and the scale that it is put under.

    Parameters
    ----------
    x
        (image, pixel).
    mean
        (pixel,), mean of the training images.

    Returns
    -------
    float or None
        Nats per image; None where the model observes with another family, several sites, or a scale that differs
        between images: what silence is there only its author knows.
    """
    sites = _observed(params, model, guide, nets, jnp.asarray(x[:2]), plate)
    if len(sites) != 1:
        return None
    (site,) = sites
    silent = _silent(base_of(site["fn"]), jnp.asarray(mean), centred=nets is not None and nets.has_decoder_bias)
    weight = np.unique(1.0 if site["scale"] is None else site["scale"])
    if silent is None or site["value"].shape != x[:2].shape or len(weight) != 1:
        return None
    per_pixel = np.asarray(silent(jnp.asarray(x)), np.float64)
    return float(weight[0] * per_pixel.sum(axis=1).mean())


def _observed(params, model, guide, nets, x, plate) -> list[dict[str, Any]]:
    traces = run_program(
        random.key(0), params, model, guide, (x, nets), {}, estimator=Exact(), temperature=1.0, plate=plate
    )
    return [site for site in traces.model.values() if site["type"] == "sample" and site["is_observed"]]


def _silent(fn: dist.Distribution, mean, *, centred: bool) -> Callable[[jax.Array], jax.Array] | None:
    """Nats per pixel as a function of x (image, pixel), or None for a family that is not known."""
    if isinstance(fn, SquaredError):
        return lambda x: jnp.square(x - mean if centred else x)
    if type(fn) is dist.Normal:
        scale = np.asarray(jnp.broadcast_to(fn.scale, fn.batch_shape))
        same = np.allclose(scale[:1], scale, rtol=1e-6)
        return (lambda x: -dist.Normal(mean, scale[0]).log_prob(x)) if same else None
    if is_poisson(fn):
        return lambda x: -dist.Poisson(jnp.maximum(mean, SMALLEST), validate_args=False).log_prob(x)
    if isinstance(fn, BernoulliProbs | BernoulliLogits):
        lit = jnp.clip(mean, SMALLEST, 1 - SMALLEST)
        return lambda x: -dist.BernoulliProbs(lit, validate_args=False).log_prob(x)
    return None

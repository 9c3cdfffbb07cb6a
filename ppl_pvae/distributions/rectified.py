"""The rectified normal: what a decoder sees of a Gaussian sample that cannot be negative."""

from typing import Literal

import jax.numpy as jnp
import numpyro.distributions as dist
from jax import random
from jax.scipy.special import log_ndtr
from jax.scipy.stats import norm
from numpyro.distributions import constraints
from numpyro.distributions.util import promote_shapes, validate_sample

from ppl_pvae.distributions.rectified_forms import rectified_mean, rectified_nats, rectified_variance

__all__ = ["RectifiedNormal", "rectified_kl"]


class RectifiedNormal(dist.Distribution):
    """h = max(z, 0) of a normal z ~ N(loc, scale²).

    One site that holds what the decoder sees, with closed-form mean and variance.

    Parameters
    ----------
    loc, scale
        Mean and standard deviation of the normal behind it, any batch shape.
    pays
        What the KL is taken of. "code": of the rectified variable h itself. "latent": of the normal z behind it, as
        in the published control; that charges for the negative part of z, which the decoder never sees, and is a
        looser upper bound, never smaller than "code".
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}  # noqa: RUF012 - as NumPyro declares them
    support = constraints.nonnegative
    reparametrized_params = ["loc", "scale"]  # noqa: RUF012 - as NumPyro declares them
    pytree_data_fields = ("loc", "scale")
    pytree_aux_fields = ("pays",)

    def __init__(self, loc, scale, *, pays: Literal["code", "latent"] = "code", validate_args=None):
        if pays not in ("code", "latent"):
            raise ValueError(f"pays must be 'code' or 'latent', got {pays!r}.")
        self.loc, self.scale = promote_shapes(loc, scale)
        self.pays = pays
        super().__init__(jnp.broadcast_shapes(jnp.shape(loc), jnp.shape(scale)), validate_args=validate_args)

    def sample(self, key, sample_shape=()):
        noise = random.normal(key, sample_shape + self.batch_shape)
        return jnp.maximum(self.loc + self.scale * noise, 0.0)

    @validate_sample
    def log_prob(self, value):
        silent = log_ndtr(-self.loc / self.scale)
        return jnp.where(value > 0, norm.logpdf(value, self.loc, self.scale), silent)

    @property
    def mean(self):
        return rectified_mean(jnp.asarray(self.loc), jnp.asarray(self.scale))

    @property
    def variance(self):
        return rectified_variance(jnp.asarray(self.loc), jnp.asarray(self.scale))


def rectified_kl(q: RectifiedNormal, p: RectifiedNormal):
    """KL(q‖p) in nats of two rectified variables, batch shape of the two broadcast."""
    return rectified_nats(*(jnp.asarray(each) for each in (q.loc, q.scale, p.loc, p.scale)))

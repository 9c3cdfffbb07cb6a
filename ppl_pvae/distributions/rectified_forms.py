"""Mean, variance and KL of a rectified normal, each with its derivative in closed form.

φ and Φ at a = μ/σ are what all of them are made of. Left to itself, differentiation goes through both tails once more
for every moment and brings terms that cancel: training steps of 256 rectified units took 1.2 times as long.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero
from jax.scipy.special import log_ndtr
from jax.scipy.stats import norm
from jaxtyping import Array, Float

from ppl_pvae.distributions.normal_tails import log_tail, normal_tails

__all__ = ["rectified_mean", "rectified_nats", "rectified_variance"]

Values = Float[Array, "..."]


@jax.custom_jvp
def rectified_mean(loc: Values, scale: Values) -> Values:
    """E h = σφ(a) + μΦ(a) of h = max(z, 0), z ~ N(μ, σ²), shape of the two broadcast."""
    density, above, _ = normal_tails(loc / scale)
    return scale * density + loc * above


@rectified_mean.defjvp
def _mean_jvp(primals, tangents):
    loc, scale = primals
    density, above, _ = normal_tails(loc / scale)
    return rectified_mean(loc, scale), above * tangents[0] + density * tangents[1]


@jax.custom_jvp
def rectified_variance(loc: Values, scale: Values) -> Values:
    """E h² − (E h)² = σ²[Φ(a) + a²Φ(a)Φ(−a) + aφ(a)(Φ(−a) − Φ(a)) − φ(a)²]: so grouped, nothing cancels for a ≫ 1."""
    a = loc / scale
    density, above, below = normal_tails(a)
    spread = above + a**2 * above * below + a * density * (below - above) - density**2
    return scale**2 * jnp.maximum(spread, 0.0)


@rectified_variance.defjvp
def _variance_jvp(primals, tangents):
    # ∂E h²/∂μ = 2 E h and ∂E h²/∂σ = 2σΦ(a), less 2 E h times the derivatives of E h.
    loc, scale = primals
    density, above, below = normal_tails(loc / scale)
    mean = rectified_mean(loc, scale)
    slopes = 2 * mean * below, 2 * (scale * above - mean * density)
    return rectified_variance(loc, scale), slopes[0] * tangents[0] + slopes[1] * tangents[1]


@jax.custom_jvp
def rectified_nats(loc: Values, scale: Values, prior_loc: Values, prior_scale: Values) -> Values:
    """KL in nats of max(z, 0), z ~ N(μ, σ²), from the same of N(m, s²), shape of the four broadcast.

    With all moments taken over z > 0:
    KL = Φ(−a)[log Φ(−a) − log Φ(−m/s)] + Φ(a) log(s/σ) − (Φ(a) − aφ(a))/2
         + [σ²(Φ(a) − aφ(a)) + 2(μ − m)σφ(a) + (μ − m)²Φ(a)]/(2s²)
    """
    a = loc / scale
    density, above, below = normal_tails(a)
    silent = below * (log_tail(below) - log_ndtr(-prior_loc / prior_scale))
    own, cross = _squares(loc, scale, prior_loc, density, above)
    return silent + above * jnp.log(prior_scale / scale) - 0.5 * own + cross / (2 * prior_scale**2)


@partial(rectified_nats.defjvp, symbolic_zeros=True)  # a prior that is fixed asks for no slopes
def _nats_jvp(primals, tangents):
    loc, scale, prior_loc, prior_scale = primals
    a = loc / scale
    density, above, below = normal_tails(a)
    own, cross = _squares(loc, scale, prior_loc, density, above)
    shift, precision = loc - prior_loc, 1 / prior_scale**2
    first = precision * (scale * density + shift * above)  # E (z − m)/s² over z > 0
    log_silent = log_ndtr(-prior_loc / prior_scale)
    hazard = jnp.exp(norm.logpdf(prior_loc / prior_scale) - log_silent) / prior_scale  # −d log Φ(−m/s)/dm
    # What a unit that is just silenced, at z = 0, no longer pays, and pays as silent.
    log_ratio = jnp.log(prior_scale / scale) + 0.5 * (precision * prior_loc**2 - a**2)
    edge = density / scale * (log_ratio - (log_tail(below) - log_silent) - 1)
    slopes = (
        first + edge,
        precision * (scale * own + shift * density) - above / scale - a * edge,
        below * hazard - first,
        above / prior_scale - below * hazard * prior_loc / prior_scale - precision / prior_scale * cross,
    )
    nats = rectified_nats(loc, scale, prior_loc, prior_scale)
    moving = [(slope, by) for slope, by in zip(slopes, tangents, strict=True) if not isinstance(by, SymbolicZero)]
    return nats, sum((slope * by for slope, by in moving), jnp.zeros_like(nats))


def _squares(loc, scale, prior_loc, density, above):
    """E ((z − μ)/σ)² and E (z − m)² over z > 0."""
    shift = loc - prior_loc
    own = above - loc / scale * density
    return own, scale**2 * own + 2 * shift * scale * density + shift**2 * above

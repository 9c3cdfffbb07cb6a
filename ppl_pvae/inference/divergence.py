"""The KL of one latent site, by the best means that hold for it."""

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax.core import Tracer
from numpyro.distributions import kl_divergence

from ppl_pvae.distributions import RectifiedNormal, base_of, count_kl, has_closed_form, has_count_sum, unit_kl

__all__ = ["divergence_method", "site_divergence"]


def divergence_method(name: str, q, p) -> str:
    """ "closed form", "exact sum" or "Monte Carlo", for the posterior `q` and the prior `p` of site `name`.

    Raises
    ------
    ValueError
        If neither holds: no closed form is registered, and `q` is not a reparameterised family with a density that
        `p` has too.
    """
    families = f"KL({type(base_of(q)).__name__} || {type(base_of(p)).__name__})"
    if q.event_shape != p.event_shape:
        raise ValueError(
            f"site {name!r}: one event of the guide has shape {q.event_shape}, of the model {p.event_shape}; "
            "give both the same .to_event(...)."
        )
    if has_closed_form(q, p):
        if base_of(q).event_shape == base_of(p).event_shape or _is_point(q):
            return "closed form"
        raise ValueError(f"site {name!r}: the prior couples units, so that {families} is no sum over units.")
    if has_count_sum(q, p):
        return "exact sum"
    if q.has_rsample and _have_densities(q, p):
        return "Monte Carlo"
    raise ValueError(
        f"site {name!r}: no usable {families}; register one with numpyro.distributions.kl_divergence.register, "
        "or choose a prior and a posterior that have one."
    )


def site_divergence(name: str, guide_site, model_site, *, sampled: bool):
    """KL in nats of a latent site from its posterior to its prior, over its batch shape and units.

    `sampled` says that the site's value is a posterior draw, which Monte Carlo needs.
    """
    q, p = guide_site["fn"], model_site["fn"]
    scale = _common_scale(name, guide_site, model_site)
    method = divergence_method(name, q, p)
    if method != "Monte Carlo":
        closed = kl_divergence if _is_point(q) else unit_kl
        nats = jnp.asarray((count_kl if method == "exact sum" else closed)(q, p))
        # A scale is of batch shape: it takes no part in the dimensions of the event.
        return jnp.reshape(scale, jnp.shape(scale) + (1,) * (nats.ndim - len(q.batch_shape))) * nats
    if not sampled:
        raise ValueError(
            f"site {name!r} has no closed-form KL, so the exact expectation does not hold; use a sampling estimator."
        )
    z = guide_site["value"]
    return scale * jnp.asarray(q.log_prob(z) - p.log_prob(z))


def _is_point(q):
    return isinstance(base_of(q), dist.Delta)


def _have_densities(q, p):
    """Whether log q − log p is a log-ratio of densities: no counts, no atom at zero, no mask on one side only."""
    q, p = base_of(q), base_of(p)
    if isinstance(q, dist.MaskedDistribution) and isinstance(p, dist.MaskedDistribution):
        return _have_densities(q.base_dist, p.base_dist)
    without = RectifiedNormal | dist.Delta | dist.MaskedDistribution
    return not any(isinstance(each, without) or each.support.is_discrete for each in (q, p))


def _common_scale(name, guide_site, model_site):
    own, prior = guide_site["scale"], model_site["scale"]
    if (own is None) != (prior is None):
        raise ValueError(
            f"site {name!r} is scaled in {'the guide' if prior is None else 'the model'} only: put both under the same "
            "numpyro.handlers.scale."
        )
    known = not any(isinstance(scale, Tracer) for scale in (own, prior))
    if known and not np.array_equal(own, prior):
        raise ValueError(
            f"site {name!r} is scaled by {own} in the guide and by {prior} in the model: put both under the same "
            "numpyro.handlers.scale."
        )
    return jnp.asarray(1.0 if own is None else own)

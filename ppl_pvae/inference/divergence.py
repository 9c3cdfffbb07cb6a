"""The KL of one latent site, by the best means that hold for it."""

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax.core import Tracer
from numpyro.distributions import kl_divergence

from ppl_pvae.distributions import RectifiedNormal, base_of, count_kl, has_closed_form, has_count_sum, unit_kl

__all__ = ["asked_of", "check_same_event", "divergence_method", "site_divergence"]

MONTE_CARLO = "monte-carlo"


def check_same_event(name: str, q, p) -> None:
    """Make sure that one event of the guide's site has the shape of one of the model's."""
    if q.event_shape != p.event_shape:
        same = "the same .to_event(...)" if len(q.event_shape) != len(p.event_shape) else "as many units"
        raise ValueError(
            f"site {name!r}: one event of the guide has shape {q.event_shape}, of the model {p.event_shape}; "
            f"give both {same}."
        )


def divergence_method(name: str, q, p, asked: str | None = None) -> str:
    """How the KL of site `name` is taken, from its posterior `q` to its prior `p`.

    "closed form" where one is registered; "exact sum" for counts of independent units; "Monte Carlo" for densities that
    are reparameterised; "Monte Carlo on whole counts" only where it is `asked` for, by infer={"kl": "monte-carlo"} in
    the guide.

    Raises
    ------
    ValueError
        If none holds.
    """
    if asked not in (None, MONTE_CARLO):
        raise ValueError(f"site {name!r}: infer['kl'] must be {MONTE_CARLO!r}, got {asked!r}; leave it out otherwise.")
    families = f"KL({type(base_of(q)).__name__} || {type(base_of(p)).__name__})"
    check_same_event(name, q, p)
    if asked and _is_discrete(q) and _is_discrete(p):
        return "Monte Carlo on whole counts"
    if has_closed_form(q, p):
        if base_of(q).event_shape == base_of(p).event_shape or _is_point(q):
            return "closed form"
        raise ValueError(f"site {name!r}: the prior couples units, so that {families} is no sum over units.")
    if has_count_sum(q, p):
        return "exact sum"
    if q.has_rsample and _have_densities(q, p):
        return "Monte Carlo"
    if _is_discrete(q) and _is_discrete(p) and (base_of(q).event_shape or base_of(p).event_shape):
        raise ValueError(
            f"site {name!r}: no usable {families}, which couples units and is no sum over them; register one with "
            "numpyro.distributions.kl_divergence.register, or ask for Monte Carlo on whole counts with "
            f'infer={{"kl": "{MONTE_CARLO}"}} at the site of the guide.'
        )
    raise ValueError(
        f"site {name!r}: no usable {families}; register one with numpyro.distributions.kl_divergence.register, "
        "or choose a prior and a posterior that have one."
    )


def site_divergence(name: str, guide_site, model_site, *, sampled: bool, whole: bool):
    """KL in nats of a latent site from its posterior to its prior, over its batch shape and units.

    `sampled` says that the site's value is a posterior draw, which Monte Carlo needs; `whole`, that it is one of the
    guide itself, not relaxed, which Monte Carlo on counts needs. The gradient of the latter is not that of the KL: the
    score of the draw is missing, which the score-function estimator adds to all that hangs on a draw.
    """
    q, p = guide_site["fn"], model_site["fn"]
    scale = _common_scale(name, guide_site, model_site)
    method = divergence_method(name, q, p, asked_of(guide_site))
    if not method.startswith("Monte Carlo"):
        closed = kl_divergence if _is_point(q) else unit_kl
        try:
            nats = jnp.asarray((count_kl if method == "exact sum" else closed)(q, p))
        except ValueError as problem:  # posterior and prior do not share what their KL asks for
            raise ValueError(f"site {name!r}: {problem}") from problem
        # A scale is of batch shape: it takes no part in the dimensions of the event.
        return jnp.reshape(scale, jnp.shape(scale) + (1,) * (nats.ndim - len(q.batch_shape))) * nats
    if not sampled:
        raise ValueError(
            f"site {name!r} has no exact KL, so the exact expectation does not hold; use a sampling estimator."
        )
    if method == "Monte Carlo on whole counts" and not whole:
        raise ValueError(f"site {name!r} asks for its KL at whole counts: use the estimator 'score-function'.")
    z = guide_site["value"]
    return scale * jnp.asarray(q.log_prob(z) - p.log_prob(z))


def asked_of(guide_site) -> str | None:
    """What the guide asks for the KL of a site, by `infer`."""
    return (guide_site["infer"] or {}).get("kl")


def _is_discrete(distribution):
    support = distribution.support
    return support is not None and support.is_discrete


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

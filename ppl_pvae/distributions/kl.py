"""Closed-form KL divergences, registered with NumPyro, and the KL of a site with its units kept apart."""

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jax.core import Tracer
from jaxtyping import Array, Float
from numpyro.distributions import kl_divergence

from ppl_pvae.distributions.laws import follows
from ppl_pvae.distributions.negative_binomial import NegativeBinomial
from ppl_pvae.distributions.negative_binomial_kl import negative_binomial_kl
from ppl_pvae.distributions.poisson import Poisson, log_rate_of
from ppl_pvae.distributions.rectified import RectifiedNormal, rectified_kl

__all__ = ["SAME", "base_of", "disagreement", "has_closed_form", "not_shared", "poisson_kl", "unit_kl", "without_mask"]

SAME = 1e-4  # relative difference up to which two concentrations are one: each is computed where it is needed
# What two distributions of a family have to share for their KL to hold.
SHARED = (
    (NegativeBinomial, "concentration"),
    (dist.MultinomialLogits | dist.MultinomialProbs, "total_count"),
)
# Registered with NumPyro, and the first terms of a series.
APPROXIMATE = {(dist.Kumaraswamy, dist.Beta)}
SERIES_BELOW = 0.5  # |d| below which λ(d − 1) + r cancels and the series is used instead
# KL/r = Σ_n dⁿ (n − 1)/n!, n = 2 … 10: truncation below 1e-8 for |d| < ½; highest power first
SERIES = (1 / 403200, 1 / 45360, 1 / 5760, 1 / 840, 1 / 144, 1 / 30, 1 / 8, 1 / 3, 1 / 2)


@jax.custom_jvp
def poisson_kl(log_rate: Float[Array, "..."], log_prior_rate: Float[Array, "..."]) -> Float[Array, "..."]:
    """Nats that one Poisson count pays for its rate differing from the prior's: r·f(δr), f(y) = 1 − y + y log y.

    The textbook form λ log(λ/r) − λ + r loses every digit in float32 at log(λ/r) = 1e-4; this one keeps a relative
    error of 1e-6 at any modulation, and its derivatives, λd and r − λ, are exact. Shapes broadcast.
    Source: Vafaii, Galor & Yates 2024, the Poisson KL term.
    """
    # KL = λ(d − 1) + r, d = log λ − log r; for small |d| its series r d² (½ + d/3 + d²/8 + …)
    rate, prior_rate = jnp.exp(log_rate), jnp.exp(log_prior_rate)
    d = log_rate - log_prior_rate
    weighted = jnp.where(rate == 0, 0, rate * (d - 1))  # at log-rate −inf too
    return jnp.where(jnp.abs(d) < SERIES_BELOW, prior_rate * d**2 * _polynomial(d), weighted + prior_rate)


@poisson_kl.defjvp
def _poisson_kl_jvp(primals, tangents):
    # ∂KL/∂log λ = λ d, ∂KL/∂log r = r − λ = −r·expm1(d)
    log_rate, log_prior_rate = primals
    rate, prior_rate = jnp.exp(log_rate), jnp.exp(log_prior_rate)
    weighted = jnp.where(rate == 0, 0, rate * (log_rate - log_prior_rate))
    # The second in two parts, of which r is as small as its own shape: no pass over the code for it.
    return poisson_kl(log_rate, log_prior_rate), weighted * tangents[0] - rate * tangents[1] + prior_rate * tangents[1]


def _polynomial(d):
    total = jnp.full_like(d, SERIES[0])
    for coefficient in SERIES[1:]:
        total = total * d + coefficient
    return total


def _poisson_poisson(q, p):
    return poisson_kl(log_rate_of(q), log_rate_of(p))


for _q in (Poisson, dist.Poisson):
    for _p in (Poisson, dist.Poisson):
        kl_divergence.register(_q, _p)(_poisson_poisson)


@kl_divergence.register(NegativeBinomial, NegativeBinomial)
def _negative_binomial_negative_binomial(q, p):
    """NaN where concentrations differ and are known only when the program runs: there is no closed form for it."""
    differ = _relative_difference(q.concentration, p.concentration) > SAME
    if not isinstance(differ, Tracer) and differ.any():
        raise ValueError(not_shared(q, p))
    return jnp.where(differ, jnp.nan, negative_binomial_kl(q.log_rate, p.log_rate, q.concentration))


def _relative_difference(one, other):
    return jnp.abs(jnp.asarray(one) - other) / other


def _shared(q, p):
    """The name of what two bare families have to share; None if they share nothing."""
    return next((name for kind, name in SHARED if isinstance(q, kind) and isinstance(p, kind)), None)


def disagreement(q: dist.Distribution, p: dist.Distribution) -> Float[Array, ""] | None:
    """Relative difference of what two families have to share for their KL to hold; None if they share nothing.

    Above `SAME` their KL is NaN, or an error where the values are known, which in a compiled step they are not.
    """
    q, p = base_of(q), base_of(p)
    name = _shared(q, p)
    return None if name is None else jnp.max(_relative_difference(getattr(q, name), getattr(p, name)))


def not_shared(q: dist.Distribution, p: dist.Distribution) -> str:
    """What to say where they differ in it."""
    q, p = base_of(q), base_of(p)
    name = _shared(q, p)
    return (
        f"KL({type(q).__name__} || {type(p).__name__}) has no closed form for two values of {name}; give model and "
        f"guide the same {name}, by the same function of nets."
    )


@kl_divergence.register(RectifiedNormal, RectifiedNormal)
def _rectified_rectified(q, p):
    if q.pays != p.pays:
        raise ValueError(f"model and guide disagree on what the rectified normal pays: {p.pays!r} and {q.pays!r}.")
    if q.pays == "latent":
        return kl_divergence(dist.Normal(q.loc, q.scale), dist.Normal(p.loc, p.scale))
    return rectified_kl(q, p)


def base_of(distribution: dist.Distribution) -> dist.Distribution:
    """The family behind `to_event`, `expand` and plates: what a single unit is distributed as."""
    while isinstance(distribution, dist.Independent | dist.ExpandedDistribution):
        distribution = distribution.base_dist
    return distribution


def without_mask(distribution: dist.Distribution) -> dist.Distribution:
    """The family behind masks too, which leave draws and moments as they are."""
    base = base_of(distribution)
    return without_mask(base.base_dist) if isinstance(base, dist.MaskedDistribution) else base


def _inside_event(distribution):
    while isinstance(distribution, dist.Independent):
        distribution = distribution.base_dist
    return distribution


def has_closed_form(q: dist.Distribution, p: dist.Distribution) -> bool:
    """Whether NumPyro has a registered KL of these two families that is exact.

    A rule for a family does not hold for a class that derives from it and has another log-probability.
    """
    # Dispatching on the bare families: the rules for wrappers exist for every pair and would say yes to all.
    q, p = base_of(q), base_of(p)
    if isinstance(q, dist.MaskedDistribution) and isinstance(p, dist.MaskedDistribution):
        return has_closed_form(q.base_dist, p.base_dist)
    # The rule that would be dispatched to: the first, from special to general, that holds for both.
    rules = (rule for rule in kl_divergence.ordering if isinstance(q, rule[0]) and isinstance(p, rule[1]))
    rule = next(rules, None)
    return rule is not None and rule not in APPROXIMATE and follows(q, rule[0]) and follows(p, rule[1])


def unit_kl(q: dist.Distribution, p: dist.Distribution) -> Float[Array, "..."]:
    """KL(q‖p) in nats, not yet summed over the dimensions that `to_event` made: (image, unit) for a code.

    Raises
    ------
    NotImplementedError
        If no closed form is registered for the two families.
    """
    q_units, p_units = _inside_event(q), _inside_event(p)
    if q_units.event_shape != p_units.event_shape:
        raise NotImplementedError(f"no KL between events of shape {q_units.event_shape} and {p_units.event_shape}")
    return jnp.broadcast_to(
        kl_divergence(q_units, p_units), jnp.broadcast_shapes(q_units.batch_shape, p_units.batch_shape)
    )

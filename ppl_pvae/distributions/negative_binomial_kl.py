"""The KL divergence of two negative binomial counts of the same concentration, in any regime of float32.

KL = λ log(λ/r) − (λ + φ) log((φ + λ)/(φ + r)) is a difference of numbers that may be many times larger: where λ is near
r, where φ is large and it becomes the Poisson KL, where φ is small and it becomes φ(λ/r − 1 − log(λ/r)), that of two
gamma variables. Three forms of it, each free of that in its own regime:

    near r      KL = ∫_r^λ (λ − t)/V(t) dt, V(t) = t(1 + t/φ) the variance at mean t: five points of a Gauss rule,
                all terms positive
    φ large     KL = λ d − (λ + φ) d′
    φ small     KL = (λ + φ)(d − d′) − φ d

with d = log(λ/r) and d′ = log((φ + λ)/(φ + r)), taken as log1p of what is positive.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float
from scipy.special import roots_jacobi

__all__ = ["negative_binomial_kl"]

NEAR = 0.5  # |d| below which the integral is used: the points give it to 1e-9
# ∫₀¹ (1 − s) f(s) ds = Σ w f(s)
_ROOTS = roots_jacobi(5, 1, 0)
POINTS = tuple((float(point + 1) / 2, float(weight) / 4) for point, weight in zip(*_ROOTS, strict=True))


class _Gap(NamedTuple):
    """How far two rates lie apart, each number precise by itself."""

    rate: Float[Array, "..."]
    prior_rate: Float[Array, "..."]
    sign: Float[Array, "..."]  # of λ − r
    d: Float[Array, "..."]  # |log λ − log r|
    excess: Float[Array, "..."]  # λ/r − 1 where it is small
    size: Float[Array, "..."]  # |λ − r|
    rise: Float[Array, "..."]  # e^|d′| − 1
    fall: Float[Array, "..."]  # e^|d − d′| − 1 where φ is small
    is_near: Bool[Array, "..."]
    is_small: Bool[Array, "..."]  # whether φ is smaller than both rates: the better of the last two forms


@jax.custom_jvp
def negative_binomial_kl(
    log_rate: Float[Array, "..."], log_prior_rate: Float[Array, "..."], concentration: float | Float[Array, "..."]
) -> Float[Array, "..."]:
    """Nats that one negative binomial count pays for its rate differing from the prior's, at the same concentration.

    λ log(λ/r) − (λ + φ) log((φ + λ)/(φ + r)): less than a Poisson count pays, and as much as φ → ∞. The relative error
    in float32 is 3e-6 at most, its derivatives are exact formulas. Shapes broadcast.

    Parameters
    ----------
    log_rate, log_prior_rate
        Logarithms of the expected counts λ and r.
    concentration
        φ, > 0 and finite: the variance of a count is λ + λ²/φ.
    """
    gap = _gap(log_rate, log_prior_rate, concentration)
    weight = jnp.where(gap.is_small, -concentration, gap.rate)
    weighted = jnp.where(gap.rate == 0, 0, weight * gap.d)  # at log-rate −inf too
    rest = (gap.rate + concentration) * jnp.log1p(jnp.where(gap.is_small, gap.fall, gap.rise))
    far = gap.sign * (weighted + jnp.where(gap.is_small, rest, -rest))
    return jnp.where(gap.is_near, _near(gap, concentration), far)


@negative_binomial_kl.defjvp
def _negative_binomial_kl_jvp(primals, tangents):
    # ∂KL/∂log λ = λ(d − d′), ∂KL/∂log r = −φe, ∂KL/∂φ = e − log(1 + e) where e = (λ − r)/(φ + r), d′ = log(1 + e)
    concentration = primals[2]
    gap = _gap(*primals)
    raised = jnp.log1p(gap.rise)
    left = gap.sign * jnp.where(gap.is_small, jnp.log1p(gap.fall), gap.d - raised)
    by_rate = jnp.where(gap.rate == 0, 0, gap.rate * left)
    change = gap.sign * gap.size / (concentration + gap.prior_rate)
    by_concentration = _excess_over_log(change, gap.sign * raised)
    slope = by_rate * tangents[0] - concentration * change * tangents[1] + by_concentration * tangents[2]
    return negative_binomial_kl(*primals), slope


def _gap(log_rate, log_prior_rate, concentration):
    rate, prior_rate = jnp.exp(log_rate), jnp.exp(log_prior_rate)
    d = log_rate - log_prior_rate
    up, is_near = d >= 0, jnp.abs(d) < NEAR
    excess = jnp.expm1(jnp.where(is_near, d, 0))
    sign = jnp.where(up, 1.0, -1.0)
    size = sign * jnp.where(is_near, prior_rate * excess, rate - prior_rate)
    low, high = jnp.where(up, prior_rate, rate), jnp.where(up, rate, prior_rate)
    is_small = concentration < low
    fall = jnp.where(is_small, concentration * size / ((concentration + high) * jnp.where(is_small, low, 1)), 0)
    rise = size / (concentration + low)
    return _Gap(rate, prior_rate, sign, sign * d, excess, size, rise, fall, is_near, is_small)


def _near(gap, concentration):
    """(λ − r)² ∫₀¹ (1 − s)/V(r + s(λ − r)) ds, with r taken out of the denominator, which may be 0 in float32."""
    total = 0.0
    for point, weight in POINTS:
        growth = 1 + point * gap.excess
        total = total + weight / (growth * (1 + gap.prior_rate * growth / concentration))
    return gap.prior_rate * gap.excess**2 * total


def _excess_over_log(e, log_of_one_more):
    """e − log(1 + e); for small e its integral e² ∫₀¹ s/(1 + se) ds."""
    is_near = jnp.abs(e) < NEAR
    near = jnp.where(is_near, e, 0)
    total = sum(weight / (1 + (1 - point) * near) for point, weight in POINTS)
    return jnp.where(is_near, near**2 * total, e - log_of_one_more)

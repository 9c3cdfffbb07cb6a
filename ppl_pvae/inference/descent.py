"""Coordinate descent on the posteriors of the units of an image, under an affine decoder and a Gaussian likelihood.

With x̂ = b + mΦ the free energy of an image is ‖x − x̂‖² + Σ_k [v_k‖Φ_k‖² + β KL_k + γ m_k], m and v the means and
variances of its units: they meet in x̂ alone. Of one unit, all others held, it is a function of that unit's posterior,

    f_k = ‖Φ_k‖² (v_k + d_k²) + (γ − 2 Φ_k·(x − x̂)) d_k + β KL_k,  d_k the change of m_k,

whose curvature is known. Of a count f_k is convex in the rate, and its minimum has a closed form, but for a function
like Lambert's; of a normal and a rectified normal Newton's method lowers it, within a trust region of each unit and
image. A sweep takes the units in turn, all images at once.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array, Float
from numpyro.distributions import kl_divergence

from ppl_pvae.distributions import NegativeBinomial, Poisson, RectifiedNormal, log_rate_of

__all__ = ["FAMILIES", "Descent", "Opened", "Units", "descend"]

FIRST_REACH = 1.0  # of a trust region, in loc and log-scale together
LEAST_REACH = 0.01  # what a step of this length gains, float32 can tell from nothing
FLATTEST = 1e-6  # curvature that every direction is given at least
SETTLED = 1e-5  # nats, to second order, that a sweep gains of no image when a descent ends
CHEAPEST = 1e-6  # β at least, where a count is solved for: without a price its logarithm has no end
TINY = 1e-12


class Unit(NamedTuple):
    """One unit of some images: what its part of the free energy hangs on besides the parameters that are moved."""

    square: Float[Array, ""]  # ‖Φ‖²
    drive: Float[Array, " image"]  # γ − 2 Φ·(x − x̂)
    mean: Float[Array, " image"]  # where d is 0
    beta: Float[Array, ""]
    held: tuple[Array, ...]
    prior: tuple[Array, ...]


class Opened(NamedTuple):
    """A family taken apart: parameters on the real line that are moved, those that are held, and the way back.

    `lower(unit, moved, reach)` gives parameters of less free energy, the reach of the next step, and the gain in nats.
    """

    moved: tuple[Array, ...]
    held: tuple[Array, ...]
    make: Callable[..., dist.Distribution]  # of moved and held
    lower: Callable[..., tuple[tuple[Array, ...], Array, Array]]

    def means(self, moved) -> Array:
        """E z with other parameters."""
        return self.make(*moved, *self.held).mean


def _poisson(q):
    return Opened((log_rate_of(q),), (), lambda log_rate: Poisson(log_rate=log_rate), _best_count)


def _negative_binomial(q):
    def make(log_rate, concentration):
        return NegativeBinomial(log_rate=log_rate, concentration=concentration)

    # The concentration is held: the closed form of the KL asks for that of the prior.
    return Opened((q.log_rate,), (q.concentration,), make, _best_count)


def _normal(q):
    return _of_loc_and_scale(q, dist.Normal)


def _rectified(q):
    return _of_loc_and_scale(q, lambda loc, scale: RectifiedNormal(loc, scale, pays=q.pays))


def _of_loc_and_scale(q, family):
    def make(loc, log_scale):
        return family(loc, jnp.exp(log_scale))

    return Opened((q.loc, jnp.log(q.scale)), (), make, lambda *args: _trusted_step(make, *args))


FAMILIES: Mapping[type, Callable[..., Opened]] = {
    Poisson: _poisson,
    dist.Poisson: _poisson,
    NegativeBinomial: _negative_binomial,
    dist.Normal: _normal,
    RectifiedNormal: _rectified,
}


class Units(NamedTuple):
    """The units of one local site, to go through one by one: every array has them first."""

    posterior: Opened  # arrays (unit, image)
    prior: Opened  # arrays (unit, image)
    dictionary: Float[Array, "unit pixel"]  # Φ/√(2σ²)


class Descent(NamedTuple):
    """Where a descent ended: the moved parameters of each site (unit, image), and how many sweeps it took."""

    moved: dict[str, tuple[Array, ...]]
    sweeps: Array


class _State(NamedTuple):
    moved: dict[str, tuple[Array, ...]]
    reach: dict[str, Array]
    sweeps: Array
    gain: Array  # of the last sweep, the largest of an image, nats


def descend(sites: Mapping[str, Units], residual: Float[Array, "pixel image"], beta, price, sweeps) -> Descent:
    """Sweep over all units until no image gains any more, or `sweeps` times.

    Parameters
    ----------
    sites
        Units of each local site, by name, where they start.
    residual
        (x − x̂)/√(2σ²) at the start.
    beta, price
        β and γ: nats per nat of KL and per unit of activity.
    """
    start = {name: units.posterior.moved for name, units in sites.items()}

    def decoded(moved):
        return sum(units.dictionary.T @ units.posterior.means(moved[name]) for name, units in sites.items())

    target = residual + decoded(start)

    def sweep(state: _State) -> _State:
        rest = target - decoded(state.moved)  # anew each time, so that errors of float32 do not pile up
        moved, reach, gain = {}, {}, 0.0
        for name, units in sites.items():
            before = state.moved[name], state.reach[name]
            rest, (moved[name], reach[name], gains) = _sweep(units, rest, *before, beta, price)
            gain = gain + gains.sum(axis=0)
        return _State(moved, reach, state.sweeps + 1, jnp.max(gain))

    reach = {name: jnp.full_like(moved[0], FIRST_REACH) for name, moved in start.items()}
    state = _State(start, reach, jnp.asarray(0), jnp.asarray(jnp.inf))
    end = jax.lax.while_loop(lambda s: (s.sweeps < sweeps) & (s.gain > SETTLED), sweep, state)
    return Descent(end.moved, end.sweeps)


def _sweep(units: Units, residual, moved, reach, beta, price):
    """Each unit once, in turn; what is left of the image is kept up to date."""
    q, p = units.posterior, units.prior

    def visit(residual, one):
        moved, held, prior, row, reach = one
        mean = q.make(*moved, *held).mean
        unit = Unit(row @ row, price - 2 * row @ residual, mean, beta, held, prior)
        moved, reach, gain = q.lower(unit, moved, reach)
        change = q.make(*moved, *held).mean - mean
        return residual - row[:, None] * change, (moved, reach, jnp.where(jnp.isfinite(gain), gain, 0.0))

    return jax.lax.scan(visit, residual, (moved, q.held, (*p.moved, *p.held), units.dictionary, reach))


def _best_count(unit: Unit, moved, reach):
    """The log-rate at which f is least, of a count with variance λ + κλ²: κ is 0 for Poisson counts.

    df/dλ = ‖Φ‖²(1 + 2κλ + 2d) + drive + β (log λ/r − log((1 + κλ)/(1 + κr)))

    is 0 where aλ + log λ = c, and solved for. With κ the last logarithm is that of the rate before, in two rounds, each
    of which comes nearer without overshooting: its slope is less than that of log λ.
    """
    (log_rate,), (log_prior, *_) = moved, unit.prior
    beta, square = jnp.maximum(unit.beta, CHEAPEST), jnp.maximum(unit.square, TINY)
    dispersion = 1 / unit.held[0] if unit.held else 0.0

    def excess(rate):
        return jnp.log1p(dispersion * rate) - jnp.log1p(dispersion * jnp.exp(log_prior))

    slope = square * (1 + 2 * dispersion * unit.mean) + unit.drive
    slope = slope + beta * jnp.where(unit.mean > 0, log_rate - log_prior - excess(unit.mean), 0.0)
    rate = unit.mean
    for _ in range(2 if unit.held else 1):
        constant = log_prior + excess(rate) + (2 * square * unit.mean - square - unit.drive) / beta
        log_rate = _log_root(jnp.log(2 * square * (1 + dispersion) / beta), constant)
        rate = jnp.exp(log_rate)
    return (log_rate,), reach, jnp.abs(slope * (rate - unit.mean)) / 2


def _log_root(log_a, c):
    """log λ where aλ + log λ = c: with v = log aλ, that eᵛ + v = c + log a."""
    total = c + log_a
    # From above, where Newton's method cannot overshoot; each round squares an error that is below 0.4 at first.
    v = jnp.where(total < -15, total, jnp.log(jax.nn.softplus(jnp.maximum(total, -15))))
    for _ in range(4):
        product = jnp.exp(v)
        v = v - (product + v - total) / (1 + product)
    return v - log_a


def _trusted_step(make, unit: Unit, moved, reach):
    """One step of Newton's method in two parameters, shortened to `reach`, and made in the images where it lowers f."""

    def cost(*moved):
        q = make(*moved)
        change = q.mean - unit.mean
        kl = kl_divergence(q, make(*unit.prior))
        return unit.square * (q.variance + change**2) + unit.drive * change + unit.beta * kl

    step, gain = _newton_step(cost, moved)
    length = jnp.sqrt(sum(s**2 for s in step))
    shrunk = jnp.where(length > reach, reach / length, 1.0)
    tried = tuple(u + shrunk * s for u, s in zip(moved, step, strict=True))
    is_lower = cost(*tried) < cost(*moved)  # False where anything is NaN
    made = jnp.where(length < reach, length, reach)
    reach = jnp.where(is_lower, jnp.maximum(reach, 2 * made), jnp.maximum(made / 4, LEAST_REACH))
    return tuple(jnp.where(is_lower, new, old) for new, old in zip(tried, moved, strict=True)), reach, gain


def _newton_step(cost, moved):
    """−|H|⁻¹g, downhill along directions of negative curvature too; and what it gains to second order."""
    gradient = jax.grad(lambda *moved: cost(*moved).sum(), argnums=(0, 1))
    one, none = jnp.ones_like(moved[0]), jnp.zeros_like(moved[0])
    (g0, g1), (h00, h01) = jax.jvp(gradient, moved, (one, none))
    _, (_, h11) = jax.jvp(gradient, moved, (none, one))
    # |H| has the eigenvectors of H and the magnitudes of its eigenvalues: ±H where these have one sign, else
    # (tr H·H − 2 det H)/√(tr² H − 4 det H), by Cayley and Hamilton
    trace, det = h00 + h11, h00 * h11 - h01**2
    spread = jnp.sqrt(trace**2 - 4 * det)
    turn = jnp.where(det > 0, jnp.sign(trace), trace / spread)
    lift = jnp.where(det > 0, 0.0, -2 * det / spread) + FLATTEST
    a, b, c = turn * h00 + lift, turn * h01, turn * h11 + lift
    size = a * c - b**2
    step = (b * g1 - c * g0) / size, (b * g0 - a * g1) / size
    return step, -(g0 * step[0] + g1 * step[1]) / 2

"""Coordinate descent on the posteriors of the units of an image, under an affine decoder and a Gaussian likelihood.

With x̂ = b + mΦ the free energy of an image is ‖x − x̂‖² + Σ_k [v_k‖Φ_k‖² + β KL_k + γ m_k], m and v the means and
variances of its units: they meet in x̂ alone. Of one unit, all others held, it is a function of that unit's two moments,

    f_k = ‖Φ_k‖² (v_k + d_k²) + (γ − 2 Φ_k·(x − x̂)) d_k + β KL_k,  d_k the change of m_k,

which a step of Newton's method within a trust region lowers, exact curvature included. A sweep takes the units in turn,
all images at once, each image with a trust region of its own for each unit: a step that does not lower f_k is not made.
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

FIRST_REACH = 1.0  # of the trust region, in log-rates, or in loc and log-scale together
LEAST_REACH = 0.01  # what a step of this length gains, float32 can tell from nothing
SETTLED = 1e-5  # nats that no image can still gain by Newton steps of its units, to second order: the descent ends
FLATTEST = 1e-6  # curvature that every direction is given at least
SILENT = -60.0  # log-rate from which a unit starts at least: one that has underflowed to 0 has no slope


class Opened(NamedTuple):
    """A family taken apart: parameters on the real line that are moved, those that are held, and the way back."""

    moved: tuple[Array, ...]
    held: tuple[Array, ...]
    make: Callable[..., dist.Distribution]  # of moved and held


def _poisson(q):
    return Opened((log_rate_of(q),), (), lambda log_rate: Poisson(log_rate=log_rate))


def _negative_binomial(q):
    def make(log_rate, concentration):
        return NegativeBinomial(log_rate=log_rate, concentration=concentration)

    return Opened((q.log_rate,), (q.concentration,), make)  # held: the KL asks for that of the prior


def _normal(q):
    return Opened((q.loc, jnp.log(q.scale)), (), lambda loc, log_scale: dist.Normal(loc, jnp.exp(log_scale)))


def _rectified(q):
    def make(loc, log_scale):
        return RectifiedNormal(loc, jnp.exp(log_scale), pays=q.pays)

    return Opened((q.loc, jnp.log(q.scale)), (), make)


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

    def means(self, moved) -> Float[Array, "unit image"]:
        """E z of all units."""
        return self.posterior.make(*moved, *self.posterior.held).mean


class Descent(NamedTuple):
    """Where a descent ended: the moved parameters of each site (unit, image), and how many sweeps it took."""

    moved: dict[str, tuple[Array, ...]]
    sweeps: Array


class _State(NamedTuple):
    moved: dict[str, tuple[Array, ...]]
    reach: dict[str, Array]
    sweeps: Array
    left: Array  # largest decrement of an image, nats


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
    start = {
        # One parameter is a log-rate.
        name: tuple(jnp.maximum(u, SILENT) for u in moved) if len(moved := units.posterior.moved) == 1 else moved
        for name, units in sites.items()
    }
    target = residual + sum(_decoded(units, units.posterior.moved) for units in sites.values())

    def sweep(state: _State) -> _State:
        # Anew each time, so that errors of float32 do not pile up.
        rest = target - sum(_decoded(units, state.moved[name]) for name, units in sites.items())
        moved, reach, left = {}, {}, 0.0
        for name, units in sites.items():
            rest, (moved[name], reach[name], decrement) = _sweep(
                units, rest, state.moved[name], state.reach[name], beta, price
            )
            left = left + decrement.sum(axis=0)
        return _State(moved, reach, state.sweeps + 1, jnp.max(left))

    reach = {name: jnp.full_like(moved[0], FIRST_REACH) for name, moved in start.items()}
    state = _State(start, reach, jnp.asarray(0), jnp.asarray(jnp.inf))
    end = jax.lax.while_loop(lambda s: (s.sweeps < sweeps) & (s.left > SETTLED), sweep, state)
    return Descent(end.moved, end.sweeps)


def _decoded(units, moved):
    return units.dictionary.T @ units.means(moved)


def _sweep(units: Units, residual, moved, reach, beta, price):
    """Each unit once, in turn; what is left of the image is kept up to date."""
    make, make_prior = units.posterior.make, units.prior.make
    one_by_one = (moved, units.posterior.held, (*units.prior.moved, *units.prior.held), units.dictionary, reach)

    def visit(residual, unit):
        moved, held, prior, row, reach = unit
        square = row @ row
        mean = make(*moved, *held).mean
        drive = price - 2 * row @ residual

        def moments(*moved):
            q = make(*moved, *held)
            # f = ‖Φ‖² (v + d²) + (γ − 2 Φ·(x − x̂)) d + β KL, d the change of the mean: no large numbers cancel
            change = q.mean - mean
            cost = square * (q.variance + change**2) + drive * change + beta * kl_divergence(q, make_prior(*prior))
            return cost, q.mean

        moved, reach, decrement = _trusted_step(moments, moved, reach)
        change = make(*moved, *held).mean - mean
        return residual - row[:, None] * change, (moved, reach, decrement)

    return jax.lax.scan(visit, residual, one_by_one)


def _trusted_step(moments, moved, reach):
    """One Newton step of a unit, shortened to its `reach` and made in the images where it lowers the cost."""
    step, decrement = (_step_in_mean if len(moved) == 1 else _step_in_plane)(moments, moved)
    length = jnp.sqrt(sum(s**2 for s in step))
    shrunk = jnp.where(length > reach, reach / length, 1.0)
    tried = tuple(u + shrunk * s for u, s in zip(moved, step, strict=True))
    is_lower = moments(*tried)[0] < moments(*moved)[0]  # False where anything is NaN
    made = jnp.where(length < reach, length, reach)
    reach = jnp.where(is_lower, jnp.maximum(reach, 2 * made), jnp.maximum(made / 4, LEAST_REACH))
    moved = tuple(jnp.where(is_lower, new, old) for new, old in zip(tried, moved, strict=True))
    return moved, reach, jnp.where(jnp.isfinite(decrement), decrement, 0.0)


def _step_in_mean(moments, moved):
    """Newton's step to the root of df/dm, as the log-rate sees it; and what it gains to second order, nats.

    In the mean the cost is convex, in the log-rate it is not: far below the root, f and m flatten out together, while
    df/dm, which for Poisson counts is 2‖Φ‖²λ + β log λ/r and a constant, goes on falling.
    """

    def slope(u):
        by_u, mean_by_u = (jax.grad(lambda u, i=i: moments(u)[i].sum())(u) for i in (0, 1))
        return by_u / mean_by_u, by_u

    by_mean, rise, by_u = jax.jvp(slope, moved, (jnp.ones_like(moved[0]),), has_aux=True)
    step = -by_mean / rise
    return (step,), -by_u * step / 2


def _step_in_plane(moments, moved):
    """Newton's step in two parameters, downhill along directions of negative curvature too; and its gain, as above."""
    gradient = jax.grad(lambda *moved: moments(*moved)[0].sum(), argnums=(0, 1))
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

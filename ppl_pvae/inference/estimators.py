"""How the expectation over local codes is taken: effect handlers round an unchanged guide.

An estimator says what value each local site takes in training. It never appears in a program: the guide itself
samples a Poisson, and so serves exact sampling and `Predictive` as it stands.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jax import random
from jaxtyping import Array
from numpyro.primitives import Messenger

from ppl_pvae.distributions import (
    NegativeBinomial,
    Poisson,
    base_of,
    follows,
    gumbel_softmax_poisson,
    log_rate_of,
    mean_of,
    poisson_counts,
    soft_poisson_from_log,
)

__all__ = [
    "ESTIMATORS",
    "RELAXED",
    "ArrivalTime",
    "Estimator",
    "Exact",
    "GumbelSoftmax",
    "Hard",
    "LocalValues",
    "Reparameterised",
    "ScoreFunction",
    "StraightThrough",
    "is_local",
    "is_relaxed",
]

RELAXED = (Poisson, dist.Poisson, NegativeBinomial)  # families whose counts are relaxed


def is_relaxed(base: dist.Distribution) -> bool:
    """Whether relaxations hold for a bare family: one of `RELAXED`, and no class that derives from it to be another."""
    return follows(base, *RELAXED)


@runtime_checkable
class Estimator(Protocol):
    """What the free energy asks of an estimator.

    `exact` says that local sites take their posterior means and that the free energy adds what their spread does to
    an affine reconstruction. Otherwise `draw` gives a value of a site that a gradient passes through, or None for a
    family that it leaves to the guide's own reparameterised sample.
    """

    @property
    def name(self) -> str: ...

    @property
    def exact(self) -> bool: ...

    def draw(self, key: jax.Array, q: dist.Distribution, temperature: Array) -> Array | None: ...


@dataclass(frozen=True)
class Exact:
    """The expectation in closed form, for an affine decoder and a Gaussian likelihood.

    No bias, no variance, the cost of the matrix products alone. E‖x − b − zΦ‖² = ‖x − b − mΦ‖² + Σ_k v_k‖Φ_k‖²
    for independent units of mean m and variance v.
    """

    name: str = "exact"
    exact: bool = True

    def draw(self, key, q, temperature):
        try:
            return mean_of(q)
        except NotImplementedError:
            raise ValueError(f"{type(base_of(q)).__name__} has no mean in closed form, which is asked for.") from None


def _poisson_to_relax(key, q: dist.Distribution):
    """Key and log-rate, in its full shape, of the Poisson count to relax; None for a site reparameterised by itself.

    A negative binomial count is a Poisson count of a gamma-distributed rate: that rate is drawn here, and a gradient
    passes through it to mean and concentration.
    """
    base, shape = base_of(q), q.batch_shape + q.event_shape
    if isinstance(base, NegativeBinomial) and is_relaxed(base):
        key_rate, key = random.split(key)
        return key, base.log_rate_sample(key_rate, shape)
    if not is_relaxed(base):
        _check_reparameterised(q)
        return None
    # The base of an expanded or reshaped site may be smaller than the site.
    return key, jnp.broadcast_to(log_rate_of(base), shape)


@dataclass(frozen=True)
class ArrivalTime:
    """Counts as arrivals of a Poisson process in a window whose end is soft.

    Bias: the count is relaxed (cubic: mean λ exactly, variance λ(1 − 9τ/35); sigmoid: mean λτ log(1 + e^(1/τ))), so
    the objective is not quite the free energy. Variance: grows as τ and the rate fall; the noise of one image's
    gradient (its standard deviation over the root mean square of exact ones, linear P-VAE of 64 units, cubic) is 7.3,
    4.5, 1.7, 1.1 at τ = .05 and 2.8, 1.8, 1.0, 1.0 at τ = .5 for rates of .1, 1, 10, 100
    (`benchmarks/estimators.md`). Cost: one exact Poisson draw and work for the arrivals that are soft, 2τλ (cubic) or
    up to (1 + 15τ)λ (sigmoid). Continuous sites keep the guide's own reparameterised sample.

    As for every relaxation here, a negative binomial count is relaxed as the Poisson count of a rate drawn from its
    gamma distribution, with a gradient through that draw, which adds no bias: here E z = λ, and its variance is that of
    the relaxed count and λ²/φ.

    `hard` gives the decoder whole counts and keeps the derivative. Bias then: none of the decoder. Of all in front of
    it, behind an affine decoder and a Gaussian likelihood one that goes with τ; behind any other one that stays at
    every τ, since slopes of the distortion at whole counts, (D′(n) + D′(n + 1))/2 as τ → 0, stand in for its difference
    D(n + 1) − D(n). Variance: up to 15% more noise than the soft count.

    Source: arXiv:2405.14473 (sigmoid), arXiv:2602.03896 (cubic).
    """

    hard: bool = False
    indicator: str = "cubic"
    name: str = "arrival-time"
    exact: bool = False

    def draw(self, key, q, temperature):
        count = _poisson_to_relax(key, q)
        if count is None:
            return None
        return soft_poisson_from_log(*count, temperature, hard=self.hard, indicator=self.indicator)


@dataclass(frozen=True)
class GumbelSoftmax:
    """Counts as the softmax of perturbed log-probabilities of all counts up to a quantile.

    Bias: the softmax averages neighbouring counts, so mean and variance are off at every τ > 0, most at rates below
    1. Variance: grows as τ falls; the noise of one image's gradient, as for `ArrivalTime`, is 9.3, 7.6, 6.1, 6.2 at
    τ = .05 and 2.4, 2.0, 1.5, 1.5 at τ = .5 for rates of .1, 1, 10, 100. Cost: every element goes through all counts up
    to the 1e-6 quantile of the largest rate, two logarithms and two exponentials each; the memory of a few arrays.

    `hard` gives the decoder the count of the largest perturbed log-probability and keeps the derivative. Bias then:
    none of the decoder. Of all in front of it, behind an affine decoder and a Gaussian likelihood one that goes with τ;
    behind any other one that stays at every τ, since slopes at two whole counts m and k, (k − m)(D′(m) + D′(k))/2 as
    τ → 0, stand in for the difference D(k) − D(m). Variance: noise 15.6, 12.4, 8.4, 8.4 at τ = .05 for the same rates.

    Source: arXiv:1611.01144, arXiv:1611.00712.
    """

    hard: bool = False
    name: str = "gumbel-softmax"
    exact: bool = False

    def draw(self, key, q, temperature):
        count = _poisson_to_relax(key, q)
        return None if count is None else gumbel_softmax_poisson(*count, temperature, self.hard)


@dataclass(frozen=True)
class StraightThrough:
    """Whole counts forward, the derivative of their rate backward: dz/dλ = 1.

    Bias: a Poisson count's deviation from its rate counts as noise that does not depend on the rate: no decoder is
    charged for the spread that a higher rate brings (Σ_k ‖Φ_k‖² dλ_k in a linear one; in any, D′(n) stands in for D(n +
    1) − D(n)); it does not go away with more samples, and there is no temperature. The encoder's gradient is .86, .46,
    .11, .04 wrong in the mean at rates of .1, 1, 10, 100 in the linear P-VAE of `benchmarks/estimators.md`. Variance:
    low, that of the counts alone; noise 1.8, 1.5, 1.0, 1.0 for the same rates. Cost: one exact Poisson draw. Source:
    Bengio, Léonard & Courville 2013 (arXiv:1308.3432).
    """

    name: str = "straight-through"
    exact: bool = False

    def draw(self, key, q, temperature):
        count = _poisson_to_relax(key, q)
        if count is None:
            return None
        key, log_rate = count
        rate = jnp.exp(log_rate)
        return rate + jax.lax.stop_gradient(poisson_counts(key, jax.lax.stop_gradient(rate)) - rate)


@dataclass(frozen=True)
class ScoreFunction:
    """Whole counts, and the gradient of their log-probability weighted by what they cost.

    Bias: none, for any decoder and any family of counts with a log-probability. Variance: high, with 4 particles a
    noise of one image's gradient of 5.8, 6.6, 5.2, 5.9 at rates of .1, 1, 10, 100 in the linear P-VAE of 64 units of
    `benchmarks/estimators.md`; it grows with the number of units, since each is blamed for what all do to an image. The
    baseline of a particle is the mean cost of the others on the same image. Cost: as many decoder passes as
    `particles`, at least 2. The free energy adds what a draw by itself cannot give. Source: Williams 1992; Kool, van
    Hoof & Welling 2019 (leave-one-out baseline).
    """

    particles: int = 4
    name: str = "score-function"
    exact: bool = False

    def __post_init__(self):
        if self.particles < 2:
            raise ValueError(f"particles must be >= 2, got {self.particles}: each is compared with the others.")

    def draw(self, key, q, temperature):
        return None


@dataclass(frozen=True)
class Reparameterised:
    """The guide's own samples, through which the gradient passes: for codes without counts.

    Bias: none. Variance: that of one draw, small for Gaussian codes. Cost: one draw. Source: Kingma & Welling 2014.
    """

    name: str = "reparameterised"
    exact: bool = False

    def draw(self, key, q, temperature):
        _check_reparameterised(q)
        return None


@dataclass(frozen=True)
class Hard:
    """The guide's own samples: whole counts. For evaluation; no gradient passes through a count."""

    name: str = "hard"
    exact: bool = False

    def draw(self, key, q, temperature):
        return None


ESTIMATORS: Mapping[str, Callable[..., Estimator]] = {
    "exact": Exact,
    "arrival-time": ArrivalTime,
    "gumbel-softmax": GumbelSoftmax,
    "straight-through": StraightThrough,
    "score-function": ScoreFunction,
}


def _check_reparameterised(q):
    if not q.has_rsample:
        raise ValueError(
            f"no gradient passes through a sample of {type(base_of(q)).__name__}: only a Poisson or negative binomial "
            "inside the plate is relaxed; choose a reparameterised family."
        )


def is_local(site, plate: str) -> bool:
    """Whether a site lies in the plate over images."""
    return any(frame.name == plate for frame in site["cond_indep_stack"])


class LocalValues(Messenger):
    """Handler that gives the latent sites inside `plate` the value that `estimator` draws.

    Put it round a seeded guide: it uses the key which `seed` dealt to the site.
    """

    def __init__(self, fn, estimator: Estimator, temperature, plate: str):
        self.estimator, self.temperature, self.plate = estimator, temperature, plate
        super().__init__(fn)

    def process_message(self, msg):
        if msg["type"] != "sample" or msg["is_observed"] or msg["value"] is not None:
            return
        if not is_local(msg, self.plate):
            if not (isinstance(self.estimator, Hard) or msg["fn"].has_rsample):
                raise ValueError(
                    f"site {msg['name']!r} is outside the plate {self.plate!r}, and no gradient passes through a "
                    f"sample of {type(base_of(msg['fn'])).__name__}: put it inside, or choose a reparameterised family."
                )
        else:
            # Handlers run from the inside out, so the plates have put the site into its full shape already.
            msg["value"] = self.estimator.draw(msg["kwargs"]["rng_key"], msg["fn"], self.temperature)

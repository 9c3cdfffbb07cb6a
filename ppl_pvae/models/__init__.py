"""The built-in programs, and the variations of them that settings name."""

import math
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import NamedTuple

from ppl_pvae.errors import UserError
from ppl_pvae.models import gaussian, negative_binomial, poisson, rectified_gaussian
from ppl_pvae.models.signature import unfit_signature

__all__ = ["BUILT_IN", "COORDINATES", "Program", "Variation", "as_program", "built_in", "unfit_signature"]


class Program(NamedTuple):
    """A model and its guide: two functions of (x, nets)."""

    model: Callable
    guide: Callable


def as_program(pair) -> Program:
    """(model, guide) as a `Program`.

    Raises
    ------
    UserError
        If it is no pair of functions, or one of them cannot be called with (x, nets).
    """
    try:
        model, guide = pair
    except (TypeError, ValueError):
        model = guide = None
    if not (callable(model) and callable(guide)):
        raise UserError("a program is a name or (model, guide), two functions of (x, nets).")
    for role, function in (("model", model), ("guide", guide)):
        if problem := unfit_signature(role, function):
            raise UserError(f"a program is (model, guide), two functions of (x, nets): {problem}")
    return Program(model, guide)


class Variation(NamedTuple):
    """What a built-in program may be asked to be.

    `prior` is "learned" or "fixed"; `pays` is "latent" or "code"; `log_rate_start` is the range of the uniform start
    of log r, whose middle is the value of a fixed one; `ceiling` ("learned" or "fixed") bounds what an image does to a
    rate, from or at `largest_log_gain`, a fixed one as published, before the rate is bounded; `dispersion` ("learned"
    or "fixed") says whether negative binomial counts learn their `concentration` from there, or stay.
    """

    prior: str = "learned"
    pays: str = "latent"
    log_rate_start: tuple[float, float] = (-1.5, -0.5)
    ceiling: str = "learned"
    largest_log_gain: float = poisson.LARGEST_LOG_GAIN
    dispersion: str = "learned"
    concentration: float = negative_binomial.START_CONCENTRATION


DEFAULT = Variation()


def _rates(wanted):
    """The prior rate, and how the gain is bounded: what the guide takes besides."""
    low, high = wanted.log_rate_start
    learned = partial(poisson.learned_rate, start=(low, high))
    rate = learned if wanted.prior == "learned" else partial(poisson.fixed_rate, rate=math.exp((low + high) / 2))
    learned_top = partial(poisson.learned_ceiling, start=wanted.largest_log_gain)
    fixed_top = partial(poisson.fixed_ceiling, log_gain=wanted.largest_log_gain)
    once, twice = poisson.bounded_once, poisson.bounded_twice
    top, bounded = (learned_top, once) if wanted.ceiling == "learned" else (fixed_top, twice)
    return rate, {"ceiling": top, "bounded": bounded}


def _poisson(wanted):
    rate, bounds = _rates(wanted)
    guide = partial(poisson.guide, prior_rate=rate, **bounds)
    return Program(partial(poisson.model, prior_rate=rate), guide)


def _negative_binomial(wanted):
    rate, bounds = _rates(wanted)
    learned = partial(negative_binomial.learned_concentration, start=wanted.concentration)
    fixed = partial(negative_binomial.fixed_concentration, concentration=wanted.concentration)
    shared = {"prior_rate": rate, "concentration": learned if wanted.dispersion == "learned" else fixed}
    guide = partial(negative_binomial.guide, **shared, **bounds)
    return Program(partial(negative_binomial.model, **shared), guide)


def _normal_prior(wanted):
    return gaussian.learned_normal if wanted.prior == "learned" else gaussian.standard_normal


def _gaussian(wanted):
    return Program(partial(gaussian.model, prior=_normal_prior(wanted)), gaussian.guide)


def _rectified_gaussian(wanted):
    model = partial(rectified_gaussian.model, prior=_normal_prior(wanted), pays=wanted.pays)
    return Program(model, partial(rectified_gaussian.guide, pays=wanted.pays))


BUILT_IN: Mapping[str, Callable[[Variation], Program]] = {
    "poisson": _poisson,
    "negative-binomial": _negative_binomial,
    "rectified-gaussian": _rectified_gaussian,
    "gaussian": _gaussian,
}

# Programs that train faster in other coordinates: parameters to coordinates, and back.
COORDINATES: Mapping[str, tuple[Callable, Callable]] = dict.fromkeys(
    ("poisson", "negative-binomial"), (poisson.in_spread_units, poisson.from_spread_units)
)


def built_in(name: str, wanted: Variation = DEFAULT) -> Program:
    """The program of that name; the same object for the same wishes, so that its compilation is shared."""
    return _made(name, wanted)


@lru_cache
def _made(name, wanted):
    return BUILT_IN[name](wanted)

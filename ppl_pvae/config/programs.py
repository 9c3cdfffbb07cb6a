"""What each program can be told: flags that would go nowhere are refused."""

from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["ESTIMATORS", "OF_COUNTS", "OF_ESTIMATORS", "OF_RATES", "OWN_PROGRAM", "PROGRAMS", "Program", "UNKNOWN"]

OWN_PROGRAM = "own"  # the name of a program that is none of ours


class Program(NamedTuple):
    """What a built-in program can be told; the default comes first, and what is empty has no meaning for it."""

    prior: tuple[str, ...]
    pays: tuple[str, ...]
    estimator: tuple[str, ...]
    is_count: bool
    is_nonnegative: bool
    has_rates: bool  # that settings know of: where they start, where they saturate
    dispersion: tuple[str, ...] = ()


ESTIMATORS = ("auto", "exact", "arrival-time", "gumbel-softmax", "straight-through", "score-function")

PROGRAMS: Mapping[str, Program] = {
    "poisson": Program(("learned", "fixed"), (), ESTIMATORS, True, True, True),
    "negative-binomial": Program(("learned", "fixed"), (), ESTIMATORS, True, True, True, ("learned", "fixed")),
    "rectified-gaussian": Program(("learned", "fixed"), ("latent", "code"), ("auto", "exact"), False, True, False),
    "gaussian": Program(("learned", "fixed"), (), ("auto", "exact"), False, False, False),
}

# A program of one's own brings its own priors, payments and rates: flags for them would go nowhere.
UNKNOWN = Program((), (), ESTIMATORS, True, True, False)

OF_COUNTS = ("temperature", "temperature_from", "indicator", "hard", "particles")
_SOFT = ("arrival-time", "gumbel-softmax")
# What an estimator can be told, and which of them; "auto" can be told what the one can that it comes to.
OF_ESTIMATORS: Mapping[str, tuple[str, ...]] = {
    "temperature": _SOFT,
    "temperature_from": _SOFT,
    "indicator": ("arrival-time",),
    "hard": _SOFT,
    "particles": ("score-function",),
}
OF_RATES = ("log_rate_from", "log_rate_to", "largest_log_gain", "ceiling", "coordinates")

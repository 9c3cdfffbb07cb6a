"""What suits a training where nothing else is said."""

import math
from typing import NamedTuple

__all__ = [
    "COUNTS",
    "OTHERS",
    "START_CONCENTRATION",
    "Training",
    "anneal_for",
    "learning_rate_for",
    "steps_for",
]


class Training(NamedTuple):
    """Defaults that programs differ in; `anneal` for 512 units or more."""

    prior_speed: float
    anneal: float


# While beta is low all units of a count code find work; started at their full price, some stay silent for good. It is
# there early, for rates that were high at a low price to come down. A rectified Gaussian that has grown dense at a low
# price never becomes sparse again.
COUNTS, OTHERS = Training(30.0, 0.3), Training(10.0, 0.0)
START_CONCENTRATION = 10.0  # of negative binomial counts
ENOUGH = 512  # units at which the defaults stop depending on their number


def steps_for(units: int) -> int:
    """Training steps that arrive: small codes spike often, which takes longer to settle, at less time a step."""
    return 100 * round(min(100.0, max(25.0, 25 * math.sqrt(ENOUGH / units))))


def anneal_for(units: int, share: float) -> float:
    """Share of the steps over which beta rises: about 750 of the default ones from 64 units up, fewer below."""
    return round(share * min(1.0, math.sqrt(units / ENOUGH)), 2)


def learning_rate_for(*networks: str) -> float:
    """Peak learning rate: what suits a matrix throws a deeper network into silence, from which it does not return."""
    return 0.004 if set(networks) == {"linear"} else 0.001

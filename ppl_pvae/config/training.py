"""What suits a training where nothing else is said."""

import math
from typing import NamedTuple

from ppl_pvae.config.settings import Settings

__all__ = [
    "START_CONCENTRATION",
    "Training",
    "learning_rate_for",
    "may_go_on",
    "steps_for",
    "training_for",
    "weight_scale_for",
]


class Training(NamedTuple):
    """Defaults that programs and networks differ in."""

    prior_speed: float
    anneal: float
    anneal_from: float


START_CONCENTRATION = 10.0  # of negative binomial counts
# While beta rises units find work. At a high beta as many do as had the time for it, and a longer training that goes on
# from a shorter one inherits those that had not: with 512 units at beta = 4 1.1% of the free energy, which no doubling
# shows that goes on again.
HALF = 0.5  # of its schedule, where a longer training takes over from a shorter one
DEAR = 1.0  # the highest beta at which both have been seen to end alike
ENOUGH = 512  # units at which the defaults stop depending on their number


def steps_for(units: int) -> int:
    """Training steps that arrive: small codes spike often, which takes longer to settle, at less time a step."""
    return 100 * round(min(100.0, max(25.0, 25 * math.sqrt(ENOUGH / units))))


def training_for(units: int, decoder: str, *, counts: bool) -> Training:
    """How fast rates learn beside weights, and how beta rises and the temperature of draws falls.

    While beta is low all units of a count code find work; started at their full price, some stay silent for good. With
    a linear decoder beta is there early, after about 750 of the default steps from 64 units up and fewer below, for
    rates that were high at a low price to come down. Any other decoder first has to find out from noisy draws what its
    units could say, and noise is charged in full: where moving a rate away from its prior costs next to nothing, all
    rates fall to nothing within 200 steps and stay there. Its beta starts at 1, therefore, and what anneals is the
    temperature. A rectified Gaussian that has grown dense at a low price never becomes sparse again.
    """
    if not counts:
        return Training(prior_speed=10.0, anneal=0.0, anneal_from=1e-4)
    if decoder == "linear":
        return Training(30.0, anneal=round(0.3 * min(1.0, math.sqrt(units / ENOUGH)), 2), anneal_from=1e-4)
    return Training(prior_speed=10.0, anneal=0.5, anneal_from=1.0)


def learning_rate_for(*networks: str) -> float:
    """Peak learning rate: what suits a matrix throws a deeper network into silence, from which it does not return."""
    return 0.004 if set(networks) == {"linear"} else 0.002


def weight_scale_for(*networks: str) -> float:
    """Deviation of the first weights of a code's entry and exit: deeper networks make more of it, and more noise."""
    return 0.05 if set(networks) == {"linear"} else 0.02


def may_go_on(settings: Settings) -> bool:
    """Whether a training that goes on from a shorter one ends as one from the first step does, as far as is known.

    Settings are validated ones. Of what rises in price it is known for Poisson codes with a bias of the encoder.
    """
    s = settings
    if not s.anneal:
        return True
    known = s.program == "poisson" and s.encoder_bias and not s.spike_price
    return known and s.anneal <= HALF and s.beta <= DEAR

"""What a code costs in ATP, and the firing rate at which a bit is cheapest; NumPy alone.

A count says how many spikes an image was given, not in how long a time: the window, in seconds, is part of the budget,
and only with it do hertz and ATP per second mean something.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int, Num

__all__ = [
    "ATTWELL_LAUGHLIN",
    "BUDGETS",
    "HOWARTH",
    "LENNIE",
    "Budget",
    "OperatingPoints",
    "atp_per_image",
    "best_operating_points",
    "bits_per_atp",
    "budgets_with",
    "hertz",
]


@dataclass(frozen=True)
class Budget:
    """What one unit spends.

    Parameters
    ----------
    name
        For tables.
    spike
        ATP molecules for one spike with its synaptic consequences, > 0.
    rest
        ATP molecules per second that a unit spends when silent, >= 0.
    window
        Seconds in which an image's spikes are counted, > 0. No budget in the literature has one: 0.1 s is ours.
    source
        Where the numbers are from, and which of them are ours.

    `dataclasses.replace(budget, window=0.25)` adjusts one.
    """

    name: str
    spike: float
    rest: float
    window: float = 0.1
    source: str = ""

    def __post_init__(self):
        for name, least in (("spike", "> 0"), ("window", "> 0"), ("rest", ">= 0")):
            value = getattr(self, name)
            if not (value > 0 or (value == 0 and least == ">= 0")) or not np.isfinite(value):
                raise ValueError(f"{name} of a budget must be {least}, got {value}.")
        if not np.isfinite(self.ratio):
            raise ValueError(
                f"rest of a budget must be a finite number of spikes, got {self.rest} beside {self.spike}."
            )

    @property
    def ratio(self) -> float:
        """Cost of one unit's rest through one window, in spikes."""
        return self.rest * self.window / self.spike


ATTWELL_LAUGHLIN = Budget(
    "Attwell & Laughlin 2001",
    spike=7.1e8,
    rest=4.4e8,
    source="J. Cereb. Blood Flow Metab. 21:1133, rodent grey matter: 7.1e8 ATP per spike, at rest 3.4e8 ATP/s for a "
    "neuron and 1.0e8 for its glia. At 4 Hz they agree with the abstract (rest 13% of signalling).",
)
"""Rodent grey matter, a spike with all the transmission that follows it; the absolute numbers are to be checked."""

LENNIE = Budget(
    "Lennie 2003",
    spike=2.4e9,
    rest=4.4e8,
    source="Curr. Biol. 13:493, human cortex: 2.4e9 ATP per spike. The cost of rest is that of Attwell & Laughlin "
    "2001, a stand-in.",
)
"""Human cortex, whose neurons are larger; both numbers are to be checked, and the cost of rest is not Lennie's."""

HOWARTH = Budget(
    "Howarth, Gleeson & Attwell 2012",
    spike=4.4e8,
    rest=4.4e8,
    source="J. Cereb. Blood Flow Metab. 32:1222, neocortex with the efficient spikes of mammals. Derived, not quoted: "
    "the abstract gives 20% of signalling to rest and 80% to what spikes cost; with the rest of Attwell & Laughlin "
    "2001 and their 4 Hz that is (80/20) · 4.4e8 / 4 ATP per spike.",
)
"""Neocortex with cheaper spikes; the number per spike is derived from published shares, and to be checked."""

BUDGETS = (ATTWELL_LAUGHLIN, LENNIE, HOWARTH)
"""The budgets that come with the package. Numbers that are not in an abstract were not checked against the papers."""


def budgets_with(window: float, given: tuple[float, float] | None = None) -> tuple[Budget, ...]:
    """The budgets that come with the package with another window, and last one of the user's own.

    Parameters
    ----------
    window
        Seconds in which an image's spikes are counted, > 0.
    given
        ATP for a spike, > 0, and ATP per second of one unit at rest, >= 0; None for no budget of one's own.

    Raises
    ------
    ValueError
        For numbers that cannot be.
    """
    own = () if given is None else (Budget("given", *given, source="the user's own"),)
    return tuple(replace(budget, window=window) for budget in (*BUDGETS, *own))


def hertz(count: Num[np.ndarray, ...] | float, window: float) -> Num[np.ndarray, ...] | float:
    """Firing rate in Hz of an expected count in a window of so many seconds."""
    return count / window


def atp_per_image(spikes: float, units: int, budget: Budget) -> float:
    """ATP molecules that one image costs: its spikes, and the rest of all units through the window.

    Parameters
    ----------
    spikes
        Spikes per image, of the whole population.
    units
        Size of the population; silent units rest too.
    budget
        What a unit spends.

    Source: Attwell & Laughlin 2001, whose signalling cost is linear in the firing rate.
    """
    return budget.spike * spikes + budget.rest * budget.window * units


def bits_per_atp(nats: float, spikes: float, units: int, budget: Budget) -> float:
    """Bits per ATP molecule; NaN where nothing is spent.

    Parameters
    ----------
    nats
        Information per image, nats (`delivered`, not the KL paid, which overstates it).
    spikes, units, budget
        As in `atp_per_image`.
    """
    spent = atp_per_image(spikes, units, budget)
    return nats / np.log(2) / spent if spent > 0 else float("nan")


@dataclass(frozen=True)
class OperatingPoints:
    """For each ratio of rest to spike the point of a curve at which a nat is cheapest.

    Parameters
    ----------
    ratio
        Cost of one unit's rest through a window, in spikes, (ratio,).
    best
        Index of the best point, (ratio,).
    nats_per_cost
        Its nats per image over its cost in spikes, (ratio,).
    """

    ratio: Float[np.ndarray, " ratio"]
    best: Int[np.ndarray, " ratio"]
    nats_per_cost: Float[np.ndarray, " ratio"]


def best_operating_points(
    nats: Num[np.ndarray, " point"],
    spikes: Num[np.ndarray, " point"],
    units: Num[np.ndarray, " point"] | float,
    ratio: Num[np.ndarray, " ratio"],
) -> OperatingPoints:
    """Which of several codes carries most information for its energy, as the cost of rest goes from nothing up.

    Efficiency is nats / (spikes + ratio · units). The dearer rest is against a spike, the more spikes are worth their
    price; with rest for nothing the sparsest code that says anything usually wins.

    Parameters
    ----------
    nats, spikes
        Information and spikes per image of each code, as over β, (point,).
    units
        Size of each population, (point,) or one for all.
    ratio
        Cost of one unit's rest through a window, in spikes, >= 0, (ratio,); that of a budget is `budget.ratio`.

    Source: Levy & Baxter 1996 (Neural Computation 8:531), who find for a binary unit without noise the best
    probability p of a spike at p = (1 - p)^((1 + ratio)/ratio); Balasubramanian, Kimber & Berry 2001
    (Neural Computation 13:799).
    """
    ratio = np.asarray(ratio, dtype=np.float64)
    cost = np.asarray(spikes, dtype=np.float64) + ratio[:, np.newaxis] * np.asarray(units)
    # A code that costs nothing at all says nothing either: it is never best.
    efficiency = np.where(cost > 0, np.asarray(nats) / np.where(cost > 0, cost, 1.0), -np.inf)
    best = efficiency.argmax(axis=1)
    return OperatingPoints(ratio=ratio, best=best, nats_per_cost=efficiency[np.arange(len(ratio)), best])

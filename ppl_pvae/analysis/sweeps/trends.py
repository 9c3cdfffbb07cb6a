"""How a metric runs along a curve of a sweep: steps against a direction, ranges, and slopes in logarithms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ppl_pvae.analysis.convergence import LOG_RATE_LIMIT, SILENT_SPIKES, ZEROS_LIMIT
from ppl_pvae.analysis.sweeps.families import Point
from ppl_pvae.analysis.sweeps.verdicts import FAILS, HOLDS, IN_PART, NOT_ASKED

__all__ = ["RELATIVE_TOLERANCE", "SHARES", "SHARE_TOLERANCE", "Exponents", "Trend", "exponents", "range_of", "trend"]

SHARES = frozenset({"zeros", "lifetime_sparseness", "population_sparseness", "r2", "r2_per_image", "active_units"})
"""Metrics that are shares: their changes are taken as they are, and those of amounts relative to the amount."""
SHARE_TOLERANCE = ZEROS_LIMIT
"""A share that moves by less between neighbours has not moved: converged cells may be as far from their end."""
RELATIVE_TOLERANCE = LOG_RATE_LIMIT
"""An amount (spikes, nats, distortion) that moves by a smaller part of itself has not moved, for the same reason."""


@dataclass(frozen=True)
class Trend:
    """How one metric, averaged over seeds, moves along the points of a curve.

    Parameters
    ----------
    metric
        Its name.
    direction
        +1 where it was said to rise, -1 to fall.
    steps
        Pairs of neighbours that both have the number.
    violations
        How many of them move the other way by more than the tolerance.
    violations_converged
        How many of those lie between two points that are known to have converged.
    largest
        Size of the largest violation, in the unit of the metric; None where there is none.
    largest_in_spreads
        The same over the standard deviation of seeds, that of the two points pooled; None with one seed.
    largest_at
        Setting (β or units) on either side of it.
    first, last
        The metric at the ends.
    verdict
        `holds` without a violation and with ends that differ as was said, `fails` where the ends do not differ so,
        `holds in part` between, `not asked` where there is no step.
    """

    metric: str
    direction: int
    steps: int
    violations: int
    violations_converged: int
    largest: float | None
    largest_in_spreads: float | None
    largest_at: tuple[float, float] | None
    first: float | None
    last: float | None
    verdict: str

    def as_dict(self) -> dict[str, Any]:
        """The record for JSON."""
        return asdict(self)


def trend(points: Sequence[Point], metric: str, direction: int, along: str = "beta") -> Trend:
    """Follow a metric along points; those at which no seed has it are passed over.

    Where both neighbours are silent (fewer than 0.01 spikes per image) their step is no violation, whatever remains.

    Parameters
    ----------
    points
        By rising setting.
    metric
        Key of the table.
    direction
        +1 or -1, which way it should go.
    along
        The setting, `beta`, `price` or `units`.
    """
    known = [point for point in points if point.mean(metric) is not None]
    against = []
    for near, far in pairwise(known):
        wrong = -direction * (_mean(far, metric) - _mean(near, metric))
        if wrong > _tolerance(metric, near, far) and not (_silent(near) and _silent(far)):
            against.append((wrong, near, far))
    worst = max(against, key=lambda step: step[0], default=None)
    return Trend(
        metric=metric,
        direction=direction,
        steps=max(len(known) - 1, 0),
        violations=len(against),
        violations_converged=sum(near.converged and far.converged for _, near, far in against),
        largest=worst[0] if worst else None,
        largest_in_spreads=_in_spreads(metric, *worst) if worst else None,
        largest_at=(getattr(worst[1], along), getattr(worst[2], along)) if worst else None,
        first=_mean(known[0], metric) if known else None,
        last=_mean(known[-1], metric) if known else None,
        verdict=_verdict(known, metric, direction, len(against)),
    )


def range_of(points: Sequence[Point], metric: str) -> tuple[float, float] | None:
    """Smallest and largest seed mean of a metric along points; None where it is not known."""
    values = [value for point in points if (value := point.mean(metric)) is not None]
    return (min(values), max(values)) if values else None


@dataclass(frozen=True)
class Exponents:
    """Powers by which nats follow activity along a curve, and activity nats, by least squares in logarithms.

    Parameters
    ----------
    elasticity
        d log nats / d log activity: 1 where nats are proportional to spikes. Of no meaning where activity stays.
    activity_exponent
        d log activity / d log nats: 0 where activity stays while the nats change.
    points
        How many points both are of.
    silent
        How many were left out for fewer than 0.01 spikes per image, or for no nats.
    """

    elasticity: float | None
    activity_exponent: float | None
    points: int
    silent: int

    def as_dict(self) -> dict[str, Any]:
        """The record for JSON."""
        return asdict(self)


def exponents(points: Sequence[Point]) -> Exponents:
    """Both exponents of nats and activity per image, of seed means."""
    pairs = [(p.mean("spikes_per_image"), p.mean("coding_rate")) for p in points]
    known = [(spikes, nats) for spikes, nats in pairs if spikes is not None and nats is not None]
    loud = [(spikes, nats) for spikes, nats in known if spikes >= SILENT_SPIKES and nats > 0]
    x, y = (np.log([pair[i] for pair in loud]) for i in (0, 1))
    return Exponents(_slope(x, y), _slope(y, x), len(loud), len(known) - len(loud))


def _slope(x: np.ndarray, y: np.ndarray) -> float | None:
    # Σ (x − mean x)(y − mean y) / Σ (x − mean x)²
    if len(x) < 2 or np.ptp(x) < 1e-9:
        return None
    centred = x - x.mean()
    return float(centred @ (y - y.mean()) / (centred @ centred))


def _mean(point: Point, metric: str) -> float:
    value = point.mean(metric)
    assert value is not None
    return value


def _silent(point: Point) -> bool:
    spikes = point.mean("spikes_per_image")
    return spikes is not None and spikes < SILENT_SPIKES


def _tolerance(metric: str, near: Point, far: Point) -> float:
    if metric in SHARES:
        return SHARE_TOLERANCE
    return RELATIVE_TOLERANCE * max(abs(_mean(near, metric)), abs(_mean(far, metric)))


def _in_spreads(metric: str, size: float, near: Point, far: Point) -> float | None:
    spreads = [point.spread(metric) for point in (near, far)]
    known = [spread for spread in spreads if spread is not None]
    pooled = math.sqrt(sum(spread**2 for spread in known) / len(known)) if known else 0.0
    return size / pooled if pooled > 1e-12 * size else None


def _verdict(known: Sequence[Point], metric: str, direction: int, violations: int) -> str:
    if len(known) < 2:
        return NOT_ASKED
    net = direction * (_mean(known[-1], metric) - _mean(known[0], metric))
    if net <= _tolerance(metric, known[0], known[-1]):
        return FAILS
    return IN_PART if violations else HOLDS

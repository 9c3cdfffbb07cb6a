"""How a metric runs along a curve of a sweep: steps against a direction, ranges, and slopes in logarithms."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ppl_pvae.analysis.convergence import LOG_RATE_LIMIT, SILENT_SPIKES, ZEROS_LIMIT
from ppl_pvae.analysis.sweeps.families import Point
from ppl_pvae.analysis.sweeps.verdicts import FAILS, HOLDS, IN_PART, NOT_ASKED

__all__ = [
    "COUPLED",
    "RELATIVE_TOLERANCE",
    "SHARES",
    "SHARE_TOLERANCE",
    "UNCOUPLED",
    "Exponents",
    "Trend",
    "exponents",
    "range_of",
    "trend",
]

SHARES = frozenset({"zeros", "lifetime_sparseness", "population_sparseness", "r2", "r2_per_image", "active_units"})
"""Metrics that are shares: their changes are taken as they are, and those of amounts relative to the amount."""
SHARE_TOLERANCE = ZEROS_LIMIT
"""A share that moves by less between neighbours has not moved: converged cells may be as far from their end."""
RELATIVE_TOLERANCE = LOG_RATE_LIMIT
"""An amount (spikes, nats, distortion) that moves by a smaller part of itself has not moved, for the same reason."""
COUPLED = 0.5
"""From this exponent of activity against nats on, the two are called coupled."""
UNCOUPLED = 0.25
"""Activity that follows nats with a smaller exponent, up or down, is called uncoupled; between, coupled in part."""
SMALLEST = 1e-9
"""An amount below it counts as this, so that a step from nothing has a logarithm."""


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
    steps_as_said
        How many of them move as was said, by more than the tolerance.
    violations
        How many of them move the other way by more than the tolerance.
    violations_converged
        How many of those lie between two points that are known to have converged.
    scale
        In which steps are measured: `difference` for a share, `log ratio` for an amount, which may span decades.
    largest
        Size of the largest violation on that scale; None where there is none.
    largest_at
        Setting (β or units) on either side of it.
    largest_in_spreads
        The violation that is the most standard deviations of seeds (those of its two points pooled, on that scale):
        how many. It need not be the largest. None with one seed.
    largest_in_spreads_at
        Setting on either side of that one.
    first, last
        The metric at the ends.
    verdict
        `holds` without a violation and with ends that differ as was said, `fails` where the ends do not differ so,
        `holds in part` between, `not asked` where there is no step.
    """

    metric: str
    direction: int
    steps: int
    steps_as_said: int
    violations: int
    violations_converged: int
    scale: str
    largest: float | None
    largest_at: tuple[float, float] | None
    largest_in_spreads: float | None
    largest_in_spreads_at: tuple[float, float] | None
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
    against = [step for step in pairwise(known) if _moves(metric, -direction, *step)]
    largest, place = _most([(abs(_size(metric, *step)), step) for step in against], along)
    spreads, widest = _most([(_in_spreads(metric, *step), step) for step in against], along)
    return Trend(
        metric=metric,
        direction=direction,
        steps=max(len(known) - 1, 0),
        steps_as_said=sum(_moves(metric, direction, *step) for step in pairwise(known)),
        violations=len(against),
        violations_converged=sum(near.converged and far.converged for near, far in against),
        scale="difference" if metric in SHARES else "log ratio",
        largest=largest,
        largest_at=place,
        largest_in_spreads=spreads,
        largest_in_spreads_at=widest,
        first=_mean(known[0], metric) if known else None,
        last=_mean(known[-1], metric) if known else None,
        verdict=_verdict(known, metric, direction, len(against)),
    )


def _most(
    steps: Sequence[tuple[float | None, tuple[Point, Point]]], along: str
) -> tuple[float | None, tuple[float, float] | None]:
    """The largest of some numbers and the setting on either side of its step."""
    known = [(value, step) for value, step in steps if value is not None]
    if not known:
        return None, None
    value, (near, far) = max(known, key=lambda each: each[0])
    return value, (getattr(near, along), getattr(far, along))


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


def _moves(metric: str, direction: int, near: Point, far: Point) -> bool:
    by = direction * (_mean(far, metric) - _mean(near, metric))
    return by > _tolerance(metric, near, far) and not (_silent(near) and _silent(far))


def _size(metric: str, near: Point, far: Point) -> float:
    return _scaled(metric, _mean(far, metric)) - _scaled(metric, _mean(near, metric))


def _scaled(metric: str, value: float) -> float:
    return value if metric in SHARES else math.log(max(value, SMALLEST))


def _in_spreads(metric: str, near: Point, far: Point) -> float | None:
    # |step| / √(mean of the variances over seeds)
    scaled = [[_scaled(metric, value) for value in point.values(metric)] for point in (near, far)]
    variances = [statistics.variance(values) for values in scaled if len(values) > 1]
    pooled = math.sqrt(statistics.fmean(variances)) if variances else 0.0
    size = abs(_size(metric, near, far))
    return size / pooled if pooled > 1e-12 * size else None


def _verdict(known: Sequence[Point], metric: str, direction: int, violations: int) -> str:
    if len(known) < 2:
        return NOT_ASKED
    net = direction * (_mean(known[-1], metric) - _mean(known[0], metric))
    if net <= _tolerance(metric, known[0], known[-1]):
        return FAILS
    return IN_PART if violations else HOLDS

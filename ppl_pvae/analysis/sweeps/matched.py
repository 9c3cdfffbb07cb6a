"""Programs at one distortion: what each family would pay there, read off between the cells on either side."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any

from ppl_pvae.analysis.matching import geometric, linear, neighbours, shared_middle
from ppl_pvae.analysis.sweeps.families import Curve, Row, beta_curves, number_of

__all__ = ["Matched", "MatchedCurve", "match_distortion"]

_READ: tuple[tuple[str, Callable[[float, float, float], float]], ...] = (
    ("spikes_per_image", geometric),
    ("coding_rate", geometric),
    ("log_evidence", linear),
)


@dataclass(frozen=True)
class MatchedCurve:
    """One family at one number of units, at the distortion.

    Parameters
    ----------
    family, units
        Whose.
    is_count
        Whether its activity is a number of spikes. That of other codes is in units of their own.
    seeds
        Over how many it is averaged; a seed whose cells do not enclose the distortion is left out.
    spikes_per_image, coding_rate, log_evidence
        Means over seeds, None where unknown.
    spreads
        Their standard deviations over seeds; None with fewer than two.
    between
        Smallest and largest β of the cells that it is read off from.
    converged
        Whether all those cells are known to have converged.
    rank_spikes
        1 for the fewest spikes, among codes of counts; None for others.
    rank_nats
        1 for the fewest nats.
    rank_evidence
        1 for the highest evidence.
    """

    family: str
    units: int
    is_count: bool
    seeds: int
    spikes_per_image: float | None
    coding_rate: float | None
    log_evidence: float | None
    spreads: dict[str, float | None]
    between: tuple[float, float]
    converged: bool
    rank_spikes: int | None = None
    rank_nats: int | None = None
    rank_evidence: int | None = None


@dataclass(frozen=True)
class Matched:
    """Families at one distortion, the fewest spikes first, then codes of other kinds by their nats.

    Parameters
    ----------
    distortion
        At which, nats per image; None where no curve has two cells.
    curves
        What each pays.
    left_out
        Families and units whose cells do not enclose it, in words: nothing is extrapolated.
    """

    distortion: float | None
    curves: tuple[MatchedCurve, ...]
    left_out: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """The record for JSON."""
        return asdict(self)


def match_distortion(rows: Sequence[Row], distortion: float | None = None) -> Matched:
    """What each family pays at one distortion, at each number of units.

    Seed by seed, between the two cells with the nearest distortion on either side: spikes and nats linear in their
    logarithm, evidence linear; then averaged over seeds.

    Parameters
    ----------
    rows
        As `read_sweep` gives them; cells with a price on spikes or an error are left out.
    distortion
        At which to compare. By default the middle of what all curves share, and where they share nothing the
        distortion that most of them enclose.
    """
    curves = beta_curves(rows)
    ranges = [ends for curve in curves if (ends := _range(curve)) is not None]
    if distortion is None:
        distortion = shared_middle(ranges)
    if distortion is None:
        distortion = _most_enclosed(ranges)
    if distortion is None:
        return Matched(None, (), tuple(_name(curve) for curve in curves))
    found = [(curve, _matched(curve, distortion)) for curve in curves]
    left_out = tuple(_name(curve) for curve, match in found if match is None)
    return Matched(distortion, _ranked([match for _, match in found if match is not None]), left_out)


def _name(curve: Curve) -> str:
    return f"{curve.family.label}, K = {curve.units}"


def _range(curve: Curve) -> tuple[float, float] | None:
    values = [value for row in curve.rows if (value := number_of(row, "distortion")) is not None]
    return (min(values), max(values)) if len(values) > 1 else None


def _most_enclosed(ranges: Sequence[tuple[float, float]]) -> float | None:
    """The middle of the widest stretch among those that most ranges enclose."""
    ends = sorted({end for both in ranges for end in both})
    stretches = [
        (sum(low <= start and end <= high for low, high in ranges), end - start, (start + end) / 2)
        for start, end in pairwise(ends)
    ]
    return max(stretches)[2] if stretches else None


def _matched(curve: Curve, distortion: float) -> MatchedCurve | None:
    by_seed: dict[Any, list[Row]] = {}
    for row in curve.rows:
        if number_of(row, "distortion") is not None:
            by_seed.setdefault(row.get("seed"), []).append(row)
    read, used = [], []
    for rows in by_seed.values():
        placed = sorted(rows, key=lambda row: row["distortion"])
        found = neighbours([row["distortion"] for row in placed], distortion)
        if found is not None:
            near, far = placed[found[0]], placed[found[1]]
            read.append({name: _between(near, far, name, how, found[2]) for name, how in _READ})
            used += [near, far]
    if not read:
        return None
    values = {name: [each[name] for each in read if each[name] is not None] for name, _ in _READ}
    betas = [row["beta"] for row in used]
    return MatchedCurve(
        family=curve.family.label,
        units=curve.units,
        is_count=curve.is_count,
        seeds=len(read),
        spikes_per_image=_mean(values["spikes_per_image"]),
        coding_rate=_mean(values["coding_rate"]),
        log_evidence=_mean(values["log_evidence"]),
        spreads={name: statistics.stdev(known) if len(known) > 1 else None for name, known in values.items()},
        between=(min(betas), max(betas)),
        converged=all(row.get("converged") is True for row in used),
    )


def _mean(values: Sequence[float]) -> float | None:
    return statistics.fmean(values) if values else None


def _between(near: Row, far: Row, name: str, how: Callable[..., float], share: float) -> float | None:
    ends = number_of(near, name), number_of(far, name)
    return None if ends[0] is None or ends[1] is None else how(*ends, share)


def _ranked(matches: list[MatchedCurve]) -> tuple[MatchedCurve, ...]:
    by_spikes = _ranks([match.spikes_per_image if match.is_count else None for match in matches])
    by_nats = _ranks([match.coding_rate for match in matches])
    by_evidence = _ranks([None if match.log_evidence is None else -match.log_evidence for match in matches])
    ranked = [
        replace(match, rank_spikes=spikes, rank_nats=nats, rank_evidence=evidence)
        for match, spikes, nats, evidence in zip(matches, by_spikes, by_nats, by_evidence, strict=True)
    ]
    last = len(matches) + 1
    return tuple(sorted(ranked, key=lambda m: (m.rank_spikes or last, m.rank_nats or last)))


def _ranks(values: Sequence[float | None]) -> list[int | None]:
    known = [value for value in values if value is not None]
    return [None if value is None else 1 + sum(other < value for other in known) for value in values]

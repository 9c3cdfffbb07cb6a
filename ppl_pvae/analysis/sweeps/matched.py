"""Programs at one distortion: what each family would pay there, read off between the cells on either side."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any

from ppl_pvae.analysis.bounds import Bounds
from ppl_pvae.analysis.matching import geometric, linear, neighbours, shared_middle
from ppl_pvae.analysis.sweeps.evidence_difference import (
    Evidence,
    EvidenceDifference,
    bounds_between,
    difference_of,
    mean_bounds,
)
from ppl_pvae.analysis.sweeps.families import Curve, Row, beta_curves, number_of
from ppl_pvae.analysis.sweeps.phrases import curve_name

__all__ = ["WIDE", "Matched", "MatchedCurve", "match_distortion"]

WIDE = 20.0
"""Cells whose distortions are more nats apart say little of what lies between: evidence is no straight line."""

_READ: tuple[tuple[str, Callable[[float, float, float], float]], ...] = (
    ("spikes_per_image", geometric),
    ("coding_rate", geometric),
    ("log_evidence", linear),
    ("log_evidence_se", linear),
)
_SPREAD = ("spikes_per_image", "coding_rate", "log_evidence")


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
    log_evidence_se
        Standard error of the mean evidence over photographs, read off like it; by itself no yardstick for a difference.
    spreads
        Their standard deviations over seeds; None with fewer than two.
    between
        Smallest and largest β of the cells that it is read off from.
    bracket
        Smallest and largest distortion of those cells, of the seed in which they lie furthest apart.
    wide
        Whether these are more than 20 nats apart.
    converged
        Whether all those cells are known to have converged.
    evidence_difference
        From the first family with as many units; None for that one, and where evidence is unknown.
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
    log_evidence_se: float | None
    spreads: dict[str, float | None]
    between: tuple[float, float]
    bracket: tuple[float, float]
    wide: bool
    converged: bool
    evidence_difference: EvidenceDifference | None = None
    rank_spikes: int | None = None
    rank_nats: int | None = None
    rank_evidence: int | None = None


@dataclass(frozen=True)
class Matched:
    """Families at one distortion by number of units (and data), the fewest spikes first, then other codes by nats.

    Parameters
    ----------
    distortion
        At which, nats per image; None where no curve has two cells.
    curves
        What each pays.
    left_out
        Families and units whose cells do not enclose it, in words: nothing is extrapolated.
    caveats
        In sentences: between which cells evidence is read off from far apart, and which differences are not paired.
    """

    distortion: float | None
    curves: tuple[MatchedCurve, ...]
    left_out: tuple[str, ...]
    caveats: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The record for JSON."""
        return asdict(self)


def match_distortion(
    rows: Sequence[Row], distortion: float | None = None, bounds: Mapping[str, Bounds] | None = None
) -> Matched:
    """What each family pays at one distortion, at each number of units.

    Seed by seed, between the two cells with the nearest distortion on either side: spikes and nats linear in their
    logarithm, evidence linear; then averaged over seeds. Evidence is compared with that of the first family (the P-VAE,
    where it is there) with as many units, on the same data and likelihood: image by image where the cells on all sides
    kept their images.

    Parameters
    ----------
    rows
        As `read_sweep` gives them; cells with a price on spikes or an error are left out.
    distortion
        At which to compare. By default the middle of what all curves share, and where they share nothing the
        distortion that most of them enclose; of several data sets, those on the first.
    bounds
        Evidence image by image of the cells that kept it, by their names.
    """
    curves = beta_curves(rows)
    ranges = [ends for curve in curves if curve.images == curves[0].images for ends in _ranges(curve)]
    if distortion is None:
        distortion = shared_middle(ranges)
    if distortion is None:
        distortion = _most_enclosed(ranges)
    if distortion is None:
        return Matched(None, (), tuple(curve_name(curve) for curve in curves))
    found = [(curve, _matched(curve, distortion, bounds or {})) for curve in curves]
    left_out = tuple(curve_name(curve) for curve, match in found if match is None)
    groups: dict[tuple[Any, ...], list[tuple[MatchedCurve, Bounds | None]]] = {}
    for curve, match in found:
        if match is not None:
            groups.setdefault(curve.comparable, []).append(match)
    there = [match for _, group in sorted(groups.items(), key=lambda each: each[0][0]) for match in _compared(group)]
    return Matched(distortion, tuple(there), left_out, _caveats(there))


def _compared(found: Sequence[tuple[MatchedCurve, Bounds | None]]) -> list[MatchedCurve]:
    """Curves that can be compared, with the difference in evidence from the first, and their ranks."""
    first, *others = (
        Evidence(match.log_evidence, match.log_evidence_se, images, match.converged) for match, images in found
    )
    label, there = found[0][0].family, [found[0][0]]
    for (match, _), mine in zip(found[1:], others, strict=True):
        there.append(replace(match, evidence_difference=difference_of(mine, first, label)))
    return _ranked(there)


def _caveats(matches: Sequence[MatchedCurve]) -> tuple[str, ...]:
    wide = [
        f"{match.family}, K = {match.units} ({match.bracket[0]:.1f} to {match.bracket[1]:.1f})"
        for match in matches
        if match.wide
    ]
    told = [match.evidence_difference for match in matches if match.evidence_difference is not None]
    unpaired = sum(not each.paired for each in told)
    said = []
    if wide:
        said.append(f"Read off between cells more than {WIDE:g} nats of distortion apart: {'; '.join(wide)}.")
    if unpaired:
        said.append(
            f"{unpaired} of {len(told)} differences in evidence are not paired, for want of the bounds of single "
            "images: their standard errors are those of different images and too wide."
        )
    return tuple(said)


def _ranges(curve: Curve) -> list[tuple[float, float]]:
    """What the cells of a curve enclose, all its seeds together; none where no seed has two."""
    ends = [(rows[0]["distortion"], rows[-1]["distortion"]) for rows in _by_seed(curve) if len(rows) > 1]
    return [(min(low for low, _ in ends), max(high for _, high in ends))] if ends else []


def _most_enclosed(ranges: Sequence[tuple[float, float]]) -> float | None:
    """The middle of the widest stretch among those that most ranges enclose."""
    ends = sorted({end for both in ranges for end in both})
    stretches = [
        (sum(low <= start and end <= high for low, high in ranges), end - start, (start + end) / 2)
        for start, end in pairwise(ends)
    ]
    return max(stretches)[2] if stretches else None


def _matched(
    curve: Curve, distortion: float, bounds: Mapping[str, Bounds]
) -> tuple[MatchedCurve, Bounds | None] | None:
    read, pairs, images = [], [], []
    for placed in _by_seed(curve):
        found = neighbours([row["distortion"] for row in placed], distortion)
        if found is not None:
            near, far = placed[found[0]], placed[found[1]]
            read.append({name: _between(near, far, name, how, found[2]) for name, how in _READ})
            pairs.append((near, far))
            images.append(bounds_between(bounds.get(near.get("cell", "")), bounds.get(far.get("cell", "")), found[2]))
    if not read:
        return None
    values = {name: [each[name] for each in read if each[name] is not None] for name, _ in _READ}
    betas = [row["beta"] for pair in pairs for row in pair]
    bracket = max(((near["distortion"], far["distortion"]) for near, far in pairs), key=lambda ends: ends[1] - ends[0])
    match = MatchedCurve(
        family=curve.family.label,
        units=curve.units,
        is_count=curve.is_count,
        seeds=len(read),
        spikes_per_image=_mean(values["spikes_per_image"]),
        coding_rate=_mean(values["coding_rate"]),
        log_evidence=_mean(values["log_evidence"]),
        log_evidence_se=_mean(values["log_evidence_se"]),
        spreads={name: statistics.stdev(values[name]) if len(values[name]) > 1 else None for name in _SPREAD},
        between=(min(betas), max(betas)),
        bracket=bracket,
        wide=bracket[1] - bracket[0] > WIDE,
        converged=all(row.get("converged") is True for pair in pairs for row in pair),
    )
    return match, mean_bounds(images)


def _by_seed(curve: Curve) -> list[list[Row]]:
    """The cells of each seed by rising distortion, those alone that have one."""
    found: dict[Any, list[Row]] = {}
    for row in curve.rows:
        if number_of(row, "distortion") is not None:
            found.setdefault(row.get("seed"), []).append(row)
    return [sorted(rows, key=lambda row: row["distortion"]) for rows in found.values()]


def _mean(values: Sequence[float]) -> float | None:
    return statistics.fmean(values) if values else None


def _between(near: Row, far: Row, name: str, how: Callable[..., float], share: float) -> float | None:
    ends = number_of(near, name), number_of(far, name)
    return None if ends[0] is None or ends[1] is None else how(*ends, share)


def _ranked(matches: Sequence[MatchedCurve]) -> list[MatchedCurve]:
    last = len(matches) + 1
    by_spikes = _ranks([match.spikes_per_image if match.is_count else None for match in matches])
    by_nats = _ranks([match.coding_rate for match in matches])
    by_evidence = _ranks([None if match.log_evidence is None else -match.log_evidence for match in matches])
    ranked = [
        replace(match, rank_spikes=spikes, rank_nats=nats, rank_evidence=evidence)
        for match, spikes, nats, evidence in zip(matches, by_spikes, by_nats, by_evidence, strict=True)
    ]
    return sorted(ranked, key=lambda m: (m.rank_spikes or last, m.rank_nats or last))


def _ranks(values: Sequence[float | None]) -> list[int | None]:
    known = [value for value in values if value is not None]
    return [None if value is None else 1 + sum(other < value for other in known) for value in values]

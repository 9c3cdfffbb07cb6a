"""Each family at the β of its highest evidence, and how far it is ahead of the first family at its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ppl_pvae.analysis.bounds import Bounds
from ppl_pvae.analysis.sweeps.evidence_difference import Evidence, EvidenceDifference, difference_of, mean_bounds
from ppl_pvae.analysis.sweeps.families import Point, Row, beta_curves

__all__ = ["BestEvidence", "best_evidence"]


@dataclass(frozen=True)
class BestEvidence:
    """One family at one number of units, at the β of the grid that bounds log p(x) of held-out images highest.

    Nothing is read off between cells. β is chosen on the images that it is judged by.

    Parameters
    ----------
    family, units
        Whose.
    beta
        That β.
    seeds
        Over how many it is averaged.
    log_evidence
        Bound on log p(x), mean over seeds, nats per image.
    log_evidence_se
        Its standard error over photographs; None where unknown.
    distortion
        There, nats per image; None where unknown.
    edge
        Whether evidence is known at no smaller, or at no larger, β: beyond it may be higher.
    converged
        Whether all seeds there are known to have converged.
    evidence_difference
        From the first family with as many units, on the same data and likelihood, each at its own best β; None for
        that one.
    """

    family: str
    units: int
    beta: float
    seeds: int
    log_evidence: float
    log_evidence_se: float | None
    distortion: float | None
    edge: bool
    converged: bool
    evidence_difference: EvidenceDifference | None = None


def best_evidence(rows: Sequence[Row], bounds: Mapping[str, Bounds] | None = None) -> list[BestEvidence]:
    """Every family that has evidence at its best β, by number of units, the first family ahead.

    Parameters
    ----------
    rows
        As `read_sweep` gives them; cells with a price on spikes or an error are left out.
    bounds
        Evidence image by image of the cells that kept it, by their names: with it differences are paired.
    """
    first: dict[tuple[Any, ...], tuple[str, Evidence]] = {}
    found = []
    for curve in sorted(beta_curves(rows), key=lambda curve: curve.units):
        known = [(value, point) for point in curve.points if (value := point.mean("log_evidence")) is not None]
        if known:
            value, point = max(known, key=lambda each: each[0])
            mine = _evidence(point, bounds or {})
            label, beside = first.setdefault(curve.comparable, (curve.family.label, mine))
            best = BestEvidence(
                family=curve.family.label,
                units=curve.units,
                beta=point.beta,
                seeds=len(point.values("log_evidence")),
                log_evidence=value,
                log_evidence_se=mine.standard_error,
                distortion=point.mean("distortion"),
                edge=point in (known[0][1], known[-1][1]),
                converged=mine.converged,
                evidence_difference=None if beside is mine else difference_of(mine, beside, label),
            )
            found.append(best)
    return found


def _evidence(point: Point, bounds: Mapping[str, Bounds]) -> Evidence:
    images = mean_bounds([bounds.get(row.get("cell", "")) for row in point.rows])
    return Evidence(point.mean("log_evidence"), point.mean("log_evidence_se"), images, point.converged)

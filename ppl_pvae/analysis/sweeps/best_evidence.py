"""Each family at the β of its highest evidence, and how far it is ahead of the first family at its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ppl_pvae.analysis.bounds import Bounds
from ppl_pvae.analysis.sweeps.families import Curve, Point, Row, beta_curves
from ppl_pvae.analysis.sweeps.matched_evidence import EvidenceDifference, difference_of, mean_bounds

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
        Whether no smaller, or no larger, β is there: beyond it evidence may be higher.
    converged
        Whether all seeds there are known to have converged.
    evidence_difference
        From the first family with as many units, each at its own best β; None for that one.
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
    first: dict[int, tuple[str, Point]] = {}
    found = []
    for curve in sorted(beta_curves(rows), key=lambda curve: curve.units):
        known = [(value, point) for point in curve.points if (value := point.mean("log_evidence")) is not None]
        if known:
            value, point = max(known, key=lambda each: each[0])
            label, beside = first.setdefault(curve.units, (curve.family.label, point))
            mine, theirs = (_told(each, bounds or {}) for each in (point, beside))
            found.append(_best(curve, point, value, None if beside is point else difference_of(mine, theirs, label)))
    return found


def _best(curve: Curve, point: Point, value: float, difference: EvidenceDifference | None) -> BestEvidence:
    return BestEvidence(
        family=curve.family.label,
        units=curve.units,
        beta=point.beta,
        seeds=len(point.values("log_evidence")),
        log_evidence=value,
        log_evidence_se=point.mean("log_evidence_se"),
        distortion=point.mean("distortion"),
        edge=point in (curve.points[0], curve.points[-1]),
        converged=point.converged,
        evidence_difference=difference,
    )


def _told(point: Point, bounds: Mapping[str, Bounds]) -> tuple[float | None, float | None, Bounds | None]:
    images = mean_bounds([bounds.get(row.get("cell", "")) for row in point.rows])
    return point.mean("log_evidence"), point.mean("log_evidence_se"), images

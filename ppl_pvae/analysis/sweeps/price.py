"""Is β a price on spikes? Whether cells with an explicit price lie on the curve that β traces."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ppl_pvae.analysis.convergence import LOG_RATE_LIMIT
from ppl_pvae.analysis.matching import geometric, neighbours
from ppl_pvae.analysis.sweeps.families import Curve, Point, Row
from ppl_pvae.analysis.sweeps.phrases import span
from ppl_pvae.analysis.sweeps.verdicts import FAILS, HOLDS, NOT_ASKED, combined, finding

__all__ = ["SAME_CURVE", "price"]

SAME_CURVE = LOG_RATE_LIMIT
"""Spikes at equal distortion that differ by a smaller log ratio are the same: what doubling the steps may move."""


def price(curves: Sequence[Curve], priced: Sequence[Curve], failed: Sequence[Row]) -> dict[str, Any]:
    """Do a price γ on spikes and β trace the same curve in (distortion, spikes)? Asked of the P-VAE, units by units.

    Between neighbouring cells of the curve over β log spikes is linear in distortion; cells with a price whose
    distortion lies beyond the curve are counted and not judged.

    Parameters
    ----------
    curves
        Over β, without a price.
    priced
        Cells with one.
    failed
        Priced cells that ended in an error.
    """
    claim = "β acts as a price on spikes: an explicit price traces the same curve of spikes and distortion."
    told, rows, beyond = [], [], 0
    for own in (curve for curve in priced if curve.family.is_poisson):
        beside = [c for c in curves if c.family == own.family and c.units == own.units and len(c.points) > 1]
        for point in own.points:
            between = _on_curve(point, beside[0]) if beside else None
            if between is None:
                beyond += 1
                continue
            told.append(between)
            rows += [*point.rows, *beside[0].rows]
    rows = list({id(row): row for row in rows}.values())
    if not told:
        reason = f"None of {beyond} cells with a price lies within a curve over β." if beyond else "No price is there."
        return finding(claim, NOT_ASKED, reason, [], failed, points=[], beyond=beyond)
    ratios = [each["log_ratio"] for each in told]
    same = sum(abs(ratio) <= SAME_CURVE for ratio in ratios)
    reason = (
        f"At the distortion of each priced cell the curve over β has spikes that differ by a log ratio of "
        f"{span(ratios)} ({same} of {len(ratios)} within {SAME_CURVE:g}; above 0: the priced code spikes more)."
    )
    reason += f" {beyond} priced cells lie beyond the curve." if beyond else ""
    verdicts = [HOLDS if abs(ratio) <= SAME_CURVE else FAILS for ratio in ratios]
    return finding(claim, combined(verdicts), reason, rows, failed, points=told, beyond=beyond)


def _on_curve(point: Point, curve: Curve) -> dict[str, Any] | None:
    level, spikes = point.mean("distortion"), point.mean("spikes_per_image")
    known = [(p.mean("distortion"), p.mean("spikes_per_image"), p) for p in curve.points]
    placed = sorted((d, s, p.beta) for d, s, p in known if d is not None and s is not None and s > 0)
    found = None if level is None else neighbours([d for d, _, _ in placed], level)
    if found is None or not spikes:
        return None
    near, far, share = found
    there = geometric(placed[near][1], placed[far][1], share)
    return {
        "family": curve.family.label,
        "units": curve.units,
        "beta": point.beta,
        "spike_price": point.price,
        "distortion": level,
        "spikes_per_image": spikes,
        "spikes_on_curve": there,
        "between_betas": sorted((placed[near][2], placed[far][2])),
        "log_ratio": math.log(spikes / there),
    }

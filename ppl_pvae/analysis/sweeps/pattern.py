"""The pattern that is called the Poisson code's own, asked of every family: sparser and quieter with every step of β.

Source of the claim: Vafaii & Yates 2026 (arXiv:2602.13421).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ppl_pvae.analysis.sweeps.families import Curve, Row
from ppl_pvae.analysis.sweeps.phrases import SHORT, about, at_units, by_verdict, curve_names, ends_of, worst
from ppl_pvae.analysis.sweeps.trends import Trend, trend
from ppl_pvae.analysis.sweeps.verdicts import FAILS, HOLDS, IN_PART, NOT_ASKED, combined, finding, of_curve

__all__ = ["PATTERN", "pattern"]

PATTERN = (("zeros", 1), ("lifetime_sparseness", 1), ("spikes_per_image", -1), ("coding_rate", -1))
"""Metrics, and the way each goes as β goes up."""


def pattern(curves: Sequence[Curve], failed: Sequence[Row]) -> dict[str, Any]:
    """Does the P-VAE show the pattern at every number of units, and no code that is not Poisson?

    A curve shows it where zeros and lifetime sparseness end higher, activity and nats lower, and no step goes back by
    more than the tolerance: not every step has to go on, nor far. One converged curve of another code that does is
    enough for the claim to fail. Poisson codes with a fixed prior are told and decide nothing.

    Parameters
    ----------
    curves
        Of all families, over β.
    failed
        Cells of any family that ended in an error.
    """
    claim = "Only the Poisson code grows sparser and quieter with β."
    told = [
        (curve, [trend(curve.points, metric, way) for metric, way in PATTERN])
        for curve in curves
        if len(curve.points) > 1
    ]
    verdicts = [combined(each.verdict for each in trends) for _, trends in told]
    details = [
        about(curve)
        | {"shows": verdict == HOLDS, "lacks": [each.metric for each in trends if each.verdict != HOLDS]}
        | of_curve(verdict, curve.rows)
        | {"trends": [each.as_dict() for each in trends]}
        for (curve, trends), verdict in zip(told, verdicts, strict=True)
    ]
    pairs = [(curve, each) for (curve, _), each in zip(told, details, strict=True) if each["verdict"] != NOT_ASKED]
    mine = [each for curve, each in pairs if curve.family.is_pvae]
    others = [(curve, each) for curve, each in pairs if not curve.family.is_poisson]
    showing = [curve for curve, each in others if each["shows"]]
    verdict = _unique(mine, [each for _, each in others])
    own_way = [each for each in mine if each["shows"]]
    reason = (
        f"The P-VAE shows it in {len(own_way)} of {len(mine)} curves over β, codes that are not Poisson in "
        f"{len(showing)} of {len(others)}{_named(showing)}."
    )
    lines = []
    for label in dict.fromkeys(curve.family.label for curve, _ in pairs):
        own = [curve for curve, _ in pairs if curve.family.label == label]
        trends = [each for curve, some in told if curve in own for each in some]
        ends = f"{ends_of(own, 'zeros', 'zeros', percent=True)}, {ends_of(own, 'spikes_per_image', 'activity')}"
        own_details = [each for curve, each in pairs if curve in own]
        lines.append(f"{label}: {by_verdict(own_details)}{_lacking(own_details)}; {ends}. {_on(trends)}{worst(trends)}")
    rows = [row for curve, _ in pairs for row in curve.rows]
    return finding(claim, verdict, reason, rows, failed, lines, curves=details)


def _unique(mine: Sequence[dict[str, Any]], others: Sequence[dict[str, Any]]) -> str:
    if not mine or not others:
        return NOT_ASKED
    seen = any(each["verdict"] == HOLDS for each in others)
    if seen or all(each["verdict"] == FAILS for each in mine):
        return FAILS
    # What shows it with cells that may not have converged is neither a counterexample nor none.
    alone = all(each["shows"] for each in mine) and not any(each["shows"] for each in others)
    return HOLDS if alone else IN_PART


def _lacking(details: Sequence[dict[str, Any]]) -> str:
    """Which of the metrics do not go all the way, or not at every step, as the pattern has it."""
    lacking = ((SHORT[metric], each["units"]) for metric, _ in PATTERN for each in details if metric in each["lacks"])
    said = at_units(lacking)
    return f", not in {' and '.join(said)}" if said else ""


def _on(trends: Sequence[Trend]) -> str:
    on, steps = (sum(getattr(each, name) for each in trends) for name in ("steps_as_said", "steps"))
    return f"{on} of {steps} steps go its way by more than the tolerance. "


def _named(curves: Sequence[Curve]) -> str:
    return f" ({curve_names(curves)})" if curves else ""

"""The claims about the rectified Gaussians, each judged by the cells of a sweep: no coupling, and no change.

Source of the claims: Vafaii & Yates 2026 (arXiv:2602.13421).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ppl_pvae.analysis.sweeps.collapse import is_collapsed, said_of_collapse
from ppl_pvae.analysis.sweeps.families import Curve, Row
from ppl_pvae.analysis.sweeps.phrases import about, at_units, by_verdict, left_out, span
from ppl_pvae.analysis.sweeps.trends import COUPLED, UNCOUPLED, exponents, range_of
from ppl_pvae.analysis.sweeps.verdicts import FAILS, HOLDS, IN_PART, NOT_ASKED, combined, finding, of_curve

__all__ = ["UNCHANGED_RATIO", "UNCHANGED_SHARE", "coupling", "unchanged"]

UNCHANGED_SHARE = 0.05
"""A share (zeros, R², active units) whose range over β is at most this is called unchanged."""
UNCHANGED_RATIO = 1.25
"""Activity whose largest mean over β is at most this multiple of the smallest is called unchanged."""


def coupling(curves: Sequence[Curve], failed: Sequence[Row]) -> dict[str, Any]:
    """Claim 3: activity of a rectified Gaussian does not follow its nats. Each family is looked at by itself.

    Parameters
    ----------
    curves
        Of all families, over β.
    failed
        Cells of rectified Gaussians that ended in an error.
    """
    claim = "A Gaussian VAE has no such coupling."
    mine = _rectified(curves)
    told = [(curve, exponents(curve.points), _ratio(curve)) for curve in mine]
    known = [(curve, e, ratio) for curve, e, ratio in told if e.activity_exponent is not None]
    details = [
        about(curve) | e.as_dict() | {"activity_ratio": ratio} | of_curve(_of_coupling(e.activity_exponent), curve.rows)
        for curve, e, ratio in told
    ]
    others = _left_out(curves, [curve for curve, _, _ in known])
    if not known:
        return finding(
            claim, NOT_ASKED, f"No rectified Gaussian is there at two β.{others}", [], failed, curves=details
        )
    verdicts = [_of_coupling(e.activity_exponent) for _, e, _ in known]
    parts = []
    for label in dict.fromkeys(curve.family.label for curve, _, _ in known):
        own = [(e, ratio) for curve, e, ratio in known if curve.family.label == label]
        parts.append(
            f"{label}: exponent {span(e.activity_exponent for e, _ in own)}, activity changes "
            f"{span((ratio for _, ratio in own), 1) or 'unknown'}-fold; "
            f"{by_verdict([each for each in details if each['family'] == label and each['verdict'] != NOT_ASKED])}."
        )
    few, many = (sum(verdict == wanted for verdict in verdicts) for wanted in (HOLDS, FAILS))
    reason = (
        f"With an exponent of activity against nats below {UNCOUPLED:g} over β a code counts as uncoupled, from "
        f"{COUPLED:g} on as coupled: {few} and {many} of {len(verdicts)} curves of rectified Gaussians are.{others}"
    )
    rows = [row for curve, _, _ in known for row in curve.rows]
    return finding(claim, combined(verdicts), reason, rows, failed, parts, curves=details)


def _of_coupling(exponent: float | None) -> str:
    if exponent is None:
        return NOT_ASKED
    return HOLDS if abs(exponent) < UNCOUPLED else IN_PART if abs(exponent) < COUPLED else FAILS


def unchanged(curves: Sequence[Curve], failed: Sequence[Row]) -> dict[str, Any]:
    """Claim 5: the representation of the control stays as it is. Zeros alone do not say so: a collapsed code has ½.

    Zeros, active units and R² have to stay within 0.05 and activity within a factor of 1.25 over β. Where zeros alone
    do, it holds in part. Who has collapsed is told of all families, by one rule.
    """
    claim = "Rectified Gaussian representations stay as they are."
    mine = _rectified(curves)
    others = _left_out(curves, mine)
    if not mine:
        return finding(claim, NOT_ASKED, f"No rectified Gaussian is there at two β.{others}", [], failed, curves=[])
    told = [(curve, _ranges(curve)) for curve in mine]
    verdicts = [_of_change(ranges) for _, ranges in told]
    details = [
        about(curve) | ranges | of_curve(verdict, curve.rows)
        for (curve, ranges), verdict in zip(told, verdicts, strict=True)
    ]
    parts = []
    for label in dict.fromkeys(each["family"] for each in details):
        own = [each for each in details if each["family"] == label]
        parts.append(f"{label}: {_said(own)}; {by_verdict(own)}.")
    zeros, all_of_it = (sum(verdict in wanted for verdict in verdicts) for wanted in ((HOLDS, IN_PART), (HOLDS,)))
    reason = (
        f"Zeros stay within {UNCHANGED_SHARE:g} over β in {zeros} of {len(details)} curves; R², active units (within "
        f"{UNCHANGED_SHARE:g}) and activity (within a factor of {UNCHANGED_RATIO:g}) stay as well in {all_of_it}. "
        f"{said_of_collapse(curves)}{others} Ranges over β:"
    )
    rows = [row for curve in mine for row in curve.rows]
    return finding(claim, combined(verdicts), reason, rows, failed, parts, curves=details)


def _rectified(curves: Sequence[Curve]) -> list[Curve]:
    return [curve for curve in curves if curve.family.is_rectified and len(curve.points) > 1]


def _left_out(curves: Sequence[Curve], judged: Sequence[Curve]) -> str:
    return left_out([curve for curve in curves if curve.family.is_rectified], judged, lambda _: "one β or no numbers")


def _ratio(curve: Curve) -> float | None:
    """Largest mean activity over β over the smallest."""
    ends = range_of(curve.points, "spikes_per_image")
    return None if ends is None or ends[0] <= 0 else ends[1] / ends[0]


def _ranges(curve: Curve) -> dict[str, Any]:
    shares = {name: range_of(curve.points, name) for name in ("zeros", "r2", "active_units")}
    ratio = _ratio(curve)
    still = {name: ends is not None and ends[1] - ends[0] <= UNCHANGED_SHARE for name, ends in shares.items()}
    return {
        **{f"{name}_range": ends for name, ends in shares.items()},
        "still": still,
        "activity_ratio": ratio,
        "collapsed_at": [point.beta for point in curve.points if is_collapsed(point)],
    }


def _of_change(ranges: dict[str, Any]) -> str:
    if any(ranges[f"{name}_range"] is None for name in ranges["still"]):
        return NOT_ASKED
    ratio = ranges["activity_ratio"]
    everything = all(ranges["still"].values()) and ratio is not None and ratio <= UNCHANGED_RATIO
    return HOLDS if everything else IN_PART if ranges["still"]["zeros"] else FAILS


def _said(own: Sequence[dict[str, Any]]) -> str:
    def ends(name: str) -> str:
        return span(value for each in own if each[name] for value in each[name]) or "unknown"

    said = (
        f"zeros {ends('zeros_range')}, activity {span((each['activity_ratio'] for each in own), 1) or 'unknown'}-fold, "
        f"R² {ends('r2_range')}, active units {ends('active_units_range')}"
    )
    gone = [each for each in own if each["collapsed_at"]]
    if gone:
        beside = " beside unchanged zeros" if all(each["still"]["zeros"] for each in gone) else ""
        where = "; ".join(at_units((", ".join(f"{b:g}" for b in each["collapsed_at"]), each["units"]) for each in gone))
        said += f"; collapses{beside} at {len(gone)} of {len(own)} numbers of units (β = {where})"
    return said

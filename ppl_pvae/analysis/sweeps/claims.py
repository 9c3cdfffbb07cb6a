"""The claims about the P-VAE, each judged by the cells of a sweep: proportion, trade, sparsity.

Source of the claims: Vafaii & Yates 2026 (arXiv:2602.13421).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ppl_pvae.analysis.sweeps.families import Curve, Point, Row
from ppl_pvae.analysis.sweeps.phrases import about, betas_of, by_verdict, ends_of, left_out, span, worst
from ppl_pvae.analysis.sweeps.trends import COUPLED, UNCOUPLED, Exponents, Trend, exponents, range_of, trend
from ppl_pvae.analysis.sweeps.verdicts import FAILS, HOLDS, IN_PART, NOT_ASKED, combined, finding, of_curve

__all__ = ["PARTLY_PROPORTIONAL", "PROPORTIONAL", "proportion", "sparsity", "trade"]

PROPORTIONAL = 0.2
"""An elasticity this near 1 is called proportional."""
PARTLY_PROPORTIONAL = 0.5
"""And this near 1, above as below, proportional in part."""

_TRADE = (("coding_rate", -1), ("spikes_per_image", -1), ("distortion", 1), ("r2", -1))
_SPARSER = (("zeros", 1), ("lifetime_sparseness", 1), ("firing_rate", -1), ("spikes_per_image", -1))


def proportion(curves: Sequence[Curve], failed: Sequence[Row]) -> dict[str, Any]:
    """Claim 1: do nats follow spikes in proportion as β goes up? All a sweep can say about KL and rates.

    Parameters
    ----------
    curves
        Of all families, over β.
    failed
        Cells of the P-VAE that ended in an error.
    """
    claim = "In the Poisson free energy the KL is proportional to the prior firing rates."
    told = {id(curve): exponents(curve.points) for curve in curves}
    pvae = [curve for curve in curves if curve.family.is_pvae]
    mine = [curve for curve in pvae if told[id(curve)].elasticity is not None]
    details = [
        about(curve) | told[id(curve)].as_dict() | _judged_proportion(curve, told[id(curve)]) for curve in curves
    ]
    honest = (
        "KL_k = r_k f(gain_k) is an identity, so that the claim itself is answered by fixing the rates, and not by a "
        "sweep; what a sweep shows is how nats follow spikes over β."
    )
    others = left_out(_poisson(curves), mine, lambda c: _why_not(c, "fewer than two β at which it spikes"))
    if not mine:
        reason = f"{honest} No P-VAE has two β at which it spikes.{others}"
        return finding(claim, NOT_ASKED, reason, [], failed, curves=details)
    elasticities = [told[id(curve)].elasticity for curve in mine]
    silent = sum(told[id(curve)].silent for curve in mine)
    reason = (
        f"{honest} Elasticity d log nats / d log spikes of the P-VAE: {span(elasticities)} over {_count(mine)} "
        f"(proportional: 1 ± {PROPORTIONAL:g}, in part: 1 ± {PARTLY_PROPORTIONAL:g})"
        f"{f'; {silent} points with fewer than 0.01 spikes per image left out' if silent else ''}."
    )
    if beside := span(told[id(curve)].elasticity for curve in curves if curve.family.is_rectified):
        reason += f" Of the rectified Gaussians, against their activity and without a verdict: {beside}."
    lines = [
        f"{label}: elasticity {span(told[id(curve)].elasticity for curve in own)}; "
        f"{by_verdict([d for c, d in zip(curves, details, strict=True) if c in own])}."
        for label, own in _by_family(mine).items()
    ]
    rows = [row for curve in mine for row in curve.rows]
    return finding(
        claim, combined(map(_of_proportion, elasticities)), reason + others, rows, failed, lines, curves=details
    )


def _judged_proportion(curve: Curve, e: Exponents) -> dict[str, Any]:
    """The verdict of a curve; None for what is no P-VAE, of which the claim says nothing."""
    if not curve.family.is_pvae:
        return {"verdict": None, "capped": False, "caveat": ""}
    return of_curve(_of_proportion(e.elasticity), curve.rows)


def _of_proportion(elasticity: float | None) -> str:
    if elasticity is None:
        return NOT_ASKED
    off = abs(elasticity - 1)
    return HOLDS if off <= PROPORTIONAL else IN_PART if off <= PARTLY_PROPORTIONAL else FAILS


def trade(curves: Sequence[Curve], failed: Sequence[Row]) -> dict[str, Any]:
    """Claim 2: nats and spikes are coupled in the P-VAE, and β trades fidelity against energy.

    Coupled means that activity follows nats with an exponent of at least 0.5; traded, that nats, activity and R² fall
    and distortion rises with every step of β.
    """
    claim = "Coding rate and firing rate are coupled, and β trades fidelity against energy."
    mine, others = _over_beta(curves)
    if not mine:
        return finding(claim, NOT_ASKED, f"No P-VAE is there at two β.{others}", [], failed, curves=[])
    told = [(curve, exponents(curve.points), _trends(curve.points, _TRADE)) for curve in mine]
    details = [
        about(curve)
        | e.as_dict()
        | of_curve(combined([_of_coupling(e), *(t.verdict for t in trends)]), curve.rows)
        | {"range": _ranges(curve.points, _TRADE), "trends": [t.as_dict() for t in trends]}
        for curve, e, trends in told
    ]
    trends = [each for _, _, trends in told for each in trends]
    reason = (
        f"Activity follows nats with exponent {span(e.activity_exponent for _, e, _ in told) or 'unknown'} "
        f"(coupled from {COUPLED:g}), over {betas_of(mine)}. {worst(trends)}{others}"
    )
    lines = [
        f"{label}: exponent {span(d['activity_exponent'] for d in _details(details, label)) or 'unknown'}, "
        f"{ends_of(own, 'spikes_per_image', 'spikes per image')}, {ends_of(own, 'r2', 'R²')}; "
        f"{by_verdict(_details(details, label))}."
        for label, own in _by_family(mine).items()
    ]
    verdict = combined([*(_of_coupling(e) for _, e, _ in told), *(each.verdict for each in trends)])
    rows = [row for curve in mine for row in curve.rows]
    return finding(claim, verdict, reason, rows, failed, lines, curves=details)


def _of_coupling(e: Exponents) -> str:
    if e.activity_exponent is None:
        return NOT_ASKED
    return HOLDS if e.activity_exponent >= COUPLED else IN_PART if e.activity_exponent >= UNCOUPLED else FAILS


def sparsity(curves: Sequence[Curve], failed: Sequence[Row]) -> dict[str, Any]:
    """Claim 4: larger β raises sparsity and lowers mean activity monotonically in the P-VAE, at each number of units.

    Beside it, deciding nothing: how zeros, activity per unit and activity per image move with the number of units at
    each β. That per unit falls by arithmetic as units are added.
    """
    claim = "Larger β raises sparsity and lowers mean activity monotonically in the P-VAE."
    mine, others = _over_beta(curves)
    if not mine:
        return finding(claim, NOT_ASKED, f"No P-VAE is there at two β.{others}", [], failed, curves=[], over_units=[])
    told = [(curve, _trends(curve.points, _SPARSER)) for curve in mine]
    trends = [each for _, trends in told for each in trends]
    across = _over_units([curve for curve in curves if curve.family.is_pvae])
    details = [
        about(curve)
        | of_curve(combined(t.verdict for t in trends), curve.rows)
        | {"range": _ranges(curve.points, _SPARSER), "trends": [t.as_dict() for t in trends]}
        for curve, trends in told
    ]
    reason = f"Over {betas_of(mine)}: {worst(trends)}{_said_of_units(across)}{others}"
    lines = [
        f"{label}: {ends_of(own, 'zeros', 'zeros', percent=True)}, "
        f"{ends_of(own, 'spikes_per_image', 'spikes per image')}; {by_verdict(_details(details, label))}."
        for label, own in _by_family(mine).items()
    ]
    rows = [row for curve in mine for row in curve.rows]
    verdict = combined(each.verdict for each in trends)
    return finding(claim, verdict, reason, rows, failed, lines, curves=details, over_units=across)


def _poisson(curves: Sequence[Curve]) -> list[Curve]:
    return [curve for curve in curves if curve.family.is_poisson]


def _over_beta(curves: Sequence[Curve]) -> tuple[list[Curve], str]:
    """The curves of the P-VAE that have two β, and who else is Poisson and why it is not judged."""
    mine = [curve for curve in curves if curve.family.is_pvae and len(curve.points) > 1]
    return mine, left_out(_poisson(curves), mine, lambda curve: _why_not(curve, "one β"))


def _why_not(curve: Curve, otherwise: str) -> str:
    return otherwise if curve.family.is_pvae else "its prior is fixed"


def _by_family(curves: Sequence[Curve]) -> dict[str, list[Curve]]:
    found: dict[str, list[Curve]] = {}
    for curve in curves:
        found.setdefault(curve.family.label, []).append(curve)
    return found


def _details(details: Sequence[dict[str, Any]], label: str) -> list[dict[str, Any]]:
    return [each for each in details if each["family"] == label]


def _over_units(curves: Sequence[Curve]) -> list[dict[str, Any]]:
    """Trends over the number of units at each β of each family."""
    places = dict.fromkeys((curve.family, point.beta) for curve in curves for point in curve.points)
    found = []
    for family, beta in places:
        points = [p for curve in curves if curve.family == family for p in curve.points if p.beta == beta]
        points = sorted(points, key=lambda point: point.units)
        if len(points) > 1:
            trends = _trends(points, (("zeros", 1), ("firing_rate", -1), ("spikes_per_image", -1)), "units")
            found.append(
                {"family": family.label, "beta": beta, "units": [p.units for p in points]}
                | {"trends": [each.as_dict() for each in trends]}
            )
    return found


def _said_of_units(across: Sequence[dict[str, Any]]) -> str:
    if not across:
        return ""

    def share(metric: str) -> str:
        trends = [each for place in across for each in place["trends"] if each["metric"] == metric]
        steps = sum(each["steps"] for each in trends)
        return f"{steps - sum(each['violations'] for each in trends)} of {steps}"

    return (
        f" With more units at one β, activity per unit does not rise in {share('firing_rate')} steps, in part by "
        f"arithmetic; activity per image does not rise in {share('spikes_per_image')}, and zeros do not fall in "
        f"{share('zeros')}."
    )


def _trends(points: Sequence[Point], metrics: Sequence[tuple[str, int]], along: str = "beta") -> list[Trend]:
    return [trend(points, metric, direction, along) for metric, direction in metrics]


def _ranges(points: Sequence[Point], metrics: Sequence[tuple[str, int]]) -> dict[str, tuple[float, float] | None]:
    return {metric: range_of(points, metric) for metric, _ in metrics}


def _count(curves: Sequence[Curve]) -> str:
    return "one curve" if len(curves) == 1 else f"{len(curves)} curves"

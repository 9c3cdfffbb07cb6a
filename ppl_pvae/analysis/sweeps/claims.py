"""The claims about the P-VAE, each judged by the cells of a sweep: proportion, trade, sparsity.

Source of the claims: Vafaii & Yates 2026 (arXiv:2602.13421).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ppl_pvae.analysis.sweeps.families import Curve, Point, Row
from ppl_pvae.analysis.sweeps.trends import Exponents, Trend, exponents, range_of, trend
from ppl_pvae.analysis.sweeps.verdicts import FAILS, HOLDS, IN_PART, NOT_ASKED, combined, finding
from ppl_pvae.analysis.words import number

__all__ = ["COUPLED", "PROPORTIONAL", "about", "proportion", "sparsity", "span", "trade", "worst"]

PROPORTIONAL = 0.2
"""An elasticity this near 1 is called proportional."""
COUPLED = 0.5
"""From this elasticity of activity against nats on, the two are called coupled."""

_TRADE = (("coding_rate", -1), ("spikes_per_image", -1), ("distortion", 1), ("r2", -1))
_SPARSER = (("zeros", 1), ("lifetime_sparseness", 1), ("firing_rate", -1), ("spikes_per_image", -1))
_SHORT = {
    "zeros": "zeros",
    "lifetime_sparseness": "lifetime sparseness",
    "firing_rate": "activity per unit",
    "spikes_per_image": "activity per image",
    "coding_rate": "nats",
    "distortion": "distortion",
    "r2": "R²",
}


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
    told = [(curve, exponents(curve.points)) for curve in curves]
    mine = [(curve, e) for curve, e in told if curve.family.is_pvae and e.elasticity is not None]
    details = [about(curve) | e.as_dict() | {"verdict": _of_proportion(e.elasticity)} for curve, e in told]
    honest = (
        "KL_k = r_k f(gain_k) is an identity, so that the claim itself is answered by fixing the rates, and not by a "
        "sweep; what a sweep shows is how nats follow spikes over β."
    )
    if not mine:
        return finding(claim, NOT_ASKED, f"{honest} No P-VAE has two β at which it spikes.", [], failed, curves=details)
    verdicts = [_of_proportion(e.elasticity) for _, e in mine]
    beside = [e for curve, e in told if curve.family.is_rectified]
    reason = (
        f"{honest} Elasticity d log nats / d log spikes of the P-VAE: {span(e.elasticity for _, e in mine)} over "
        f"{_curves(mine)} (proportional: 1 ± {PROPORTIONAL:g}){_silent(mine)}."
    )
    if elasticities := span(e.elasticity for e in beside):
        reason += f" Of the rectified Gaussians, against their activity: {elasticities}."
    rows = [row for curve, _ in mine for row in curve.rows]
    return finding(claim, combined(verdicts), reason, rows, failed, curves=details)


def _of_proportion(elasticity: float | None) -> str:
    if elasticity is None:
        return NOT_ASKED
    if abs(elasticity - 1) <= PROPORTIONAL:
        return HOLDS
    return IN_PART if elasticity >= COUPLED else FAILS


def trade(curves: Sequence[Curve], failed: Sequence[Row]) -> dict[str, Any]:
    """Claim 2: nats and spikes are coupled in the P-VAE, and β trades fidelity against energy.

    Coupled means that activity follows nats with an exponent of at least 0.5; traded, that nats, activity and R² fall
    and distortion rises with every step of β.
    """
    claim = "Coding rate and firing rate are coupled, and β trades fidelity against energy."
    mine = [curve for curve in curves if curve.family.is_pvae and len(curve.points) > 1]
    if not mine:
        return finding(claim, NOT_ASKED, "No P-VAE is there at two β.", [], failed, curves=[])
    told = [(curve, exponents(curve.points), _trends(curve.points, _TRADE)) for curve in mine]
    coupling = [_of_coupling(e) for _, e, _ in told]
    trends = [each for _, _, trends in told for each in trends]
    reason = (
        f"Activity follows nats with exponent {span(e.activity_exponent for _, e, _ in told) or 'unknown'} "
        f"(coupled from {COUPLED:g}), over {_betas(mine)}: {_ends(mine, 'spikes_per_image', 'spikes per image')}; "
        f"{_ends(mine, 'r2', 'R²')}. {worst(trends)}"
    )
    details = [
        about(curve)
        | e.as_dict()
        | {"verdict": combined([_of_coupling(e), *(t.verdict for t in trends)])}
        | {"range": _ranges(curve.points, _TRADE), "trends": [t.as_dict() for t in trends]}
        for curve, e, trends in told
    ]
    verdict = combined([*coupling, *(each.verdict for each in trends)])
    return finding(claim, verdict, reason, [row for curve in mine for row in curve.rows], failed, curves=details)


def _of_coupling(e: Exponents) -> str:
    if e.activity_exponent is None:
        return NOT_ASKED
    return HOLDS if e.activity_exponent >= COUPLED else FAILS


def sparsity(curves: Sequence[Curve], failed: Sequence[Row]) -> dict[str, Any]:
    """Claim 4: larger β raises sparsity and lowers mean activity monotonically in the P-VAE, at each number of units.

    Beside it, deciding nothing: how zeros, activity per unit and activity per image move with the number of units at
    each β. That per unit falls by arithmetic as units are added.
    """
    claim = "Larger β raises sparsity and lowers mean activity monotonically in the P-VAE."
    mine = [curve for curve in curves if curve.family.is_pvae and len(curve.points) > 1]
    if not mine:
        return finding(claim, NOT_ASKED, "No P-VAE is there at two β.", [], failed, curves=[], over_units=[])
    told = [(curve, _trends(curve.points, _SPARSER)) for curve in mine]
    trends = [each for _, trends in told for each in trends]
    across = _over_units([curve for curve in curves if curve.family.is_pvae])
    reason = (
        f"Over {_betas(mine)}: {_ends(mine, 'zeros', 'zeros', percent=True)}; "
        f"{_ends(mine, 'spikes_per_image', 'spikes per image')}. {worst(trends)}{_said_of_units(across)}"
    )
    details = [
        about(curve)
        | {"verdict": combined(t.verdict for t in trends)}
        | {"range": _ranges(curve.points, _SPARSER), "trends": [t.as_dict() for t in trends]}
        for curve, trends in told
    ]
    rows = [row for curve in mine for row in curve.rows]
    verdict = combined(each.verdict for each in trends)
    return finding(claim, verdict, reason, rows, failed, curves=details, over_units=across)


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


def about(curve: Curve) -> dict[str, Any]:
    """Whose numbers these are: family, units, the β that are there and how many seeds each has."""
    return {
        "family": curve.family.label,
        "units": curve.units,
        "betas": [point.beta for point in curve.points],
        "seeds": [len(point.rows) for point in curve.points],
        "unconverged_points": sum(not point.converged for point in curve.points),
    }


def span(values: Any, digits: int = 2) -> str:
    """Smallest and largest of some numbers in words, None left out; empty where there is none."""
    known = sorted(value for value in values if value is not None)
    if not known:
        return ""
    ends = [f"{value:.{digits}f}".replace("-", "−") for value in (known[0], known[-1])]
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def worst(trends: Sequence[Trend]) -> str:
    """How many steps of some trends go against what was said, and how large the largest is."""
    steps, against = (sum(getattr(each, name) for each in trends) for name in ("steps", "violations"))
    if not against:
        return f"None of {steps} steps between neighbouring β goes the other way."
    worst_one = max((each for each in trends if each.violations), key=_relative)
    spreads = worst_one.largest_in_spreads
    near, far = worst_one.largest_at or (0.0, 0.0)
    in_spreads = "no spread of seeds to compare with" if spreads is None else f"{spreads:.1f} seed spreads"
    known = sum(each.violations_converged for each in trends)
    return (
        f"{against} of {steps} steps between neighbouring β go the other way, {known} of them between converged cells; "
        f"the largest is of {_SHORT.get(worst_one.metric, worst_one.metric)} between β = {near:g} and {far:g}, by "
        f"{number(worst_one.largest)} ({in_spreads})."
    )


def _relative(each: Trend) -> float:
    """A violation as part of the range between the ends, to find the worst of several metrics."""
    whole = abs((each.last or 0.0) - (each.first or 0.0))
    return (each.largest or 0.0) / whole if whole > 0 else float("inf")


def _trends(points: Sequence[Point], metrics: Sequence[tuple[str, int]], along: str = "beta") -> list[Trend]:
    return [trend(points, metric, direction, along) for metric, direction in metrics]


def _ranges(points: Sequence[Point], metrics: Sequence[tuple[str, int]]) -> dict[str, tuple[float, float] | None]:
    return {metric: range_of(points, metric) for metric, _ in metrics}


def _ends(curves: Sequence[Curve], metric: str, name: str, *, percent: bool = False) -> str:
    """Where a metric starts and ends, for the smallest and the largest number of units."""

    def ends(curve: Curve) -> str:
        shown = [curve.points[i].mean(metric) for i in (0, -1)]
        told = ["–" if v is None else f"{100 * v:.3g}%" if percent else _round(v) for v in shown]
        return " to ".join(told)

    picked = dict.fromkeys((min(curves, key=lambda c: c.units).units, max(curves, key=lambda c: c.units).units))
    first = {curve.units: curve for curve in reversed(curves)}
    told = " and ".join(f"{ends(first[units])} at K = {units}" for units in picked)
    return f"{name} from {told}"


def _round(value: float) -> str:
    return (f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}").replace("-", "−", 1)


def _betas(curves: Sequence[Curve]) -> str:
    betas = [point.beta for curve in curves for point in curve.points]
    units = sorted({curve.units for curve in curves})
    many = f"K = {units[0]}" if len(units) == 1 else f"{len(units)} numbers of units"
    return f"β from {min(betas):g} to {max(betas):g} and {many}"


def _curves(told: Sequence[Any]) -> str:
    return "one curve" if len(told) == 1 else f"{len(told)} curves"


def _silent(told: Sequence[tuple[Curve, Exponents]]) -> str:
    silent = sum(e.silent for _, e in told)
    return f"; {silent} points with fewer than 0.01 spikes per image left out" if silent else ""

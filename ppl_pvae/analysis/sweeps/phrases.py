"""How the reasons of findings are worded: whose numbers, ranges and ends, steps the wrong way, who is left out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ppl_pvae.analysis.sweeps.families import Curve
from ppl_pvae.analysis.sweeps.trends import Trend
from ppl_pvae.analysis.words import number

__all__ = [
    "SHORT",
    "about",
    "at_units",
    "between",
    "betas_of",
    "by_verdict",
    "curve_name",
    "curve_names",
    "ends_of",
    "left_out",
    "span",
    "worst",
]

SHORT = {
    "zeros": "zeros",
    "lifetime_sparseness": "lifetime sparseness",
    "firing_rate": "activity per unit",
    "spikes_per_image": "activity per image",
    "coding_rate": "nats",
    "distortion": "distortion",
    "r2": "R²",
}
"""Metrics in the words of a reason."""


def about(curve: Curve) -> dict[str, Any]:
    """Whose numbers these are: family, units, the β that are there and how many seeds each has."""
    return {
        "family": curve.family.label,
        "units": curve.units,
        "betas": [point.beta for point in curve.points],
        "seeds": [len(point.rows) for point in curve.points],
        "unconverged_points": sum(not point.converged for point in curve.points),
    }


def curve_name(curve: Curve) -> str:
    """Family and number of units."""
    return f"{curve.family.label}, K = {curve.units}"


def at_units(said: Iterable[tuple[str, int]]) -> list[str]:
    """What is said at several numbers of units, told once: `"nothing at K = 32, 64"` of the same text at 32 and 64."""
    units: dict[str, list[str]] = {}
    for text, count in said:
        units.setdefault(text, []).append(str(count))
    return [f"{text} at K = {', '.join(where)}" for text, where in units.items()]


def curve_names(curves: Sequence[Curve], note: Callable[[Curve], str] | None = None) -> str:
    """Families, each with its numbers of units, and in brackets what is to be noted of them, if it is the same."""
    units: dict[tuple[str, str], list[str]] = {}
    for curve in curves:
        noted = f" ({note(curve)})" if note is not None else ""
        units.setdefault((curve.family.label, noted), []).append(str(curve.units))
    return "; ".join(f"{label}, K = {', '.join(where)}{noted}" for (label, noted), where in units.items())


def span(values: Any, digits: int = 2) -> str:
    """Smallest and largest of some numbers in words, None left out; empty where there is none."""
    known = sorted(value for value in values if value is not None)
    if not known:
        return ""
    ends = [f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−") for value in (known[0], known[-1])]
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def worst(trends: Sequence[Trend]) -> str:
    """How many steps of some trends go against what was said, and where and how large the largest are.

    The largest of a share and of an amount stand side by side, for they are measured on different scales, and so does
    the largest in seed spreads, which need be neither.
    """
    steps, against, known = (
        sum(getattr(each, name) for each in trends) for name in ("steps", "violations", "violations_converged")
    )
    if not against:
        return f"None of {steps} steps between neighbouring β goes the other way."
    said = (
        f"{against} of {steps} steps between neighbouring β go the other way, {known} of them between converged cells"
    )
    for scale, kind in (("difference", "a share"), ("log ratio", "an amount")):
        wrong = [each for each in trends if each.scale == scale and each.largest is not None]
        if wrong:
            one = max(wrong, key=lambda each: each.largest or 0.0)
            said += f"; the largest of {kind} is of {SHORT.get(one.metric, one.metric)} {between(one.largest_at)}"
            said += f", by {size_of(one)}"
    told = [each for each in trends if each.largest_in_spreads is not None]
    if not told:
        return f"{said} (no spread of seeds to compare with)."
    one = max(told, key=lambda each: each.largest_in_spreads or 0.0)
    return (
        f"{said}; in seed spreads the largest is of {SHORT.get(one.metric, one.metric)} "
        f"{between(one.largest_in_spreads_at)}, {one.largest_in_spreads:.1f} seed spreads."
    )


def size_of(one: Trend) -> str:
    """The largest violation on its scale in words."""
    if one.scale == "difference" or one.largest is None:
        return number(one.largest)
    return f"a factor of {math.exp(one.largest):.3g}"


def between(betas: tuple[float, float] | None) -> str:
    """On either side of a step."""
    return "" if betas is None else f"between β = {betas[0]:g} and {betas[1]:g}"


def by_verdict(details: Sequence[Mapping[str, Any]]) -> str:
    """Verdicts of one family by the number of units, and where one is held back by cells that are not settled."""
    said = ", ".join(at_units((each["verdict"], each["units"]) for each in details))
    held = [str(each["units"]) for each in details if each["capped"]]
    return said + (f" (held back by cells not known to have converged at K = {', '.join(held)})" if held else "")


def left_out(curves: Sequence[Curve], judged: Sequence[Curve], why: Callable[[Curve], str]) -> str:
    """Who is not judged, and why; empty where everybody is."""
    names = curve_names([curve for curve in curves if curve not in judged], why)
    return f" Not judged: {names}." if names else ""


def ends_of(curves: Sequence[Curve], metric: str, name: str, *, percent: bool = False) -> str:
    """Where a metric of one family starts and ends, for the smallest and the largest number of units."""

    def ends(curve: Curve) -> str:
        shown = [curve.points[i].mean(metric) for i in (0, -1)]
        told = ["–" if v is None else f"{100 * v:.3g}%" if percent else _round(v) for v in shown]
        return " to ".join(told)

    placed = sorted(curves, key=lambda curve: curve.units)
    picked = placed[:1] if len(placed) == 1 else [placed[0], placed[-1]]
    return f"{name} from {' and '.join(f'{ends(curve)} at K = {curve.units}' for curve in picked)}"


def _round(value: float) -> str:
    return (f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}").replace("-", "−", 1)


def betas_of(curves: Sequence[Curve]) -> str:
    """The β and numbers of units of some curves."""
    betas = [point.beta for curve in curves for point in curve.points]
    units = sorted({curve.units for curve in curves})
    many = f"K = {units[0]}" if len(units) == 1 else f"{len(units)} numbers of units"
    return f"β from {min(betas):g} to {max(betas):g} and {many}"

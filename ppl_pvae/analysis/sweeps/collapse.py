"""Where a code has collapsed: it explains nothing and hardly a unit is in use, whatever its zeros say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ppl_pvae.analysis.sweeps.families import Curve, Point
from ppl_pvae.analysis.sweeps.phrases import about, curve_names

__all__ = ["GONE", "collapses", "is_collapsed", "said_of_collapse"]

GONE = 0.05
"""A code with R² and a share of active units below this has collapsed."""


def is_collapsed(point: Point) -> bool:
    """Whether R² and the share of active units are both below 0.05, in the mean over seeds."""
    values = [point.mean(name) for name in ("r2", "active_units")]
    return all(value is not None and value < GONE for value in values)


def collapses(curves: Sequence[Curve]) -> list[dict[str, Any]]:
    """Every family at each number of units, side by side, asked the same.

    A share of active units is coarse where there are few units: one of 64 is 0.016, one of 512 is 0.002.

    Parameters
    ----------
    curves
        Of all families, over β.

    Returns
    -------
    list
        Whose each is, `collapsed_at` (the β at which it is collapsed), and by β `zeros`, `r2` and `active_units`.
    """
    return [
        about(curve)
        | {"collapsed_at": [point.beta for point in curve.points if is_collapsed(point)]}
        | {name: [point.mean(name) for point in curve.points] for name in ("zeros", "r2", "active_units")}
        for curve in curves
    ]


def said_of_collapse(curves: Sequence[Curve]) -> str:
    """Who has collapsed and at which β, in a sentence; of every family, so that none is held against the others."""
    told = curve_names([curve for curve in curves if any(map(is_collapsed, curve.points))], _where)
    rule = f"R² and active units both below {GONE:g}"
    return f"Collapsed, with {rule}: {told}." if told else f"No code of any family has {rule}."


def _where(curve: Curve) -> str:
    gone = [point for point in curve.points if is_collapsed(point)]
    open_ones = "" if all(point.converged for point in gone) else ", not all converged"
    return f"β = {', '.join(f'{point.beta:g}' for point in gone)}{open_ones}"

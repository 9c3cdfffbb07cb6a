"""Every curve over β asked the same: ranges, steps the wrong way, and how nats and activity go together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ppl_pvae.analysis.sweeps.families import Curve
from ppl_pvae.analysis.sweeps.pattern import PATTERN
from ppl_pvae.analysis.sweeps.phrases import about
from ppl_pvae.analysis.sweeps.trends import exponents, range_of, trend

__all__ = ["curve_records"]

_METRICS = (*PATTERN, ("distortion", 1), ("r2", -1), ("active_units", -1))
"""Metrics, and the way that the P-VAE is said to go as β goes up: the way of all, so that families can be compared."""


def curve_records(curves: Sequence[Curve]) -> list[dict[str, Any]]:
    """The numbers that the claims are judged by, of every family at each number of units.

    Parameters
    ----------
    curves
        Of all families, over β.

    Returns
    -------
    list
        Whose each is; `elasticity` (d log nats / d log activity) and `activity_exponent` (d log activity / d log nats);
        and by metric its `range` over β, and, where there are two β or more, `steps` between neighbours, the
        `violations` among them (steps against the way of the P-VAE by more than the tolerance), and the largest as a
        difference or log ratio and `in seed spreads`, each with its β.
    """
    return [
        about(curve)
        | exponents(curve.points).as_dict()
        | {"metrics": {name: _of(curve, name, way) for name, way in _METRICS}}
        for curve in curves
    ]


def _of(curve: Curve, metric: str, way: int) -> dict[str, Any]:
    found: dict[str, Any] = {"range": range_of(curve.points, metric)}
    if len(curve.points) > 1:
        told = trend(curve.points, metric, way).as_dict()
        found |= {name: value for name, value in told.items() if name not in ("metric", "verdict")}
    return found

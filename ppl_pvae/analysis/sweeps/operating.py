"""Where information is cheapest: the best β and number of units as the cost of rest goes up, beside a prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ppl_pvae.analysis.energy import BUDGETS, best_operating_points
from ppl_pvae.analysis.sweeps.families import Point, Row, beta_curves, fitted, price_curves

__all__ = ["RATIOS", "AnyCode", "Operating", "best_of_any_code", "budget_points", "levy_baxter", "operating_points"]

RATIOS = np.geomspace(1e-3, 100, 201)
"""Cost of a unit's rest through the window, in spikes."""


@dataclass(frozen=True)
class Operating:
    """For one ratio of rest to spike the cell of the P-VAE with most information for its energy.

    Parameters
    ----------
    ratio
        Cost of one unit's rest through a window, in spikes.
    budget
        Whose ratio that is; None for one of a grid.
    beta, units
        Of the best cell.
    nats_per_cost
        Its information per image over its cost in spikes, nats.
    probability
        Share of its (image, unit) pairs with a spike, 1 − zeros.
    predicted
        Probability of a spike that Levy and Baxter find best.
    edges
        What ends at the best cell: `smallest beta`, `largest beta` (of the converged ones with as many units),
        `smallest units`, `largest units`. The best may then lie beyond the grid.
    """

    ratio: float
    budget: str | None
    beta: float
    units: int
    nats_per_cost: float
    probability: float | None
    predicted: float
    edges: tuple[str, ...]


def operating_points(rows: Sequence[Row], ratios: Float[np.ndarray, " ratio"] = RATIOS) -> list[Operating]:
    """The best operating point at each ratio, over the converged cells of the first P-VAE of the table.

    Information is summed over units, so that what two units say counts twice: that flatters many units. Cells of
    several seeds are averaged, cells that are not known to have converged are left out.

    Parameters
    ----------
    rows
        As `read_sweep` gives them.
    ratios
        Cost of one unit's rest in spikes, > 0, (ratio,).

    Returns
    -------
    list
        One a ratio; none where no converged cell of the P-VAE says how much information it carries.
    """
    return _best(rows, [(float(ratio), None) for ratio in ratios])


def budget_points(rows: Sequence[Row]) -> list[Operating]:
    """The same at the ratios of the budgets of the literature, each under its name."""
    return _best(rows, [(budget.ratio, budget.name) for budget in BUDGETS])


@dataclass(frozen=True)
class AnyCode:
    """The code of counts with most information for its energy at one budget, of whatever family.

    Parameters
    ----------
    budget
        Whose cost of rest.
    family
        Label of the family.
    units, beta, spike_price
        Of the best cell.
    nats_per_cost
        Its information per image over its cost in spikes, nats.
    """

    budget: str
    family: str
    units: int
    beta: float
    spike_price: float
    nats_per_cost: float


def best_of_any_code(rows: Sequence[Row]) -> list[AnyCode]:
    """The best converged code of counts at each budget of the literature: any prior, encoder, and price on spikes."""
    settled = [row for row in fitted(rows) if row.get("converged") is True]
    points = [
        (curve.family.label, point)
        for curve in (*beta_curves(settled), *price_curves(settled))
        if curve.is_count
        for point in _telling(curve.points)
    ]
    if not points:
        return []
    nats, spikes = (np.array([p.mean(key) for _, p in points]) for key in ("information", "spikes_per_image"))
    units, ratios = np.array([p.units for _, p in points]), np.array([budget.ratio for budget in BUDGETS])
    best = best_operating_points(nats, spikes, units, ratios)
    found = []
    for budget, at, value in zip(BUDGETS, best.best, best.nats_per_cost, strict=True):
        label, point = points[at]
        found.append(AnyCode(budget.name, label, point.units, point.beta, point.price, float(value)))
    return found


def levy_baxter(ratio: Float[np.ndarray, " ratio"]) -> Float[np.ndarray, " ratio"]:
    """Probability of a spike at which a binary unit without noise has most information for its energy, (ratio,).

    It solves p = (1 − p)^((1 + ratio)/ratio), that is, it maximises H(p)/(ratio + p): ½ where rest is all that costs.

    Parameters
    ----------
    ratio
        Cost of rest in spikes, > 0, (ratio,).

    Source: Levy & Baxter 1996, Neural Computation 8:531.
    """
    power = 1 + 1 / np.asarray(ratio, dtype=np.float64)
    low, high = np.full(power.shape, -700.0), np.full(power.shape, np.log(0.5))  # of log p
    for _ in range(100):  # halvings: log p − power · log(1 − p) rises with p
        middle = (low + high) / 2
        below = middle - power * np.log1p(-np.exp(middle)) < 0
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.exp((low + high) / 2)


def _best(rows: Sequence[Row], ratios: Sequence[tuple[float, str | None]]) -> list[Operating]:
    points = _converged_points(rows)
    if not points:
        return []
    values = {key: np.array([point.mean(key) for point in points]) for key in ("information", "spikes_per_image")}
    units = np.array([point.units for point in points])
    grid = np.array([ratio for ratio, _ in ratios])
    best = best_operating_points(values["information"], values["spikes_per_image"], units, grid)
    predicted = levy_baxter(grid)
    return [
        Operating(
            ratio=ratio,
            budget=name,
            beta=points[i].beta,
            units=points[i].units,
            nats_per_cost=float(best.nats_per_cost[row]),
            probability=_probability(points[i]),
            predicted=float(predicted[row]),
            edges=_edges(points[i], points),
        )
        for row, ((ratio, name), i) in enumerate(zip(ratios, best.best, strict=True))
    ]


def _converged_points(rows: Sequence[Row]) -> list[Point]:
    settled = [row for row in fitted(rows) if row.get("converged") is True]
    curves = [curve for curve in beta_curves(settled) if curve.family.is_poisson]
    return _telling([point for curve in curves if curve.family == curves[0].family for point in curve.points])


def _telling(points: Sequence[Point]) -> list[Point]:
    """Those that say what they carry and what they send."""
    return [p for p in points if p.mean("information") is not None and p.mean("spikes_per_image") is not None]


def _probability(point: Point) -> float | None:
    zeros = point.mean("zeros")
    return None if zeros is None else 1 - zeros


def _edges(point: Point, points: Sequence[Point]) -> tuple[str, ...]:
    found = []
    alike = [each for each in points if each.units == point.units]
    for name, there in (("beta", alike), ("units", points)):
        values = {getattr(each, name) for each in there}
        if len(values) > 1:
            own = getattr(point, name)
            found += [f"smallest {name}"] if own == min(values) else []
            found += [f"largest {name}"] if own == max(values) else []
    return tuple(found)

"""Operating points of a sweep: what is best as the cost of rest goes up, and the prediction for a binary unit."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from ppl_pvae.analysis.energy import BUDGETS
from ppl_pvae.analysis.plots.style import BLUE, GREY, PAGE, VERMILLION, figure, log_axis, styled
from ppl_pvae.analysis.plots.sweeps.look import positive_limits
from ppl_pvae.analysis.sweeps.operating import Operating

__all__ = ["best"]


@styled
def best(points: Sequence[Operating]) -> Figure | None:
    """Best β, best number of units, information for energy and probability of a spike over the ratio of rest to spike.

    Dotted where the best cell is at an edge of the grid; grey lines are published budgets. None without points.
    """
    if not points:
        return None
    fig = figure(PAGE, 4.3)
    axes = fig.subplots(2, 2, sharex=True)
    _curve(axes[0, 0], points, lambda point: point.beta, "β")
    _curve(axes[0, 1], points, lambda point: point.units, "units")
    _curve(axes[1, 0], points, lambda point: point.nats_per_cost, "either")
    _curve(axes[1, 1], points, lambda point: point.probability, "either")
    ratios = [point.ratio for point in points]
    axes[1, 1].plot(ratios, [point.predicted for point in points], color=VERMILLION)
    _ticks(axes[0, 0], [point.beta for point in points])
    _ticks(axes[0, 1], [point.units for point in points])
    for ax, values in ((axes[1, 0], [p.nats_per_cost for p in points]), (axes[1, 1], [p.predicted for p in points])):
        both = values if ax is axes[1, 0] else [*values, *(p.probability for p in points)]
        if ends := positive_limits(both):
            log_axis(ax, "y", *ends)
    labels = ("best β", "best number of units", "nats for a spike's\nworth of energy", "probability of a spike")
    for ax, label in zip(axes.ravel(), labels, strict=True):
        ax.set_ylabel(label)
        for budget in BUDGETS:
            ax.axvline(budget.ratio, color=GREY, linewidth=0.6, linestyle=(0, (2, 2)), zorder=0)
    for ax in axes[0]:
        for budget in BUDGETS:
            name = budget.name.split(",")[0].split(" &")[0].split(" 2")[0]
            ax.text(budget.ratio, 1.01, name, rotation=45, fontsize=6, color=GREY, va="bottom",
                    transform=ax.get_xaxis_transform())  # fmt: skip
    for ax in axes[1]:
        ax.set_xlabel("cost of a unit's rest in the window, spikes")
        log_axis(ax, "x", min(ratios), max(ratios), least_ratio=1)
    handles = [
        Line2D([], [], color=BLUE, label="best cell, inside the grid"),
        Line2D([], [], color=BLUE, linestyle=(0, (1, 1.2)), label="best cell, at an edge of it"),
        Line2D([], [], color=VERMILLION, label="Levy & Baxter 1996, binary unit without noise"),
        Line2D([], [], color=GREY, linewidth=0.6, linestyle=(0, (2, 2)), label="published budgets"),
    ]
    fig.legend(handles=handles, loc="outside upper left", ncols=2, handlelength=3)
    return fig


def _curve(ax: Axes, points: Sequence[Operating], value: Callable[[Operating], float | None], edge: str) -> None:
    """A line over the ratio, dotted where the best is at an edge in what is shown."""
    x = np.array([point.ratio for point in points])
    y = np.array([np.nan if (v := value(point)) is None else v for point in points], dtype=float)
    word = {"β": "beta", "units": "units"}.get(edge, "")
    at_edge = np.array([any(each.endswith(word) for each in point.edges) for point in points])
    ax.plot(x, np.where(at_edge, np.nan, y), color=BLUE, drawstyle="steps-mid" if word else "default")
    # One point further on either side, so that solid and dotted pieces meet.
    wide = at_edge | np.append(at_edge[1:], False) | np.insert(at_edge[:-1], 0, False)
    ax.plot(x, np.where(wide, y, np.nan), color=BLUE, linestyle=(0, (1, 1.2)),
            drawstyle="steps-mid" if word else "default")  # fmt: skip


def _ticks(ax: Axes, values: Sequence[float]) -> None:
    """A log axis whose ticks are the settings that are ever best; linear where zero is one of them."""
    there = sorted(set(values))
    places = list(there)
    if there[0] > 0:
        ax.set_yscale("log")
        ax.set_ylim(there[0] / 1.6, there[-1] * 1.6)
        places = [math.log(value) for value in there]
    named = []  # from the top down, those with room between them
    for place, value in sorted(zip(places, there, strict=True), reverse=True):
        if not named or named[-1][0] - place > 0.09 * (places[-1] - places[0]):
            named.append((place, value))
    ax.yaxis.set_major_locator(FixedLocator([value for _, value in named]))
    ax.yaxis.set_major_formatter(FixedFormatter([f"{value:g}" for _, value in named]))
    ax.yaxis.set_minor_locator(NullLocator())

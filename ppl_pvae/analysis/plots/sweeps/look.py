"""How the families of a sweep look: line, colour and mark of each, the β axis, and the legend above a figure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from ppl_pvae.analysis.plots.style import BLUE, GREEN, GREY, INK, ORANGE, PAGE, VERMILLION, figure
from ppl_pvae.analysis.sweeps.families import Curve, Family, Point

__all__ = ["SILENCE", "Look", "beta_axis", "draw_line", "grid", "legend", "looks", "positive_limits"]

SILENCE: dict[str, Any] = {"color": GREY, "linewidth": 0.8, "linestyle": (0, (4, 2)), "zorder": 0}
"""The line of sending nothing."""

_DASHED, _DOTTED, _MIXED = (0, (4, 1.5)), (0, (1, 1.2)), (0, (5, 1.2, 1, 1.2))
# Okabe and Ito's colours with a mark each: cool ones for counts and programs of one's own, warm ones for Gaussians.
_COOL = ((BLUE, "-", "o"), ("#56B4E9", _DASHED, "D"), (GREEN, _MIXED, "^"), (INK, _DOTTED, "v"))
_WARM = ((VERMILLION, "-", "s"), (ORANGE, _DASHED, "P"), ("#CC79A7", _MIXED, "X"), ("#8C510A", _DOTTED, "<"),
         (GREY, _DASHED, ">"))  # fmt: skip


class Look(NamedTuple):
    """Colour, line and mark of one family."""

    colour: str
    line: Any
    mark: str


def looks(families: Iterable[Family]) -> dict[Family, Look]:
    """A look for each family, by its place among those of its kind; beyond nine marks and lines change partners."""
    found: dict[Family, Look] = {}
    seen = {True: 0, False: 0}
    for family in families:
        gaussian = family.is_rectified or family.program == "gaussian"
        palette, i = _WARM if gaussian else _COOL, seen[gaussian]
        colour, _, _ = palette[i % len(palette)]
        shift = i // len(palette)
        found[family] = Look(colour, palette[(i + shift) % len(palette)][1], palette[(i + 2 * shift) % len(palette)][2])
        seen[gaussian] += 1
    return found


def beta_axis(ax: Axes, betas: Sequence[float], *, label: bool = True) -> Callable[[float], float]:
    """Make x the axis of β: logarithmic, with powers of ten in plain numbers, and β = 0 left of all others.

    Returns
    -------
    callable
        Where a β stands on the axis.
    """
    above = sorted({beta for beta in betas if beta > 0}) or [1.0]
    zero = above[0] / 4
    powers = [10.0**k for k in range(math.floor(math.log10(above[0])), math.ceil(math.log10(above[-1])) + 1)]
    ticks = [power for power in powers if above[0] / 1.01 <= power <= above[-1] * 1.01]
    if ticks and above[-1] > 3 * ticks[-1]:
        ticks.append(above[-1])
    if len(ticks) < 2:
        ticks = [above[0]] if above[-1] < 2 * above[0] else [above[0], above[-1]]
    left = zero if min(betas, default=1.0) <= 0 else above[0]
    places = [zero, *ticks] if left == zero else ticks
    ax.set_xscale("log")
    ax.set_xlim(left / 1.4, above[-1] * 1.4)
    ax.xaxis.set_major_locator(FixedLocator(places))
    ax.xaxis.set_major_formatter(FixedFormatter([f"{tick:g}" if tick in ticks else "0" for tick in places]))
    ax.xaxis.set_minor_locator(NullLocator() if len(above) > 16 else FixedLocator(above))
    ax.tick_params(axis="x", which="minor", length=1.8, labelbottom=False)
    if label:
        ax.set_xlabel("β")
    return lambda beta: beta if beta > 0 else zero


def draw_line(ax: Axes, points: Sequence[Point], x: Sequence[float], y: Sequence[float], look: Look) -> None:
    """A line through points, filled marks where they are known to have converged and open ones elsewhere."""
    ax.plot(x, y, color=look.colour, linestyle=look.line, linewidth=1.1, zorder=2)
    for settled in (True, False):
        there = [i for i, point in enumerate(points) if point.converged == settled]
        ax.plot(
            [x[i] for i in there],
            [y[i] for i in there],
            look.mark,
            color=look.colour,
            markersize=3.8,
            markeredgewidth=0.8,
            markerfacecolor=look.colour if settled else "white",
            linestyle="none",
            zorder=3,
        )


def positive_limits(values: Iterable[float | None], decades: float = 6) -> tuple[float, float] | None:
    """Ends of a log axis for some values: those that are not positive left out, and few decades below the largest."""
    known = [value for value in values if value is not None and value > 0]
    if not known:
        return None
    return max(min(known), max(known) / 10**decades) / 1.1, max(known) * 1.15


def grid(rows: int, columns: int, *, height: float = 1.45, legend_lines: int = 3) -> tuple[Figure, np.ndarray]:
    """A figure of panels as wide as a page (narrower for one or two columns), with room for a legend above."""
    width = PAGE if columns > 2 else (5.4 if columns == 2 else 3.6)
    width = max(width, PAGE if legend_lines > 2 else width)
    fig = figure(width, rows * height + 0.3 + 0.16 * legend_lines)
    engine = fig.get_layout_engine()
    assert engine is not None
    engine.set(rect=(0, 0, 1, 1))  # pyright: ignore[reportCallIssue] (open marks say it: no strip for a mark)
    return fig, fig.subplots(rows, columns, squeeze=False)


def legend(
    fig: Figure, curves: Sequence[Curve], known: dict[Family, Look], *, silence: bool = False, band: bool = False
) -> None:
    """Name above a figure the families in it, and what open marks, bands and dashes mean where there are any."""
    handles: list[Any] = [
        Line2D([], [], color=known[family].colour, linestyle=known[family].line, marker=known[family].mark,
               markersize=3.8, linewidth=1.1, label=family.label)
        for family in dict.fromkeys(curve.family for curve in curves)
    ]  # fmt: skip
    points = [point for curve in curves for point in curve.points]
    if not all(point.converged for point in points):
        handles.append(Line2D([], [], color=INK, marker="o", markerfacecolor="white", markersize=3.8, linestyle="none",
                              markeredgewidth=0.8, label="open: not known to have converged"))  # fmt: skip
    if band and any(len(point.rows) > 1 for point in points):
        handles.append(Line2D([], [], color=GREY, alpha=0.3, linewidth=6, label="± 1 standard deviation of seeds"))
    if silence:
        handles.append(Line2D([], [], **{**SILENCE, "label": "sending nothing"}))
    fig.legend(handles=handles, loc="outside upper left", ncols=2 if fig.get_figwidth() >= 5 else 1, handlelength=3,
               columnspacing=1.2, borderaxespad=0.2)  # fmt: skip

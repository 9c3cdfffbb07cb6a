"""Whether nats follow activity: one against the other, a panel a family, a line for each number of units."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ppl_pvae.analysis.convergence import SILENT_SPIKES
from ppl_pvae.analysis.plots.style import GREY, log_axis, styled
from ppl_pvae.analysis.plots.sweeps.layout import in_rows
from ppl_pvae.analysis.plots.sweeps.look import Look, draw_line, open_mark, panels, positive_limits
from ppl_pvae.analysis.sweeps.families import Curve, Point

__all__ = ["coupling"]

_MARKS = ("o", "s", "D", "^", "v")
_PROPORTIONAL = {"color": GREY, "linewidth": 0.6, "linestyle": (0, (1, 2)), "zorder": 0}
_BRIGHT, _DARK = 0.85, 0.05  # ends of the colours that can be told from white paper
_LETTERS = 30  # of a title in a line
_SIDE_BY_SIDE = {1: 2, 2: 4, 3: 5}  # entries of the legend, by columns of panels


@styled
def coupling(curves: Sequence[Curve]) -> Figure | None:
    """Nats against activity, both logarithmic; along dotted lines they are proportional.

    Points with fewer than 0.01 spikes per image are left out, as they are of the exponents.

    Parameters
    ----------
    curves
        Over β.

    Returns
    -------
    Figure or None
        None where no curve has two points that both send and pay something.
    """
    shown = [(curve, places) for curve in curves if len(places := _places(curve)) > 1]
    if not shown:
        return None
    families = list(dict.fromkeys(curve.family for curve, _ in shown))
    known = _looks(sorted({curve.units for curve, _ in shown}))
    there = [place for _, places in shown for place in places]
    where = in_rows(len(families))
    columns = 1 + where[-1][1]
    handles, side_by_side = _handles([point for point, *_ in there], known), _SIDE_BY_SIDE.get(columns, 7)
    fig, axes = panels(where, height=1.75, legend_lines=math.ceil(len(handles) / side_by_side))
    for family, (row, column), ax in zip(families, where, axes, strict=True):
        for curve, places in shown:
            if curve.family == family:
                x, y = [x for _, x, _ in places], [y for *_, y in places]
                draw_line(ax, [point for point, *_ in places], x, y, known[curve.units])
        ax.set_title("\n".join(textwrap.wrap(family.label, _LETTERS)), fontsize=7)
        _frame(ax, there, left=column == 0, low=row == where[-1][0])
    fig.legend(handles=handles, loc="outside upper left", ncols=side_by_side, handlelength=2, columnspacing=1.2,
               borderaxespad=0.2)  # fmt: skip
    return fig


def _looks(units: Sequence[int]) -> dict[int, Look]:
    """Colours from bright to dark as units grow, and marks that differ between neighbours."""
    shades = colormaps["viridis"](np.linspace(_BRIGHT, _DARK, len(units)) if len(units) > 1 else [0.4])
    marks = (_MARKS[at % len(_MARKS)] for at in range(len(units)))
    return {k: Look(shade, "-", mark) for k, shade, mark in zip(units, shades, marks, strict=True)}


def _places(curve: Curve) -> list[tuple[Point, float, float]]:
    known = [(point, point.mean("spikes_per_image"), point.mean("coding_rate")) for point in curve.points]
    return [(p, x, y) for p, x, y in known if x is not None and y is not None and x >= SILENT_SPIKES and y > 0]


def _frame(ax: Axes, there: Sequence[tuple[Point, float, float]], *, left: bool, low: bool) -> None:
    """The same limits in all panels, and a line of proportion for each power of ten in nats per spike."""
    x_ends, y_ends = positive_limits([x for _, x, _ in there]), positive_limits([y for *_, y in there])
    assert x_ends is not None
    assert y_ends is not None
    log_axis(ax, "x", *x_ends)
    log_axis(ax, "y", *y_ends)
    (x_low, x_high), (y_low, y_high) = ax.get_xlim(), ax.get_ylim()
    for power in range(math.floor(math.log10(y_low / x_high)), math.ceil(math.log10(y_high / x_low)) + 1):
        ax.axline((1.0, 10.0**power), (10.0, 10.0 ** (power + 1)), **_PROPORTIONAL)
    ax.set_xlabel("activity per image" if low else "")
    ax.set_ylabel("nats per image" if left else "")
    ax.tick_params(axis="x", labelbottom=low)
    ax.tick_params(axis="y", labelleft=left)


def _handles(points: Sequence[Point], known: dict[int, Look]) -> list[Line2D]:
    handles = [
        Line2D(
            [], [], color=look.colour, marker=look.mark, markersize=look.size, linewidth=look.width, label=f"K = {k}"
        )
        for k, look in known.items()
    ]
    return [*handles, Line2D([], [], **{**_PROPORTIONAL, "label": "proportional"}), *open_mark(points)]

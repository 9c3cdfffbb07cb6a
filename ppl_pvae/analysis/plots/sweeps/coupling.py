"""Whether nats follow activity: one against the other, a panel a family, a line for each number of units."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ppl_pvae.analysis.plots.style import GREY, INK, log_axis, styled
from ppl_pvae.analysis.plots.sweeps.layout import MOST_COLUMNS
from ppl_pvae.analysis.plots.sweeps.look import Look, draw_line, grid, positive_limits
from ppl_pvae.analysis.sweeps.families import Curve, Point

__all__ = ["coupling"]

_MARKS = ("o", "s", "D", "^", "v")
_PROPORTIONAL = {"color": GREY, "linewidth": 0.6, "linestyle": (0, (1, 2)), "zorder": 0}
_DARK, _BRIGHT = 0.9, 0.05  # ends of the colours that can be told from white paper
_LETTERS = 30  # of a title in a line


@styled
def coupling(curves: Sequence[Curve]) -> Figure | None:
    """Nats against activity, both logarithmic; along dotted lines they are proportional.

    Parameters
    ----------
    curves
        Over β.

    Returns
    -------
    Figure or None
        None where no curve has two points that both send and pay something.
    """
    shown = [curve for curve in curves if len(_places(curve)) > 1]
    if not shown:
        return None
    families = list(dict.fromkeys(curve.family for curve in shown))
    known = _looks(sorted({curve.units for curve in shown}))
    rows, columns = -(-len(families) // MOST_COLUMNS), min(len(families), MOST_COLUMNS)
    fig, axes = grid(rows, columns, height=1.75, legend_lines=1 + len(known) // 8)
    for ax in axes.ravel()[len(families) :]:
        ax.axis("off")
    for at, (family, ax) in enumerate(zip(families, axes.ravel(), strict=False)):
        for curve in (curve for curve in shown if curve.family == family):
            there = _places(curve)
            draw_line(
                ax, [p for p, _, _ in there], [x for _, x, _ in there], [y for *_, y in there], known[curve.units]
            )
        ax.set_title("\n".join(textwrap.wrap(family.label, _LETTERS)), fontsize=7)
        _frame(ax, shown, left=at % columns == 0, low=at + columns >= len(families))
    fig.legend(handles=_handles(shown, known), loc="outside upper left", ncols=8 if columns > 2 else 4, handlelength=2,
               columnspacing=1.2, borderaxespad=0.2)  # fmt: skip
    return fig


def _looks(units: Sequence[int]) -> dict[int, Look]:
    """Colours from bright to dark as units grow, and marks that differ between neighbours."""
    shades = colormaps["viridis"](np.linspace(_DARK, _BRIGHT, len(units)))
    return {
        k: Look(shade, "-", _MARKS[at % len(_MARKS)]) for at, (k, shade) in enumerate(zip(units, shades, strict=True))
    }


def _places(curve: Curve) -> list[tuple[Point, float, float]]:
    known = [(point, point.mean("spikes_per_image"), point.mean("coding_rate")) for point in curve.points]
    return [(point, x, y) for point, x, y in known if x is not None and y is not None and x > 0 and y > 0]


def _frame(ax: Axes, curves: Sequence[Curve], *, left: bool, low: bool) -> None:
    """The same limits in all panels, and the lines of proportion through powers of ten."""
    there = [place for curve in curves for place in _places(curve)]
    x_ends, y_ends = positive_limits([x for _, x, _ in there]), positive_limits([y for *_, y in there])
    assert x_ends is not None
    assert y_ends is not None
    log_axis(ax, "x", *x_ends)
    log_axis(ax, "y", *y_ends)
    for power in range(-4, 3):
        ax.axline((1.0, 10.0**power), (10.0, 10.0 ** (power + 1)), **_PROPORTIONAL)
    ax.set_xlabel("activity per image" if low else "")
    ax.set_ylabel("nats per image" if left else "")
    ax.tick_params(axis="x", labelbottom=low)
    ax.tick_params(axis="y", labelleft=left)


def _handles(curves: Sequence[Curve], known: dict[int, Look]) -> list[Line2D]:
    handles = [
        Line2D(
            [], [], color=look.colour, marker=look.mark, markersize=look.size, linewidth=look.width, label=f"K = {k}"
        )
        for k, look in known.items()
    ]
    handles.append(Line2D([], [], **{**_PROPORTIONAL, "label": "proportional"}))
    if not all(point.converged for curve in curves for point, *_ in _places(curve)):
        handles.append(Line2D([], [], color=INK, marker="o", markerfacecolor="white", markersize=3.8, linestyle="none",
                              markeredgewidth=0.8, label="open: not known to have converged"))  # fmt: skip
    return handles

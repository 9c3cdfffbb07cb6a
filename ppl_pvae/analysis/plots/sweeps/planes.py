"""What fidelity costs: planes of R² and activity, distortion and nats, a line a family."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from ppl_pvae.analysis.plots.style import log_axis, styled
from ppl_pvae.analysis.plots.sweeps.layout import is_leftmost, places_of
from ppl_pvae.analysis.plots.sweeps.look import (
    SILENCE,
    Look,
    draw_line,
    legend,
    looks,
    panels,
    positive_limits,
    title_size,
)
from ppl_pvae.analysis.sweeps.families import Curve

__all__ = ["PLANES", "Plane", "label_points", "planes"]


class Plane(NamedTuple):
    """Keys and labels of a plane; `silence` where sending nothing lies, None where the table says it."""

    x: str
    y: str
    x_label: str
    y_label: str
    silence: float | None


PLANES = {
    "plane_spikes": Plane("spikes_per_image", "r2", "activity per image", "R², pooled", 0.0),
    "plane_nats": Plane("coding_rate", "distortion", "nats per image", "distortion,\nnats per image", None),
}
"""The two planes, by the name of a figure of one alone."""


@styled
def planes(curves: Sequence[Curve], which: Sequence[str] = tuple(PLANES)) -> Figure | None:
    """Planes in rows and numbers of units in columns; one plane alone runs over rows of four panels.

    β is written at the ends of the first count family and of the first other one, and where it is nearest to 1. None
    where nothing is known.

    Parameters
    ----------
    curves
        Over β.
    which
        Names in `PLANES`.
    """
    shown = [curve for curve in curves if any(_places(curve, PLANES[name]) for name in which)]
    if not shown:
        return None
    places = places_of(which, shown)
    known = looks(dict.fromkeys(curve.family for curve in curves))
    families = dict.fromkeys(curve.family for curve in shown)
    where = [place.where for place in places]
    fig, axes = panels(where, height=1.9, legend_lines=(len(families) + 3) // 2)
    labelled = _labelled(shown)
    for place, ax in zip(places, axes, strict=True):
        plane = PLANES[place.name]
        for curve in reversed([curve for curve in shown if place.has(curve)]):
            there = _places(curve, plane)
            look = known[curve.family]
            draw_line(ax, [point for point, _, _ in there], [x for _, x, _ in there], [y for _, _, y in there], look)
            if curve.family in labelled:
                told = [(f"{p.beta:g}", x, y, p.beta) for p, x, y in there]
                label_points(ax, told, look, below=not curve.is_count)
        below = (other for other in places if (other.name, other.column) == (place.name, place.column))
        low = all(other.row <= place.row for other in below)
        _frame(ax, shown, plane, left=is_leftmost(place, places), low=low)
        if place.kind or place.name == which[0] or len({other.units for other in places}) == 1:
            ax.set_title(place.title, fontsize=title_size(place))
    legend(fig, shown, known, silence=True)
    return fig


def label_points(ax: Axes, told: Sequence[tuple[str, float, float, float]], look: Look, *, below: bool = False) -> None:
    """Write a few settings beside their points: the ends, and what is nearest to 1.

    Parameters
    ----------
    told
        Text, place and setting of each point, by rising setting.
    below
        Below and to the left of them, and not above and to the right.
    """
    if not told:
        return
    middle = min(range(len(told)), key=lambda i: abs(math.log(told[i][3])) if told[i][3] > 0 else math.inf)
    for i in sorted({0, middle, len(told) - 1}):
        text, x, y, _ = told[i]
        place, across, up = ((-3, -3), "right", "top") if below else ((3, 3), "left", "baseline")
        ax.annotate(text, (x, y), xytext=place, ha=across, va=up, textcoords="offset points", fontsize=6, zorder=4,
                    color=look.colour, path_effects=[withStroke(linewidth=1.6, foreground="white")])  # fmt: skip


def _places(curve: Curve, plane: Plane):
    known = [(point, point.mean(plane.x), point.mean(plane.y)) for point in curve.points]
    return [(point, x, y) for point, x, y in known if x is not None and y is not None and x > 0]


def _labelled(curves: Sequence[Curve]):
    """The first family of counts and the first of another kind."""
    counts = [curve.family for curve in curves if curve.is_count]
    others = [curve.family for curve in curves if not curve.is_count]
    return {*counts[:1], *others[:1]}


def _frame(ax: Axes, curves: Sequence[Curve], plane: Plane, *, left: bool, low: bool) -> None:
    """The same limits in all panels of a plane, and the line of silence."""
    points = [(x, y) for curve in curves for _, x, y in _places(curve, plane)]
    silence = plane.silence if plane.silence is not None else _silent(curves)
    ys = [y for _, y in points] + ([silence] if silence is not None else [])
    margin = 0.06 * (max(ys) - min(ys) or 1.0)
    ends = positive_limits([x for x, _ in points])
    if ends is not None:
        log_axis(ax, "x", *ends)
    ax.set_ylim(min(ys) - margin, max(ys) + margin)
    if silence is not None:
        ax.axhline(silence, **SILENCE)
    if low:
        ax.set_xlabel(plane.x_label)
    else:
        ax.tick_params(axis="x", labelbottom=False)
    if left:
        ax.set_ylabel(plane.y_label)
    else:
        ax.tick_params(axis="y", labelleft=False)


def _silent(curves: Sequence[Curve]) -> float | None:
    """Distortion of sending nothing, where all cells agree in it."""
    levels = [value for curve in curves for point in curve.points for value in point.values("silent_free_energy")]
    return levels[0] if levels and max(levels) - min(levels) < 1e-3 * abs(max(levels)) else None

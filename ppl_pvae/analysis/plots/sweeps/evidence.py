"""Bounds on log p(x) of held-out images over distortion: which code is ahead, and where."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from ppl_pvae.analysis.plots.style import styled
from ppl_pvae.analysis.plots.sweeps.layout import Place, in_rows, is_leftmost, kinds_of
from ppl_pvae.analysis.plots.sweeps.look import draw_line, legend, looks, panels, title_size
from ppl_pvae.analysis.sweeps.families import Curve, Point

__all__ = ["DEPTH", "evidence"]

DEPTH = 60.0
"""Nats below the highest bound that are shown: the bounds of dense codes go hundreds further down."""


@styled
def evidence(curves: Sequence[Curve]) -> Figure | None:
    """Evidence against distortion, means over seeds; None unless two families of as many units have it.

    Of several data sets, or likelihoods, the first alone: bounds on different images are not on one scale.

    A panel for each number of units, and for each kind of families where there are many, in rows of four; the first
    family is in all panels of as many units, so that each is beside it. Shown are the highest bound and 60 nats below,
    or as many as the best of each family asks for.

    Parameters
    ----------
    curves
        Over β.
    """
    there = [curve for curve in curves if _along(curve)]
    first: dict[int, Curve] = {}
    for curve in (curve for curve in there if curve.images == there[0].images):
        first.setdefault(curve.units, curve)
    others = [curve for curve in there if curve.comparable in {each.comparable for each in first.values()}]
    others = [curve for curve in others if curve is not first[curve.units]]
    if not others:
        return None
    shown = [*(first[units] for units in dict.fromkeys(curve.units for curve in others)), *others]
    shown.sort(key=there.index)
    places = _places(shown, others)
    known = looks(dict.fromkeys(curve.family for curve in curves))
    families = dict.fromkeys(curve.family for curve in shown)
    fig, axes = panels([place.where for place in places], height=1.9, legend_lines=(len(families) + 3) // 2)
    for place, ax in zip(places, axes, strict=True):
        own = [first[place.units], *(curve for curve in others if place.has(curve))]
        for curve in reversed(own):
            points, x, y = zip(*_along(curve), strict=True)
            draw_line(ax, points, x, y, known[curve.family])
        ax.set_title(place.title, fontsize=title_size(place))
        if is_leftmost(place, places):
            ax.set_ylabel("log p(x) ≥,\nnats per image")
        else:
            ax.tick_params(axis="y", labelleft=False)
        if all(other.row <= place.row for other in places if other.column == place.column):
            ax.set_xlabel("distortion,\nnats per image")
        else:
            ax.tick_params(axis="x", labelbottom=False)
    points = [(x, y) for curve in shown for _, x, y in _along(curve)]
    top, floor = max(y for _, y in points), min(max(y for _, _, y in _along(curve)) for curve in shown)
    floor = min(floor - DEPTH / 6, top - DEPTH)
    seen = [x for x, y in points if y >= floor]
    margin = 0.1 * (max(seen) - min(seen) or 1.0)
    for ax in axes:
        ax.set_xlim(min(seen) - margin, max(seen) + margin)
        ax.set_ylim(floor, top + (top - floor) / 12)
    legend(fig, shown, known)
    return fig


def _places(curves: Sequence[Curve], others: Sequence[Curve]) -> list[Place]:
    kinds, units = kinds_of(dict.fromkeys(curve.family for curve in curves)), sorted({c.units for c in others})
    whole = [Place("evidence", kind, count, 0, 0) for kind in kinds for count in units]
    whole = [place for place in whole if any(map(place.has, others))]
    return [Place(*place[:3], *where) for place, where in zip(whole, in_rows(len(whole)), strict=True)]


def _along(curve: Curve) -> list[tuple[Point, float, float]]:
    """Points with their distortion and evidence, by rising distortion."""
    known = [(point, point.mean("distortion"), point.mean("log_evidence")) for point in curve.points]
    there = [(point, x, y) for point, x, y in known if x is not None and y is not None]
    return sorted(there, key=lambda place: place[1])

"""Metrics of a sweep against β: a line a family, a panel for each number of units."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ppl_pvae.analysis.plots.style import log_axis, styled
from ppl_pvae.analysis.plots.sweeps.layout import Place, is_leftmost, places_of
from ppl_pvae.analysis.plots.sweeps.look import (
    SILENCE,
    Look,
    beta_axis,
    draw_line,
    legend,
    looks,
    panels,
    positive_limits,
    title_size,
)
from ppl_pvae.analysis.sweeps.families import Curve, Family
from ppl_pvae.analysis.sweeps.panels import PANELS

__all__ = ["over_beta"]


@styled
def over_beta(curves: Sequence[Curve], keys: Sequence[str]) -> Figure | None:
    """Metrics against β, seed means with bands of one standard deviation; None where nothing of them is known.

    Several metrics have a row each and numbers of units a column each; a single metric, and several metrics at one
    number of units, run over rows of four panels. Many families are sorted by their kind, which have a row each.

    Parameters
    ----------
    curves
        Over β.
    keys
        Metrics, of those in `PANELS`.
    """
    keys = [key for key in keys if any(_known(curve, key) for curve in curves)]
    shown = [curve for curve in curves if any(_known(curve, key) for key in keys)]
    if not shown:
        return None
    places = places_of(keys, shown)
    known = looks(dict.fromkeys(curve.family for curve in curves))
    families = dict.fromkeys(curve.family for curve in shown)
    fig, axes = panels([place.where for place in places], legend_lines=(len(families) + 3) // 2)
    for place, ax in zip(places, axes, strict=True):
        where = beta_axis(ax, [point.beta for curve in shown for point in curve.points])
        _panel(ax, [curve for curve in shown if place.has(curve)], place.name, known, where)
        _limits(ax, shown, place.name)
        _frame(ax, place, places)
    legend(fig, shown, known, silence=any(PANELS[key].silence is not None for key in keys), band=True)
    return fig


def _known(curve: Curve, key: str) -> bool:
    values = [point.mean(key) for point in curve.points]
    return any(value is not None and (value > 0 or not PANELS[key].is_log) for value in values)


def _panel(
    ax: Axes, curves: Sequence[Curve], key: str, known: dict[Family, Look], where: Callable[[float], float]
) -> None:
    panel = PANELS[key]
    if panel.silence is not None:
        ax.axhline(panel.silence, **SILENCE)
    for curve in reversed(curves):
        there = [(point, value) for point in curve.points if (value := point.mean(key)) is not None]
        if panel.is_log:
            there = [(point, value) for point, value in there if value > 0]
        x, y = [where(point.beta) for point, _ in there], [value for _, value in there]
        spread = [point.spread(key) or 0.0 for point, _ in there]
        low = [
            value - s if not panel.is_log else max(value - s, value / 10) for value, s in zip(y, spread, strict=True)
        ]
        high = [value + s for value, s in zip(y, spread, strict=True)]
        look = known[curve.family]
        ax.fill_between(x, low, high, color=look.colour, alpha=0.18, linewidth=0, zorder=1)
        draw_line(ax, [point for point, _ in there], x, y, look)


def _limits(ax: Axes, curves: Sequence[Curve], key: str) -> None:
    """The same limits in all panels of a metric."""
    values = [value for curve in curves for point in curve.points if (value := point.mean(key)) is not None]
    panel = PANELS[key]
    ends = positive_limits(values)
    if panel.is_log and ends is not None:
        log_axis(ax, "y", *ends)
    elif not panel.is_log:
        ax.set_ylim(
            min(-0.03, min(values) - 0.03), max(1.03, max(values)) if panel.silence is None else max(values) + 0.05
        )


def _frame(ax: Axes, place: Place, places: Sequence[Place]) -> None:
    """Title, labels and numbers where no neighbour has them."""
    above = [other for other in places if other.column == place.column and other.row < place.row]
    if place.kind or not any(other.title == place.title for other in above):
        ax.set_title(place.title, fontsize=title_size(place))
    if is_leftmost(place, places):
        ax.set_ylabel(PANELS[place.name].label)
    else:
        ax.tick_params(axis="y", which="both", labelleft=False)
    if any(other.column == place.column and other.row > place.row for other in places):
        ax.set_xlabel("")
        ax.tick_params(axis="x", labelbottom=False)

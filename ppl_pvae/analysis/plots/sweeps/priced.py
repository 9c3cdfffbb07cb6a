"""An explicit price on spikes beside β, in the plane of distortion and spikes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ppl_pvae.analysis.plots.style import BLUE, INK, VERMILLION, log_axis, styled
from ppl_pvae.analysis.plots.sweeps.layout import MOST_COLUMNS
from ppl_pvae.analysis.plots.sweeps.look import SILENCE, Look, draw_line, grid, positive_limits
from ppl_pvae.analysis.plots.sweeps.planes import label_points
from ppl_pvae.analysis.sweeps.families import Curve, Point

__all__ = ["priced"]

_BETA, _PRICE = Look(BLUE, "-", "o"), Look(VERMILLION, "none", "D")


@styled
def priced(curves: Sequence[Curve], with_price: Sequence[Curve]) -> Figure | None:
    """Spikes against distortion: the curve of β, and the cells with a price γ; None where there are no such cells.

    Parameters
    ----------
    curves
        Over β.
    with_price
        Of cells with a price. Those of the P-VAE are shown.
    """
    shown = [curve for curve in with_price if curve.family.is_poisson and any(map(_place, curve.points))]
    if not shown:
        return None
    columns = min(len(shown), MOST_COLUMNS)
    fig, axes = grid(math.ceil(len(shown) / columns), columns, height=2.1, legend_lines=2)
    several = len({curve.family for curve in shown}) > 1
    for ax in axes.ravel()[len(shown) :]:
        ax.axis("off")
    for ax, own in zip(axes.ravel(), shown, strict=False):
        beside = [curve for curve in curves if (curve.family, curve.units) == (own.family, own.units)]
        values = []
        for curve, look in [*((curve, _BETA) for curve in beside), (own, _PRICE)]:
            placed = [(point, place) for point in curve.points if (place := _place(point)) is not None]
            values += [y for _, (_, y) in placed]
            draw_line(ax, [p for p, _ in placed], [x for _, (x, _) in placed], [y for _, (_, y) in placed], look)
            setting = [(point.beta if look is _BETA else point.price) for point, _ in placed]
            told = [(f"{s:g}", *place, s) for s, (_, place) in zip(setting, placed, strict=True)]
            label_points(ax, told, look)
        for level in [level for point in own.points for level in point.values("silent_free_energy")][:1]:
            ax.axvline(level, **SILENCE)
        if ends := positive_limits(values):
            log_axis(ax, "y", ends[0], 1.6 * ends[1])  # room for what is written above the first point
        ax.margins(x=0.1)
        ax.set_title(f"{own.family.label}, K = {own.units}" if several else f"K = {own.units}")
        ax.set_xlabel("distortion,\nnats per image")
        if ax in axes[:, 0]:
            ax.set_ylabel("spikes per image")
    beta = f"β = {shown[0].points[0].beta:g}"
    handles = [
        Line2D([], [], color=BLUE, marker="o", markersize=3.8, label="β as written, no price"),
        Line2D([], [], color=VERMILLION, marker="D", markersize=3.8, linestyle="none",
               label=f"price γ as written, {beta}" if _one_beta(shown) else "price γ as written"),
        Line2D([], [], **{**SILENCE, "label": "sending nothing"}),
    ]  # fmt: skip
    if not all(point.converged for curve in (*shown, *curves) if curve.family.is_poisson for point in curve.points):
        handles.append(Line2D([], [], color=INK, marker="o", markersize=3.8, markerfacecolor="white", linestyle="none",
                              label="open: not known to have converged"))  # fmt: skip
    fig.legend(handles=handles, loc="outside upper left", ncols=2 if fig.get_figwidth() > 5 else 1, handlelength=3)
    return fig


def _one_beta(curves: Sequence[Curve]) -> bool:
    return len({point.beta for curve in curves for point in curve.points}) == 1


def _place(point: Point) -> tuple[float, float] | None:
    distortion, spikes = point.mean("distortion"), point.mean("spikes_per_image")
    return None if distortion is None or spikes is None or spikes <= 0 else (distortion, spikes)

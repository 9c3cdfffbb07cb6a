"""Maps of a sweep over β and units, one row of two a family."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from ppl_pvae.analysis.plots.style import FAINT, GREY, PAGE, figure, styled
from ppl_pvae.analysis.sweeps.families import Curve, Point

__all__ = ["maps"]

_FLOOR = 1e-3
"""Activity per image below which a code is shown as if it had this: silent."""
_COLOURS = "cividis"


@styled
def maps(curves: Sequence[Curve]) -> Figure | None:
    """Zeros and log10 activity per image over β and units; None where there is no grid of at least two by two.

    Every cell says its number; hatched ones are not known to have converged, and empty ones are missing.
    """
    betas = sorted({point.beta for curve in curves for point in curve.points})
    units = sorted({curve.units for curve in curves})
    if len(betas) < 2 or len(units) < 2:
        return None
    families = list(dict.fromkeys(curve.family for curve in curves))
    height = 0.17 * len(units)
    fig = figure(PAGE, 0.75 + len(families) * (height + 0.3))
    axes = fig.subplots(len(families), 2, squeeze=False)
    shown = [_array(curves, family, betas, units) for family in families]
    known = np.concatenate([spikes[np.isfinite(spikes)] for _, spikes in shown])
    lows, tops = (0.0, min(known, default=0.0)), (1.0, max(known, default=1.0))
    names = ("zeros, share", "log₁₀ activity per image")
    for row, (family, pair) in enumerate(zip(families, shown, strict=True)):
        for column, values in enumerate(pair):
            ax = axes[row, column]
            image = ax.imshow(
                values, cmap=_COLOURS, vmin=lows[column], vmax=tops[column], aspect="auto", origin="lower"
            )
            _write(ax, values, lows[column], tops[column])
            _frame(ax, betas, units, first=column == 0, last=row == len(families) - 1)
            if row == len(families) - 1:
                bar = fig.colorbar(image, ax=axes[:, column], location="bottom", shrink=0.6, aspect=40, pad=0.015)
                bar.set_label(names[column])
                bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
        axes[row, 0].set_title(family.label)
        _hatch(list(axes[row]), [curve for curve in curves if curve.family == family], betas, units)
    if not all(point.converged for curve in curves for point in curve.points):
        key = Patch(facecolor=GREY, edgecolor="white", hatch="/////", linewidth=0, label="not known to have converged")
        fig.legend(handles=[key], loc="outside upper right", handlelength=3)
    return fig


def _array(curves: Sequence[Curve], family, betas, units) -> tuple[np.ndarray, np.ndarray]:
    zeros, spikes = (np.full((len(units), len(betas)), np.nan) for _ in range(2))
    for curve in curves:
        for point in curve.points if curve.family == family else ():
            place = units.index(curve.units), betas.index(point.beta)
            share, activity = point.mean("zeros"), point.mean("spikes_per_image")
            zeros[place] = np.nan if share is None else share
            spikes[place] = np.nan if activity is None else np.log10(max(activity, _FLOOR))
    return zeros, spikes


def _write(ax: Axes, values: np.ndarray, low: float, top: float) -> None:
    """The number of each cell, where there is room for it, light on dark and dark on light."""
    if values.shape[1] > 14:
        return
    for (y, x), value in np.ndenumerate(values):
        if np.isfinite(value):
            light = (value - low) / max(top - low, 1e-9) < 0.55
            text = f"{value:.2f}".replace("-", "−")
            ax.text(x, y, text, fontsize=5.5, ha="center", va="center", color="white" if light else "black", zorder=4)


def _hatch(axes: Sequence[Axes], curves: Sequence[Curve], betas: Sequence[float], units: Sequence[int]) -> None:
    unsure: list[tuple[Curve, Point]] = [(c, p) for c in curves for p in c.points if not p.converged]
    hatched = {"fill": False, "hatch": "/////", "edgecolor": "white", "linewidth": 0, "alpha": 0.55}
    for ax in axes:
        for curve, point in unsure:
            corner = betas.index(point.beta) - 0.5, units.index(curve.units) - 0.5
            ax.add_patch(Rectangle(corner, 1, 1, **hatched))


def _frame(ax: Axes, betas: Sequence[float], units: Sequence[int], *, first: bool, last: bool) -> None:
    ax.set_facecolor(FAINT)
    ax.set_xticks(range(len(betas)), [f"{beta:g}" for beta in betas] if last else [])
    ax.set_yticks(range(len(units)), [str(count) for count in units] if first else [])
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    if last:
        ax.set_xlabel("β")
    if first:
        ax.set_ylabel("K")

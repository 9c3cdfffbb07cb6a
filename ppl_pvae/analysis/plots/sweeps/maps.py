"""Maps of a sweep over β and units, one row of two a family."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import NullLocator

from ppl_pvae.analysis.plots.style import FAINT, GREY, PAGE, figure, short, styled
from ppl_pvae.analysis.sweeps.families import Curve, Point

__all__ = ["maps"]

_FLOOR = 1e-3
"""Activity per image below which a code is shown as if it had this: silent."""
_COLOURS = "cividis"


@styled
def maps(curves: Sequence[Curve]) -> Figure | None:
    """Zeros and activity per image over β and units; None where there is no grid of at least two by two.

    Every cell says its number; hatched ones are not known to have converged, and empty ones are missing. A family has
    the numbers of units that it is there at.
    """
    betas = sorted({point.beta for curve in curves for point in curve.points})
    if len(betas) < 2 or len({curve.units for curve in curves}) < 2:
        return None
    families = list(dict.fromkeys(curve.family for curve in curves))
    own = [sorted({curve.units for curve in curves if curve.family == family}) for family in families]
    lines = [len(units) for units in own]
    fig = figure(PAGE, 1.25 + 0.3 * len(families) + 0.17 * sum(lines))
    axes = fig.subplots(len(families), 2, squeeze=False, height_ratios=lines)
    shown = [_array(curves, family, betas, units) for family, units in zip(families, own, strict=True)]
    known = np.concatenate([spikes[np.isfinite(spikes)] for _, spikes in shown])
    least = min(known, default=1.0)
    norms = Normalize(0, 1), LogNorm(least, max([10 * least, *known]))
    names = ("zeros, share", "activity per image")
    for row, (family, units, pair) in enumerate(zip(families, own, shown, strict=True)):
        for column, values in enumerate(pair):
            ax = axes[row, column]
            image = ax.imshow(values, cmap=_COLOURS, norm=norms[column], aspect="auto", origin="lower")
            _write(ax, values, image, _activity if column else _share)
            _frame(ax, betas, units, first=column == 0, last=row == len(families) - 1)
            if row == len(families) - 1:
                bar = fig.colorbar(image, ax=axes[:, column], location="bottom", shrink=0.6, aspect=40, pad=0.015)
                bar.set_label(names[column])
                bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
                if column:
                    bar.ax.xaxis.set_major_formatter("{x:g}")
                    bar.ax.xaxis.set_minor_locator(NullLocator())
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
            spikes[place] = np.nan if activity is None else max(activity, _FLOOR)
    return zeros, spikes


def _share(value: float) -> str:
    """To two digits, of what is left where it is nearly all."""
    told = f"{value:.2f}"
    return f"{value:.3f}" if told == "1.00" and value < 0.9995 else told


def _activity(value: float) -> str:
    return short(value) if value > _FLOOR else f"<{_FLOOR:g}"


def _write(ax: Axes, values: np.ndarray, image: ScalarMappable, tell: Callable[[float], str]) -> None:
    """The number of each cell, where there is room for it, light on dark and dark on light, on a patch unhatched."""
    if values.shape[1] > 14:
        return
    for (y, x), value in np.ndenumerate(values):
        if np.isfinite(value):
            light = image.norm(value) < 0.55
            patch = {"facecolor": image.to_rgba(value), "edgecolor": "none", "pad": 0.8}
            ax.text(x, y, tell(float(value)), fontsize=5.5, ha="center", va="center", zorder=4, bbox=patch,
                    color="white" if light else "black")  # fmt: skip


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

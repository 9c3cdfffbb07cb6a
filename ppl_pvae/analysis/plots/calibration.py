"""Is the posterior the one that the model implies: ranks of codes among posterior draws."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ppl_pvae.analysis.calibration import Band, Calibration, pooled_ecdf, pooled_histogram
from ppl_pvae.analysis.plots.style import BLUE, FAINT, GREY, PAGE, figure, styled

__all__ = ["calibration"]


@styled
def calibration(judged: Calibration) -> Figure:
    """Histogram of ranks and difference of their ECDF from that of uniform ones, pooled over units.

    The grey band is where the whole of the histogram, or of the curve, lies in 95 of 100 cases if the posterior is
    exact; it takes account of how much units of one image hang together.
    """
    fig = figure(PAGE, 2.6)
    left, right = fig.subplots(1, 2)
    _draw_histogram(left, pooled_histogram(judged))
    _draw_ecdf(right, pooled_ecdf(judged), judged.draws)
    left.set_title(_verdict(judged))
    for ax in (left, right):
        ax.set_xlabel(f"rank among {judged.draws} posterior draws")
        ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    return fig


def _draw_histogram(ax: Axes, ranks: Band) -> None:
    ends = np.concatenate([[0], ranks.at + 1]) - 0.5
    band = {"color": FAINT, "linewidth": 0, "step": "post"}
    half = np.append(ranks.half, ranks.half[-1])
    ax.fill_between(ends, 1 - half, 1 + half, **band)
    ax.axhline(1, color=GREY, linewidth=0.8, linestyle=(0, (4, 2)))
    ax.stairs(1 + ranks.value, ends, color=BLUE, linewidth=1.2, baseline=None)
    reach = max(0.2, 1.3 * float(max(np.abs(ranks.value).max(), ranks.half.max())))
    ax.set(xlim=(ends[0], ends[-1]), ylim=(max(0.0, 1 - reach), 1 + reach), ylabel="frequency (uniform = 1)")


def _draw_ecdf(ax: Axes, ranks: Band, draws: int) -> None:
    # Both curves start at 0 before the lowest rank and end there at the highest.
    at = np.concatenate([[-1], ranks.at, [draws]])
    value, half = (np.concatenate([[0], each, [0]]) for each in (ranks.value, ranks.half))
    ax.fill_between(at, -half, half, color=FAINT, linewidth=0, label=f"{ranks.level:.0%} if the posterior is exact")
    ax.axhline(0, color=GREY, linewidth=0.8, linestyle=(0, (4, 2)))
    ax.plot(at, value, color=BLUE)
    reach = 1.5 * float(max(np.abs(value).max(), half.max()))
    ax.set(xlim=(-1, draws), ylim=(-reach, reach), ylabel="ECDF − uniform ECDF")
    ax.legend(loc="upper right")


def _verdict(judged: Calibration) -> str:
    images, units = judged.ranks.shape
    p = f"p = {judged.p_value:.2g}" if judged.p_value >= 1e-4 else "p < 0.0001"
    return f"{images:,} images, {units:,} {'unit' if units == 1 else 'units'}: {p}"

"""Statistics of data beside those of data sets that the program made."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from ppl_pvae.analysis.plots.style import GREY, PAGE, VERMILLION, figure, styled
from ppl_pvae.analysis.predictive import Check

__all__ = ["checks"]

_COLUMNS = 4


@styled
def checks(found: Sequence[Check]) -> Figure:
    """A panel for each statistic: a histogram over replicated data sets, a line for the data, the two-sided p-value."""
    rows = -(-len(found) // _COLUMNS)
    fig = figure(PAGE, 0.5 + 1.2 * max(rows, 1))
    axes = fig.subplots(max(rows, 1), _COLUMNS, squeeze=False).ravel()
    for ax, check in zip(axes, found, strict=False):
        _panel(ax, check)
    for ax in axes[len(found) :]:
        ax.set_visible(False)
    keys = [Patch(color=GREY, alpha=0.6, linewidth=0), Line2D([], [], color=VERMILLION)]
    fig.legend(keys, ["data sets that the program made", "the data"], loc="outside upper left", ncols=2)
    return fig


def _panel(ax: Axes, check: Check) -> None:
    ax.set_title(check.name, fontsize=7)
    ax.set(yticks=[])
    ax.spines["left"].set_visible(False)
    made = check.replicated[np.isfinite(check.replicated)]
    if not made.size or not np.isfinite(check.observed):
        ax.set(xticks=[])
        ax.text(0.5, 0.4, "not defined", transform=ax.transAxes, ha="center", color=GREY, fontsize=7)
        return
    low, high = min(made.min(), check.observed), max(made.max(), check.observed)
    margin = 0.08 * (high - low) or 0.05 * abs(high) or 0.5
    # Where all replicates are alike beside the distance to the data, they are one thin bar that can still be seen.
    bins = np.linspace(made.min(), max(made.max(), made.min() + 0.02 * (high - low + margin)), 16)
    ax.hist(made, bins=bins.tolist(), color=GREY, alpha=0.6, linewidth=0)
    ax.axvline(check.observed, color=VERMILLION)
    ax.set_xlim(low - margin, high + margin)
    ax.xaxis.set_major_locator(MaxNLocator(3))
    lowest = check.p_value == 2 / (len(made) + 1)  # as far out as so many replicates can tell
    ax.set_xlabel(f"p {'≤' if lowest else '='} {check.p_value:.2g}", fontsize=7)

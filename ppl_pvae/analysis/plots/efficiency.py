"""How much information energy buys, whatever rest costs beside a spike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ppl_pvae.analysis.energy import Budget
from ppl_pvae.analysis.plots.style import GREY, figure, log_axis, styled
from ppl_pvae.analysis.plots.versus import COLOURS
from ppl_pvae.analysis.study import Study

__all__ = ["RATIOS", "efficiency"]

RATIOS = np.geomspace(1e-4, 10, 200)
"""Cost of a unit's rest through the window, in spikes."""

_APART = 1.5
"""Budgets whose ratios differ by less have names that would overprint each other."""
_HIGH = 0.21
"""Height kept for a name, as a share of the axes."""


@styled
def efficiency(studies: Sequence[Study]) -> Figure | None:
    """Bits per spike's worth of energy over the cost of rest, one curve a run; None where none has spikes and a bill.

    A code of few spikes wins where rest is cheap, one of many where units cost as much silent as firing.
    """
    fig = figure(4.6, 2.9)
    ax = fig.subplots()
    drawn = []
    for i, s in enumerate(studies):
        spikes, units = float(s.posterior.use.sum()), s.posterior.mean.shape[1]
        if not s.posterior.is_count or not (s.delivered or 0) > 0 or spikes == 0:
            continue  # a code that tells nothing, by rounding even less, has no place on a log axis
        curve = s.delivered / np.log(2) / (spikes + RATIOS * units)
        ax.plot(RATIOS, curve, color=COLOURS[i % len(COLOURS)], label=s.name)
        drawn.append(curve)
    if not drawn:
        return None
    ax.set(xlabel="cost of a unit's rest in the window, spikes", ylabel="bits per spike's worth of energy")
    both = np.concatenate(drawn)
    log_axis(ax, "x", RATIOS[0], RATIOS[-1], least_ratio=1)
    log_axis(ax, "y", float(both.min()), float(both.max()))
    _mark_budgets(ax, [b for b in studies[0].budgets if RATIOS[0] <= b.ratio <= RATIOS[-1]])  # not rest for nothing
    if len(studies) > 1:
        ax.legend()
    return fig


def _mark_budgets(ax: Axes, budgets: Sequence[Budget]) -> None:
    """A line at each budget with its name at the foot, or above the names that it would overprint."""
    placed: list[tuple[float, int]] = []
    for budget in sorted(budgets, key=lambda b: b.ratio):
        taken = {level for ratio, level in placed if budget.ratio < _APART * ratio}
        level = min(set(range(len(budgets))) - taken)
        placed.append((budget.ratio, level))
        ax.axvline(budget.ratio, color=GREY, linewidth=0.6, linestyle=(0, (2, 2)), zorder=0)
        name = budget.name.split(",")[0].split(" &")[0].split(" 2")[0]
        ax.text(budget.ratio, 0.03 + _HIGH * level, name, transform=ax.get_xaxis_transform(), rotation=90,
                fontsize=6, color=GREY, ha="right", va="bottom", zorder=1,  # under the curves, over the lines
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6})  # fmt: skip

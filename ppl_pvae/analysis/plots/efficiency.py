"""How much information energy buys, whatever rest costs beside a spike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from ppl_pvae.analysis.plots.style import GREY, figure, log_axis, styled
from ppl_pvae.analysis.plots.versus import COLOURS
from ppl_pvae.analysis.study import Study

__all__ = ["RATIOS", "efficiency"]

RATIOS = np.geomspace(1e-4, 10, 200)
"""Cost of a unit's rest through the window, in spikes."""


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
        if not s.posterior.is_count or not s.delivered or spikes == 0:
            continue
        curve = s.delivered / np.log(2) / (spikes + RATIOS * units)
        ax.plot(RATIOS, curve, color=COLOURS[i % len(COLOURS)], label=s.name)
        drawn.append(curve)
    if not drawn:
        return None
    ax.set(xlabel="cost of a unit's rest in the window, spikes", ylabel="bits per spike's worth of energy")
    both = np.concatenate(drawn)
    log_axis(ax, "x", RATIOS[0], RATIOS[-1], least_ratio=1)
    log_axis(ax, "y", float(both.min()), float(both.max()))
    for budget in studies[0].budgets:
        if not RATIOS[0] <= budget.ratio <= RATIOS[-1]:
            continue  # as with rest for nothing
        ax.axvline(budget.ratio, color=GREY, linewidth=0.6, linestyle=(0, (2, 2)), zorder=0)
        ax.text(budget.ratio, ax.get_ylim()[0] * 1.08, budget.name.split(",")[0].split(" &")[0].split(" 2")[0],
                rotation=90, fontsize=6, color=GREY, ha="right", va="bottom")  # fmt: skip
    if len(studies) > 1:
        ax.legend()
    return fig

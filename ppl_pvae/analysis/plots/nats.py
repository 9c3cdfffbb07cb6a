"""How the bill of nats is spread over units."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ppl_pvae.analysis import metrics
from ppl_pvae.analysis.plots.style import GREY, VERMILLION, figure, log_axis, styled
from ppl_pvae.analysis.record import Posterior

__all__ = ["nats"]


@styled
def nats(posterior: Posterior) -> Figure:
    """Mean KL of every unit, dearest first, on a log axis, with the line above which a unit counts as active."""
    cost = np.sort(metrics.nats_per_unit(posterior.kl))[::-1]
    fig = figure(3.6, 2.7)
    ax = fig.subplots()
    ax.set(xlabel="unit, dearest first", ylabel="nats per image")
    if not (cost > 0).any():
        ax.set(xticks=[], yticks=[])
        ax.text(0.5, 0.5, "no unit costs anything", transform=ax.transAxes, ha="center", color=GREY)
        return fig
    few = len(cost) <= 32
    rank = np.arange(1, len(cost) + 1)
    ax.plot(rank, np.where(cost > 0, cost, np.nan), color=VERMILLION, marker="o" if few else None, markersize=3)
    ax.axhline(metrics.ACTIVE_NATS, color=GREY, linewidth=0.8, linestyle=(0, (4, 2)))
    # A dead unit costs 1e-9 nats or so: the decades below the line say nothing.
    lowest = min(max(cost[cost > 0].min(), metrics.ACTIVE_NATS / 100), metrics.ACTIVE_NATS)
    log_axis(ax, "y", lowest, max(cost[0], metrics.ACTIVE_NATS))
    ax.set_xlim(0.5 if few else 0, len(cost) + (0.5 if few else 0))
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    active = int(metrics.is_active(posterior.kl).sum())
    ax.set_title(f"{active} of {len(cost)} units cost more than {metrics.ACTIVE_NATS} nat")
    return fig

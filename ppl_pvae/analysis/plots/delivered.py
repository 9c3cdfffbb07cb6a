"""Nats paid against nats delivered."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from ppl_pvae.analysis.information import UnitBill
from ppl_pvae.analysis.metrics import ACTIVE_NATS
from ppl_pvae.analysis.plots.style import BLUE, FAINT, GREY, figure, log_axis, short, styled

__all__ = ["delivered"]


@styled
def delivered(bill: UnitBill) -> Figure:
    """Information of every unit about the image against the KL it pays, nats per image, with the line of no loss."""
    paid, got = bill.paid, bill.delivered
    fig = figure(3.6, 2.7)
    ax = fig.subplots()
    ax.set(xlabel="nats paid per image (KL)", ylabel="nats delivered (information)")
    seen = (paid > 0) & (got > 0)
    if not seen.any():
        ax.set(xticks=[], yticks=[])
        ax.text(0.5, 0.5, "no unit says anything", transform=ax.transAxes, ha="center", color=GREY)
        return fig
    # Units far below what counts as active would stretch the axes over decades of nothing.
    high = paid[seen].max()
    low = max(min(paid[seen].min(), got[seen].min()), min(ACTIVE_NATS / 100, high / 10))
    for which in ("x", "y"):
        log_axis(ax, which, low, high, least_ratio=4)
    ends = np.array(ax.get_xlim())
    ax.fill_between(ends, ends, ends[0], color=FAINT, alpha=0.5, linewidth=0, zorder=0)
    ax.plot(ends, ends, color=GREY, linewidth=0.8, linestyle=(0, (4, 2)), label="paid = delivered", zorder=1)
    size = 14 if len(paid) <= 64 else 7
    active = paid > ACTIVE_NATS
    for who, colour, name in ((active, BLUE, "active"), (~active, GREY, f"below {ACTIVE_NATS} nat")):
        if (who & seen).any():
            ax.scatter(paid[who & seen], got[who & seen], s=size, color=colour, alpha=0.5, linewidth=0, label=name)
    ax.legend(loc="upper left")
    ax.text(0.97, 0.06, "mismatch", transform=ax.transAxes, ha="right", color=GREY, fontsize=7)
    known = np.isfinite(got)
    sent, cost, unknown = got[known].sum(), paid[known].sum(), int((~known).sum())
    rest = f"; {unknown} unit{'s' if unknown > 1 else ''} not known" if unknown else ""
    ax.set_title(f"{short(sent)} of {short(cost)} nats are delivered, {100 * sent / cost:.0f}%{rest}")
    return fig

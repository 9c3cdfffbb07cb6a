"""Does the prior expect what the posterior does."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from ppl_pvae.analysis import metrics
from ppl_pvae.analysis.plots.style import BLUE, GREY, figure, log_axis, styled
from ppl_pvae.analysis.record import Posterior

__all__ = ["prior"]


@styled
def prior(posterior: Posterior) -> Figure:
    """Mean rate E lambda_k over images against the prior rate r_k of each unit, with the line r_k = E lambda_k.

    A learned prior has its optimum on that line, where rates and prior move independently.

    Parameters
    ----------
    posterior
        Its `prior_mean` is not None.
    """
    assert posterior.prior_mean is not None, "asked for the prior rates of a prior that has none"
    r, rate = posterior.prior_mean.astype(float), posterior.use
    active = metrics.is_active(posterior.kl)
    seen = (r > 0) & (rate > 0)
    fig = figure(3.6, 2.7)
    ax = fig.subplots()
    ax.set(xlabel="prior rate r, spikes per image", ylabel="E λ, spikes per image")
    if not seen.any():
        ax.set(xticks=[], yticks=[])
        ax.text(0.5, 0.5, "every unit is silent", transform=ax.transAxes, ha="center", color=GREY)
        return fig
    ends = min(r[seen].min(), rate[seen].min()), max(r[seen].max(), rate[seen].max())
    for which in ("x", "y"):
        log_axis(ax, which, *ends, least_ratio=4)
    ends = np.array(ax.get_xlim())
    ax.plot(ends, ends, color=GREY, linewidth=0.8, linestyle=(0, (4, 2)), label="r = E λ", zorder=1)
    size = 14 if len(r) <= 64 else 7
    for who, colour, name in ((active, BLUE, "active"), (~active, GREY, "below 0.01 nat")):
        if (who & seen).any():
            ax.scatter(r[who & seen], rate[who & seen], s=size, color=colour, alpha=0.5, linewidth=0, label=name)
    mismatch = metrics.rate_mismatch(posterior.prior_mean, posterior.mean, posterior.kl)
    note = f"largest |log r − log E λ|: {mismatch:.2g}" if np.isfinite(mismatch) else "no active unit"
    ax.text(0.97, 0.04, note, transform=ax.transAxes, ha="right", fontsize=7)
    ax.legend(loc="upper left")
    return fig

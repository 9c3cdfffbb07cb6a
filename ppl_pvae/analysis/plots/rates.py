"""How activity is spread over units."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ppl_pvae.analysis.plots.style import BLUE, GREY, ORANGE, figure, log_axis, styled
from ppl_pvae.analysis.record import Posterior

__all__ = ["rates"]


@styled
def rates(posterior: Posterior) -> Figure:
    """Mean activity of every unit, most used first, on a log axis; beside it the prior rate r of the same unit."""
    order = np.argsort(-posterior.use, kind="stable")
    use = posterior.use[order]
    word = posterior.activity_word
    fig = figure(3.6, 2.7)
    ax = fig.subplots()
    ax.set(xlabel="unit, most used first", ylabel=f"{word} per image")
    rank = np.arange(1, len(use) + 1)
    if not (use > 0).any():
        ax.set(xticks=[], yticks=[], xlim=(0, 1))
        ax.text(0.5, 0.5, "every unit is silent", transform=ax.transAxes, ha="center", color=GREY)
        return fig
    seen = [use] if posterior.prior_mean is None else [use, posterior.prior_mean]
    values = np.concatenate([part[part > 0] for part in seen])
    # Units that never fire in float32 would stretch the axis over decades that nobody can tell apart.
    log_axis(ax, "y", max(float(values.min()), float(values.max()) * 1e-6), float(values.max()))
    size = 14 if len(use) <= 32 else 3
    if posterior.prior_mean is not None:
        prior = posterior.prior_mean[order]
        ax.scatter(rank, np.where(prior > 0, prior, np.nan), s=size, color=ORANGE, linewidth=0, label="prior rate r")
    name = "E λ" if posterior.is_count else ("E z" if posterior.is_nonnegative else "E |z|")
    marker = "o" if len(use) <= 32 else None
    ax.plot(rank, np.where(use > 0, use, np.nan), color=BLUE, marker=marker, markersize=3, label=name)
    silent = int((use == 0).sum())
    ax.set_xlim(0.5 if len(use) <= 32 else 0, len(use) + (0.5 if len(use) <= 32 else 0))
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.legend(title=f"{silent} silent, not shown" if silent else None, title_fontsize=7)
    return fig

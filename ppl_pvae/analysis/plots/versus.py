"""Several runs side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ppl_pvae.analysis.comparison import Match, Pair, families
from ppl_pvae.analysis.plots.style import (
    BLUE,
    FAINT,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PAGE,
    VERMILLION,
    figure,
    log_axis,
    styled,
)
from ppl_pvae.analysis.study import Study

__all__ = ["COLOURS", "bills", "differences", "planes", "uses"]

COLOURS = (BLUE, VERMILLION, GREEN, ORANGE, "#CC79A7", "#56B4E9", INK, GREY)


def _colour(i: int) -> str:
    return COLOURS[i % len(COLOURS)]


@styled
def uses(studies: Sequence[Study]) -> Figure:
    """Mean activity of every unit of each run, most used first, on log axes; cumulative share of activity beside it."""
    fig = figure(PAGE, 2.6)
    left, right = fig.subplots(1, 2)
    seen = []
    for i, s in enumerate(studies):
        use = np.sort(s.posterior.use)[::-1]
        rank = np.arange(1, len(use) + 1)
        left.plot(rank, np.where(use > 0, use, np.nan), color=_colour(i), label=s.name)
        right.plot(rank / len(use), np.cumsum(use) / max(use.sum(), 1e-300), color=_colour(i))
        seen.append(use[use > 0])
    values = np.concatenate(seen)
    left.set(xlabel="unit, most used first", ylabel="activity per image")
    if len(values):
        log_axis(left, "y", max(float(values.min()), float(values.max()) * 1e-6), float(values.max()))
    left.set_xscale("log")
    right.set(xlabel="share of units, most used first", ylabel="share of activity", xlim=(0, 1), ylim=(0, 1.02))
    right.plot([0, 1], [0, 1], color=GREY, linewidth=0.6, linestyle=(0, (2, 2)))
    fig.legend(*left.get_legend_handles_labels(), loc="outside upper left", ncols=4)
    return fig


@styled
def bills(studies: Sequence[Study]) -> Figure | None:
    """Nats paid per image, split into delivered, mismatch and never sent, a bar a run; None where none has a bill.

    A run with a unit whose information is not known has no bar.
    """
    known = [s for s in studies if s.bill is not None and np.isfinite(s.bill.delivered).all()]
    if not known:
        return None
    fig = figure(5.6, 0.75 + 0.3 * len(known))
    ax = fig.subplots()
    for i, s in enumerate(known):
        assert s.bill is not None
        got, paid = float(s.bill.delivered.sum()), float(s.bill.paid.sum())
        start = 0.0
        for value, colour in ((got, GREEN), (paid - got - s.unsent, ORANGE), (s.unsent, GREY)):
            ax.barh(i, value, left=start, height=0.62, color=colour)
            start += value
        ax.text(paid, i, f" {paid:.1f}", va="center")
    ax.set(yticks=range(len(known)), yticklabels=[s.name for s in known], xlabel="nats per image")
    ax.invert_yaxis()
    ax.margins(x=0.12)
    ax.tick_params(axis="y", length=0)
    handles = [Line2D([], [], color=c, linewidth=6) for c in (GREEN, ORANGE, GREY)]
    names = ["delivered, summed over units", "mismatch", "paid, never sent"]
    fig.legend(handles, names, loc="outside upper left", ncols=3, handlelength=1)
    return fig


@styled
def differences(pairs: Sequence[Pair], quantity: str) -> Figure | None:
    """Paired differences from the first run with intervals over photographs; None where there are none."""
    if not pairs:
        return None
    fig = figure(5.6, 0.7 + 0.3 * len(pairs))
    ax = fig.subplots()
    for i, pair in enumerate(pairs):
        inside = pair.difference.interval
        ax.plot([inside.low, inside.high], [i, i], color=BLUE, linewidth=2, solid_capstyle="butt")
        ax.plot(inside.estimate, i, "o", color=BLUE, markersize=4)
        ax.text(inside.estimate, i - 0.18, f"{inside.estimate:+.2f}".replace("-", "−"), ha="center", fontsize=6.5)
    ax.axvline(0, color=GREY, linewidth=0.8)
    ax.set(yticks=range(len(pairs)), yticklabels=[pair.name for pair in pairs], ylim=(len(pairs) - 0.5, -0.6))
    ax.set_xlabel(f"{quantity}: difference from {pairs[0].beside}, nats per image")
    ax.margins(x=0.1)
    return fig


@styled
def planes(studies: Sequence[Study], matches: Sequence[Match], silence: float | None) -> Figure:
    """Distortion against activity and against nats, a mark a run; runs that differ in β alone are joined by a line."""
    fig = figure(PAGE, 2.8)
    left, right = fig.subplots(1, 2)
    for ax, key, label in (
        (left, "spikes_per_image", "activity per image"),
        (right, "coding_rate", "nats per image"),
    ):
        for i, (program, members) in enumerate(families(studies).items()):
            known = [s for s in members if s.summary[key] is not None and s.summary["distortion"] is not None]
            rows = sorted(known, key=lambda s: s.summary[key])
            x, y = ([s.summary[name] for s in rows] for name in (key, "distortion"))
            ax.plot(x, y, color=_colour(i), linewidth=0.8, label=program)
            for s, a, b in zip(rows, x, y, strict=True):
                face = _colour(i) if s.summary["converged"] else "white"
                ax.plot(a, b, "o", markersize=5, markeredgecolor=_colour(i), markerfacecolor=face)
        values = [s.summary[key] for s in studies if s.summary[key]]
        if values:
            log_axis(ax, "x", min(values), max(values))
        if silence is not None:
            ax.axhline(silence, color=GREY, linewidth=0.8, linestyle=(0, (4, 2)))
        for match in matches:
            ax.axhline(match.distortion, color=FAINT, linewidth=0.8, zorder=0)
        ax.set(xlabel=label, ylabel="distortion, nats per image")
    fig.legend(*left.get_legend_handles_labels(), loc="outside upper left", ncols=2)
    return fig

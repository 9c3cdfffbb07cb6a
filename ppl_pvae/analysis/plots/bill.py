"""The bill: what is left to pay for errors and what the code costs, beside silence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ppl_pvae.analysis.plots.style import BLUE, GREEN, GREY, INK, VERMILLION, figure, styled

__all__ = ["bill"]


@styled
def bill(summary: Mapping[str, Any], beta: float) -> Figure:
    """Distortion + beta * coding rate (+ global KL) as one stacked bar, above the bar of a code that sends nothing.

    Parameters
    ----------
    summary
        Row of `summarise`.
    beta
        Weight of the KL.
    """
    fig = figure(5.0, 1.35)
    ax = fig.subplots()
    distortion, nats = summary["distortion"], summary["coding_rate"]
    total, silence = summary["free_energy"], summary["silent_free_energy"]
    if None in (distortion, nats, total):
        ax.axis("off")
        ax.text(0.5, 0.5, "the free energy is not finite", transform=ax.transAxes, ha="center", color=VERMILLION)
        return fig
    rest = total - distortion - beta * nats
    parts = [("distortion", distortion, BLUE), (f"β · coding rate, {beta:g} × {nats:.3g}", beta * nats, VERMILLION)]
    if abs(rest) > 0.005 * abs(total):
        parts.append(("global latents", rest, GREEN))
    scale = max(abs(total), abs(distortion), abs(silence or 0.0)) or 1.0
    start = 0.0
    for label, value, colour in parts:
        ax.barh(0, value, left=start, height=0.62, color=colour, label=label)
        if abs(value) > 0.09 * scale:
            ax.text(start + value / 2, 0, f"{value:.1f}", ha="center", va="center", color="white")
        start += value
    _total(ax, 0, total, scale, "bold")
    if silence is not None:
        ax.barh(1, silence, height=0.62, color=GREY, alpha=0.45)
        _total(ax, 1, silence, scale, "normal")
    ax.set(yticks=[0, 1], yticklabels=["this code", "silence"], ylim=(1.5, -0.5), xlabel="nats per image")
    low = min(0.0, distortion, total, silence or 0.0)
    ax.set_xlim(low * 1.15, low * 1.15 + (max(0.0, total, silence or 0.0) - low) * 1.14 or 1.0)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    fig.legend(*ax.get_legend_handles_labels(), loc="outside upper left", ncols=3, handlelength=1, columnspacing=1.5)
    return fig


def _total(ax: Axes, y: float, value: float, scale: float, weight: str) -> None:
    ax.text(max(value, 0.0) + 0.012 * scale, y, f"{value:.1f}", va="center", weight=weight, color=INK)

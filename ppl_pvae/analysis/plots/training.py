"""How training went: the bill, the activity and the silence of the code over steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ppl_pvae.analysis.plots.style import BLUE, FAINT, GREY, ORANGE, PAGE, figure, styled

__all__ = ["training"]

_SPLITS = {"train": (BLUE, "-"), "validation": (ORANGE, "-")}


@styled
def training(history: Iterable[Mapping[str, Any]], silent_free_energy: float | None, word: str = "spikes") -> Figure:
    """Curves of free energy, distortion, coding rate, firing rate and zeros over steps, beside the line of silence.

    Parameters
    ----------
    history
        Lines of `metrics.jsonl`; where beta still rises the ground is shaded.
    silent_free_energy
        Nats per image of sending nothing.
    word
        "spikes" for counts, "activity" otherwise.
    """
    rows = [row for row in history if row.get("split") in _SPLITS]
    panels = {
        (0, 0): ("free_energy", "free energy, nats"),
        (0, 1): ("distortion", "distortion, nats"),
        (1, 0): ("coding_rate", "coding rate, nats"),
        (1, 1): ("firing_rate", f"{word} per unit"),
        (1, 2): ("zeros", "share of zeros"),
    }
    fig = figure(PAGE, 3.4)
    axes = fig.subplots(2, 3)
    for place, (key, label) in panels.items():
        ax = axes[place]
        _curves(ax, rows, key)
        ax.set_title(label)
        if key in ("free_energy", "distortion") and silent_free_energy is not None:
            ax.axhline(silent_free_energy, color=GREY, linestyle=(0, (4, 2)), linewidth=1)
        _shade_annealing(ax, rows)
        _set_limits(ax, rows, key, silent_free_energy)
    for ax in axes[1]:
        ax.set_xlabel("step")
    for ax in axes[0, :2]:
        ax.tick_params(labelbottom=False)
    _legend(axes[0, 2], rows)
    return fig


def _values(rows: list[Mapping[str, Any]], split: str, key: str) -> tuple[np.ndarray, np.ndarray]:
    pairs = [(row["step"], row[key]) for row in rows if row["split"] == split and row.get(key) is not None]
    steps, values = (np.array(column, dtype=float) for column in zip(*pairs, strict=True)) if pairs else ([], [])
    return np.asarray(steps), np.asarray(values)


def _curves(ax: Axes, rows: list[Mapping[str, Any]], key: str) -> None:
    for split, (colour, line) in _SPLITS.items():
        steps, values = _values(rows, split, key)
        ax.plot(steps, values, line, color=colour, marker="o" if len(steps) == 1 else None, markersize=3)


def _annealed(rows: list[Mapping[str, Any]]) -> float | None:
    """Step at which beta reaches its last value; None where it never moves."""
    known = [(row["step"], row["beta_now"]) for row in rows if row.get("beta_now") is not None]
    if not known:
        return None
    last = max(known)[1]
    before = [step for step, beta in known if not np.isclose(beta, last)]
    after = [step for step, beta in known if np.isclose(beta, last) and step > max(before, default=0)]
    return min(after) if before and after else None


def _shade_annealing(ax: Axes, rows: list[Mapping[str, Any]]) -> None:
    end = _annealed(rows)
    if end is not None:
        ax.axvspan(0, end, color=FAINT, alpha=0.45, linewidth=0, zorder=0)


def _set_limits(ax: Axes, rows: list[Mapping[str, Any]], key: str, silence: float | None) -> None:
    """Leave the first twentieth out of the scale: what an untrained code costs is far off that of all the rest."""
    last = max((row["step"] for row in rows), default=0)
    settled = [
        row[key] for row in rows if row.get(key) is not None and np.isfinite(row[key]) and row["step"] >= 0.05 * last
    ]
    if not settled:
        return
    low, high = min(settled), max(settled)
    if key in ("free_energy", "distortion") and silence is not None:
        low, high = min(low, silence), max(high, silence)
    # Noise must not fill the axis: it spans at least a tenth of the values, or of all shares.
    least = 0.1 if key == "zeros" else 0.1 * max(abs(low), abs(high))
    pad = max(0.06 * (high - low), (least - (high - low)) / 2) or 0.05
    ax.set_ylim(low - pad, high + pad)
    if key == "zeros":
        ax.set_ylim(max(low - pad, -0.02), min(high + pad, 1.02))


def _legend(ax: Axes, rows: list[Mapping[str, Any]]) -> None:
    for split, (colour, line) in _SPLITS.items():
        if any(row["split"] == split for row in rows):
            ax.plot([], [], line, color=colour, label=split)
    ax.plot([], [], color=GREY, linestyle=(0, (4, 2)), linewidth=1, label="silence: nothing sent")
    if _annealed(rows) is not None:
        ax.fill_between([], [], color=FAINT, alpha=0.45, label="β still rising")
    ax.legend(loc="center left", fontsize=8)
    ax.axis("off")

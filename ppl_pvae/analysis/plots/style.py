"""One look for all figures: colours, sizes, and the mark of a run that is not known to have converged."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Literal, ParamSpec, TypeVar

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogFormatterMathtext, LogLocator, MaxNLocator, NullLocator

from ppl_pvae.analysis.convergence import CONVERGED, NOT_CONVERGED

__all__ = [
    "BLUE",
    "FAINT",
    "GREEN",
    "GREY",
    "INK",
    "LOOK",
    "ORANGE",
    "PAGE",
    "STRIP",
    "VERMILLION",
    "figure",
    "log_axis",
    "mark",
    "short",
    "styled",
]

P = ParamSpec("P")
F = TypeVar("F", bound=Figure | None)

# Okabe and Ito's palette, which stays apart for all common kinds of colour vision and in grey print.
BLUE, ORANGE, VERMILLION, GREEN = "#0072B2", "#E69F00", "#D55E00", "#009E73"
INK, GREY, FAINT = "#222222", "#767676", "#e4e4e4"

PAGE = 7.2
"""Width of a figure that fills a page, inches."""
STRIP = 0.17
"""Height kept free at the bottom for the mark, inches."""

LOOK: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "mathtext.fontset": "dejavusans",
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.titlelocation": "left",
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "lines.linewidth": 1.2,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "figure.dpi": 150,
    "savefig.dpi": 150,
    "image.interpolation": "nearest",
    "axes.formatter.useoffset": False,
}
"""The look itself, for figures of one's own: `matplotlib.pyplot.rcParams.update(LOOK)`."""


def styled(draw: Callable[P, F]) -> Callable[P, F]:
    """Draw in the house look and leave matplotlib's settings as they were."""

    @wraps(draw)
    def inside(*args: P.args, **kwargs: P.kwargs) -> F:
        with matplotlib.rc_context(LOOK):
            fig = draw(*args, **kwargs)
            for ax in [] if fig is None else fig.axes:
                # Matplotlib makes most ticks when the figure is saved, outside this look, unless told now.
                ax.tick_params(which="major", labelsize=7, width=0.6)
                ax.tick_params(which="minor", labelsize=7, width=0.4)
            return fig

    return inside


def figure(width: float, height: float, *, placed_by_hand: bool = False) -> Figure:
    """An empty figure of the given size in inches, with a strip at its foot kept free for the mark.

    Parameters
    ----------
    width, height
        Size in inches.
    placed_by_hand
        Whether the caller places every axes itself; otherwise constrained layout does.
    """
    if placed_by_hand:
        return Figure(figsize=(width, height))
    fig = Figure(figsize=(width, height), layout="constrained")
    engine = fig.get_layout_engine()
    assert engine is not None
    engine.set(rect=(0, STRIP / height, 1, 1 - STRIP / height))  # pyright: ignore[reportCallIssue]
    return fig


def mark(fig: Figure, standing: str) -> None:
    """Say on the figure itself when its run is not converged, or when nobody has looked or can."""
    if standing == CONVERGED:
        return
    text, colour = (standing, VERMILLION) if standing == NOT_CONVERGED else (f"convergence {standing}", GREY)
    height = fig.get_figheight()
    fig.text(1 - 0.05 / fig.get_figwidth(), 0.05 / height, text, color=colour, fontsize=6.5, ha="right", va="bottom")


def short(value: float) -> str:
    """A number for a label: two digits, whole from 10 on, no exponent unless it is beyond counting."""
    if value == 0:
        return "0"
    if abs(value) < 0.001:
        return f"{value:.0e}"
    return f"{value:.0f}" if abs(value) >= 10 else f"{value:#.2g}"


def log_axis(ax: Axes, which: Literal["x", "y"], low: float, high: float, *, least_ratio: float = 10.0) -> None:
    """Make one axis logarithmic from low to high, with plain numbers as ticks.

    Parameters
    ----------
    ax
        Axes to change.
    which
        "x" or "y".
    low, high
        Positive ends of the data.
    least_ratio
        The axis spans at least this ratio, so that small differences do not look large.
    """
    widen = np.sqrt(max(1.0, least_ratio / (high / low))) * 1.15
    low, high = low / widen, high * widen
    (ax.set_xscale if which == "x" else ax.set_yscale)("log")
    (ax.set_xlim if which == "x" else ax.set_ylim)(low, high)
    axis = ax.xaxis if which == "x" else ax.yaxis
    if high / low < 6:
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    else:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high / low < 300 else (1.0,)))
    if high / low < 300:
        axis.set_minor_locator(NullLocator())
    plain = low >= 1e-4 and high <= 1e5
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}") if plain else LogFormatterMathtext())

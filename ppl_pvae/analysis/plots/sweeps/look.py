"""How the families of a sweep look: line, colour and mark of each, the β axis, and the legend above a figure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from ppl_pvae.analysis.plots.style import BLUE, GREEN, GREY, INK, ORANGE, PAGE, VERMILLION, figure
from ppl_pvae.analysis.plots.sweeps.layout import MOST_TOGETHER, Place, kind_of, kinds_of
from ppl_pvae.analysis.sweeps.families import Curve, Family, Point

__all__ = [
    "SILENCE",
    "Look",
    "beta_axis",
    "draw_line",
    "grid",
    "legend",
    "looks",
    "open_mark",
    "panels",
    "positive_limits",
    "title_size",
]

SILENCE: dict[str, Any] = {"color": GREY, "linewidth": 0.8, "linestyle": (0, (4, 2)), "zorder": 0}
"""The line of sending nothing."""

_DASHED, _DOTTED, _MIXED = (0, (2, 1.2)), (0, (1, 1.2)), (0, (5, 1.2, 1, 1.2))
# Okabe and Ito's colours, and others: one for each prior and payment, cool for counts and warm for Gaussians.
_COLOURS = {
    ("poisson", "learned", None): BLUE,
    ("poisson", "fixed", None): GREEN,
    ("negative-binomial", "learned", None): "#56B4E9",
    ("rectified-gaussian", "fixed", "latent"): VERMILLION,
    ("rectified-gaussian", "fixed", "code"): ORANGE,
    ("rectified-gaussian", "learned", "latent"): "#CC79A7",
    ("rectified-gaussian", "learned", "code"): "#8C510A",
    ("gaussian", "learned", None): GREY,
}
_OTHERS = (INK, "#882255", "#999933", "#44AA99", "#332288")
# Solid for an encoder with a bias, dashed without; the others where families differ in something else.
_LINES = ("-", _DASHED, _MIXED, _DOTTED)
_MARKS = {True: ("o", "D", "^", "v", "h"), False: ("s", "D", "X", "<", ">")}


class Look(NamedTuple):
    """Colour, line and mark of one family; `under` says how many curves of its panels are drawn over its own.

    The more there are the wider the line and the larger the mark, so that curves that lie on each other are all seen.
    """

    colour: str
    line: Any
    mark: str
    under: int = 0

    @property
    def width(self) -> float:
        """Of the line, points."""
        return 1.0 + 0.5 * self.under

    @property
    def size(self) -> float:
        """Of the mark, points."""
        return 3.0 + 0.8 * self.under


def looks(families: Iterable[Family]) -> dict[Family, Look]:
    """A look for each family: the colour says prior and payment, the line whether the encoder has a bias."""
    families = list(families)
    kinds, found = kinds_of(families), {}
    others = iter(range(len(families)))
    for family in families:
        key = (family.program, family.prior, family.pays)
        colour = _COLOURS.get(key) or _COLOURS.get((*key[:2], None)) or _OTHERS[next(others) % len(_OTHERS)]
        marks = _MARKS[not (family.is_rectified or family.program == "gaussian")]
        taken = {(look.line, look.mark) for look in found.values() if look.colour == colour}
        first = 1 if family.encoder_bias is False else 0
        free = [pair for pair in _pairs(marks, first) if pair not in taken] or [(_LINES[first], marks[first])]
        beside = [other for other in found if len(kinds) == 1 or kind_of(other) == kind_of(family)]
        found[family] = Look(colour, *free[0], min(len(beside), MOST_TOGETHER - 1))
    return found


def _pairs(marks: Sequence[str], first: int) -> Iterable[tuple[Any, str]]:
    """Lines and marks, those that belong together first."""
    for shift in range(len(marks)):
        for at in range(len(_LINES)):
            place = (first + at) % len(_LINES)
            yield _LINES[place], marks[(place + shift) % len(marks)]


def beta_axis(ax: Axes, betas: Sequence[float], *, label: bool = True) -> Callable[[float], float]:
    """Make x the axis of β: logarithmic, with powers of ten in plain numbers, and β = 0 left of all others.

    Returns
    -------
    callable
        Where a β stands on the axis.
    """
    above = sorted({beta for beta in betas if beta > 0}) or [1.0]
    zero = above[0] / 4
    powers = [10.0**k for k in range(math.floor(math.log10(above[0])), math.ceil(math.log10(above[-1])) + 1)]
    ticks = [power for power in powers if above[0] / 1.01 <= power <= above[-1] * 1.01]
    if ticks and above[-1] > 3 * ticks[-1]:
        ticks.append(above[-1])
    if len(ticks) < 2:
        ticks = [above[0]] if above[-1] < 2 * above[0] else [above[0], above[-1]]
    left = zero if min(betas, default=1.0) <= 0 else above[0]
    places = [zero, *ticks] if left == zero else ticks
    ax.set_xscale("log")
    ax.set_xlim(left / 1.4, above[-1] * 1.4)
    ax.xaxis.set_major_locator(FixedLocator(places))
    ax.xaxis.set_major_formatter(FixedFormatter([f"{tick:g}" if tick in ticks else "0" for tick in places]))
    ax.xaxis.set_minor_locator(NullLocator() if len(above) > 16 else FixedLocator(above))
    ax.tick_params(axis="x", which="minor", length=1.8, labelbottom=False)
    if label:
        ax.set_xlabel("β")
    return lambda beta: beta if beta > 0 else zero


def draw_line(ax: Axes, points: Sequence[Point], x: Sequence[float], y: Sequence[float], look: Look) -> None:
    """A line through points, filled marks where they are known to have converged and open ones elsewhere."""
    ax.plot(x, y, color=look.colour, linestyle=look.line, linewidth=look.width, zorder=2)
    for settled in (True, False):
        there = [i for i, point in enumerate(points) if point.converged == settled]
        ax.plot(
            [x[i] for i in there],
            [y[i] for i in there],
            look.mark,
            color=look.colour,
            markersize=look.size,
            markeredgewidth=0.8,
            markerfacecolor=look.colour if settled else "white",
            linestyle="none",
            zorder=3,
        )


def positive_limits(values: Iterable[float | None], decades: float = 6) -> tuple[float, float] | None:
    """Ends of a log axis for some values: those that are not positive left out, and few decades below the largest."""
    known = [value for value in values if value is not None and value > 0]
    if not known:
        return None
    return max(min(known), max(known) / 10**decades) / 1.1, max(known) * 1.15


def grid(rows: int, columns: int, *, height: float = 1.45, legend_lines: int = 3) -> tuple[Figure, np.ndarray]:
    """A figure of panels as wide as a page (narrower for one or two columns), with room for a legend above."""
    width = PAGE if columns > 2 else (5.4 if columns == 2 else 3.6)
    width = max(width, PAGE if legend_lines > 2 else width)
    fig = figure(width, rows * height + 0.3 + 0.16 * legend_lines)
    engine = fig.get_layout_engine()
    assert engine is not None
    engine.set(rect=(0, 0, 1, 1))  # pyright: ignore[reportCallIssue] (open marks say it: no strip for a mark)
    return fig, fig.subplots(rows, columns, squeeze=False)


def panels(
    places: Sequence[tuple[int, int]], *, height: float = 1.45, legend_lines: int = 3
) -> tuple[Figure, list[Axes]]:
    """A figure with axes at each row and column of some, and nothing elsewhere."""
    rows, columns = (max(each) + 1 for each in zip(*places, strict=True))
    fig, axes = grid(rows, columns, height=height, legend_lines=legend_lines)
    used = [axes[place] for place in places]
    for ax in axes.ravel():
        if ax not in used:
            ax.axis("off")
    return fig, used


def title_size(place: Place) -> float:
    """Size of a panel's title, points: one that names a kind of families is long for one of four panels."""
    return 6.5 if place.kind else 8.0


def open_mark(points: Iterable[Point]) -> list[Line2D]:
    """What a legend says of open marks, where there are any."""
    if all(point.converged for point in points):
        return []
    return [Line2D([], [], color=INK, marker="o", markerfacecolor="white", markersize=3.8, linestyle="none",
                   markeredgewidth=0.8, label="open: not known to have converged")]  # fmt: skip


def legend(
    fig: Figure, curves: Sequence[Curve], known: dict[Family, Look], *, silence: bool = False, band: bool = False
) -> None:
    """Name above a figure the families in it, and what open marks, bands and dashes mean where there are any."""
    families = list(dict.fromkeys(curve.family for curve in curves))
    if len(kinds := kinds_of(families)) > 1:
        families.sort(key=lambda family: kinds.index(kind_of(family)))
    handles: list[Any] = [
        Line2D([], [], color=known[family].colour, linestyle=known[family].line, marker=known[family].mark,
               markersize=known[family].size, linewidth=known[family].width, label=family.label)
        for family in families
    ]  # fmt: skip
    points = [point for curve in curves for point in curve.points]
    handles += open_mark(points)
    if band and any(len(point.rows) > 1 for point in points):
        handles.append(Line2D([], [], color=GREY, alpha=0.3, linewidth=6, label="± 1 standard deviation of seeds"))
    if silence:
        handles.append(Line2D([], [], **{**SILENCE, "label": "sending nothing"}))
    fig.legend(handles=handles, loc="outside upper left", ncols=2 if fig.get_figwidth() >= 5 else 1, handlelength=3,
               columnspacing=1.2, borderaxespad=0.2)  # fmt: skip

"""What fits at one β came to, side by side: whether they are one solution, and how figures print it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes

from ppl_pvae.analysis.plots.style import GREY, INK, VERMILLION

__all__ = ["FREE_ENERGY_APART", "LINE", "LOG_SPIKES_APART", "Solution", "are_apart", "lines_of", "print_above"]

FREE_ENERGY_APART = 0.05
"""Share of the free energy; ten times what doubling the steps may move that of a converged fit."""
LOG_SPIKES_APART = 0.2
"""Of the logarithm of spikes per image: four times what doubling the steps may move it."""

LINE = 0.125
"""Height of a printed line, inches."""


class Solution(NamedTuple):
    """What one fit came to: free energy per training image and spikes per held-out image, None where not known."""

    free_energy: float | None
    spikes: float | None


Line = tuple[str, list[str]]
"""The name of a line of numbers, and a text for each column."""


def are_apart(one: Solution, other: Solution) -> bool:
    """Whether two fits are further apart than two trainings to one solution; what is not known says nothing."""
    if one.free_energy is not None and other.free_energy is not None:
        larger = max(abs(one.free_energy), abs(other.free_energy))
        if abs(one.free_energy - other.free_energy) > FREE_ENERGY_APART * larger:
            return True
    if one.spikes is None or other.spikes is None:
        return False
    if not one.spikes or not other.spikes:  # silence has no logarithm
        return one.spikes != other.spikes
    return abs(math.log(one.spikes / other.spikes)) > LOG_SPIKES_APART


def lines_of(along: Sequence[Solution], alone: Mapping[int, Solution]) -> list[Line]:
    """Free energy and spikes of fits along β, one a column, and below each those of fits by themselves, by column."""
    there = [alone.get(column, Solution(None, None)) for column in range(len(along))]
    lines = [
        ("F, along β", [_nats(each.free_energy) for each in along]),
        ("F, by itself", [_nats(each.free_energy) for each in there]),
        ("spikes, along β", [_spikes(each.spikes) for each in along]),
        ("spikes, by itself", [_spikes(each.spikes) for each in there]),
    ]
    return lines if alone else lines[::2]


def print_above(ax: Axes, lines: Sequence[Line], places: Sequence[float], y: float, apart: Sequence[bool]) -> None:
    """Print lines of numbers above columns, from `y` of the axes' data upwards, red in columns that are apart."""
    for line, (name, texts) in enumerate(reversed(lines), start=1):
        up = 72 * LINE * (line + 0.4)  # clear of β
        _print(ax, name, (places[0], y), (-20, up), "right", GREY)
        for place, text, other in zip(places, texts, apart, strict=True):
            _print(ax, text, (place, y), (0, up), "center", VERMILLION if other else INK)


def _print(ax: Axes, text: str, place: tuple[float, float], points: tuple[float, float], across: str, colour: str):
    ax.annotate(text, place, xytext=points, textcoords="offset points", ha=across, va="bottom", color=colour,
                fontsize=6, annotation_clip=False)  # fmt: skip


def _nats(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _spikes(value: float | None) -> str:
    """Three digits, whole from 100 on."""
    if value is None:
        return "–"
    return f"{value:.0f}" if abs(value) >= 99.95 else f"{value:#.3g}"

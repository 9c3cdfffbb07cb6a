"""The dictionary: what each unit draws, most used first."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.figure import Figure

from ppl_pvae.analysis.plots.style import BLUE, GREY, PAGE, STRIP, figure, short, styled
from ppl_pvae.analysis.plots.tiles import mosaic, scaled
from ppl_pvae.analysis.record import Posterior

__all__ = ["dictionary"]

_COLUMNS, _ROWS = 16, 9
_LARGEST_TILE, _LABEL, _TITLE = 1.1, 0.15, 0.25  # inches


@styled
def dictionary(posterior: Posterior) -> Figure:
    """The most used atoms (144 at most), each scaled to its own largest weight, with their use below.

    Use is the mean activity of the unit per image: spikes for counts. Images without a height and width are shown as
    rows of a heat map.

    Parameters
    ----------
    posterior
        Its `dictionary` is not None.
    """
    atoms = posterior.dictionary
    assert atoms is not None, "asked for the dictionary of a decoder that is not linear"
    order = np.argsort(-posterior.use, kind="stable")[: _COLUMNS * _ROWS]
    shown, use = scaled(atoms[order]), posterior.use[order]
    count = f"{len(order)} most used of {len(atoms)} atoms" if len(order) < len(atoms) else f"{len(atoms)} atoms by use"
    if len(atoms) == 1:
        count = "The one atom"
    if posterior.shape is None:
        return _heat_map(shown, use, count, posterior.activity_word)
    return _sheet(shown, use, posterior.shape, count, posterior.activity_word)


def _sheet(shown: np.ndarray, use: np.ndarray, shape: tuple[int, int], count: str, word: str) -> Figure:
    # A full page has 16 columns of square atoms; fewer atoms, or flatter ones, have fewer and larger columns.
    flat = shape[0] / shape[1]
    columns = min(_COLUMNS, max(1, math.ceil(math.sqrt(len(shown) * flat * _COLUMNS / _ROWS))))
    tile = min((PAGE - 0.1) / columns, _LARGEST_TILE)
    sheet = mosaic(shown, shape, columns, gap=(_LABEL / (tile * flat), 0.08))
    width = columns * tile
    height = width * sheet.shape[0] / sheet.shape[1]
    total_width, total_height = max(width + 0.1, 3.6), height + _TITLE + STRIP
    fig = figure(total_width, total_height, placed_by_hand=True)
    ax = fig.add_axes((0.05 / total_width, STRIP / total_height, width / total_width, height / total_height))
    ax.imshow(sheet, cmap="gray", vmin=-1, vmax=1, aspect="auto")
    ax.axis("off")
    step_y, step_x = sheet.shape[0] / -(-len(shown) // columns), sheet.shape[1] / columns
    for index, value in enumerate(use):
        row, column = divmod(index, columns)
        place = (column * step_x + shape[1] / 2 - 0.5, row * step_y + shape[0] - 0.2)
        ax.text(*place, short(value), fontsize=6.6, color=GREY, ha="center", va="top")
    caption = f"{count}; below each its {word} per image"
    fig.text(0.05 / total_width, 1 - 0.06 / total_height, caption, fontsize=8, va="top")
    return fig


def _heat_map(shown: np.ndarray, use: np.ndarray, count: str, word: str) -> Figure:
    fig = figure(PAGE, min(5.0, 1.4 + 0.08 * len(shown)))
    ax, side = fig.subplots(1, 2, sharey=True, width_ratios=(4, 1))
    ax.imshow(shown, cmap="gray", vmin=-1, vmax=1, aspect="auto")
    ax.set(xlabel="pixel", ylabel="atom, most used first", title=f"{count}, each scaled to its largest weight")
    side.barh(np.arange(len(use)), use, height=1.0 if len(use) > 20 else 0.8, color=BLUE)
    side.set(xlabel=f"{word} per image", ylim=(len(use) - 0.5, -0.5))
    side.tick_params(axis="y", length=0)
    return fig

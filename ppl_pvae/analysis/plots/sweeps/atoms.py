"""The same dictionary atoms along β."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ppl_pvae.analysis.plots.style import GREY, PAGE, STRIP, figure, short, styled
from ppl_pvae.analysis.plots.tiles import mosaic, scaled

__all__ = ["atoms_along_beta"]

_TILE, _LABEL, _HEAD, _LEFT = 0.52, 0.13, 0.42, 0.42  # inches
_SILENT, _HEARD = 1e-3, 1e-1
"""Mean counts per image between which a tile goes from faint to full."""


@styled
def atoms_along_beta(
    dictionaries: Mapping[float, Float[np.ndarray, "unit pixel"]],
    use: Mapping[float, Float[np.ndarray, " unit"]],
    shape: tuple[int, int],
    *,
    rows: int = 12,
) -> Figure:
    """The atoms used most at the smallest β, a row each, and what has become of the same units at larger β.

    Meant for one code that is trained on from each β to the next, so that a unit stays the same unit. Each tile is
    scaled to its own largest weight, has its mean activity per image below, and fades where that is small.

    Parameters
    ----------
    dictionaries
        By β, (unit, pixel), the same units in each.
    use
        By β, mean activity per image of each unit, (unit,).
    shape
        Height and width of an atom.
    rows
        Atoms shown, at most.

    Raises
    ------
    ValueError
        If there is nothing to show, or units or β do not agree.
    """
    betas = sorted(dictionaries)
    if not betas or sorted(use) != betas or len({len(each) for each in (*dictionaries.values(), *use.values())}) != 1:
        raise ValueError("dictionaries and use must have the same β, at least one, and the same units at each.")
    order = np.argsort(-np.asarray(use[betas[0]]), kind="stable")[:rows]
    counts = np.stack([np.asarray(use[beta])[order] for beta in betas], axis=1)  # (atom, β)
    tiles = np.stack([_faded(np.asarray(dictionaries[beta])[order], np.asarray(use[beta])[order]) for beta in betas], 1)
    flat = shape[0] / shape[1]
    tile = min(_TILE, (PAGE - _LEFT - 0.1) / len(betas))
    sheet = mosaic(tiles.reshape(-1, tiles.shape[-1]), shape, len(betas), gap=(_LABEL / (tile * flat), 0.08))
    width = len(betas) * tile
    height = width * sheet.shape[0] / sheet.shape[1]
    total_width, total_height = max(width + _LEFT + 0.1, 3.4), height + _HEAD + STRIP
    fig = figure(total_width, total_height, placed_by_hand=True)
    ax = fig.add_axes((_LEFT / total_width, STRIP / total_height, width / total_width, height / total_height))
    ax.imshow(sheet, cmap="gray", vmin=0, vmax=1, aspect="auto")
    ax.axis("off")
    _label(ax, counts, betas, (sheet.shape[0] / len(order), sheet.shape[1] / len(betas)), shape)
    caption = f"{len(order)} units used most at β = {betas[0]:g}; below each atom its activity per image"
    fig.text(0.05 / total_width, 1 - 0.05 / total_height, caption, fontsize=7, va="top")
    return fig


def _label(ax: Axes, counts: np.ndarray, betas: list[float], step: tuple[float, float], shape: tuple[int, int]) -> None:
    """β above each column, and below each tile the activity of its unit."""
    step_y, step_x = step
    for (row, column), value in np.ndenumerate(counts):
        place = (column * step_x + shape[1] / 2 - 0.5, row * step_y + shape[0] - 0.3)
        text = "<0.001" if 0 < value < 0.001 else short(float(value))
        ax.text(*place, text, fontsize=5.8, color=GREY, ha="center", va="top")
    for column, beta in enumerate(betas):
        ax.text(column * step_x + shape[1] / 2 - 0.5, -1.2, f"{beta:g}", fontsize=7, ha="center", va="bottom")
    ax.text(-0.06 * step_x - 0.5, -1.2, "β", fontsize=8, ha="right", va="bottom")


def _faded(atoms: np.ndarray, use: np.ndarray) -> np.ndarray:
    """Atoms as grey levels from 0 to 1, blended with white where their unit is silent, (unit, pixel)."""
    loud = np.log(np.maximum(use, _SILENT) / _SILENT) / np.log(_HEARD / _SILENT)
    strength = np.clip(loud, 0.15, 1)[:, np.newaxis]
    return strength * (scaled(atoms) + 1) / 2 + (1 - strength)

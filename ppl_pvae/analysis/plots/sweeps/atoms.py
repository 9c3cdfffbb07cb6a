"""The same dictionary atoms along β."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ppl_pvae.analysis.plots.style import GREY, INK, PAGE, STRIP, VERMILLION, figure, short, styled
from ppl_pvae.analysis.plots.sweeps.solutions import LINE, Solution, are_apart, lines_of, print_above
from ppl_pvae.analysis.plots.tiles import mosaic, scaled

__all__ = ["atoms_along_beta"]

_TILE, _LABEL, _HEAD, _LEFT = 0.52, 0.13, 0.42, 0.42  # inches
_NAMES = 0.95  # inches on the left, where numbers above the columns are named
_SILENT, _HEARD = 1e-3, 1e-1
"""Mean counts per image between which a tile goes from faint to full."""


@styled
def atoms_along_beta(
    dictionaries: Mapping[float, Float[np.ndarray, "unit pixel"]],
    use: Mapping[float, Float[np.ndarray, " unit"]],
    shape: tuple[int, int],
    *,
    rows: int = 12,
    free_energy: Mapping[float, float] | None = None,
    alone: Mapping[float, Solution] | None = None,
) -> Figure:
    """The atoms used most at the smallest β, a row each, and what has become of the same units at larger β.

    Meant for one code that is trained on from each β to the next, so that a unit stays the same unit. Each tile is
    scaled to its own largest weight, has its mean activity per image below, and fades where that is small.

    Going on from a smaller β may end in another solution than a fit that begins at its own β. So above each column
    stand free energy and spikes per image of the fit, and with them those of a fit by itself where there is one; a
    column where the two are not one solution is marked ≠.

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
    free_energy
        By β, of the fits along it, per training image; None for no numbers above the columns.
    alone
        By β, what a fit of the same code by itself came to.

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
    along = [Solution(free_energy.get(beta), float(np.sum(use[beta]))) for beta in betas] if free_energy else []
    beside = {betas.index(beta): found for beta, found in (alone or {}).items() if beta in betas and along}
    lines = lines_of(along, beside) if along else []
    apart = [column in beside and are_apart(along[column], beside[column]) for column in range(len(betas))]
    left, head = (_NAMES, _HEAD + LINE * (len(lines) + 2)) if lines else (_LEFT, _HEAD)
    tile = min(_TILE, (PAGE - left - 0.1) / len(betas))
    sheet = mosaic(tiles.reshape(-1, tiles.shape[-1]), shape, len(betas), gap=(_LABEL / (tile * flat), 0.08))
    width = len(betas) * tile
    height = width * sheet.shape[0] / sheet.shape[1]
    total_width, total_height = max(width + left + 0.1, 3.4), height + head + STRIP
    fig = figure(total_width, total_height, placed_by_hand=True)
    ax = fig.add_axes((left / total_width, STRIP / total_height, width / total_width, height / total_height))
    ax.imshow(sheet, cmap="gray", vmin=0, vmax=1, aspect="auto")
    ax.axis("off")
    step = sheet.shape[0] / len(order), sheet.shape[1] / len(betas)
    places = [column * step[1] + shape[1] / 2 - 0.5 for column in range(len(betas))]
    _label(ax, counts, betas, step, shape, apart)
    print_above(ax, lines, places, -1.2, apart)
    caption = f"{len(order)} units used most at β = {betas[0]:g}; below each atom its activity per image"
    _say(fig, caption, 0, fontsize=7)
    if lines:
        _say(fig, "F, free energy in nats, and spikes per image; fits along β are not judged for convergence", 1)
    if any(apart):
        _say(fig, "≠ another solution than the fit by itself", 2, color=VERMILLION)
    return fig


def _say(fig: Figure, text: str, line: int, **look) -> None:
    """A line of the caption, from the top."""
    width, height = fig.get_size_inches()
    place = 0.05 / width, 1 - (0.05 + 1.1 * LINE * line) / height
    fig.text(*place, text, va="top", **{"fontsize": 6.5, **look})


def _label(
    ax: Axes,
    counts: np.ndarray,
    betas: list[float],
    step: tuple[float, float],
    shape: tuple[int, int],
    apart: list[bool],
) -> None:
    """β above each column, marked where its fit is apart, and below each tile the activity of its unit."""
    step_y, step_x = step
    for (row, column), value in np.ndenumerate(counts):
        place = (column * step_x + shape[1] / 2 - 0.5, row * step_y + shape[0] - 0.3)
        text = "<0.001" if 0 < value < 0.001 else short(float(value))
        ax.text(*place, text, fontsize=5.8, color=GREY, ha="center", va="top")
    for column, beta in enumerate(betas):
        text, colour = (f"{beta:g} ≠", VERMILLION) if apart[column] else (f"{beta:g}", INK)
        place = (column * step_x + shape[1] / 2 - 0.5, -1.2)
        ax.text(*place, text, fontsize=7, color=colour, ha="center", va="bottom")
    ax.text(-0.06 * step_x - 0.5, -1.2, "β", fontsize=8, ha="right", va="bottom")


def _faded(atoms: np.ndarray, use: np.ndarray) -> np.ndarray:
    """Atoms as grey levels from 0 to 1, blended with white where their unit is silent, (unit, pixel)."""
    loud = np.log(np.maximum(use, _SILENT) / _SILENT) / np.log(_HEARD / _SILENT)
    strength = np.clip(loud, 0.15, 1)[:, np.newaxis]
    return strength * (scaled(atoms) + 1) / 2 + (1 - strength)

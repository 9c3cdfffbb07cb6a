"""The code itself: what the most used units do for thirty images, and what comes out."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.figure import Figure

from ppl_pvae.analysis.plots.style import BLUE, FAINT, GREY, INK, STRIP, figure, styled
from ppl_pvae.analysis.plots.tiles import grey_limits, mosaic
from ppl_pvae.analysis.record import Posterior

__all__ = ["raster"]

_IMAGES, _UNITS = 30, 60
_LEFT, _RIGHT, _TOP, _CODE = 0.95, 0.7, 0.24, 1.9  # inches
_MOST_TICKS = 12


@styled
def raster(posterior: Posterior) -> Figure:
    """One posterior draw of the most used units (60 at most) for 30 images, above originals and reconstructions.

    Spikes are ticks in the window of their image, spread evenly, because a count says how many and not when. Counts too
    large to be ticks, and values of codes that are no counts, are shades.

    Parameters
    ----------
    posterior
        The images shown are spread evenly over all of them.
    """
    total = len(posterior.x)
    chosen = np.unique(np.linspace(0, total - 1, min(_IMAGES, total)).round().astype(int))
    order = np.argsort(-posterior.use, kind="stable")[:_UNITS]
    code = posterior.z[np.ix_(chosen, order)]
    shaded = not posterior.is_count or np.quantile(code, 0.995) > _MOST_TICKS
    cell = float(np.clip(2.5 / len(chosen), 0.3, 0.6))
    row = 0.4 if posterior.shape is None else min(cell * posterior.shape[0] / posterior.shape[1], 0.75)
    across, picture = cell * len(chosen), 2 * row
    width, height = _LEFT + across + (_RIGHT if shaded else 0.1), _TOP + _CODE + 0.06 + picture + STRIP
    foot = STRIP + picture + 0.06
    fig = figure(width, height, placed_by_hand=True)
    above = fig.add_axes((_LEFT / width, foot / height, across / width, _CODE / height))
    below = fig.add_axes((_LEFT / width, STRIP / height, across / width, picture / height))
    if shaded:
        scale = fig.add_axes(((_LEFT + across + 0.1) / width, foot / height, 0.1 / width, 1.2 / height))
        _draw_shades(fig, above, scale, code, posterior)
    else:
        _draw_spikes(above, code)
    if not code.any():
        above.text(0.5, 0.5, "silent", transform=above.transAxes, ha="center", va="center", color=GREY)
    shown = (
        f"{len(order)} most used of {posterior.z.shape[1]} units" if len(order) < posterior.z.shape[1] else "all units"
    )
    above.set_ylabel(f"unit\n({shown})" if len(order) > 1 else "the one unit")
    what = "Spikes" if posterior.is_count else "Activity"
    title = f"{what} for {len(chosen)} images, one posterior draw"
    # With few images the title is wider than the axes: then it starts at the edge of the page.
    fig.text((_LEFT if len(chosen) > 8 else 0.05) / width, 1 - 0.06 / height, title, fontsize=8, va="top")
    _draw_pictures(below, posterior.x[chosen], posterior.reconstruction[chosen], posterior.shape)
    for y, word, colour in ((0.5, "image", GREY), (1.5, "reconstruction", BLUE)):
        colour = colour if posterior.shape is None else INK
        below.text(-0.045 / cell, y, word, ha="right", va="center", color=colour, fontsize=min(8, 0.8 * 72 * row))
    return fig


def _draw_shades(fig: Figure, ax: Axes, scale: Axes, code: np.ndarray, posterior: Posterior) -> None:
    images, units = code.shape
    top = float(np.quantile(np.abs(code), 0.995)) or 1.0
    # Square roots keep single spikes visible beside a burst.
    norm = PowerNorm(0.5, vmin=0.0, vmax=top) if posterior.is_nonnegative else Normalize(-top, top)
    colours = "Greys" if posterior.is_nonnegative else "PuOr_r"
    extent = (0, images, units, 0)
    shades = ax.imshow(code.T, cmap=colours, norm=norm, aspect="auto", extent=extent, interpolation="none")
    ax.set(xticks=[], yticks=[])
    fig.colorbar(shades, cax=scale, label="spikes" if posterior.is_count else "z")


def _draw_spikes(ax: Axes, code: np.ndarray) -> None:
    images, units = code.shape
    ax.set(xlim=(0, images), ylim=(units, 0), xticks=[], yticks=[])
    ax.spines[["left", "bottom"]].set_visible(False)
    for image in range(0, images, 2):
        ax.axvspan(image, image + 1, color=FAINT, alpha=0.45, linewidth=0, zorder=0)
    ax.add_collection(LineCollection(_ticks(code), colors=INK, linewidths=0.9, capstyle="butt"))


def _ticks(code: np.ndarray) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """One short line per spike: n spikes stand at (j + 1/2) / n of the window, j = 0 .. n - 1."""
    lines = []
    for image, unit in np.argwhere(code > 0):
        count = int(code[image, unit])
        times = image + 0.06 + 0.88 * (np.arange(count) + 0.5) / count
        lines += [((time, unit + 0.08), (time, unit + 0.92)) for time in times]
    return lines


def _draw_pictures(ax: Axes, x: np.ndarray, made: np.ndarray, shape: tuple[int, int] | None) -> None:
    images = len(x)
    if shape is None:
        _draw_lines(ax, x, made)
    else:
        low, high = grey_limits(x)
        sheet = mosaic(np.concatenate([x, made]), shape, images, gap=(0.06, 0.06))
        ax.imshow(sheet, cmap="gray", vmin=low, vmax=high, aspect="auto", extent=(0, images, 2, 0))
    ax.set(xlim=(0, images), ylim=(2, 0))
    ax.axis("off")


def _draw_lines(ax: Axes, x: np.ndarray, made: np.ndarray) -> None:
    """Image and reconstruction as two lines in the cell of their image."""
    low, high = float(min(x.min(), made.min())), float(max(x.max(), made.max()))
    span = (high - low) or 1.0
    along = np.linspace(0.06, 0.94, x.shape[1]) if x.shape[1] > 1 else np.array([0.5])
    for values, colour, width in ((x, GREY, 2.0), (made, BLUE, 0.7)):
        lines = [np.column_stack([index + along, 1.95 - 1.9 * (row - low) / span]) for index, row in enumerate(values)]
        ax.add_collection(LineCollection(lines, colors=colour, linewidths=width))

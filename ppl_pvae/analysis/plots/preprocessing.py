"""What the images went through before they were fitted, and what they look like."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ppl_pvae.analysis.plots.style import BLUE, GREY, INK, PAGE, figure, styled
from ppl_pvae.analysis.plots.tiles import grey_limits, mosaic
from ppl_pvae.analysis.record import Posterior

__all__ = ["preprocessing"]

_ROWS, _COLUMNS = 8, 10


@styled
def preprocessing(posterior: Posterior, pictures: Mapping[str, np.ndarray]) -> Figure:
    """Gain of the whitening filter, spectra before and after, and a sheet of the images as they are fitted.

    Parameters
    ----------
    posterior
        Images, spread evenly over all of them.
    pictures
        `frequency` (cycles per pixel), `filter_gain`, `spectrum_before`, `spectrum_after`, each (frequency,); panels
        whose arrays are missing are left out.
    """
    with_gain = {"frequency", "filter_gain"} <= pictures.keys()
    with_spectra = {"frequency", "spectrum_before", "spectrum_after"} <= pictures.keys()
    panels = 1 + with_gain + with_spectra
    fig = figure(2.6 if panels == 1 else PAGE * (panels + 0.1) / 3.1, 2.2)
    axes = list(np.atleast_1d(fig.subplots(1, panels)))
    if with_gain:
        _gain(axes.pop(0), pictures)
    if with_spectra:
        _spectra(axes.pop(0), pictures)
    _sheet(axes.pop(0), posterior)
    return fig


def _gain(ax: Axes, pictures: Mapping[str, np.ndarray]) -> None:
    ax.plot(pictures["frequency"], pictures["filter_gain"], color=INK)
    ax.set(xlabel="frequency, cycles per pixel", ylabel="gain", title="whitening filter", ylim=(0, None))


def _spectra(ax: Axes, pictures: Mapping[str, np.ndarray]) -> None:
    # Each divided by its mean: the two have different units, and only their slopes are compared.
    for key, colour, label in (("spectrum_before", GREY, "before"), ("spectrum_after", BLUE, "after")):
        power = pictures[key] / np.nanmean(pictures[key])
        seen = (pictures["frequency"] > 0) & (power > 0)
        ax.loglog(pictures["frequency"][seen], power[seen], color=colour, label=label)
    ax.set(xlabel="frequency, cycles per pixel", ylabel="power, relative to its mean", title="spectrum")
    ax.legend()


def _sheet(ax: Axes, posterior: Posterior) -> None:
    count = min(_ROWS * _COLUMNS, len(posterior.x))
    chosen = np.linspace(0, len(posterior.x) - 1, count).round().astype(int)
    x = posterior.x[chosen]
    ax.set_title("images as fitted")
    if posterior.shape is None:
        ax.plot(x[:8].T, color=BLUE, linewidth=0.6, alpha=0.7)
        ax.set(xlabel="pixel", ylabel="value")
        return
    low, high = grey_limits(x)
    ax.imshow(mosaic(x, posterior.shape, min(_COLUMNS, count)), cmap="gray", vmin=low, vmax=high)
    ax.axis("off")

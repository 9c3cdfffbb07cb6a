"""What the units look for: Gabor functions of the dictionary, and tuning to gratings."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ppl_pvae.analysis.gabor import Gabors
from ppl_pvae.analysis.plots.style import BLUE, PAGE, VERMILLION, figure, styled
from ppl_pvae.analysis.study import GABOR_R2
from ppl_pvae.analysis.tuning import Tuning

__all__ = ["gabors", "tuned"]


@styled
def gabors(fitted: Gabors, is_used: np.ndarray) -> Figure:
    """How well a Gabor function describes each dictionary element, and the orientations and scales of those it does.

    Parameters
    ----------
    fitted
        One function per unit.
    is_used
        Which units are active, (unit,); the others are left out.
    """
    fig = figure(PAGE, 2.3)
    fit, turn, size = fig.subplots(1, 3)
    r2 = fitted.r2[is_used]
    _histogram(fit, r2, (0, 1), "R² of the Gabor function")
    fit.axvline(GABOR_R2, color=VERMILLION, linewidth=0.8, linestyle=(0, (4, 2)))
    like = is_used & (fitted.r2 > GABOR_R2)
    share = np.mean(r2 > GABOR_R2) if len(r2) else 0.0
    fit.set_title(f"{100 * share:.0f}% of {len(r2)} active units are Gabor-like")
    _histogram(turn, np.degrees(fitted.orientation[like]), (0, 180), "orientation of the stripes, degrees")
    turn.set_xticks([0, 45, 90, 135, 180])
    size.scatter(fitted.frequency[like], fitted.sigma_along[like], s=7, color=BLUE, alpha=0.5, linewidth=0)
    size.set(xlabel="frequency, cycles per pixel", ylabel="length σ along the stripes, pixels")
    size.set_ylim(bottom=0)
    size.set_xlim(0, 0.5)
    return fig


@styled
def tuned(tuning: Tuning, half_contrast: np.ndarray | None, is_used: np.ndarray) -> Figure:
    """Tuning of the active units' rates to gratings: width, circular variance, frequency, phase, contrast.

    Frequency is in cycles per pixel, contrast in pixel values; units that never fall to half have no width.
    """
    panels = [
        (np.degrees(tuning.half_width), (0, 90), "half width, degrees"),
        (tuning.circular_variance, (0, 1), "circular variance"),
        (tuning.frequency, (0, 0.4), "frequency, cycles per pixel"),
        (tuning.modulation, (0, 2), "F1/F0 over phase"),
    ]
    if half_contrast is not None:
        panels.append((half_contrast, (0, 2), "half contrast"))
    fig = figure(PAGE, 1.9)
    for ax, (values, ends, label) in zip(fig.subplots(1, len(panels)), panels, strict=True):
        known = values[is_used & np.isfinite(values)]
        _histogram(ax, known, ends, label)
        ax.set_title(f"median {np.median(known):.2g}" if len(known) else "none")
        ax.xaxis.label.set_size(6.5)
    return fig


def _histogram(ax: Axes, values: np.ndarray, ends: tuple[float, float], label: str) -> None:
    ax.hist(np.clip(values, *ends), bins=24, range=ends, color=BLUE)
    ax.set(xlabel=label, xlim=ends)
    if ax.get_subplotspec() is None or ax.get_subplotspec().is_first_col():  # pyright: ignore[reportOptionalMemberAccess]
        ax.set_ylabel("units")

"""What amortisation costs each image, and where refinement moves its code."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ppl_pvae.analysis.plots.style import BLUE, FAINT, GREY, PAGE, VERMILLION, figure, styled

__all__ = ["refined"]


@styled
def refined(refinement: xr.Dataset) -> Figure:
    """Free energy that refinement gains for each image; distortion at one draw over zeros before and after.

    Parameters
    ----------
    refinement
        What `Run.refine` returns.
    """
    fig = figure(PAGE, 2.5)
    left, right = fig.subplots(1, 2)
    gain = (refinement["free_energy_before"] - refinement["free_energy_after"]).values
    left.hist(gain, bins=30, color=BLUE)
    left.set(xlabel="free energy gained, nats", ylabel="images")
    left.set_title(f"amortisation gap {gain.mean():.2f} nats per image, median {np.median(gain):.2f}")
    ends = []
    for when, colour, name in (("before", GREY, "encoder"), ("after", VERMILLION, "refined")):
        zeros = refinement[f"zeros_{when}"].mean("unit").values
        distortion = refinement[f"distortion_sampled_{when}"].values
        right.scatter(zeros, distortion, s=4, color=colour, alpha=0.25, linewidth=0, zorder=2)
        ends.append((zeros.mean(), distortion.mean()))
        right.plot(*ends[-1], "o", color=colour, markersize=6, markeredgecolor="white", label=f"{name}, mean", zorder=4)
    right.annotate("", ends[1], ends[0], arrowprops={"arrowstyle": "->", "color": FAINT}, zorder=3)
    right.set(xlabel="share of zeros", ylabel="distortion at one draw, nats")
    right.legend()
    return fig

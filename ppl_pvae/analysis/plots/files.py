"""All figures of a run at once, and their files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ppl_pvae.analysis.convergence import standing
from ppl_pvae.analysis.plots.bill import bill
from ppl_pvae.analysis.plots.delivered import delivered
from ppl_pvae.analysis.plots.dictionary import dictionary
from ppl_pvae.analysis.plots.nats import nats
from ppl_pvae.analysis.plots.preprocessing import preprocessing
from ppl_pvae.analysis.plots.prior import prior
from ppl_pvae.analysis.plots.raster import raster
from ppl_pvae.analysis.plots.rates import rates
from ppl_pvae.analysis.plots.style import mark
from ppl_pvae.analysis.plots.training import training
from ppl_pvae.analysis.record import Posterior

__all__ = ["draw_figures", "save_figures", "write_figures"]

DPI = 150


def draw_figures(
    posterior: Posterior,
    history: Iterable[Mapping[str, Any]],
    summary: Mapping[str, Any],
    pictures: Mapping[str, np.ndarray] | None = None,
) -> dict[str, Figure]:
    """Every figure that makes sense for this code, by name, marked where the run is not known to have converged.

    Parameters
    ----------
    posterior
        What the program says about the test images.
    history
        Lines of `metrics.jsonl`; none of parameters that were not trained here.
    summary
        Row of the run, with `beta` and `converged` in it.
    pictures
        Arrays about the preprocessing, as a data set carries them.

    Returns
    -------
    dict
        `dictionary` (linear decoders), `bill`, `raster`, `training` (where there was one), `rates`, `prior` (priors
        with rates), `nats`, `delivered` (Poisson codes), `preprocessing`.
    """
    lines = list(history)
    figures = {
        "dictionary": None if posterior.dictionary is None else dictionary(posterior),
        "bill": bill(summary, summary["beta"]),
        "raster": raster(posterior),
        "training": training(lines, summary["silent_free_energy"], posterior.activity_word) if lines else None,
        "rates": rates(posterior),
        "prior": None if posterior.prior_mean is None else prior(posterior),
        "nats": nats(posterior),
        "delivered": None if posterior.unit_bill is None else delivered(posterior.unit_bill),
        "preprocessing": preprocessing(posterior, pictures or {}),
    }
    drawn = {name: fig for name, fig in figures.items() if fig is not None}
    for name, fig in drawn.items():
        if name != "preprocessing":
            mark(fig, standing(summary))
    return drawn


def write_figures(
    folder: str | os.PathLike[str],
    posterior: Posterior,
    history: Iterable[Mapping[str, Any]],
    summary: Mapping[str, Any],
    pictures: Mapping[str, np.ndarray] | None = None,
) -> dict[str, Path]:
    """Draw every figure of `draw_figures` and write it to `folder` as PNG, beside its place first and then renamed.

    Returns
    -------
    dict
        File of each figure by name.
    """
    return save_figures(folder, draw_figures(posterior, history, summary, pictures))


def save_figures(folder: str | os.PathLike[str], figures: Mapping[str, Figure]) -> dict[str, Path]:
    """Write figures to `folder` as PNG under their names, beside their place first and then renamed."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for name, fig in figures.items():
        files[name] = folder / f"{name}.png"
        beside = folder / f"{name}.png.part"
        FigureCanvasAgg(fig)
        fig.savefig(beside, format="png", dpi=DPI)
        os.replace(beside, files[name])
    return files

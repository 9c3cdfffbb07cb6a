"""Figures of one run and of several, each a function that returns a matplotlib Figure; this imports matplotlib."""

from ppl_pvae.analysis.plots.bill import bill
from ppl_pvae.analysis.plots.calibration import calibration
from ppl_pvae.analysis.plots.checks import checks
from ppl_pvae.analysis.plots.delivered import delivered
from ppl_pvae.analysis.plots.dictionary import dictionary
from ppl_pvae.analysis.plots.files import draw_figures, save_figures, write_figures
from ppl_pvae.analysis.plots.nats import nats
from ppl_pvae.analysis.plots.preprocessing import preprocessing
from ppl_pvae.analysis.plots.prior import prior
from ppl_pvae.analysis.plots.raster import raster
from ppl_pvae.analysis.plots.rates import rates
from ppl_pvae.analysis.plots.studies import draw_comparison, draw_study
from ppl_pvae.analysis.plots.sweeps import atoms_along_beta, draw_sweep
from ppl_pvae.analysis.plots.training import training

__all__ = [
    "atoms_along_beta",
    "bill",
    "calibration",
    "checks",
    "delivered",
    "dictionary",
    "draw_comparison",
    "draw_figures",
    "draw_study",
    "draw_sweep",
    "nats",
    "preprocessing",
    "prior",
    "raster",
    "rates",
    "save_figures",
    "training",
    "write_figures",
]

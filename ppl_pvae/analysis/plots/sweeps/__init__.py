"""Figures of a sweep, each a function that returns a matplotlib Figure; this imports matplotlib."""

from ppl_pvae.analysis.plots.sweeps.atoms import atoms_along_beta
from ppl_pvae.analysis.plots.sweeps.best import best
from ppl_pvae.analysis.plots.sweeps.coupling import coupling
from ppl_pvae.analysis.plots.sweeps.dense import beside_dense
from ppl_pvae.analysis.plots.sweeps.draw import draw_sweep
from ppl_pvae.analysis.plots.sweeps.maps import maps
from ppl_pvae.analysis.plots.sweeps.over_beta import over_beta
from ppl_pvae.analysis.plots.sweeps.planes import planes
from ppl_pvae.analysis.plots.sweeps.priced import priced
from ppl_pvae.analysis.plots.sweeps.solutions import Solution

__all__ = [
    "Solution",
    "atoms_along_beta",
    "beside_dense",
    "best",
    "coupling",
    "draw_sweep",
    "maps",
    "over_beta",
    "planes",
    "priced",
]

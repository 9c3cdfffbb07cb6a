"""What a fitted code is worth: metrics, one-row summaries, the labelled posterior, convergence, figures, report.

Metrics take plain NumPy arrays and need nothing else; xarray and matplotlib are imported when a tree is built or a
figure drawn.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ppl_pvae.analysis.convergence import Verdict, compare, slopes
from ppl_pvae.analysis.record import Posterior, Predicted
from ppl_pvae.analysis.report import write_report
from ppl_pvae.analysis.summary import summarise

if TYPE_CHECKING:
    from ppl_pvae.analysis.limit import linear_gaussian_limit, many_spikes_limit
    from ppl_pvae.analysis.plots import draw_figures, write_figures
    from ppl_pvae.analysis.reading import posterior_of
    from ppl_pvae.analysis.recovery import matched_correlations
    from ppl_pvae.analysis.tree import datatree, open_tree, write_tree

__all__ = [
    "Posterior",
    "Predicted",
    "Verdict",
    "compare",
    "datatree",
    "draw_figures",
    "linear_gaussian_limit",
    "many_spikes_limit",
    "matched_correlations",
    "open_tree",
    "posterior_of",
    "slopes",
    "summarise",
    "write_figures",
    "write_report",
    "write_tree",
]

_HOME = {
    "datatree": "ppl_pvae.analysis.tree",
    "draw_figures": "ppl_pvae.analysis.plots",
    "linear_gaussian_limit": "ppl_pvae.analysis.limit",
    "many_spikes_limit": "ppl_pvae.analysis.limit",
    "matched_correlations": "ppl_pvae.analysis.recovery",
    "open_tree": "ppl_pvae.analysis.tree",
    "posterior_of": "ppl_pvae.analysis.reading",
    "write_figures": "ppl_pvae.analysis.plots",
    "write_tree": "ppl_pvae.analysis.tree",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'ppl_pvae.analysis' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)

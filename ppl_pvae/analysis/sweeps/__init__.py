"""What the table of a sweep says: families and their curves, claims judged, programs at one distortion, its report."""

from ppl_pvae.analysis.sweeps.best_evidence import BestEvidence, best_evidence
from ppl_pvae.analysis.sweeps.families import beta_curves, sort_by_family
from ppl_pvae.analysis.sweeps.findings import findings
from ppl_pvae.analysis.sweeps.matched import Matched, match_distortion
from ppl_pvae.analysis.sweeps.operating import budget_points, operating_points
from ppl_pvae.analysis.sweeps.report import write_sweep_report
from ppl_pvae.analysis.sweeps.rows import read_sweep, write_sweep

__all__ = [
    "BestEvidence",
    "Matched",
    "best_evidence",
    "beta_curves",
    "budget_points",
    "findings",
    "match_distortion",
    "operating_points",
    "read_sweep",
    "sort_by_family",
    "write_sweep",
    "write_sweep_report",
]

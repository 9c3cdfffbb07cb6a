"""All figures of a posterior analysis at once."""

from __future__ import annotations

from collections.abc import Sequence

import xarray as xr
from matplotlib.figure import Figure

from ppl_pvae.analysis import metrics
from ppl_pvae.analysis.calibration import judge_ranks
from ppl_pvae.analysis.comparison import Match, Pair
from ppl_pvae.analysis.convergence import least_sure, standing
from ppl_pvae.analysis.plots.calibration import calibration
from ppl_pvae.analysis.plots.checks import checks
from ppl_pvae.analysis.plots.delivered import delivered
from ppl_pvae.analysis.plots.efficiency import efficiency
from ppl_pvae.analysis.plots.evidence import evidence
from ppl_pvae.analysis.plots.refined import refined
from ppl_pvae.analysis.plots.style import mark
from ppl_pvae.analysis.plots.tuned import gabors, tuned
from ppl_pvae.analysis.plots.versus import bills, differences, planes, uses
from ppl_pvae.analysis.predictive import Check
from ppl_pvae.analysis.study import Study

__all__ = ["draw_comparison", "draw_study"]


def draw_study(study: Study) -> dict[str, Figure]:
    """Every figure that makes sense for one run, by name, marked where it is not known to have converged."""
    used = metrics.is_active(study.posterior.kl)
    figures = {
        "delivered": None if study.bill is None else delivered(study.bill),
        "energy": efficiency([study]),
        "evidence": None if study.evidence is None else evidence(study.posterior, study.evidence),
        "gabors": None if study.gabors is None else gabors(study.gabors, used),
        "tuned": None if study.tuning is None else tuned(study.tuning, study.half_contrast, used),
        "refined": None if study.refinement is None else refined(study.refinement),
        "calibration": None if study.calibration is None else _ranks(study.calibration),
        "checks": None if study.checks is None else _checks(study.checks),
        "posterior_checks": None if study.posterior_checks is None else _checks(study.posterior_checks),
    }
    drawn = {name: fig for name, fig in figures.items() if fig is not None}
    for fig in drawn.values():
        mark(fig, standing(study.summary))
    return drawn


def _ranks(found: xr.Dataset) -> Figure:
    return calibration(judge_ranks(found["rank"].values, found.attrs["draws"]))


def _checks(found: xr.Dataset) -> Figure:
    rows = zip(found["statistic"].values, found["observed"].values, found["replicated"].values, strict=True)
    return checks([Check(str(name), float(observed), replicated) for name, observed, replicated in rows])


def draw_comparison(studies: Sequence[Study], pairs: Sequence[Pair], matches: Sequence[Match]) -> dict[str, Figure]:
    """Every figure of several runs side by side, by name, marked where not all are known to have converged."""
    figures = {
        "planes": planes(studies, matches, studies[0].summary.get("silent_free_energy")),
        "differences": differences(pairs, "evidence"),
        "bills": bills(studies),
        "uses": uses(studies),
        "energy": efficiency(studies),
    }
    drawn = {name: fig for name, fig in figures.items() if fig is not None}
    for fig in drawn.values():
        mark(fig, least_sure(s.summary for s in studies))
    return drawn

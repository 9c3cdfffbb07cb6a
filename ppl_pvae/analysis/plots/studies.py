"""All figures of a posterior analysis at once."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from ppl_pvae.analysis import metrics
from ppl_pvae.analysis.comparison import Match, Pair
from ppl_pvae.analysis.plots.delivered import delivered
from ppl_pvae.analysis.plots.efficiency import efficiency
from ppl_pvae.analysis.plots.evidence import evidence
from ppl_pvae.analysis.plots.style import mark
from ppl_pvae.analysis.plots.tuned import gabors, tuned
from ppl_pvae.analysis.plots.versus import bills, differences, planes, uses
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
    }
    drawn = {name: fig for name, fig in figures.items() if fig is not None}
    for fig in drawn.values():
        mark(fig, study.summary.get("converged"))
    return drawn


def draw_comparison(studies: Sequence[Study], pairs: Sequence[Pair], matches: Sequence[Match]) -> dict[str, Figure]:
    """Every figure of several runs side by side, by name, marked where not all are known to have converged."""
    verdicts = [s.summary.get("converged") for s in studies]
    together = False if False in verdicts else (None if None in verdicts else True)
    figures = {
        "planes": planes(studies, matches, studies[0].summary.get("silent_free_energy")),
        "differences": differences(pairs, "evidence"),
        "bills": bills(studies),
        "uses": uses(studies),
        "energy": efficiency(studies),
    }
    drawn = {name: fig for name, fig in figures.items() if fig is not None}
    for fig in drawn.values():
        mark(fig, together)
    return drawn

"""How tight the bound on the evidence is, and whether its weights can be trusted."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from ppl_pvae.analysis.evidence import PARETO_LIMIT
from ppl_pvae.analysis.plots.style import BLUE, GREY, PAGE, VERMILLION, figure, styled
from ppl_pvae.analysis.record import Posterior
from ppl_pvae.analysis.study import ImageEvidence

__all__ = ["evidence"]


@styled
def evidence(posterior: Posterior, weighed: ImageEvidence) -> Figure:
    """k̂ of each image's importance weights, and what the draws gain over the ELBO of the same image, nats."""
    fig = figure(PAGE, 2.3)
    left, right = fig.subplots(1, 2)
    k = weighed.pareto_k[np.isfinite(weighed.pareto_k)]
    left.set(xlabel="Pareto k̂ of the weights of an image", ylabel="images")
    if len(k):
        left.hist(k, bins=30, color=BLUE)
    left.axvline(PARETO_LIMIT, color=VERMILLION, linewidth=0.8, linestyle=(0, (4, 2)))
    left.set_title(f"{100 * weighed.heavy:.0f}% of images above {PARETO_LIMIT}: their bound is loose")
    rows = weighed.image
    cost = posterior.distortion[rows] + posterior.likelihood_constant + posterior.kl[rows].sum(axis=1)
    gain = weighed.log_evidence + cost
    finite = np.isfinite(gain)
    missing, gain = int((~finite).sum()), gain[finite]
    right.hist(gain, bins=30, color=BLUE)
    right.axvline(0, color=GREY, linewidth=0.8)
    right.set(xlabel=f"bound with {weighed.draws:,} draws − ELBO, nats", ylabel="images")
    told = f"the draws gain {gain.mean():.1f} nats per image" if len(gain) else "no image has a bound"
    right.set_title(f"{told}; {missing} images have none" if missing else told)
    return fig

"""How far importance-weighted evidence can be trusted, and by how much one program's beats another's.

ArviZ's `loo` and `compare` are not offered: they leave one observation out of the posterior of shared parameters, and
here every image has a latent of its own, so that nothing of its posterior would be left (with exact posteriors in a
known Gaussian model every Pareto k̂ exceeds 1). Programs are compared by the bound on log p(x) of held-out images,
image by image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Num, Shaped

from ppl_pvae.analysis.intervals import Interval, interval_of_means

__all__ = ["PARETO_LIMIT", "Difference", "paired_difference", "pareto_k"]

PARETO_LIMIT = 0.7
"""Above this k̂ the mean of the weights is not to be trusted at any number of draws that can be afforded."""

_WIDEST = 700.0
"""Nats between weights of which the smaller is not yet 0 beside the larger."""


def pareto_k(log_weights: Float[np.ndarray, "image draw"]) -> Float[np.ndarray, " image"]:
    """Shape k̂ of the generalised Pareto distribution fitted to the largest importance weights of each image.

    Below 0.5 the weights have a variance; above 0.7 their mean is dominated by what was not drawn. NaN where there is
    no tail to fit: weights that are all one, as for the exact posterior, or many of the largest the same, as where few
    codes are drawn again and again.

    Parameters
    ----------
    log_weights
        log p(x, z_s) − log q(z_s|x), (image, draw), at least 25 draws.

    Source: Vehtari, Simpson, Gelman, Yao & Gabry 2024 (arXiv:1507.02646), computed by ArviZ. A tail that is wider than
    double precision, as of a saturated code, has the k̂ of Hill 1975 (Annals of Statistics 3:1163), far above 0.7.
    """
    from arviz_stats.base.array import array_stats

    k = np.full(len(log_weights), np.nan)
    draws = log_weights.shape[1]
    # ArviZ fits the largest fifth, or 3√S where that is less, and has no answer where they are all one.
    tail = int(min(draws / 5, 3 * np.sqrt(draws)))
    top = np.sort(np.partition(log_weights, draws - tail, axis=1)[:, -tail:].astype(np.float64), axis=1)
    with np.errstate(invalid="ignore"):  # weights of 0
        # ArviZ divides by the excess at the first quarter of the tail: where that is 0 in double precision it says 0.1
        # of what is heavier than anything it can fit.
        wide = top[:, -1] - top[:, int(tail / 4 + 0.5) - 1] > _WIDEST
        k[wide] = (top[wide] - top[wide, :1]).mean(axis=1)
        vary = (np.ptp(top, axis=1) > 0) & ~wide
    if vary.any():
        # Made for leave-one-out, ArviZ takes log-likelihoods, whose negative are the log-weights.
        # Smoothed weights, which are not used here, overflow where those of a saturated code are far apart.
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            _, k[vary] = array_stats.psislw(-log_weights[vary].astype(np.float64), axis=-1)
    return np.where(np.isfinite(k), k, np.nan)


@dataclass(frozen=True)
class Difference:
    """How much larger one run's mean of something is than another's, on the same images.

    Parameters
    ----------
    interval
        Mean difference with its percentile interval over resampled photographs.
    standard_error
        Of the mean difference, over photographs: that of a mean of clusters.
    images
        How many were compared.
    """

    interval: Interval
    standard_error: float
    images: int


def paired_difference(
    first: Num[np.ndarray, " image"], second: Num[np.ndarray, " image"], group: Shaped[np.ndarray, " image"]
) -> Difference:
    """Mean of first − second over images, with a standard error and an interval over photographs.

    Images differ far more from each other than two programs do on one image, so differences are taken image by image.
    Patches of one photograph are alike, so photographs are what is resampled. With d_i the differences, N images and G
    photographs the error is √(G/(G − 1) Σ_g (Σ_{i in g} (d_i − d̄))²)/N; NaN for one photograph.

    Parameters
    ----------
    first, second
        One number per image, such as the evidence, (image,).
    group
        Photograph of each image, (image,).

    Source: Cameron & Miller 2015, A practitioner's guide to cluster-robust inference, equation 10, for a mean.
    """
    gap = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    names, which = np.unique(group, return_inverse=True)
    per_group = np.bincount(which, gap - gap.mean(), minlength=len(names))
    count = len(names)
    error = float(np.sqrt(count / (count - 1) * np.sum(per_group**2)) / len(gap)) if count > 1 else float("nan")
    return Difference(interval_of_means(gap, group), standard_error=error, images=len(gap))

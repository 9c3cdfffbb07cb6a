"""Is the posterior the one that the model implies: simulation-based calibration.

Draw a code from the prior, an image from the likelihood at that code, and codes of that image from the posterior. If
the posterior is exact, the code that made the image is one more draw of it, and its rank among L draws is uniform on
0, …, L, for every unit. Too many ranks at both ends: the posterior is too narrow; too many in the middle: too wide;
at one end: it is off to the other side.

Source: Talts et al. 2018 (arXiv:1804.06788). Counts tie, which that paper leaves out: a rank among equals is drawn at
random, which keeps it uniform.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Num
from scipy.stats import chi2

__all__ = ["FEWEST", "Band", "Calibration", "Ranks", "judge_ranks", "pooled_ecdf", "pooled_histogram", "rank_among"]

FEWEST = 20
"""Images that ranks can be judged on."""
_MOST_BINS = 20
_PER_BIN = 10
"""Ranks that a bin expects at least: chi-square is then close enough even far out, where many units put the test."""
_SIMULATED = 2000


class Ranks(NamedTuple):
    """Ranks of codes among posterior draws, 0 to `draws`.

    `tied` is the share of draws that are equal to the code, by unit: where it is near 1, as in units that hardly ever
    fire, ranks are mostly chance and say little.
    """

    ranks: Int[np.ndarray, "image unit"]
    tied: Float[np.ndarray, " unit"]
    draws: int


@dataclass(frozen=True)
class Calibration:
    """Ranks, and how well uniform ones would explain them.

    Parameters
    ----------
    ranks
        Of the code that made each image, 0 to `draws`, (image, unit).
    draws
        L, posterior draws that each was ranked among.
    p_values
        Chi-square test of uniformity of each unit, (unit,).
    p_value
        Of all units together: K times the smallest of K (Bonferroni), at most 1. Ranks of units hang together through
        the image and the posterior, and Fisher's method would take that for evidence; this bound holds whatever the
        dependence.
    bins
        Bins of the chi-square test.
    """

    ranks: Int[np.ndarray, "image unit"]
    draws: int
    p_values: Float[np.ndarray, " unit"]
    p_value: float
    bins: int

    @property
    def shift(self) -> Float[np.ndarray, " unit"]:
        """Mean rank as a share of L, less ½, (unit,): above 0 where the posterior says too little activity."""
        return self.ranks.mean(axis=0) / self.draws - 0.5

    @property
    def spread(self) -> Float[np.ndarray, " unit"]:
        """Variance of ranks over that of uniform ones, (unit,): above 1 where the posterior is too narrow."""
        return self.ranks.var(axis=0) / (((self.draws + 1) ** 2 - 1) / 12)


class Band(NamedTuple):
    """A curve over ranks pooled over units, and where the whole of it lies if ranks are uniform.

    `at` are ranks: upper ends of bins, or those at which an ECDF is taken. `value` is compared with ±`half`.
    """

    at: Int[np.ndarray, " point"]
    value: Float[np.ndarray, " point"]
    half: Float[np.ndarray, " point"]
    level: float


def rank_among(
    z: Num[np.ndarray, "image unit"], posterior: Iterable[Num[np.ndarray, "image unit"]], *, seed: int
) -> Ranks:
    """Rank of each code among posterior draws of it: draws below, and of those equal a random number.

    Parameters
    ----------
    z
        Codes that made the images.
    posterior
        Draws of all images, one after another, or an array (draw, image, unit); none is kept.
    seed
        Of the ranks among equals.

    Raises
    ------
    ValueError
        If there are no draws.
    """
    below, equal, draws = np.zeros(z.shape, np.int64), np.zeros(z.shape, np.int64), 0
    for drawn in posterior:
        below += drawn < z
        equal += drawn == z
        draws += 1
    if not draws:
        raise ValueError("no posterior draws: a rank needs at least one.")
    ranks = below + np.random.default_rng(seed).integers(0, equal + 1)
    return Ranks(ranks, equal.mean(axis=0) / draws, draws)


def judge_ranks(ranks: Int[np.ndarray, "image unit"], draws: int) -> Calibration:
    """Test whether ranks 0 to `draws` are uniform, by unit and for all units.

    Ranks are put into up to 20 bins of as equal width as can be, fewer where a bin would expect less than ten.

    Raises
    ------
    ValueError
        If there are fewer than `FEWEST` images.
    """
    if len(ranks) < FEWEST:
        raise ValueError(f"ranks of {len(ranks)} images say nothing about their distribution; take {FEWEST} or more.")
    edges, expected = _bins(len(ranks), draws)
    counts = _counts(ranks.T, edges)
    # χ² = Σ_b (n_b − N w_b)² / (N w_b), w_b the share of ranks in bin b
    statistic = ((counts - len(ranks) * expected) ** 2 / (len(ranks) * expected)).sum(axis=1)
    p_values = np.asarray(chi2.sf(statistic, len(expected) - 1), np.float64)
    return Calibration(ranks, draws, p_values, min(1.0, float(len(p_values) * p_values.min())), len(expected))


def pooled_histogram(calibration: Calibration, *, level: float = 0.95, seed: int = 0) -> Band:
    """Ranks in each bin beside what uniform ones would give, as a share of that, less 1, pooled over units."""
    edges, expected = _bins(len(calibration.ranks), calibration.draws)
    band = _band(calibration.ranks, edges, lambda shares: shares, level, seed)
    return Band(band.at, band.value / expected, band.half / expected, level)


def pooled_ecdf(calibration: Calibration, *, level: float = 0.95, seed: int = 0) -> Band:
    """ECDF of ranks less that of uniform ones, (r + 1)/(L + 1), pooled over units, at every rank r < L."""
    edges = np.arange(calibration.draws + 2)
    return _band(calibration.ranks, edges, lambda shares: np.cumsum(shares, axis=-1)[..., :-1], level, seed)


def _bins(images: int, draws: int) -> tuple[np.ndarray, np.ndarray]:
    """Edges of bins of ranks, and the share of ranks in each."""
    bins = max(2, min(_MOST_BINS, images // _PER_BIN, draws + 1))
    edges = np.round(np.linspace(0, draws + 1, bins + 1)).astype(np.int64)
    return edges, np.diff(edges) / (draws + 1)


def _counts(ranks: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """How many ranks of each row are in each bin, (row, bin)."""
    bins = len(edges) - 1
    which = np.searchsorted(edges, ranks, side="right") - 1 + bins * np.arange(len(ranks))[:, np.newaxis]
    return np.bincount(which.ravel(), minlength=bins * len(ranks)).reshape(-1, bins)


def _band(
    ranks: np.ndarray, edges: np.ndarray, curve: Callable[[np.ndarray], np.ndarray], level: float, seed: int
) -> Band:
    """A curve made of shares of ranks in bins, less that of uniform ranks, and a band for all its points together.

    Units of one image hang together, images do not. So many images with so many units say as much as n = NK/d ranks
    that are independent, d the variance of an image's curve over what independent units would give, all points taken
    together (the design effect; Kish 1965). The band is as wide as the curves of n uniform ranks ask for.
    """
    share = np.diff(edges) / edges[-1]
    expected = curve(share)
    each = curve(_counts(ranks, edges) / ranks.shape[1])
    alone = expected * (1 - expected)
    design = ranks.shape[1] * each.var(axis=0, ddof=1).sum() / alone.sum()
    independent = max(1, round(ranks.size / max(design, 1e-3)))
    drawn = np.random.default_rng(seed).multinomial(independent, share, size=_SIMULATED) / independent
    error = np.sqrt(alone / independent)
    largest = np.max(np.abs(curve(drawn) - expected) / error, axis=1)
    return Band(
        edges[1:][: len(expected)] - 1, each.mean(axis=0) - expected, np.quantile(largest, level) * error, level
    )

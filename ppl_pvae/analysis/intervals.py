"""How sure a number is: intervals by resampling photographs, not the images cut from them; NumPy alone.

Patches of one photograph are alike, so resampling patches would claim a certainty that a handful of photographs cannot
give. Here whole photographs (groups) are drawn with replacement, each with all its images (the cluster bootstrap;
Efron & Tibshirani 1993, chapter 8; percentile interval, chapter 13).

It is coarse where groups are few: G of them give at most C(2G - 1, G) different resamples, 35 for four and 92,378 for
ten, and percentile intervals of ten or fewer groups are too narrow. `groups` of the result says how many there were;
one photograph alone says nothing about the next, and its bounds are NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Num, Shaped

__all__ = ["Interval", "interval", "interval_of_means"]


@dataclass(frozen=True)
class Interval:
    """An estimate with its percentile interval.

    Parameters
    ----------
    estimate
        The metric of the images as they are.
    low, high
        Ends of the interval.
    level
        Its nominal coverage.
    groups
        Number of photographs that were resampled.
    """

    estimate: float
    low: float
    high: float
    level: float
    groups: int


def interval_of_means(
    values: Num[np.ndarray, "image ..."],
    group: Shaped[np.ndarray, " image"],
    combine: Callable[[Float[np.ndarray, "resample column"]], Float[np.ndarray, " resample"]] | None = None,
    *,
    seed: int = 0,
    resamples: int = 1000,
    level: float = 0.95,
) -> Interval:
    """Interval of a mean over images, or of a function of several means, by resampling photographs.

    Sums of each photograph are taken once, so a thousand resamples are one small product of matrices. Most metrics are
    functions of means: pooled R² of (squared error, variation), nats per spike of (KL, spikes).

    Parameters
    ----------
    values
        One value, or several, per image: (image,) or (image, column).
    group
        Photograph of each image, (image,).
    combine
        From means (resample, column) to the metric (resample,), such as `lambda m: m[:, 0] / m[:, 1]`; the mean itself
        where there is one column and nothing is given.
    seed, resamples, level
        Seed of the draws, their number, nominal coverage.

    Raises
    ------
    ValueError
        If there are several columns and no `combine`.
    """
    table = values if values.ndim > 1 else values[:, np.newaxis]
    if combine is None and table.shape[1] > 1:
        raise ValueError(f"values have {table.shape[1]} columns: give combine, which makes one number of their means.")
    made = combine if combine is not None else _only
    names, which = np.unique(group, return_inverse=True)
    size = np.bincount(which, minlength=len(names)).astype(np.float64)
    # Column by column, each in double precision: no copy of the whole table is made.
    sums = np.stack([np.bincount(which, column, minlength=len(names)) for column in table.T], axis=1)
    times = _resamples(len(names), seed, resamples)
    means = (times @ sums) / (times @ size)[:, np.newaxis]
    estimate = float(made(table.mean(axis=0, dtype=np.float64, keepdims=True))[0])
    return _percentiles(estimate, made(means), len(names), level)


def interval(
    metric: Callable[..., float],
    arrays: tuple[Shaped[np.ndarray, "image ..."], ...],
    group: Shaped[np.ndarray, " image"],
    *,
    seed: int = 0,
    resamples: int = 200,
    level: float = 0.95,
) -> Interval:
    """Interval of any metric of per-image arrays, by computing it again for every resample of photographs.

    Slow where the metric is slow; for what is a function of means `interval_of_means` is a thousand times faster.

    Parameters
    ----------
    metric
        Takes the arrays, returns a number; `metrics.lifetime_sparseness`, for example.
    arrays
        Arrays whose first axis is images.
    group
        Photograph of each image, (image,).
    seed, resamples, level
        As in `interval_of_means`.
    """
    names, which = np.unique(group, return_inverse=True)
    order = np.argsort(which, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(which))[:-1])
    drawn = np.empty(resamples)
    for i, times in enumerate(_resamples(len(names), seed, resamples).astype(int)):
        rows = np.concatenate([np.tile(m, n) for m, n in zip(members, times, strict=True) if n])
        drawn[i] = metric(*(a[rows] for a in arrays))
    return _percentiles(float(metric(*arrays)), drawn, len(names), level)


def _only(means: np.ndarray) -> np.ndarray:
    return means[:, 0]


def _resamples(groups: int, seed: int, resamples: int) -> Float[np.ndarray, "resample group"]:
    """How often each group is in each resample."""
    draws = np.random.default_rng(seed).multinomial(groups, np.full(groups, 1 / groups), size=resamples)
    return draws.astype(np.float64)


def _percentiles(estimate: float, drawn: np.ndarray, groups: int, level: float) -> Interval:
    if groups < 2:
        low = high = float("nan")
    else:
        low, high = (float(q) for q in np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2]))
    return Interval(estimate=estimate, low=low, high=high, level=level, groups=groups)

"""Bias, noise and direction of a noisy gradient, from independent draws of it: NumPy alone.

With g_1 … g_n draws of the gradient that one batch of B images gives, g* the exact gradient of the same batch,
d_i = g_i − g* and ‖·‖ over all parameters of a part:

    bias²  = (Σ_{i≠j} d_i·d_j)/(n(n − 1)) = ‖mean g − g*‖² − tr(S)/n      unbiased: the noise of the mean is taken off
    noise² = B tr S                                                        of the gradient that one image gives
    cosine = mean_i g_i·g*/(‖g_i‖‖g*‖)                                     of the gradient that one batch gives

S is the sample covariance. B tr S is the variance of the gradient that one image gives, averaged over images, since
draws of different images are independent. All three follow from the Gram matrix of the d_i and their products with g*,
and so do their jackknife intervals.
"""

from typing import NamedTuple

import numpy as np

__all__ = ["Draws", "Estimate", "Statistics", "statistics_of"]

TWO_SIDED = 1.96  # standard errors to either side of a 95% interval


class Draws(NamedTuple):
    """What is kept of the draws of one part of the parameters; parts add up, entry by entry."""

    gram: np.ndarray  # (draw, draw), d_i·d_j
    along: np.ndarray  # (draw,), d_i·g*
    exact: float  # ‖g*‖²
    per_image: float  # mean over images of the squared norm of the exact gradient that one image gives

    def __add__(self, other):
        return Draws(*(one + two for one, two in zip(self, other, strict=True)))


class Estimate(NamedTuple):
    """A number with the ends of its 95% interval."""

    value: float
    low: float
    high: float


class Statistics(NamedTuple):
    """How far a drawn gradient is from the exact one."""

    bias: Estimate  # ‖E g − g*‖/‖g*‖; the interval reaches 0 where no bias is seen
    noise: Estimate  # standard deviation of the gradient of one image, over the root mean square of exact ones
    cosine: Estimate  # of the gradient of one batch with the exact one


def statistics_of(draws: Draws, images: int) -> Statistics:
    """The three numbers of one part, from draws on a batch of `images`."""
    gram = np.asarray(draws.gram, np.float64)
    total, own = gram.sum(), np.diag(gram)
    without = total - 2 * gram.sum(axis=1) + own  # the sum over all others, for each draw left out
    n = len(gram)

    squared, left_out = (_squared_bias(*sums) for sums in ((total, own.sum(), n), (without, own.sum() - own, n - 1)))
    half = TWO_SIDED * _jackknife_error(left_out)
    # An unbiased square may be negative: the bias is then 0, as far as one can see.
    ends = max(squared, 0.0), max(squared - half, 0.0), max(squared, 0.0) + half
    bias = np.sqrt(np.array(ends) / draws.exact)

    scale = images / draws.per_image
    noise = [
        np.sqrt(scale * _trace(total, own.sum(), n)),
        np.sqrt(scale * _trace(without, own.sum() - own, n - 1)),
    ]
    cosines = (draws.along + draws.exact) / np.sqrt(draws.exact * (own + 2 * draws.along + draws.exact))
    error = cosines.std(ddof=1) / np.sqrt(n)
    return Statistics(
        Estimate(*map(float, bias)),
        _interval(noise[0], _jackknife_error(noise[1])),
        _interval(cosines.mean(), error),
    )


def _squared_bias(total, own, n):
    return (total - own) / (n * (n - 1))


def _trace(total, own, n):
    return (own - total / n) / (n - 1)


def _jackknife_error(left_out):
    n = len(left_out)
    return np.sqrt((n - 1) / n * np.sum((left_out - left_out.mean()) ** 2))


def _interval(value, error):
    return Estimate(float(value), float(value - TWO_SIDED * error), float(value + TWO_SIDED * error))

"""How much a whole code tells about the image: bounds from the probability of one image's code under all the others.

The information of units taken one by one (`information.py`) counts twice what two units both say. The joint information
I(x; z) has no closed form, but draws z_i of the code of image x_i and log q(z_i | x_j) for a set of N images give a
bound from either side. Both are in expectation over draws and over images.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Num
from scipy.special import log_ndtr

from ppl_pvae.analysis.information import log_factorial

__all__ = [
    "Bounds",
    "gaussian_log_probability",
    "poisson_log_probability",
    "population_bounds",
    "rectified_log_probability",
]

_DRAWS = 500
"""Draws that are looked at together."""


@dataclass(frozen=True)
class Bounds:
    """Information of a whole code about the image, nats per image, from below and above.

    Parameters
    ----------
    lower
        InfoNCE; never above `cap`, so near it the bound says nothing but "at least".
    upper
        Leave-one-out mixture.
    lower_error, upper_error
        Standard errors over images, which take the images that a draw is compared with as given.
    cap
        log N, N the number of images.
    """

    lower: float
    upper: float
    lower_error: float
    upper_error: float
    cap: float


def population_bounds(
    log_probability: Float[np.ndarray, "draw image"] | Callable[[slice], Float[np.ndarray, "part image"]],
    own: Int[np.ndarray, " draw"],
) -> Bounds:
    """Lower and upper bound on I(x; z) from log q(z_i | x_j).

    lower = mean_i log q(z_i|x_i) - log [(1/N) Σ_j q(z_i|x_j)]             (InfoNCE with the known conditional)
    upper = mean_i log q(z_i|x_i) - log [(1/(N - 1)) Σ_{j≠own} q(z_i|x_j)]   (leave one out)

    Where the N images are all there are, each as likely, `lower` is their I(x; z) itself, up to the noise of draws.
    The upper bound is loose where codes of different images hardly overlap: the KL paid, and the information summed
    over units, are upper bounds too, so take the least of the three.

    Parameters
    ----------
    log_probability
        log q(z_i | x_j), (draw, image), constants that do not depend on the image included or not; or a function that
        gives the rows of a slice of draws, so that they need not be in memory together.
    own
        Index of the image that each draw is a code of, (draw,).

    Source: Poole et al. 2019 (arXiv:1905.06922), where both stand under these names; van den Oord et al. 2018
    (arXiv:1807.03748) for InfoNCE.
    """
    part = log_probability if callable(log_probability) else lambda rows: log_probability[rows]
    lower, upper, images = [], [], 0
    for start in range(0, len(own), _DRAWS):
        rows = slice(start, min(start + _DRAWS, len(own)))
        log_q = np.array(part(rows), dtype=np.float64)
        images = log_q.shape[1]
        here = np.arange(len(log_q)), own[rows]
        paired = log_q[here]
        top = log_q.max(axis=1)
        lower.append(paired - top - np.log(np.exp(log_q - top[:, np.newaxis]).mean(axis=1)))
        log_q[here] = -np.inf
        top = log_q.max(axis=1)
        rest = np.exp(log_q - np.where(np.isfinite(top), top, 0.0)[:, np.newaxis]).sum(axis=1) / max(images - 1, 1)
        with np.errstate(divide="ignore"):  # a code that no other image can give
            upper.append(paired - top - np.log(rest) if images > 1 else np.full(len(paired), np.inf))
    least, most = _mean(np.concatenate(lower), own), _mean(np.concatenate(upper), own)
    return Bounds(lower=least[0], upper=most[0], lower_error=least[1], upper_error=most[1], cap=float(np.log(images)))


def poisson_log_probability(
    z: Num[np.ndarray, "draw unit"], rate: Float[np.ndarray, "image unit"]
) -> Float[np.ndarray, "draw image"]:
    """log q(z_i | x_j) of counts under independent Poissons of each image's rates, (draw, image)."""
    z, rate = z.astype(np.float64), rate.astype(np.float64)
    factorials = log_factorial(int(z.max(initial=0)) + 1)[z.astype(np.intp)].sum(axis=1)
    return z @ np.log(np.maximum(rate, 1e-300)).T - rate.sum(axis=1) - factorials[:, np.newaxis]


def gaussian_log_probability(
    z: Num[np.ndarray, "draw unit"], loc: Float[np.ndarray, "image unit"], scale: Float[np.ndarray, "image unit"]
) -> Float[np.ndarray, "draw image"]:
    """log q(z_i | x_j) of values under independent normals of each image, (draw, image)."""
    return _normal(np.ones_like(z, dtype=np.float64), z, loc, scale)


def rectified_log_probability(
    z: Num[np.ndarray, "draw unit"], loc: Float[np.ndarray, "image unit"], scale: Float[np.ndarray, "image unit"]
) -> Float[np.ndarray, "draw image"]:
    """log q(z_i | x_j) of max(·, 0) of independent normals: a density above zero, a probability at zero."""
    positive = (z > 0).astype(np.float64)
    silent = log_ndtr(-(loc.astype(np.float64) / scale))
    return _normal(positive, z * positive, loc, scale) + (1 - positive) @ silent.T


def _normal(mask: np.ndarray, z: np.ndarray, loc: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Σ_k mask [−(z − μ)²/(2σ²) − log σ − ½ log 2π] as three products of matrices."""
    z, loc, scale = (a.astype(np.float64) for a in (z, loc, scale))
    precision = scale**-2
    constant = -0.5 * loc**2 * precision - np.log(scale) - 0.5 * np.log(2 * np.pi)
    return mask @ constant.T + z @ (loc * precision).T - 0.5 * z**2 @ precision.T


def _mean(values: np.ndarray, own: np.ndarray) -> tuple[float, float]:
    """Mean, and standard error over images (draws of one image are averaged first); NaN for one image."""
    drawn, which = np.unique(own, return_inverse=True)
    each = np.bincount(which, values) / np.bincount(which)
    if len(drawn) < 2 or not np.isfinite(each).all():
        return float(values.mean()), float("nan")
    return float(values.mean()), float(each.std(ddof=1) / np.sqrt(len(each)))

"""Information that units with values, not counts, carry about the image: Gaussian ones and rectified ones.

I_k = H(mean_x q(z_k|x)) - mean_x H(q(z_k|x)), nats, the entropy of the mixture by Gauss-Legendre quadrature, that of
each posterior in closed form. The KL of such a code, averaged over images, is I plus the mismatch of the prior
(Hoffman & Johnson 2016); a code that pays for the latent behind a rectified value also pays for what it does not send.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.special import entr, log_ndtr, ndtr

__all__ = ["MOST_NODES", "gaussian_information", "rectified_information"]

MOST_NODES = 8000
"""A unit whose mixture would need more nodes than this is given NaN."""
_REACH = 8.5
"""Deviations from the mean beyond which a normal is left out: 2e-17 of its mass."""
_PANEL, _PER_PANEL = 2.5, 8
"""Width of a panel in smallest deviations, and its nodes."""
_TOGETHER = 1 << 17
"""Values of the density that are in memory together."""


def gaussian_information(
    loc: Float[np.ndarray, "image unit"], scale: Float[np.ndarray, "image unit"]
) -> Float[np.ndarray, " unit"]:
    """Mutual information of image and value of each Gaussian unit, (unit,), nats, over the images given.

    Parameters
    ----------
    loc, scale
        Mean and deviation of the posterior, (image, unit); deviations > 0.

    The error of the quadrature is below 1e-9 nat. Cost: images × nodes exponentials a unit, with about three nodes for
    every smallest deviation in the range of the mixture: some ten seconds for 10,000 images and 512 units, so give a
    subset of the images where that is too long.
    """
    return _of_units(loc, scale, rectified=False)


def rectified_information(
    loc: Float[np.ndarray, "image unit"], scale: Float[np.ndarray, "image unit"]
) -> Float[np.ndarray, " unit"]:
    """Mutual information of image and max(z, 0) of each unit, (unit,), nats; z is normal with `loc` and `scale`.

    The distribution has an atom at zero and a density above it; the information is the sum of both parts. Cost and
    error as in `gaussian_information`.
    """
    return _of_units(loc, scale, rectified=True)


def _of_units(loc: np.ndarray, scale: np.ndarray, rectified: bool) -> np.ndarray:
    loc, scale = loc.astype(np.float64), scale.astype(np.float64)
    return np.array([_information(m, s, rectified) for m, s in zip(loc.T, scale.T, strict=True)])


def _information(loc: np.ndarray, scale: np.ndarray, rectified: bool) -> float:
    low, high = (loc - _REACH * scale).min(), (loc + _REACH * scale).max()
    low = max(low, 0.0) if rectified else low
    panels = int(np.ceil(max(high - low, 0.0) / (_PANEL * scale.min())))
    if panels * _PER_PANEL > MOST_NODES:
        return float("nan")
    total = 0.0
    if panels:
        node, weight = np.polynomial.legendre.leggauss(_PER_PANEL)
        width = (high - low) / panels
        at = (low + width * (np.arange(panels)[:, np.newaxis] + (node + 1) / 2)).ravel()
        density = _mixture(at, loc, scale)
        # H of the mixture, −∫ f log f, over panels
        total = float(entr(density) @ np.tile(weight * width / 2, panels))
    spread = np.log(scale) + 0.5 * np.log(2 * np.pi)
    if not rectified:
        return max(0.0, total - float(np.mean(spread)) - 0.5)
    a = loc / scale
    # H of one posterior: −Φ(−a) log Φ(−a) − ∫_0^∞ N log N, with E[u²; u > −a] = Φ(a) − a φ(a)
    bell = np.exp(-0.5 * a**2) / np.sqrt(2 * np.pi)
    above = ndtr(a) * spread + 0.5 * (ndtr(a) - a * bell)
    each = above - ndtr(-a) * log_ndtr(-a)
    return max(0.0, float(entr(ndtr(-a).mean())) + total - float(each.mean()))


def _mixture(at: np.ndarray, loc: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Density of the mixture over images at some points, (point,)."""
    total = np.zeros_like(at)
    size = max(1, _TOGETHER // len(at))
    for start in range(0, len(loc), size):
        part = slice(start, start + size)
        u = at - loc[part, np.newaxis]
        u /= scale[part, np.newaxis]
        np.square(u, out=u)
        u *= -0.5
        total += (1 / scale[part]) @ np.exp(u, out=u)
    return total / (len(loc) * np.sqrt(2 * np.pi))

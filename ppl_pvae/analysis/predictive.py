"""Do data look like what the model makes: predictive checks of images and of codes; NumPy alone.

A statistic of the images at hand stands beside the same statistic of data sets that the program made. Images may be
compared with prior prediction, in which their codes are drawn from the prior: that asks whether the model could have
made such images. Or with posterior prediction, in which each image is made again from its own code: that asks what the
code and the likelihood lose. Codes drawn from the posterior of the images at hand, one each (the aggregated posterior),
are compared with codes drawn from the prior: where they differ, the nats paid are more than information.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Num

from ppl_pvae.analysis import metrics

__all__ = [
    "BANDS",
    "Check",
    "band_power",
    "code_checks",
    "code_statistics",
    "neighbour_correlation",
    "pixel_checks",
    "pixel_moments",
    "pixel_statistics",
    "unit_correlation",
]

BANDS = 5
"""Bands of spatial frequency up to half a cycle per pixel."""


@dataclass(frozen=True)
class Check:
    """A statistic of data beside the same of replicated data sets.

    Parameters
    ----------
    name
        What it is, in words.
    observed
        Of the data.
    replicated
        Of each replicated data set, (replicate,); where it is not defined for one, NaN, which counts for nothing.
    """

    name: str
    observed: float
    replicated: Float[np.ndarray, " replicate"]

    @property
    def mean(self) -> float:
        """Mean over replicates."""
        return float(self._defined.mean()) if self._defined.size else float("nan")

    @property
    def deviation(self) -> float:
        """Standard deviation over replicates; NaN for fewer than two."""
        return float(self._defined.std(ddof=1)) if self._defined.size > 1 else float("nan")

    @property
    def p_value(self) -> float:
        """Two-sided predictive p-value, min(1, 2 min(1 + #{T′ ≥ T}, 1 + #{T′ ≤ T}) / (R + 1)), R replicates.

        Never below 2/(R + 1), so 39 replicates are the fewest that can say .05. Where the data are one more replicate
        (prior prediction, parameters known and not fitted to these images, images independent) it is uniform on
        2/(R + 1), 4/(R + 1), …, and larger where values tie. Of posterior prediction it is not: data that made the
        codes look like what the codes make, and p-values crowd round 1 (Meng 1994; Gelman, Meng & Stern 1996).
        """
        made = self._defined
        if not made.size or not np.isfinite(self.observed):
            return float("nan")
        tail = 1 + min(int((made >= self.observed).sum()), int((made <= self.observed).sum()))
        return min(1.0, 2 * tail / (len(made) + 1))

    @property
    def _defined(self) -> np.ndarray:
        return self.replicated[np.isfinite(self.replicated)]


def pixel_checks(
    x: Num[np.ndarray, "image pixel"],
    replicates: Iterable[Num[np.ndarray, "image pixel"]],
    shape: tuple[int, int] | None = None,
    *,
    bands: int = BANDS,
) -> tuple[Check, ...]:
    """Statistics of pixels (`pixel_statistics`), of images and of data sets of as many replicated images.

    Parameters
    ----------
    x
        Images, (image, pixel).
    replicates
        Data sets that the program made, one after another, or an array (replicate, image, pixel).
    shape
        (y, x) of an image; None where pixels have no such order, which leaves out what asks for it.
    bands
        Bands of spatial frequency.
    """
    return _checks(lambda each: pixel_statistics(each, shape, bands=bands), x, replicates)


def code_checks(
    z: Num[np.ndarray, "image unit"], replicates: Iterable[Num[np.ndarray, "image unit"]]
) -> tuple[Check, ...]:
    """Statistics of codes (`code_statistics`): posterior draws, one for every image, and as many prior draws.

    Parameters
    ----------
    z
        One posterior draw for every image.
    replicates
        Sets of codes from the prior, one after another, or an array (replicate, image, unit).
    """
    signed = bool((z < 0).any())
    return _checks(lambda each: code_statistics(each, signed=signed), z, replicates)


def _checks(
    statistics: Callable[[np.ndarray], dict[str, float]], data: np.ndarray, replicates: Iterable[np.ndarray]
) -> tuple[Check, ...]:
    observed, made = statistics(data), [statistics(each) for each in replicates]
    return tuple(Check(name, value, np.array([each[name] for each in made])) for name, value in observed.items())


def pixel_statistics(
    x: Num[np.ndarray, "image pixel"], shape: tuple[int, int] | None = None, *, bands: int = BANDS
) -> dict[str, float]:
    """Variance, skewness and excess kurtosis of an image, correlation of neighbours, power by frequency; by name."""
    variance, skewness, kurtosis = pixel_moments(x)
    found = {"variance": variance, "skewness": skewness, "excess kurtosis": kurtosis}
    if shape is None:
        return found
    if max(shape) > 1:
        found["neighbour correlation"] = neighbour_correlation(x, shape)
    edges, power = band_power(x, shape, bands=bands)
    if len(power) < 2:  # all of it
        return found
    for low, high, share in zip(edges[:-1], edges[1:], power, strict=True):
        where = f"{low:.2g}–{high:.2g}" if high < np.inf else f"above {low:.2g}"
        found[f"power {where} c/px"] = float(share)
    return found


def pixel_moments(x: Num[np.ndarray, "image pixel"]) -> tuple[float, float, float]:
    """Variance, skewness m₃/m₂^1.5 and excess kurtosis m₄/m₂² − 3 over the pixels of an image, averaged over images.

    Images of one value have a variance of 0 and no skewness and kurtosis, and are left out of those.
    """
    centred = _centred(x)
    square = centred**2
    second = square.mean(axis=1)
    varied = second > 0
    if not varied.any():
        return float(second.mean()), float("nan"), float("nan")
    third, fourth = (square * centred).mean(axis=1), (square**2).mean(axis=1)
    skewness = third[varied] / second[varied] ** 1.5
    kurtosis = fourth[varied] / second[varied] ** 2 - 3
    return float(second.mean()), float(skewness.mean()), float(kurtosis.mean())


def neighbour_correlation(x: Num[np.ndarray, "image pixel"], shape: tuple[int, int]) -> float:
    """Correlation of pixels one apart, across and down, over all such pairs of all images; NaN for one value."""
    if x.min() == x.max():
        return float("nan")
    y = x.astype(np.float64).reshape(-1, *shape)
    first = np.concatenate([y[:, :, :-1].ravel(), y[:, :-1].ravel()])
    second = np.concatenate([y[:, :, 1:].ravel(), y[:, 1:].ravel()])
    first, second = first - first.mean(), second - second.mean()
    scale = np.sqrt((first @ first) * (second @ second))
    return float(first @ second / scale) if scale > 0 else float("nan")


def band_power(
    x: Num[np.ndarray, "image pixel"], shape: tuple[int, int], *, bands: int = BANDS
) -> tuple[Float[np.ndarray, " edge"], Float[np.ndarray, " band"]]:
    """Share of the power of all images in bands of radial spatial frequency, the mean of each image left out.

    Bands are equally wide up to half a cycle per pixel, the last one takes in the corners beyond, and a band without a
    frequency, as small images have, is joined with the one above.

    Returns
    -------
    edges
        Lower ends of the bands in cycles per pixel, and infinity.
    power
        Share in each band; NaN for images of one value each.
    """
    radius = np.hypot(np.fft.fftfreq(shape[0])[:, np.newaxis], np.fft.fftfreq(shape[1])).ravel()
    centred = _centred(x)
    power = (np.abs(np.fft.fft2(centred.reshape(-1, *shape))) ** 2).sum(axis=0).ravel()
    # A frequency that is an edge up to rounding belongs to the band above.
    which = np.minimum(np.floor(radius * 2 * bands + 1e-9).astype(int), bands - 1)[radius > 0]
    used = np.unique(which)
    total = power[radius > 0].sum()
    each = np.bincount(which, power[radius > 0], minlength=bands)[used]
    edges = np.append(np.concatenate([[0.0], (used[:-1] + 1) / (2 * bands)])[: len(used)], np.inf)
    return edges, each / total if total > 0 else np.full(len(used), np.nan)


def code_statistics(z: Num[np.ndarray, "image unit"], *, signed: bool = False) -> dict[str, float]:
    """How much units do and how alike they are, by name.

    Mean of a unit, averaged over units, and its standard deviation over units; Fano factor, averaged over units that
    are not silent, and share of zeros (of a code with both signs, which has neither, the variance of a unit); RMS of
    the correlation of two units; variance of the sum over units.
    """
    means = z.mean(axis=0, dtype=np.float64)
    found = {"mean of a unit": float(means.mean()), "spread of unit means": float(means.std())}
    if signed:
        found["variance of a unit"] = float(z.var(axis=0, dtype=np.float64).mean())
    else:
        found["Fano factor"] = metrics.mean_fano_factor(z)
        found["share of zeros"] = metrics.zeros(z)
    found["RMS correlation"] = unit_correlation(z)
    found["variance of the total"] = float(z.sum(axis=1, dtype=np.float64).var())
    return found


def unit_correlation(z: Num[np.ndarray, "image unit"]) -> float:
    """Root mean square over pairs of units of their correlation over images; NaN where fewer than two units vary.

    Of N images, independent units have √(1/(N − 1)) by chance: compare it at one number of images only.
    """
    centred = _centred(z.T)
    power = (centred**2).sum(axis=1, keepdims=True)
    scaled = (centred / np.sqrt(np.where(power > 0, power, 1.0)))[power[:, 0] > 0]
    units = len(scaled)
    if units < 2:
        return float("nan")
    correlation = scaled @ scaled.T
    return float(np.sqrt(((correlation**2).sum() - (np.diag(correlation) ** 2).sum()) / (units * (units - 1))))


def _centred(rows: np.ndarray) -> np.ndarray:
    """Rows less their means, exactly 0 for a row of one value."""
    centred = rows.astype(np.float64) - rows.mean(axis=1, dtype=np.float64, keepdims=True)
    return np.where(rows.max(axis=1, keepdims=True) > rows.min(axis=1, keepdims=True), centred, 0.0)

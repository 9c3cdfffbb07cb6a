"""Sparsity, activity and cost of a code, as published code defines them; NumPy alone.

Every function takes plain arrays and returns a float (NaN where the number is not defined), with sums in float64.
Source: the evaluation code of the Poisson VAE papers (Vafaii, Galor & Yates 2024, arXiv:2405.14473; Vafaii & Yates
2026, arXiv:2602.13421), except where a docstring says "ours".
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Bool, Float, Num

__all__ = [
    "ACTIVE_NATS",
    "active_units",
    "coding_rate",
    "coding_rate_bits",
    "fano_factor",
    "firing_rate",
    "is_active",
    "lifetime_sparseness",
    "mean_fano_factor",
    "nats_per_spike",
    "nats_per_unit",
    "population_sparseness",
    "r2",
    "r2_of_each_image",
    "r2_per_image",
    "rate_distortion_distance",
    "rate_mismatch",
    "sparseness",
    "spikes_per_image",
    "variation",
    "zeros",
]

ACTIVE_NATS = 0.01
"""A unit is active when it costs more than this many nats per image on average (ours)."""


def zeros(z: Num[np.ndarray, "image unit"]) -> float:
    """Share of silence: how many of the (image, unit) pairs are exactly zero in one posterior draw."""
    return float(np.mean(z == 0))


def sparseness(z: Num[np.ndarray, "image unit"], axis: int) -> Float[np.ndarray, " kept"]:
    """Treves-Rolls sparseness along one axis: 0 when all m entries are equal, 1 when only one is not zero.

    A slice that is all zero counts 1, as published. One entry (m = 1) has no sparseness: NaN.

    Parameters
    ----------
    z
        One posterior draw, (image, unit).
    axis
        0 for lifetime (over images, one value per unit), 1 for population (over units, one value per image).
    """
    m = z.shape[axis]
    if m == 1:
        return np.full(z.shape[1 - axis], np.nan)
    total = z.sum(axis=axis, dtype=np.float64)
    power = np.einsum("iu,iu->u" if axis == 0 else "iu,iu->i", z, z, dtype=np.float64)
    silent = power == 0
    # s = (1 − (Σz)² / (m Σz²)) / (1 − 1/m)
    share = total**2 / (m * np.where(silent, 1.0, power))
    return np.where(silent, 1.0, (1 - share) / (1 - 1 / m))


def lifetime_sparseness(z: Num[np.ndarray, "image unit"]) -> float:
    """How rarely a unit is used: sparseness over images, averaged over units; a silent unit counts 1."""
    return float(sparseness(z, axis=0).mean())


def population_sparseness(z: Num[np.ndarray, "image unit"]) -> float:
    """How few units an image uses: sparseness over units, averaged over images; a silent image counts 1."""
    return float(sparseness(z, axis=1).mean())


def firing_rate(activity: Num[np.ndarray, "image unit"]) -> float:
    """Mean activity per unit and image: E lambda, or E max(z, 0) of a rectified code, or |z| of a signed one (ours)."""
    return float(activity.mean(dtype=np.float64))


def spikes_per_image(activity: Num[np.ndarray, "image unit"]) -> float:
    """Activity of the whole population for one image, on average: the rate per unit falls as units are added (ours)."""
    return float(activity.mean(axis=0, dtype=np.float64).sum())


def variation(x: Num[np.ndarray, "image pixel"]) -> Float[np.ndarray, " image"]:
    """Squared deviation of each image from its own mean, summed over pixels."""
    return x.var(axis=1, dtype=np.float64) * x.shape[1]


def r2(x: Num[np.ndarray, "image pixel"], squared_error: Float[np.ndarray, " image"]) -> float:
    """Pooled R2: 1 - (squared error of all images) / (variation of all images about their own means) (ours)."""
    total = variation(x).sum()
    return float(1 - squared_error.sum(dtype=np.float64) / total) if total > 0 else float("nan")


def r2_per_image(x: Num[np.ndarray, "image pixel"], squared_error: Float[np.ndarray, " image"]) -> float:
    """Published R2: 1 - SSE/SST of each image, averaged. Flat images rule it; images of one value are left out."""
    each = r2_of_each_image(x, squared_error)
    defined = ~np.isnan(each)
    return float(each[defined].mean()) if defined.any() else float("nan")


def r2_of_each_image(
    x: Num[np.ndarray, "image pixel"], squared_error: Float[np.ndarray, " image"]
) -> Float[np.ndarray, " image"]:
    """1 - SSE/SST of each image, (image,), as `r2_per_image` averages it; NaN for an image of one value."""
    total = variation(x)
    varied = total > 0
    return np.where(varied, 1 - squared_error.astype(np.float64) / np.where(varied, total, 1.0), np.nan)


def rate_distortion_distance(r2: float, zeros: float) -> float:
    """Distance from perfect fidelity with perfect silence: sqrt((1 - R2)^2 + (1 - zeros)^2), 0 at best.

    Source: Vafaii, Galor & Yates 2024, arXiv:2410.19315.
    """
    return float(np.hypot(1 - r2, 1 - zeros))


def fano_factor(z: Num[np.ndarray, "image unit"]) -> Float[np.ndarray, " unit"]:
    """Variance of each unit's count over images divided by its mean, (unit,); NaN for a silent unit (ours).

    By the law of total variance it is 1 + Var lambda / E lambda for Poisson counts: what lies above 1 is signal. Over
    draws for one image (one row a draw) it is 1 for Poisson counts and 1 + lambda/phi for negative binomial ones.
    """
    mean = z.mean(axis=0, dtype=np.float64)
    return np.where(mean > 0, z.var(axis=0, dtype=np.float64) / np.where(mean > 0, mean, 1.0), np.nan)


def mean_fano_factor(z: Num[np.ndarray, "image unit"]) -> float:
    """Fano factor averaged over the units that are not silent (ours); NaN where all are."""
    each = fano_factor(z)
    return float(np.nanmean(each)) if not np.isnan(each).all() else float("nan")


def nats_per_unit(kl: Float[np.ndarray, "image unit"]) -> Float[np.ndarray, " unit"]:
    """Mean cost of each unit over images, (unit,), nats."""
    return kl.mean(axis=0, dtype=np.float64)


def is_active(kl: Float[np.ndarray, "image unit"]) -> Bool[np.ndarray, " unit"]:
    """Which units say anything: those with E KL_k > 0.01 nat (ours)."""
    return nats_per_unit(kl) > ACTIVE_NATS


def active_units(kl: Float[np.ndarray, "image unit"]) -> float:
    """Share of units that say anything: E KL_k > 0.01 nat (ours)."""
    return float(is_active(kl).mean())


def coding_rate(kl: Float[np.ndarray, "image unit"]) -> float:
    """Nats that the code of one image costs: sum over units of the KL, averaged over images."""
    return float(nats_per_unit(kl).sum())


def coding_rate_bits(kl: Float[np.ndarray, "image unit"]) -> float:
    """The coding rate in bits: nats / log 2."""
    return coding_rate(kl) / math.log(2)


def nats_per_spike(kl: Float[np.ndarray, "image unit"], rate: Float[np.ndarray, "image unit"]) -> float:
    """Nats paid for one spike: coding rate over spikes per image; NaN for a code without a spike (ours)."""
    spikes = spikes_per_image(rate)
    return coding_rate(kl) / spikes if spikes > 0 else float("nan")


def rate_mismatch(
    prior_rate: Float[np.ndarray, " unit"],
    rate: Float[np.ndarray, "image unit"],
    kl: Float[np.ndarray, "image unit"],
) -> float:
    """How far a learned prior is from its optimum r_k = E lambda_k (ours).

    The largest |log r_k - log E lambda_k| over active units; NaN where no unit is active.
    """
    used = is_active(kl)
    if not used.any():
        return float("nan")
    expected = rate.mean(axis=0, dtype=np.float64)[used]
    return float(np.max(np.abs(np.log(prior_rate[used].astype(np.float64)) - np.log(expected))))

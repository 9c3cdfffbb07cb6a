"""The limit of many spikes: what a linear Poisson code comes to as its rates grow and single spikes stop to matter."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

__all__ = ["Limit", "many_spikes_limit"]

PART = 10_000


class Limit(NamedTuple):
    """A linear Poisson code of unbounded rates at its best.

    Parameters
    ----------
    free_energy, distortion, coding_rate
        Nats per image, mean over images; `free_energy` = `distortion` + β · `coding_rate`.
    directions
        How many principal directions of the images it sends.
    """

    free_energy: float
    distortion: float
    coding_rate: float
    directions: int


def many_spikes_limit(
    train: Float[np.ndarray, "image pixel"],
    test: Float[np.ndarray, "asked pixel"],
    *,
    units: int,
    beta: float,
    decoder_bias: bool = False,
) -> Limit:
    """Free energy that a Poisson code with a linear decoder approaches as all of its prior rates r grow.

    It is no bound: of images with sparse structure a sparse code of many units lies below it. A dense code lies close
    to it over a wide range of rates: there a spike costs next to nothing. Rates that are capped (here at e^5.3, some
    200 spikes) keep codes above it where β is small and they would be larger.

    Parameters
    ----------
    train, test
        Images that the code is fitted to, and those that it is asked about.
    units
        Number of latent units, >= 1.
    beta
        Weight of the KL, >= 0.
    decoder_bias
        Whether the decoder has a bias. Without one, a direction among the units is lost to the mean number of spikes,
        which has to cancel in the reconstruction.

    Notes
    -----
    Derived here. With λ_k = r_k exp(u_k / √r_k) and a decoder φ_k / √r_k, as r → ∞ the KL r f(e^d) becomes u²/2, the
    mean of the reconstruction Φu + const, and its variance Σ_k ‖φ_k‖², whatever r: a Gaussian channel whose noise
    cannot be chosen. The best u of an image is linear in it, so that the encoder need not be more. Over Φ and u = Wx,
    ‖Φ‖² + β/2 E‖u‖² at fixed M = ΦW is √(2β) times the nuclear norm of M C^½, C being the covariance of the images;
    what is left is singular values, softly thresholded at √(β/2): a direction of variance s is sent with gain
    1 − √(β/2s) if s > β/2, and costs √(2βs) − β/2 instead of s.
    """
    if units < 1:
        raise ValueError(f"units must be >= 1, got {units}")
    if not 0 <= beta < np.inf:
        raise ValueError(f"beta must be >= 0 and finite, got {beta}")
    mean = train.mean(axis=0, dtype=np.float64)
    variance, direction = np.linalg.eigh(_second_moment(train, mean))
    variance, direction = np.maximum(variance[::-1], 0.0), direction[:, ::-1]
    asked = np.sum(direction * (_second_moment(test, mean) @ direction), axis=0)

    most = units if decoder_bias else units - 1
    sent = (np.arange(len(variance)) < most) & (variance > beta / 2)
    s, t = variance[sent], asked[sent]
    gain = 1 - np.sqrt(beta / (2 * s))
    noise = gain * np.sqrt(beta * s / 2)  # ‖φ‖² of the direction
    # u has variance gain² t/‖φ‖²; without a price on nats there is no noise, and no end to the nats.
    nats = np.divide(gain**2 * t, 2 * noise, out=np.full_like(t, np.inf), where=noise > 0)
    distortion = float(np.sum((1 - gain) ** 2 * t + noise) + np.sum(asked[~sent]))
    rate = float(nats.sum())
    return Limit(distortion + (beta * rate if beta else 0.0), distortion, rate, int(sent.sum()))


def _second_moment(x, mean):
    """(pixel, pixel), about a mean; a part of the images at a time, for in double precision all are large."""
    total = np.zeros((len(mean), len(mean)))
    for start in range(0, len(x), PART):
        part = np.asarray(x[start : start + PART], np.float64) - mean
        total += part.T @ part
    return total / len(x)

"""What dense codes come to, in closed form: Poisson codes of many spikes, and rectified ones that never rectify."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

__all__ = ["Limit", "linear_gaussian_limit", "many_spikes_limit"]

PART = 10_000

Images = Float[np.ndarray, "image pixel"]
Asked = Float[np.ndarray, "asked pixel"]


class Limit(NamedTuple):
    """A linear code at its best.

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


def many_spikes_limit(train: Images, test: Asked, *, directions: int, beta: float) -> Limit:
    """Free energy that a Poisson code with a linear decoder approaches as all of its prior rates r grow.

    It is no bound: of images with sparse structure a sparse code of many units lies below it. A dense code lies close
    to it over a wide range of rates: there a spike costs next to nothing. Rates that are capped (here at e^5.3, some
    200 spikes) keep codes above it where β is small and they would be larger.

    Parameters
    ----------
    train, test
        Images that the code is fitted to, and those that it is asked about.
    directions
        How many it can send, >= 0: the number of units, less one where the decoder has no bias. That one goes to the
        mean number of spikes, which has to cancel in the reconstruction.
    beta
        Weight of the KL, >= 0.

    Notes
    -----
    Derived here. With λ_k = r_k exp(u_k / √r_k) and a decoder φ_k / √r_k, as r → ∞ the KL r f(e^d) becomes u²/2, the
    mean of the reconstruction Φu + const, and its variance Σ_k ‖φ_k‖², whatever r: a Gaussian channel whose noise
    cannot be chosen. The best u of an image is linear in it, so that the encoder need not be more. Over Φ and u = Wx,
    ‖Φ‖² + β/2 E‖u‖² at fixed M = ΦW is √(2β) times the nuclear norm of M C^½, C being the covariance of the images;
    what is left is singular values, softly thresholded at √(β/2): a direction of variance s is sent with gain
    1 − √(β/2s) if s > β/2, and costs √(2βs) − β/2 instead of s.
    """
    s, t, rest = _channels(train, test, directions, beta)
    gain = 1 - np.sqrt(beta / (2 * s))
    noise = gain * np.sqrt(beta * s / 2)  # ‖φ‖² of the direction
    # u has variance gain² t/‖φ‖²; without a price on nats there is no noise, and no end to the nats.
    nats = np.divide(gain**2 * t, 2 * noise, out=np.full_like(t, np.inf), where=noise > 0)
    return _limit((1 - gain) ** 2 * t + noise, nats, rest, beta)


def linear_gaussian_limit(train: Images, test: Asked, *, directions: int, beta: float) -> Limit:
    """Free energy of the best linear Gaussian code: probabilistic PCA of noise β/2.

    A Gaussian VAE with linear networks comes to it, and so does a rectified one whose prior means are learned and have
    grown until nothing is rectified. It is no bound: a sparse code can lie below it.

    Parameters
    ----------
    train, test
        Images that the code is fitted to, and those that it is asked about.
    directions
        How many it can send, >= 0: the number of units, less one for a rectified code whose decoder has no bias to
        cancel the means.
    beta
        Weight of the KL, >= 0.

    Notes
    -----
    Divided by β, the free energy is −log p(x) of a linear Gaussian model with noise of variance β/2, but for a
    constant (Tipping & Bishop 1999; for VAEs Lucas et al. 2019): a direction of variance s is sent if s > β/2, and
    costs (β/2)(1 + log(2s/β)) instead of s. Beside the limit of many spikes the noise of each direction is chosen.
    """
    s, t, rest = _channels(train, test, directions, beta)
    lost = beta / (2 * s)  # 1 − gain, and the variance of the posterior
    with np.errstate(divide="ignore"):  # without a price on nats there is no end to them
        nats = 0.5 * ((1 - lost) * t / s + lost - 1 - np.log(lost))
    return _limit(lost**2 * t + (1 - lost) * beta / 2, nats, rest, beta)


def _channels(train, test, directions, beta):
    """Variances of the directions worth sending, in what is fitted and in what is asked, and of all others together."""
    if directions < 0:
        raise ValueError(f"directions must be >= 0, got {directions}")
    if not 0 <= beta < np.inf:
        raise ValueError(f"beta must be >= 0 and finite, got {beta}")
    mean = train.mean(axis=0, dtype=np.float64)
    variance, direction = np.linalg.eigh(_second_moment(train, mean))
    variance, direction = np.maximum(variance[::-1], 0.0), direction[:, ::-1]
    asked = np.sum(direction * (_second_moment(test, mean) @ direction), axis=0)
    sent = (np.arange(len(variance)) < directions) & (variance > beta / 2)
    return variance[sent], asked[sent], float(np.sum(asked[~sent]))


def _limit(distortions, nats, rest, beta) -> Limit:
    distortion, rate = float(np.sum(distortions)) + rest, float(np.sum(nats))
    return Limit(distortion + (beta * rate if beta else 0.0), distortion, rate, len(nats))


def _second_moment(x, mean):
    """(pixel, pixel), about a mean; a part of the images at a time, for in double precision all are large."""
    total = np.zeros((len(mean), len(mean)))
    for start in range(0, len(x), PART):
        part = np.asarray(x[start : start + PART], np.float64) - mean
        total += part.T @ part
    return total / len(x)

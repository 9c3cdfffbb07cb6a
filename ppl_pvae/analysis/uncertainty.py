"""The numbers of a summary with intervals over photographs; NumPy alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from ppl_pvae.analysis import metrics
from ppl_pvae.analysis.intervals import Interval, interval_of_means
from ppl_pvae.analysis.record import Posterior

__all__ = ["metric_intervals"]

_Means = Float[np.ndarray, "resample column"]


def metric_intervals(posterior: Posterior, beta: float) -> dict[str, Interval]:
    """Interval of each metric by resampling photographs, under the keys of `summarise`; and of two that it leaves out.

    Those are `coding_rate_bits` and, of counts, `fano_factor`, the mean over units that are not silent.

    All are functions of means over images, sums of squares of each unit among them, so that no resample touches the
    images again. What has no interval of this kind is left out: `rate_mismatch`, a largest value over units, and
    `information`, which belongs to the images as a set.

    Parameters
    ----------
    posterior
        What the program says about the images.
    beta
        Weight of the KL.
    """
    p = posterior
    nats, spikes = p.kl.sum(axis=1, dtype=np.float64), p.activity.sum(axis=1, dtype=np.float64)
    variation = metrics.variation(p.x)
    means: dict[str, np.ndarray] = {
        "free_energy": p.distortion + beta * nats + p.global_kl,
        "negative_elbo": p.distortion + p.likelihood_constant + nats + p.global_kl,
        "distortion": p.distortion,
        "distortion_sampled": p.distortion_sampled,
        "squared_error": p.squared_error,
        "coding_rate": nats,
        "coding_rate_bits": nats / np.log(2),
        "firing_rate": spikes / p.mean.shape[1],
        "spikes_per_image": spikes,
        "zeros": np.mean(p.z == 0, axis=1),
        "population_sparseness": metrics.sparseness(p.z, axis=1),
    }
    intervals = {key: interval_of_means(values, p.group) for key, values in means.items()}
    combined: dict[str, tuple[np.ndarray, Callable[[_Means], np.ndarray]]] = {
        "r2": (np.stack([p.squared_error, variation], axis=1), _one_minus_ratio),
        "r2_per_image": (_with_defined(metrics.r2_of_each_image(p.x, p.squared_error)), _ratio),
        "active_units": (p.kl, _share_active),
        "lifetime_sparseness": (_with_squares(p.z), _lifetime(len(p.z))),
    }
    if p.is_count:
        combined["nats_per_spike"] = np.stack([nats, spikes], axis=1), _ratio
        combined["fano_factor"] = combined["lifetime_sparseness"][0], _mean_fano
    return intervals | {key: interval_of_means(values, p.group, make) for key, (values, make) in combined.items()}


def _ratio(means: _Means) -> np.ndarray:
    return np.divide(means[:, 0], means[:, 1], out=np.full(len(means), np.nan), where=means[:, 1] > 0)


def _one_minus_ratio(means: _Means) -> np.ndarray:
    return 1 - _ratio(means)


def _with_defined(values: np.ndarray) -> np.ndarray:
    """Values, 0 where they are NaN, beside 1 where they are not: the ratio of the means is that of what is defined."""
    defined = ~np.isnan(values)
    return np.stack([np.where(defined, values, 0.0), defined.astype(np.float64)], axis=1)


def _mean_fano(means: _Means) -> np.ndarray:
    """(E z² − (E z)²)/E z of each unit that is not silent, averaged; NaN where all are silent."""
    mean, square = np.split(means, 2, axis=1)
    active = mean > 0
    each = np.divide(square - mean**2, mean, out=np.zeros_like(mean), where=active)
    units = active.sum(axis=1)
    return np.divide(each.sum(axis=1), units, out=np.full(len(means), np.nan), where=units > 0)


def _share_active(means: _Means) -> np.ndarray:
    return np.mean(means > metrics.ACTIVE_NATS, axis=1)


def _with_squares(z: np.ndarray) -> np.ndarray:
    z = z.astype(np.float32)
    return np.concatenate([z, z * z], axis=1)


def _lifetime(images: int) -> Callable[[_Means], np.ndarray]:
    """From means of z and of z² of every unit: (1 − (E z)²/E z²)/(1 − 1/m), 1 for a silent unit, averaged."""

    def average(means: _Means) -> np.ndarray:
        mean, square = np.split(means, 2, axis=1)
        ratio = np.divide(mean**2, square, out=np.zeros_like(mean), where=square > 0)
        each = np.where(square > 0, (1 - ratio) / (1 - 1 / images), 1.0)
        return each.mean(axis=1)

    return average

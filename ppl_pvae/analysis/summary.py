"""One row about one run: the numbers of `summary.json` that follow from its posterior."""

from __future__ import annotations

import math

import numpy as np

from ppl_pvae.analysis import metrics
from ppl_pvae.analysis.information import bits_per_spike
from ppl_pvae.analysis.record import Posterior

__all__ = ["summarise"]


def summarise(posterior: Posterior, beta: float) -> dict[str, float | None]:
    """The bill, the activity and the fidelity of a code, averaged over images; what is not defined is None.

    `free_energy` = distortion + beta * coding rate + KL(global)/N, in the paper's scale (the constant of the likelihood
    dropped, a price on spikes left out). `negative_elbo` has the constant and beta = 1, so it bounds -log p(x).
    `firing_rate` of a code with both signs is its mean magnitude. `information` (summed over units, so that what two
    say counts twice) + `mismatch` = `coding_rate`, and `bits_per_spike` is of the information, for Poisson codes.

    Parameters
    ----------
    posterior
        What the program says about the images.
    beta
        Weight of the KL, >= 0.

    Returns
    -------
    dict
        Finite numbers or None, ready for JSON.
    """
    p = posterior
    distortion = float(p.distortion.mean(dtype="float64"))
    nats = metrics.coding_rate(p.kl)
    bill, spikes = p.unit_bill, metrics.spikes_per_image(p.activity)
    delivered = None if bill is None else float(np.sum(bill.delivered))
    row = {
        "free_energy": distortion + beta * nats + p.global_kl,
        "silent_free_energy": p.silent_free_energy,
        "negative_elbo": distortion + p.likelihood_constant + nats + p.global_kl,
        "distortion": distortion,
        "distortion_sampled": float(p.distortion_sampled.mean(dtype="float64")),
        "squared_error": float(p.squared_error.mean(dtype="float64")),
        "coding_rate": nats,
        "global_kl": p.global_kl,
        "firing_rate": metrics.firing_rate(p.activity),
        "spikes_per_image": spikes,
        "zeros": metrics.zeros(p.z),
        "lifetime_sparseness": metrics.lifetime_sparseness(p.z),
        "population_sparseness": metrics.population_sparseness(p.z),
        "r2": metrics.r2(p.x, p.squared_error),
        "r2_per_image": metrics.r2_per_image(p.x, p.squared_error),
        "active_units": metrics.active_units(p.kl),
        "nats_per_spike": metrics.nats_per_spike(p.kl, p.mean) if p.is_count else None,
        "information": delivered,
        "mismatch": None if bill is None else float(np.sum(bill.mismatch)),
        "bits_per_spike": None if delivered is None else bits_per_spike(delivered, spikes),
        "rate_mismatch": None if p.prior_mean is None else metrics.rate_mismatch(p.prior_mean, p.mean, p.kl),
        "objective": p.objective,
    }
    return {key: _finite(value) for key, value in row.items()}


def _finite(value: float | None) -> float | None:
    """A plain float, or None for what JSON cannot say."""
    return float(value) if value is not None and math.isfinite(value) else None

"""Tables of sweeps whose shapes are those of real ones, and small ones whose answers are known by hand."""

import math
from typing import Any

import numpy as np

BETAS = (0.01, 0.1, 0.5, 1.0, 1.5, 2.0, 4.0, 8.0)
UNITS = (32, 64, 512)
SILENCE = 187.4

POISSON = {"program": "poisson", "prior": "learned", "pays": None, "encoder_bias": True}
CONTROL = {"program": "rectified-gaussian", "prior": "fixed", "pays": "latent", "encoder_bias": False}
FAMILIES = [
    POISSON,
    {"program": "programs/zero_inflated.py", "prior": None, "pays": None, "encoder_bias": True},
    CONTROL,
    {**CONTROL, "encoder_bias": True},
    {**CONTROL, "encoder_bias": True, "pays": "code"},
    {**CONTROL, "encoder_bias": True, "prior": "learned"},
    {**CONTROL, "encoder_bias": True, "prior": "learned", "pays": "code"},
]


def cell(family=POISSON, units=64, beta=1.0, seed=0, price=0.0, **changed) -> dict[str, Any]:
    """A converged cell of few numbers; what the caller plants goes on top."""
    row = {
        **family,
        "cell": f"{family['program']}-K{units}-b{beta:g}-g{price:g}-s{seed}",
        "data": "natural",
        "units": units,
        "beta": beta,
        "spike_price": price,
        "seed": seed,
        "steps": 2500,
        "error": None,
        "converged": True,
        "seconds": 61.25,
    }
    return row | changed


def planted_sweep(betas=BETAS, units=UNITS, seeds=(0, 1, 2), families=FAMILIES, prices=True) -> list[dict[str, Any]]:
    """Seven families over β, units and seeds, plausible to the eye; some cells not converged, one in error."""
    rng = np.random.default_rng(0)
    rows = [
        _realistic(rng, family, i, count, beta, seed)
        for i, family in enumerate(families)
        for count in units
        for beta in betas
        for seed in seeds
    ]
    if prices:
        for count in units:
            for price in (0.02, 0.1, 0.4, 1.0):
                made = [_realistic(rng, POISSON, 0, count, 0.3 + 1.4 * price, seed) for seed in seeds]
                rows += [
                    row | {"beta": 0.3, "spike_price": price, "cell": f"poisson-K{count}-g{price}-s{row['seed']}"}
                    for row in made
                ]
    dead = next(i for i, row in enumerate(rows) if row["beta"] == betas[-1])
    kept = {name: rows[dead].get(name) for name in cell()}
    rows[dead] = kept | {"error": "killed, out of memory: 3.1 GB, 2 workers", "converged": None, "seconds": None}
    return rows


def _realistic(rng, family, i, units, beta, seed) -> dict[str, Any]:
    def noisy(value, by=0.015):
        return float(value * math.exp(by * rng.normal()))

    reach = 170 * (units / 512) ** 0.22  # what a code of so many units can explain at no price
    explained = reach / (1 + (max(beta, 1e-3) / 1.1) ** 0.9) * (1 - 0.02 * i) - 2 * (i > 1) * beta / 8
    nats = noisy(1.6 * explained * math.exp(-0.25 * beta) / max(beta, 0.02) ** 0.45)
    distortion = SILENCE - noisy(explained)
    count = i < 2
    if count:
        spikes = noisy(nats**1.12 / (0.5 + 0.1 * i) * (units / 64) ** -0.2)
        rate = spikes / units
        zeros = math.exp(-(rate**0.8)) + 0.012 * (beta < 0.05) + 0.001 * rng.normal()
        active = 1.0 if beta < 3 else 1 - 0.3 * (beta > 5)
    else:
        learned, bias, code = family["prior"] == "learned", family["encoder_bias"], family["pays"] == "code"
        nats *= 0.75 if code else 1.2
        rate = noisy(
            (2.9 if learned else 0.42) * (0.85 if code else 1)
            + 0.5 / (1 + beta) ** 1.2
            - (0.3 * beta**0.5 if learned else 0)
        )
        spikes = rate * units
        zeros = (
            0.5 + 0.005 * rng.normal()
            if not bias
            else (0.002 + 0.06 * code * (beta > 3) if learned else 0.5 * beta / (beta + 0.6 - 0.25 * code))
        )
        active = max(0.0, 1 / (1 + (beta / (3 + 0.4 * i - 0.8)) ** 3) - 0.02)
    nats_per_spike = nats / spikes if count else None
    information = 0.82 * nats if i == 0 else None
    bits = None if information is None else information / spikes / math.log(2)
    converged = not (units == 32 and beta <= 0.1 and i in (0, 3)) and not (beta == 4.0 and i == 4)
    return cell(family, units, beta, seed) | {
        "converged": converged if i != 1 or units != 512 else None,
        "free_energy_change": noisy(-0.0008),
        "log_rate_change": noisy(0.08 if not converged else 0.011),
        "zeros_change": noisy(0.002),
        "estimator": "exact",
        "free_energy": distortion + beta * nats,
        "silent_free_energy": SILENCE,
        "dense_free_energy": min(SILENCE, 145.0 * max(beta, 0.02) ** 0.1) if i == 0 else None,
        "distortion": distortion,
        "coding_rate": nats,
        "firing_rate": rate,
        "spikes_per_image": spikes,
        "zeros": min(1.0, max(0.0, zeros)),
        "lifetime_sparseness": min(1.0, 0.3 + 0.7 * max(0.0, zeros) ** 1.5),
        "r2": (SILENCE - distortion) / SILENCE - 0.12,
        "active_units": active,
        "nats_per_spike": nats_per_spike,
        "information": information,
        "mismatch": None if information is None else nats - information,
        "bits_per_spike": bits,
        "log_evidence": -distortion - 146.5 - nats + 8,
        "log_evidence_se": 2.4,
    }

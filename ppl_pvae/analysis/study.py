"""The record of a posterior analysis: everything that is worked out about one run, before it is shown."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float, Int

from ppl_pvae.analysis import energy
from ppl_pvae.analysis.evidence import PARETO_LIMIT
from ppl_pvae.analysis.gabor import Gabors
from ppl_pvae.analysis.information import UnitBill, bits_per_spike
from ppl_pvae.analysis.intervals import Interval, interval_of_means
from ppl_pvae.analysis.metrics import fano_factor, is_active, lifetime_sparseness
from ppl_pvae.analysis.population import Bounds
from ppl_pvae.analysis.record import Posterior
from ppl_pvae.analysis.tuning import Tuning

__all__ = ["GABOR_R2", "ImageEvidence", "Study", "study_as_json", "comparison_columns", "unit_columns"]

GABOR_R2 = 0.5
"""An element is called Gabor-like when a Gabor function explains more of it than this."""


@dataclass(frozen=True)
class ImageEvidence:
    """Importance-weighted evidence of some images.

    Parameters
    ----------
    image
        Their index, (image,).
    log_evidence
        Bound on log p(x), nats, (image,).
    pareto_k
        k̂ of their weights, (image,).
    draws
        Codes drawn for each.
    """

    image: Int[np.ndarray, " image"]
    log_evidence: Float[np.ndarray, " image"]
    pareto_k: Float[np.ndarray, " image"]
    draws: int

    @property
    def heavy(self) -> float:
        """Share of images whose k̂ is above 0.7; one without a k̂ is not counted as such."""
        return float(np.mean(self.pareto_k > PARETO_LIMIT))

    @property
    def without_k(self) -> float:
        """Share of images that have no k̂: no tail to fit, as where few codes are drawn again and again."""
        return float(np.mean(np.isnan(self.pareto_k)))


@dataclass(frozen=True)
class Study:
    """One run, analysed.

    Parameters
    ----------
    name
        What the run is called in tables: the name of its directory.
    summary
        One row, as in `summary.json`, on the images that were analysed.
    posterior
        What the program says about them.
    intervals
        Of the metrics, by resampling photographs.
    bill
        Nats paid, delivered and mismatched by each unit; None for a code of another kind. For codes of values it is
        that of `bill_images` images.
    bill_images
        How many images the bill is of.
    unsent
        Nats per image that a rectified code pays for what lies behind its zeros and is never sent; 0 for others.
    population
        Bounds on what the whole code says; None where there is no log-probability of a code for it.
    gabors, tuning
        Of each unit; None where the decoder is not linear, or images have no height and width.
    half_contrast
        Contrast at which a unit's response to its preferred grating is half that at the largest shown, (unit,).
    evidence
        Of some images; None for a program whose draws cannot be weighed.
    refinement, calibration, checks, posterior_checks
        What takes longer, as `Run.refine`, `Run.calibrate` and `Run.check` give it; None where it was not asked for, or
        does not hold. `refinement` is labelled by the index of its images. `checks` are of images and codes beside the
        prior's, `posterior_checks` of images beside those made again from their own codes.
    budgets
        What energy is reckoned with, for counts.
    notes
        What was left out and why, in sentences.
    """

    name: str
    summary: Mapping[str, Any]
    posterior: Posterior
    intervals: Mapping[str, Interval]
    bill: UnitBill | None
    bill_images: int
    unsent: float
    population: Bounds | None
    gabors: Gabors | None
    tuning: Tuning | None
    half_contrast: Float[np.ndarray, " unit"] | None
    evidence: ImageEvidence | None
    refinement: xr.Dataset | None = None
    calibration: xr.Dataset | None = None
    checks: xr.Dataset | None = None
    posterior_checks: xr.Dataset | None = None
    notes: tuple[str, ...] = ()
    budgets: tuple[energy.Budget, ...] = energy.BUDGETS

    @property
    def delivered(self) -> float | None:
        """Information per image, nats: summed over units, or the upper bound of the whole code where that is less."""
        if self.bill is None:
            return None
        total = float(np.sum(self.bill.delivered))  # NaN where that of a unit is not known
        return total if self.population is None else float(np.fmin(total, self.population.upper))

    @property
    def gap(self) -> Interval | None:
        """Amortisation gap, nats per image: free energy that refinement gains, over resampled photographs."""
        if self.refinement is None:
            return None
        r = self.refinement
        gained = (r["free_energy_before"] - r["free_energy_after"]).values
        return interval_of_means(gained, self.posterior.group[r["image"].values])


def unit_columns(study: Study) -> dict[str, np.ndarray]:
    """One value per unit under each name, (unit,): what `units.csv` holds."""
    p = study.posterior
    paid = p.kl.mean(axis=0, dtype=np.float64) if study.bill is None else study.bill.paid
    columns = {"use": p.use, "nats_paid": paid, "active": is_active(p.kl).astype(int)}
    if p.is_count:
        columns["fano_factor"] = fano_factor(p.z)
    if p.prior_mean is not None:
        columns["prior_rate"] = p.prior_mean.astype(np.float64)
    if study.bill is not None:
        columns |= {"nats_delivered": study.bill.delivered, "nats_mismatch": study.bill.mismatch}
    if study.gabors is not None:
        columns |= {f"gabor_{name}": value for name, value in asdict(study.gabors).items()}
    if study.tuning is not None:
        tuned = ("orientation", "frequency", "circular_variance", "half_width", "modulation")
        columns |= {f"tuning_{name}": getattr(study.tuning, name) for name in tuned}
    if study.half_contrast is not None:
        columns["tuning_half_contrast"] = study.half_contrast
    return columns


def study_as_json(study: Study) -> dict[str, Any]:
    """The numbers of a study for `analysis.json`: what is not finite is None, arrays over units are in `units.csv`."""
    said = {
        "name": study.name,
        "summary": dict(study.summary),
        "intervals": {key: asdict(value) for key, value in study.intervals.items()},
        "bill": _bill(study),
        "energy": energy_rows(study),
        "evidence": _evidence(study),
        "dictionary": _dictionary(study),
        "refinement": _refinement(study),
        "calibration": _calibration(study),
        "checks": _checks(study.checks),
        "posterior_checks": _checks(study.posterior_checks),
        "notes": list(study.notes),
    }
    return _finite(said)


def energy_rows(study: Study) -> list[dict[str, Any]]:
    """What the code costs and carries under each energy budget; empty for codes that are no counts."""
    if not study.posterior.is_count:
        return []
    spikes, units = float(study.posterior.use.sum()), study.posterior.mean.shape[1]
    rows = []
    for budget in study.budgets:
        bits = None if study.delivered is None else energy.bits_per_atp(study.delivered, spikes, units, budget)
        rows.append(
            {
                "budget": budget.name,
                "window_seconds": budget.window,
                "rest_to_spike": budget.ratio,
                "hertz": float(energy.hertz(spikes / units, budget.window)),
                "atp_per_image": energy.atp_per_image(spikes, units, budget),
                "bits_per_atp": bits,
                "atp_per_bit": 1 / bits if bits else None,
            }
        )
    return rows


def _bill(study: Study) -> dict[str, Any] | None:
    if study.bill is None:
        return None
    paid, got = float(study.bill.paid.sum()), float(study.bill.delivered.sum())
    spikes = float(study.posterior.use.sum()) if study.posterior.is_count else 0.0
    each = {} if spikes == 0 else {"nats_per_spike_paid": paid / spikes, "bits_per_spike": bits_per_spike(got, spikes)}
    return {
        "images": study.bill_images,
        "paid": paid,
        "delivered": got,
        "mismatch": paid - got - study.unsent,
        "unsent": study.unsent,
        "population": _population_bill(study, paid, spikes),
        **each,
    }


def _population_bill(study: Study, paid: float, spikes: float) -> dict[str, Any] | None:
    """Bounds on what the whole code tells, and with them on the rest of what is paid and on bits per spike."""
    bounds, most = study.population, study.delivered
    if bounds is None or most is None:
        return None
    least = max(bounds.lower, 0.0)
    rest = paid - study.unsent
    said = asdict(bounds) | {"most": most, "mismatch_least": rest - most, "mismatch_most": rest - least}
    if spikes > 0:
        said |= {"bits_per_spike_least": bits_per_spike(least, spikes)}
        said |= {"bits_per_spike_most": bits_per_spike(most, spikes)}
    return said


def _evidence(study: Study) -> dict[str, Any] | None:
    e = study.evidence
    if e is None:
        return None
    mean = interval_of_means(e.log_evidence, study.posterior.group[e.image])
    shares = {"share_k_above_0.7": e.heavy, "share_without_k": e.without_k}
    return {"log_evidence": asdict(mean), "images": len(e.image), "draws": e.draws, **shares}


def _dictionary(study: Study) -> dict[str, Any] | None:
    g, t = study.gabors, study.tuning
    if g is None:
        return None
    # An idle unit has a dictionary element and a tuning curve too, of weights that nothing asks for.
    used = is_active(study.posterior.kl)
    like = used & (g.r2 > GABOR_R2)
    said: dict[str, Any] = {"units_active": int(used.sum()), "units_gabor": int(like.sum())}
    said["share_gabor"] = float(like.sum() / used.sum()) if used.any() else None
    if t is not None:
        said["median_half_width_degrees"] = _median(np.degrees(t.half_width[used]))
        said["units_with_half_width"] = int(np.isfinite(t.half_width[used]).sum())
        said["median_circular_variance"] = _median(t.circular_variance[used])
        said["median_frequency"] = _median(t.frequency[used])
        said["median_half_contrast"] = None if study.half_contrast is None else _median(study.half_contrast[used])
    return said


def comparison_columns(study: Study) -> dict[str, float | None]:
    """What stands beside the summary of a run in a comparison: bill, evidence, refinement, calibration, where known."""
    said = study_as_json(study)
    bill, evidence, refined, calibrated = (said[key] or {} for key in ("bill", "evidence", "refinement", "calibration"))
    return {
        "paid": bill.get("paid"),
        "delivered": bill.get("delivered"),
        "mismatched": bill.get("mismatch"),
        "never_sent": bill.get("unsent"),
        "log_evidence": evidence.get("log_evidence", {}).get("estimate"),
        "share_k_above_0.7": evidence.get("share_k_above_0.7"),
        "amortisation_gap": refined.get("gap", {}).get("estimate"),
        "calibration_p": calibrated.get("p_value"),
    }


def _refinement(study: Study) -> dict[str, Any] | None:
    r, gap = study.refinement, study.gap
    if r is None or gap is None:
        return None
    said = {
        f"{name}_{when}": float(r[f"{name}_{when}"].mean())
        for name in ("free_energy", "distortion", "distortion_sampled", "coding_rate", "zeros", "rate")
        for when in ("before", "after")
    }
    # Of the draw, as published for sparse coding.
    said |= {f"lifetime_{when}": lifetime_sparseness(r[f"z_{when}"].values) for when in ("before", "after")}
    return {"images": r.sizes["image"], "sweeps": r.attrs["sweeps"], "gap": asdict(gap), **said}


def _calibration(study: Study) -> dict[str, Any] | None:
    c = study.calibration
    if c is None:
        return None
    return {
        "images": c.sizes["image"],
        "draws": c.attrs["draws"],
        "p_value": c.attrs["p_value"],
        "median_shift": float(c["shift"].median()),
        "median_spread": float(c["spread"].median()),
        "median_tied": float(c["tied"].median()),
    }


def _checks(found: xr.Dataset | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        str(name): {
            "of": str(each["of"].values),
            "observed": float(each["observed"]),
            "replicated_mean": float(each["replicated"].mean()),
            "replicated_deviation": float(each["replicated"].std(ddof=1)),
            "p_value": float(each["p_value"]),
        }
        for name in found["statistic"].values
        for each in [found.sel(statistic=name)]
    }


def _median(values: np.ndarray) -> float | None:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else None


def _finite(value: Any) -> Any:
    """The same for JSON, which knows no NaN and no NumPy."""
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    return value

"""What a run says in sentences: the verdict, its convergence, and a label for every number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ppl_pvae.analysis.convergence import (
    CONVERGED,
    FREE_ENERGY_LIMIT,
    LOG_RATE_LIMIT,
    NOT_CHECKED,
    NOT_CONVERGED,
    NOT_KNOWN,
    ZEROS_LIMIT,
    Verdict,
    standing,
)

__all__ = ["convergence_sentence", "key_numbers", "metric_rows", "number", "verdict_sentences"]

# key -> (label, unit, meaning); "{activity}" is "spikes" for counts and "activity" otherwise.
_METRICS = {
    "free_energy": ("free energy", "nats per image", "distortion + β · coding rate, what is minimised"),
    "silent_free_energy": ("silence", "nats per image", "free energy of sending nothing"),
    "dense_free_energy": ("dense code", "nats per image", "what the free energy of a dense code comes to"),
    "negative_elbo": ("negative ELBO", "nats per image", "bound on −log p(x): constants included, β = 1"),
    "distortion": ("distortion", "nats per image", "expected under the posterior"),
    "distortion_sampled": ("distortion, sampled", "nats per image", "at one posterior draw"),
    "squared_error": ("squared error", "per image", "summed over pixels, at one posterior draw"),
    "coding_rate": ("coding rate", "nats per image", "KL from prior to posterior, summed over units"),
    "coding_rate_bits": ("coding rate in bits", "bits per image", "coding rate / log 2"),
    "global_kl": ("KL of global latents", "nats per image", "of the whole data set, divided by its training images"),
    "firing_rate": ("{activity} per unit", "per image", "mean over units and images"),
    "spikes_per_image": ("{activity} per image", "", "summed over units"),
    "zeros": ("zeros", "%", "share of silent (image, unit) pairs in one posterior draw"),
    "lifetime_sparseness": ("lifetime sparseness", "", "over images, averaged over units; a silent unit counts 1"),
    "population_sparseness": ("population sparseness", "", "over units, averaged over images; a silent image counts 1"),
    "r2": ("R², pooled", "", "1 − squared error / variation, over all images together"),
    "r2_per_image": ("R², per image", "", "averaged over images; ruled by flat ones"),
    "active_units": ("active units", "%", "cost more than 0.01 nat on average"),
    "nats_per_spike": ("nats per spike", "nats", "coding rate / spikes per image"),
    "information": ("information", "nats per image", "delivered: what each unit tells of the image, summed over units"),
    "mismatch": ("mismatch", "nats per image", "paid and not delivered: coding rate − information"),
    "bits_per_spike": ("bits per spike", "bits", "information / spikes per image"),
    "fano_factor": ("Fano factor", "", "variance / mean of counts over images, averaged over units that fire"),
    "rate_mismatch": ("rate mismatch", "log", "largest |log r − log E λ| over active units"),
    "planted_correlation": (
        "planted elements",
        "",
        "correlation with the units matched to them, averaged; 0 without one",
    ),
    "least_planted_correlation": ("planted element, worst", "", "the least of these correlations"),
    "objective": ("objective", "nats per image", "what training minimised, as relaxed"),
    "train_free_energy": ("free energy, training", "nats per image", "the same on training images"),
    "steps": ("steps", "", "of training"),
    "seconds": ("time", "s", "training, analysis and figures"),
}

_OF_COUNTS = {"nats_per_spike", "information", "mismatch", "bits_per_spike", "fano_factor"}

_OPENINGS = {
    CONVERGED: "Converged",
    NOT_CONVERGED: "Not converged",
    NOT_CHECKED: "Convergence not checked",
    NOT_KNOWN: "Convergence not known",
}

_KEY_NUMBERS = ("spikes_per_image", "coding_rate", "r2", "nats_per_spike", "zeros", "active_units")


def number(value: Any) -> str:
    """A number for readers: four digits, no exponent unless it is beyond counting; a dash where there is none."""
    if value is None or value != value:  # NaN alone is not itself
        return "–"
    if isinstance(value, (bool, str)):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    if value != 0 and not 1e-4 <= abs(value) < 1e7:
        text = f"{value:.2e}"
    else:
        text = f"{value:,.1f}" if abs(value) >= 100 else f"{value:.4g}"
    return text.replace("-", "−", 1) if value < 0 else text


def verdict_sentences(summary: Mapping[str, Any], is_count: bool) -> str:
    """Whether training arrived, what the code costs and what it buys, with the run's own numbers.

    Parameters
    ----------
    summary
        The run's row.
    is_count
        Whether activity is a number of spikes.
    """
    spikes, nats, r2 = summary["spikes_per_image"], summary["coding_rate"], summary["r2"]
    total, silence = summary["free_energy"], summary["silent_free_energy"]
    if None in (spikes, nats, total):
        return "The numbers of this run are not finite: training blew up, or the images are far off its training data."
    opening = _OPENINGS[standing(summary)]
    fidelity = f"R² = {_signed(r2)}" if r2 is not None else "no R² (images without variation)"
    if spikes == 0:
        first = f"{opening}: the code is silent. It sends nothing and pays {nats:.3g} nats per image for {fidelity}."
    else:
        what = f"{_round(spikes)} spikes" if is_count else f"an activity of {_round(spikes)}"
        per_spike = summary["nats_per_spike"]
        price = f"; a spike costs {per_spike:.2g} nats" if per_spike is not None else ""
        first = f"{opening}: {what} and {_round(nats)} nats per image buy {fidelity}{price}."
    return f"{first} {_beside_silence(total, silence)}".strip()


def _beside_silence(total: float, silence: float | None) -> str:
    if silence is None:
        return ""
    saved = silence - total
    if abs(saved) < 0.005 * abs(silence):
        return f"With everything paid that is as dear as sending nothing ({number(silence)} nats per image)."
    beside = f"{_round(abs(saved))} {'less' if saved > 0 else 'more'} than sending nothing ({number(silence)})"
    end = "." if saved > 0 else ": this code is not worth its price."
    return f"With everything paid an image costs {number(total)} nats, {beside}{end}"


def convergence_sentence(converged: bool | None, verdict: Verdict | None) -> str:
    """How the doubling of the steps came out, or that nobody has looked.

    Parameters
    ----------
    converged
        As in the run's row.
    verdict
        What `compare` found; None where it is not at hand.
    """
    if converged is None:
        return (
            "Firing rates settle long after the free energy looks flat; --check-convergence doubles the steps and "
            "compares."
        )
    if verdict is None:
        return "Checked against a run with twice the steps."
    asked = [
        (f"the training free energy by {verdict.free_energy_change:+.2%}", f"limit {FREE_ENERGY_LIMIT:.1%}"),
        (f"zeros by {verdict.zeros_change:+.4f}", f"limit {ZEROS_LIMIT}"),
    ]
    if verdict.log_rate_change is not None:
        asked.insert(1, (f"the log firing rate by {verdict.log_rate_change:+.3f}", f"limit {LOG_RATE_LIMIT}"))
    changes = ", ".join(f"{change} ({limit})" for change, limit in asked)
    return f"Twice the steps move {changes}.".replace("-", "−")


def key_numbers(summary: Mapping[str, Any], is_count: bool) -> list[tuple[str, str]]:
    """The handful of numbers to read first, as (label, value)."""
    rows = [row for key in _KEY_NUMBERS for row in metric_rows({key: summary.get(key)}, is_count)]
    return [(label, f"{value} %" if unit == "%" else value) for label, value, unit, _ in rows if value != "–"]


def metric_rows(summary: Mapping[str, Any], is_count: bool) -> list[tuple[str, str, str, str]]:
    """Every known number of a row as (label, value, unit, meaning); spikes have a price only where there are spikes."""
    word = "spikes" if is_count else "activity"
    return [
        (label.format(activity=word), _percent(summary[key]) if unit == "%" else number(summary[key]), unit, meaning)
        for key, (label, unit, meaning) in _METRICS.items()
        if key in summary and (is_count or key not in _OF_COUNTS)
    ]


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}"


def _signed(value: float) -> str:
    return f"{round(value, 2) + 0.0:.2f}".replace("-", "−")


def _round(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 10 else f"{value:.2g}"

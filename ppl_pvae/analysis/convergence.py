"""Has training arrived: the doubling rule, and how fast the last lines of a history still move."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = [
    "CONVERGED",
    "FREE_ENERGY_LIMIT",
    "LOG_RATE_LIMIT",
    "NOT_CHECKED",
    "NOT_CONVERGED",
    "NOT_KNOWN",
    "SILENT_SPIKES",
    "ZEROS_LIMIT",
    "Verdict",
    "compare",
    "least_sure",
    "slopes",
    "standing",
]

CONVERGED, NOT_CONVERGED, NOT_CHECKED, NOT_KNOWN = "converged", "not converged", "not checked", "not known"
"""How a run stands; `NOT_KNOWN` is one whose parameters were trained elsewhere, which nobody can check here."""

FREE_ENERGY_LIMIT = 0.005
"""Largest relative change of the training free energy."""
LOG_RATE_LIMIT = 0.05
"""Largest change of the log firing rate."""
ZEROS_LIMIT = 0.01
"""Largest change of the share of zeros."""
SILENT_SPIKES = 0.01
"""Below this many spikes per image in both runs the firing rate is not asked about."""


def standing(row: Mapping[str, Any]) -> str:
    """What is known of a run's convergence, in the same two words wherever it is shown.

    Parameters
    ----------
    row
        Of the run: `converged`, and `steps`, which is None where parameters were trained elsewhere.
    """
    if row.get("converged") is not None:
        return CONVERGED if row["converged"] else NOT_CONVERGED
    return NOT_KNOWN if row.get("steps", 0) is None else NOT_CHECKED


def least_sure(rows: Iterable[Mapping[str, Any]]) -> str:
    """How several runs stand together: as the one that is least to be relied on."""
    return min(map(standing, rows), key=(NOT_CONVERGED, NOT_CHECKED, NOT_KNOWN, CONVERGED).index)


@dataclass(frozen=True)
class Verdict:
    """What doubling the steps changed.

    Parameters
    ----------
    converged
        Whether every change that was asked for is within its limit.
    free_energy_change
        (F2 - F1) / |F1|; infinite where a run has none.
    log_rate_change
        log rate2 - log rate1; infinite where one run fell silent; None where both are silent and nothing was asked.
    zeros_change
        zeros2 - zeros1; infinite where a run has none.
    """

    converged: bool
    free_energy_change: float
    log_rate_change: float | None
    zeros_change: float

    def as_dict(self) -> dict[str, bool | float | None]:
        """The record for JSON, in which an infinite change is None."""
        changes = {
            "free_energy_change": self.free_energy_change,
            "log_rate_change": self.log_rate_change,
            "zeros_change": self.zeros_change,
        }
        finite = {key: c if c is not None and math.isfinite(c) else None for key, c in changes.items()}
        return {"converged": self.converged, **finite}


def compare(first: Mapping[str, Any], doubled: Mapping[str, Any]) -> Verdict:
    """Judge a run by one with twice the steps, both measured on training images.

    Converged means: the free energy moves by less than 0.5%, the log firing rate (mean |z| for a code with both signs)
    by less than 0.05 and the share of zeros by less than 0.01. The rate is not asked about where both runs have fewer
    than 0.01 spikes per image. A number that is missing or not finite is never converged.

    Parameters
    ----------
    first, doubled
        Rows with `free_energy`, `firing_rate`, `spikes_per_image` and `zeros`, as `summarise` makes them.
    """
    energies = _number(first, "free_energy"), _number(doubled, "free_energy")
    energy = _change(*energies) / abs(energies[0]) if energies[0] != 0 else math.inf
    rate = None
    if max(_number(first, "spikes_per_image"), _number(doubled, "spikes_per_image")) >= SILENT_SPIKES:
        rate = _change(*(_log(_number(row, "firing_rate")) for row in (first, doubled)))
    zeros = _change(_number(first, "zeros"), _number(doubled, "zeros"))
    return Verdict(
        converged=abs(energy) < FREE_ENERGY_LIMIT
        and (rate is None or abs(rate) < LOG_RATE_LIMIT)
        and abs(zeros) < ZEROS_LIMIT,
        free_energy_change=energy,
        log_rate_change=rate,
        zeros_change=zeros,
    )


def slopes(history: Iterable[Mapping[str, Any]]) -> dict[str, float | None]:
    """How fast training still moves at its end: least-squares slopes over the last fifth of the steps.

    Parameters
    ----------
    history
        Lines of `metrics.jsonl`; those on training images are used.

    Returns
    -------
    dict
        Change per 1,000 steps of `free_energy` (nats), `log_firing_rate` and `zeros`; None where the last fifth has
        fewer than two finite lines.
    """
    rows = [row for row in history if row.get("split") == "train"]
    last = max((row["step"] for row in rows), default=0)
    rows = [row for row in rows if row["step"] >= 0.8 * last]
    steps = np.array([row["step"] for row in rows], dtype=float)
    series = {
        "free_energy": [_number(row, "free_energy") for row in rows],
        "log_firing_rate": [_log(_number(row, "firing_rate")) for row in rows],
        "zeros": [_number(row, "zeros") for row in rows],
    }
    return {name: _slope(steps / 1000, np.array(values)) for name, values in series.items()}


def _slope(steps: np.ndarray, values: np.ndarray) -> float | None:
    finite = np.isfinite(values)
    steps, values = steps[finite], values[finite]
    if len(np.unique(steps)) < 2:
        return None
    centred = steps - steps.mean()
    return float(centred @ (values - values.mean()) / (centred @ centred))


def _number(row: Mapping[str, Any], key: str) -> float:
    """The entry of a row, infinite where it is missing: what is unknown must not pass as a small change."""
    value = row.get(key)
    return math.inf if value is None else float(value)


def _log(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf


def _change(first: float, second: float) -> float:
    """second - first, infinite where either is not finite."""
    return second - first if math.isfinite(first) and math.isfinite(second) else math.inf

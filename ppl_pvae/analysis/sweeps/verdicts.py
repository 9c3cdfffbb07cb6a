"""What is said of a claim: a verdict, the reason in words with its numbers, and the cells that it rests on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ppl_pvae.analysis.sweeps.families import Row

__all__ = ["FAILS", "HOLDS", "IN_PART", "NOT_ASKED", "combined", "finding", "name_of", "of_curve", "with_missing"]

HOLDS, IN_PART, FAILS, NOT_ASKED = "holds", "holds in part", "fails", "not asked"


def combined(verdicts: Iterable[str]) -> str:
    """One verdict of several: all hold, all fail, or something between; those that were not asked say nothing."""
    asked = {verdict for verdict in verdicts if verdict != NOT_ASKED}
    if not asked:
        return NOT_ASKED
    return asked.pop() if len(asked) == 1 else IN_PART


def finding(
    claim: str,
    verdict: str,
    reason: str,
    rows: Sequence[Row],
    failed: Sequence[Row] = (),
    lines: Sequence[str] = (),
    **details: Any,
) -> dict[str, Any]:
    """One claim as it stands in `findings.json`. What rests on cells that may not have converged holds in part at most.

    Parameters
    ----------
    claim
        In words.
    verdict
        What the numbers say.
    reason
        Why, in sentences with the numbers.
    rows
        The cells that it rests on.
    failed
        Cells that it would rest on as well, had they not ended in an error.
    lines
        More of the reason, a sentence for each family.
    details
        More for JSON.

    Returns
    -------
    dict
        `claim`, `verdict`, `reason` (all of it in one text), its parts `opening`, `lines` and `caveat`, `cells`,
        `unconverged`, `unconverged_cells`, `failed_cells`, and the details.
    """
    unsure = [row for row in rows if row.get("converged") is not True]
    capped = IN_PART if verdict == HOLDS and unsure else verdict
    caveat = _caveat(unsure, rows, failed, is_capped=capped != verdict)
    return {
        "claim": claim,
        "verdict": capped,
        "reason": " ".join([reason, *lines, caveat]).strip(),
        "opening": reason,
        "lines": list(lines),
        "caveat": caveat,
        "cells": len(rows),
        "unconverged": len(unsure),
        "unconverged_cells": [name_of(row) for row in unsure],
        "failed_cells": [name_of(row) for row in failed],
        **details,
    }


def of_curve(verdict: str, rows: Sequence[Row]) -> dict[str, Any]:
    """The verdict of one curve by itself: in part at most where its own cells may not have converged, and why.

    Returns
    -------
    dict
        `verdict`, `capped` (whether it would hold otherwise) and `caveat`.
    """
    unsure = [row for row in rows if row.get("converged") is not True]
    capped = verdict == HOLDS and bool(unsure)
    caveat = _caveat(unsure, rows, (), is_capped=capped)
    return {"verdict": IN_PART if capped else verdict, "capped": capped, "caveat": caveat}


def with_missing(claim: Mapping[str, Any], missing: int) -> dict[str, Any]:
    """A claim of a sweep of which so many cells are not there yet."""
    if not missing or claim["verdict"] == NOT_ASKED:
        return dict(claim)
    capped = IN_PART if claim["verdict"] == HOLDS else claim["verdict"]
    caveat = f"{claim['caveat']} {missing} cells of the grid are not there yet.".strip()
    reason = " ".join([claim["opening"], *claim["lines"], caveat]).strip()
    curves = [_with_missing_cells(curve) for curve in claim.get("curves", ())]
    details = {"curves": curves} if "curves" in claim else {}
    return {**claim, "verdict": capped, "reason": reason, "caveat": caveat, **details}


def _with_missing_cells(curve: Mapping[str, Any]) -> dict[str, Any]:
    """A curve of such a sweep: whose cells are missing is not known, so that none holds more than in part."""
    if curve["verdict"] != HOLDS:
        return dict(curve)
    caveat = f"{curve['caveat']} Cells of the grid are not there yet.".strip()
    return {**curve, "verdict": IN_PART, "capped": True, "caveat": caveat}


def _caveat(unsure: Sequence[Row], rows: Sequence[Row], failed: Sequence[Row], *, is_capped: bool) -> str:
    """Which cells may not have converged, and which are missing, in sentences."""
    said = []
    if unsure:
        most = "; more than “holds in part” cannot be said" if is_capped else ""
        said.append(f"{len(unsure)} of its {len(rows)} cells are not known to have converged ({_names(unsure)}){most}.")
    if failed:
        said.append(f"Missing, because they ended in an error: {_names(failed)}.")
    return " ".join(said)


def _names(rows: Sequence[Row]) -> str:
    return ", ".join(name_of(row) for row in rows[:3]) + (f" and {len(rows) - 3} more" if len(rows) > 3 else "")


def name_of(row: Mapping[str, Any]) -> str:
    """What a cell is called: the name of its directory, or its settings."""
    if row.get("cell"):
        return str(row["cell"])
    return f"{row.get('program')} K={row.get('units')} β={row.get('beta')} seed {row.get('seed')}"

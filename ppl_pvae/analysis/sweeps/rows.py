"""The table of a sweep, one row a cell, as a text file and back; the standard library alone."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ppl_pvae.errors import UserError

__all__ = ["DEFAULTS", "SETTINGS", "columns_of", "read_sweep", "write_sweep"]

SETTINGS = (
    "program", "prior", "pays", "encoder_bias", "data", "units", "beta", "spike_price", "seed",
    "dispersion", "concentration", "likelihood", "noise", "encoder", "decoder", "width", "depth", "decoder_bias",
    "estimator", "temperature", "temperature_from", "indicator", "hard", "particles", "augment", "patch_size",
    "data_seed", "steps", "batch_size", "learning_rate", "final_learning_rate", "optimizer", "warmup_steps", "decay",
    "decay_shape", "prior_speed", "coordinates", "clip_norm", "anneal", "anneal_from", "log_rate_from", "log_rate_to",
    "largest_log_gain", "ceiling", "weight_scale", "evaluate_every", "checkpoint_every",
)  # fmt: skip
"""What a grid can vary, in the order of the columns; whatever else a row holds was measured."""

DEFAULTS = {
    "data": "natural", "likelihood": "gaussian", "noise": "fixed", "encoder": "linear", "decoder": "linear", "depth": 2,
    "decoder_bias": False, "temperature": 0.05, "temperature_from": 1.0, "indicator": "cubic", "hard": False,
    "particles": 4, "augment": "none", "patch_size": 16, "data_seed": 0, "batch_size": 1000,
    "final_learning_rate": 0.0, "optimizer": "adam", "warmup_steps": 100, "decay": 0.5, "decay_shape": "linear",
    "clip_norm": 500.0, "log_rate_from": -1.5, "log_rate_to": -0.5, "largest_log_gain": 3.0,
    "ceiling": "learned",
}  # fmt: skip
"""What goes without saying, of the settings that are the same for every program and number of units by default."""

_OUTCOME = ("error", "converged", "free_energy_change", "log_rate_change", "zeros_change", "seconds")
_NEEDED = ("program", "units", "beta", "seed")
# Columns of names: what stands there is never taken for a number, though a directory may be called 007.
_TEXT = frozenset({"cell", "error", "program", "data", "prior", "pays", "estimator", "likelihood"})
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_NUMBER = re.compile(r"[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|inf|nan)", re.ASCII | re.IGNORECASE)
_WORDS = {"": None, "True": True, "False": False}


def read_sweep(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """The rows of a `sweep.csv`, every entry in its type: None where it is empty, a truth, a number or a text.

    Parameters
    ----------
    path
        The file, as `write_sweep` leaves it.

    Raises
    ------
    UserError
        If there is no such file, or it is no table of a sweep.
    """
    try:
        with open(path, encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            rows, names = list(reader), list(reader.fieldnames or ())
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"cannot read {path} as a sweep's table: {error}; give the sweep.csv of a sweep.") from None
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        raise UserError(
            f"{path} is no table of a sweep: it has no column {', '.join(missing)}; give the sweep.csv of a sweep."
        )
    if any(None in row or None in row.values() for row in rows):
        raise UserError(f"{path} is damaged: not all of its lines have {len(names)} entries; write it anew.")
    return [{name: _typed(name, text) for name, text in row.items()} for row in rows]


def write_sweep(path: str | os.PathLike[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a `sweep.csv`: beside its place, under a name that no other process uses, and then renamed.

    Numbers are written in full, so that reading gives back the same ones. What is no single value (a table of its own
    inside a summary) is left out.

    Parameters
    ----------
    path
        Where to.
    rows
        One a cell; a key that a row does not have is empty there.
    """
    path, names = Path(path), columns_of(rows)
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with open(beside, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(names)
            writer.writerows([_text(row.get(name)) for name in names] for row in rows)
        os.replace(beside, path)
    finally:  # where the disk is full
        beside.unlink(missing_ok=True)


def columns_of(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """The columns of a table: the cell, its settings, how it ended, and what was measured in order of appearance."""
    there = dict.fromkeys(name for row in rows for name, value in row.items() if not _is_nested(value))
    there |= dict.fromkeys(_NEEDED)
    first = [name for name in ("cell", *SETTINGS, *_OUTCOME) if name in there]
    return first + [name for name in there if name not in first]


def _is_nested(value: Any) -> bool:
    return isinstance(value, (Mapping, list, tuple))


def _text(value: Any) -> str:
    value = value.item() if hasattr(value, "item") else value  # a scalar of NumPy's
    if value is None or _is_nested(value):
        return ""
    return repr(value) if isinstance(value, float) else str(value)


def _typed(name: str, text: str) -> Any:
    if name in _TEXT:
        return text or None
    if text in _WORDS:
        return _WORDS[text]
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text

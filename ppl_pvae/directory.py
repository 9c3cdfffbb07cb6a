"""Where a run is written: the default name of its directory, and what makes a path unfit."""

import os
import re
from pathlib import Path

from ppl_pvae.config import Settings
from ppl_pvae.errors import UserError

__all__ = ["check_directory", "default_directory", "has_run"]

_RUN_FILES = ("config.toml", "metrics.jsonl", "checkpoint.npz", "params.npz", "summary.json")


def has_run(path: Path) -> bool:
    """Whether a directory holds a run, finished or not."""
    return any((path / name).exists() for name in _RUN_FILES)


def default_directory(settings: Settings, *, resume: bool = False) -> Path:
    """`runs/<program>-<data>-K…-b…-s…`, with a number behind it where something is there already.

    Parameters
    ----------
    resume
        True for the name without a number, whether something is there or not.
    """
    data = re.sub(r"[^\w.]+", "-", Path(os.path.abspath(settings.data)).stem).strip("-")
    name = f"{settings.program}-{data}-K{settings.units}-b{settings.beta:g}-s{settings.seed}"
    first = Path("runs") / name
    if resume or not os.path.lexists(first):
        return first
    number = 2
    while os.path.lexists(first.with_name(f"{name}-{number}")):
        number += 1
    return first.with_name(f"{name}-{number}")


def check_directory(path: Path, *, resume: bool) -> None:
    """Make sure that a run can be written there, without writing anything.

    Raises
    ------
    UserError
        If the path is a file, lies under one, cannot be written to, or has a run that was not to be resumed.
    """
    if path.exists() and not path.is_dir():
        raise UserError(f"{path} is a file; give --out a directory.")
    nearest = next(parent for parent in (path, *path.absolute().parents) if os.path.lexists(parent))
    if not nearest.is_dir():
        raise UserError(f"{path} lies under {nearest}, which is a file; give --out another directory.")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise UserError(f"cannot write to {nearest}; give --out another directory.")
    if has_run(path) and not resume:
        raise UserError(f"{path} has a run already; give --out another directory, or continue it with --resume.")

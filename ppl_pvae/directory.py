"""Where a run is written: the default name of its directory, and what makes a path unfit."""

import json
import os
import re
from pathlib import Path
from typing import Any

from ppl_pvae.config import Settings, differences, read_recipe, validate
from ppl_pvae.errors import UserError

__all__ = [
    "check_directory",
    "check_same",
    "check_writable",
    "default_directory",
    "free_directory",
    "has_run",
    "read_summary",
]

LONGEST_NAME = 255  # bytes, on the file systems in use
_RUN_FILES = ("config.toml", "metrics.jsonl", "checkpoint.npz", "params.npz", "summary.json")


def has_run(path: Path) -> bool:
    """Whether a directory holds a run, finished or not."""
    return any((path / name).exists() for name in _RUN_FILES)


def read_summary(path: Path) -> dict[str, Any] | None:
    """The row of a finished run, None where it is not finished.

    Raises
    ------
    UserError
        If its file is damaged.
    """
    file = path / "summary.json"
    if not file.is_file():
        return None
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {file}: {error}; it is damaged, delete its directory.") from None


def default_directory(settings: Settings, *, resume: bool = False) -> Path:
    """`runs/<program>-<data>-K…-b…-s…`, with a number behind it where something is there already.

    Parameters
    ----------
    resume
        True for the name without a number, whether something is there or not.
    """
    program, data = (_as_word(each) for each in (settings.program, settings.data or "natural"))
    name = f"{program}-{data}-K{settings.units}-b{settings.beta:g}-s{settings.seed}"
    first = Path("runs") / name
    return first if resume else free_directory(first)


def free_directory(first: Path) -> Path:
    """A path, with a number behind it where something is there already."""
    path, number = first, 2
    while os.path.lexists(path):
        path, number = first.with_name(f"{first.name}-{number}"), number + 1
    return path


def _as_word(path: str) -> str:
    """The name of a file or of something built in, as part of a name."""
    return re.sub(r"[^\w.]+", "-", Path(os.path.abspath(path)).stem).strip("-")


def check_directory(path: Path, *, resume: bool) -> None:
    """Make sure that a run can be written there, without writing anything.

    Raises
    ------
    UserError
        If the path is a file, lies under one, cannot be written to, or has a run that was not to be resumed.
    """
    check_writable(path)
    if has_run(path) and not resume:
        raise UserError(f"{path} has a run already; give --out another directory, or continue it with --resume.")


def check_writable(path: Path) -> None:
    """Make sure that a directory can be written there, without writing anything.

    Raises
    ------
    UserError
        If the path is a file, lies under one, or cannot be written to.
    """
    if len(os.fsencode(path.name)) > LONGEST_NAME:
        raise UserError(f"the name of {path.name[:20]}... is too long; give --out a shorter one.")
    if os.path.lexists(path) and not path.is_dir():
        raise UserError(f"{path} is a file or a broken link; give --out a directory.")
    nearest = next(parent for parent in (path, *path.absolute().parents) if os.path.lexists(parent))
    if not nearest.is_dir():
        raise UserError(f"{path} lies under {nearest}, which is a file; give --out another directory.")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise UserError(f"cannot write to {nearest}; give --out another directory.")


def check_same(settings: Settings, path: Path, *, own_program: bool = False) -> None:
    """Make sure that a run which is to be continued, if there is one, keeps its settings.

    Raises
    ------
    UserError
        For the first setting that differs.
    """
    if not (path / "config.toml").is_file():
        return
    saved = validate(read_recipe(path / "config.toml"), own_program=own_program)
    for name in differences(settings, saved):
        raise UserError(
            f"{path} was started with {name} = {getattr(saved, name)}, not {getattr(settings, name)}; "
            "resume it without that flag, or give --out another directory."
        )

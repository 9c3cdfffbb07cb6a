"""What a worker does with one cell. Importing this imports no JAX, which reads the number of its threads when it is."""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import filelock

from ppl_pvae.config import Settings
from ppl_pvae.errors import UserError

if TYPE_CHECKING:
    from ppl_pvae.data import Dataset

__all__ = ["LOCK", "PATH_FILE", "Task", "check_cell", "fit_cell"]

LOCK = ".lock"
PATH_FILE = "path.npz"  # what a code along β leaves behind


class Task(NamedTuple):
    """One cell: where it goes, its settings, and how far its steps may be doubled; with `betas` one code along β."""

    name: str
    folder: Path
    settings: Settings
    max_doublings: int
    warm_start: bool
    betas: tuple[float, ...] = ()


def fit_cell(task: Task) -> str | None:
    """Fit a cell, or go on with what is there of it; nothing where it is finished. What went wrong in words, or None.

    The directory is locked: whoever comes second, of this sweep or another one, waits and finds it finished. The lock
    is the operating system's and goes with the process that holds it, however that ends.
    """
    try:
        task.folder.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(task.folder / LOCK):
            _fit(task)
    except UserError as problem:
        return str(problem)
    except OSError as problem:  # a disk that is full, above all
        where = f"{problem.filename}: " if problem.filename else ""
        return f"{where}{problem.strerror or problem}"
    return None


def check_cell(settings: Settings) -> None:
    """Put the fit of a cell together as fitting it begins, and go no further: nothing is trained or written.

    Raises
    ------
    UserError
        If data, program and settings do not fit together.
    """
    from ppl_pvae.run import check_fit

    check_fit(settings, _data_of(settings))


def _fit(task: Task) -> None:
    from ppl_pvae.run import fit_until_converged, follow_beta

    settings = task.settings
    data = _data_of(settings)
    if task.betas:
        follow_beta(settings, task.betas, task.folder, data)
        return
    fit_until_converged(settings, task.folder, data, max_doublings=task.max_doublings, warm_start=task.warm_start)


def _data_of(settings: Settings) -> "Dataset":
    return _data(settings.data or "natural", settings.patch_size, settings.data_seed)


@lru_cache(maxsize=1)
def _data(name: str, patch_size: int, seed: int) -> "Dataset":
    """The images of a cell, which the next cell on the same worker needs too."""
    from ppl_pvae.data import load

    return load(name, patch_size=patch_size, seed=seed)

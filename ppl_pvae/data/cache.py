"""Data sets kept on disk, each under a hash of everything that it depends on."""

import hashlib
import json
import os
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs

from ppl_pvae.data.dataset import SPLITS, Dataset

__all__ = ["directory", "remember"]

# Part of every key. Raise it when the preprocessing or the layout of the file changes.
FORMAT = 2


def directory() -> Path:
    """Where data sets are kept: $PPL_PVAE_CACHE, or else the platform's cache directory (XDG_CACHE_HOME on Linux)."""
    return Path(os.environ.get("PPL_PVAE_CACHE") or platformdirs.user_cache_dir("ppl_pvae", appauthor=False))


def remember(settings: Mapping[str, Any], make: Callable[[], Dataset]) -> Dataset:
    """The data set of these settings: from the cache if it is there and whole, else made and kept.

    A damaged file is made again. A cache that cannot be written costs time and a warning, nothing else.

    Parameters
    ----------
    settings
        Everything that the result depends on, fit for JSON.
    make
        Makes the data set.
    """
    text = json.dumps({"format": FORMAT, **settings}, sort_keys=True)
    path = directory() / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.npz"
    try:
        return _read(path)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        dataset = make()
        # What a run records must not depend on whether the cache was cold: tuples become lists now.
        dataset = replace(dataset, info=json.loads(json.dumps(dict(dataset.info))))
    try:
        _write(path, dataset)
    except OSError as error:
        warnings.warn(f"the data cache {path.parent} cannot be written ({error}); set PPL_PVAE_CACHE", stacklevel=2)
    return dataset


def _write(path: Path, dataset: Dataset) -> None:
    """Write beside and rename, so that no one reads half a file."""
    text = {
        "name": dataset.name,
        "shape": dataset.shape,
        "group_names": dataset.group_names,
        "info": dict(dataset.info),
    }
    arrays = {f"x/{split}": getattr(dataset, split) for split in SPLITS}
    for field in ("groups", "pictures", "truth", "labels"):
        arrays |= {f"{field}/{key}": value for key, value in getattr(dataset, field).items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as file:
        beside = Path(file.name)
        try:
            np.savez(file, allow_pickle=False, text=np.array(json.dumps(text)), **arrays)
            file.close()
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)


def _read(path: Path) -> Dataset:
    with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
        text = json.loads(str(file["text"]))
        arrays = {key: file[key] for key in file.files if key != "text"}

    def field(name: str) -> dict[str, np.ndarray]:
        return {key.removeprefix(f"{name}/"): value for key, value in arrays.items() if key.startswith(f"{name}/")}

    shape = None if text["shape"] is None else (text["shape"][0], text["shape"][1])
    return Dataset(
        name=text["name"],
        shape=shape,
        train=arrays["x/train"],
        validation=arrays["x/validation"],
        test=arrays["x/test"],
        groups=field("groups"),
        group_names=tuple(text["group_names"]),
        info=text["info"],
        pictures=field("pictures"),
        truth=field("truth"),
        labels=field("labels"),
    )

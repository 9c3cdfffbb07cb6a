"""Trees of arrays in one `.npz`, keyed by path: parameters for keeps, whole training states for resuming."""

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ppl_pvae.errors import UserError

__all__ = ["flatten", "load_arrays", "restore", "save_arrays", "save_checkpoint"]


def flatten(tree: Any) -> dict[str, np.ndarray]:
    """The leaves of a tree by path, such as "encoder.weight"; typed random keys as their data."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="."): _as_numpy(leaf) for path, leaf in leaves}


def restore(like: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """A tree of the structure of `like` with the leaves in `arrays`.

    Raises
    ------
    UserError
        If a leaf is missing or has another shape.
    """

    def leaf(path, old):
        name = jax.tree_util.keystr(path, simple=True, separator=".")
        expected = old.shape + jax.random.key_data(old).shape[old.ndim :] if _is_key(old) else np.shape(old)
        if name not in arrays or arrays[name].shape != expected:
            found = arrays[name].shape if name in arrays else "nothing"
            raise UserError(
                f"saved arrays do not fit the program: {name} should have shape {expected}, found {found}; "
                "open the run with the program that it was trained with."
            )
        if _is_key(old):
            return jax.random.wrap_key_data(jnp.asarray(arrays[name]), impl=jax.random.key_impl(old))
        return jnp.asarray(arrays[name])

    return jax.tree_util.tree_map_with_path(leaf, like)


def save_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write beside and rename, so that no half-written file ever has the name."""
    os.replace(_save_beside(path, arrays), path)


def _save_beside(path: Path, arrays: Mapping[str, np.ndarray]) -> Path:
    beside = path.with_name(path.name + ".part")
    try:
        with open(beside, "wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
            file.flush()
            os.fsync(file.fileno())
    except OSError:  # a disk that is full gets its room back
        beside.unlink(missing_ok=True)
        raise
    return beside


def save_checkpoint(folder: Path, step: int, state: Any, seconds: float = 0.0) -> None:
    """Keep the newest two states of a training: checkpoint.npz and checkpoint-previous.npz.

    `seconds` is what the training has taken so far, in all processes that had a part in it.
    """
    newest = folder / "checkpoint.npz"
    beside = _save_beside(newest, flatten(state) | {"step": np.asarray(step), "seconds": np.asarray(seconds)})
    if newest.exists():
        os.replace(newest, folder / "checkpoint-previous.npz")
    os.replace(beside, newest)


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """All arrays of an `.npz`, nothing unpickled.

    Raises
    ------
    UserError
        If the file is no `.npz` or is damaged.
    """
    try:
        # Opened as an archive as well, because np.load would take a lone array too.
        with zipfile.ZipFile(path), np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"cannot read {path}: {error}; it is damaged or no .npz file.") from None


def _is_key(leaf):
    return hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _as_numpy(leaf):
    return np.asarray(jax.random.key_data(leaf) if _is_key(leaf) else leaf)

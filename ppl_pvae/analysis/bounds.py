"""Bounds on log p(x) of single test images, as cells and sweeps keep them: what two are compared by, image by image."""

from __future__ import annotations

import hashlib
import os
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float, Int, Num, Shaped

from ppl_pvae.errors import UserError

__all__ = ["BOUNDS_FILE", "Bounds", "bounds_of", "read_bounds", "read_table", "write_table"]

BOUNDS_FILE = "evidence.npz"
WAVES = 4
# What one wrong byte makes of an archive of arrays: of its own records, of what is packed, of an array's head.
_DAMAGED = (OSError, ValueError, EOFError, KeyError, NotImplementedError, SyntaxError, tokenize.TokenError)
_DAMAGED += (zipfile.BadZipFile, zlib.error)

T = TypeVar("T")


@dataclass(frozen=True)
class Bounds:
    """Importance-weighted bounds on log p(x) of some test images.

    Parameters
    ----------
    image
        Row of each among the test images, (image,).
    group
        Photograph that each was cut from, (image,).
    bound
        In nats, (image,).
    mark
        Letters that other images would not have, and the same ones on a machine that rounds otherwise do.
    """

    image: Int[np.ndarray, " image"]
    group: Shaped[np.ndarray, " image"]
    bound: Float[np.ndarray, " image"]
    mark: str

    def arrays(self) -> dict[str, np.ndarray]:
        """What the file holds, by name."""
        return {"image": self.image, "group": self.group, "bound": self.bound, "mark": np.asarray(self.mark)}


def bounds_of(
    image: Int[np.ndarray, " image"],
    group: Shaped[np.ndarray, " image"],
    bound: Float[np.ndarray, " image"],
    x: Num[np.ndarray, "image pixel"],
) -> Bounds:
    """Bounds of images x, marked by these.

    Parameters
    ----------
    image, group, bound
        As in `Bounds`.
    x
        The images themselves, (image, pixel).
    """
    return Bounds(image, group, np.asarray(bound, dtype=np.float64), _mark(np.asarray(x)))


def _mark(x):
    # Whitened images differ in their last bits between processors. What is hashed is therefore not the pixels but their
    # size and correlations with waves of a few lengths, to a thousandth: rounding moves these by a millionth at most.
    pixels = x.astype(np.float64).ravel()
    size = float(np.sqrt(np.sum(pixels**2)))
    waves = np.cos(np.outer(np.arange(1, WAVES + 1), np.arange(pixels.size)))
    parts = [np.log(size), *(waves @ pixels / size)] if size > 0 else []
    told = f"{x.shape} {[f'{part:.3f}'.replace('-0.000', '0.000') for part in parts]}"
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def read_bounds(folder: str | os.PathLike[str]) -> Bounds | None:
    """The bounds in a cell's directory; None where it has none: older cells kept their mean alone.

    Raises
    ------
    UserError
        If the file is damaged.
    """
    path = Path(folder) / BOUNDS_FILE
    if not path.is_file():
        return None
    return _read(path, lambda file: Bounds(file["image"], file["group"], file["bound"], str(file["mark"])))


def write_table(path: str | os.PathLike[str], bounds: Mapping[str, Bounds]) -> None:
    """Keep the bounds of many cells in one file, so that they can be compared when the cells are gone.

    Parameters
    ----------
    path
        The file, replaced when the new one is whole.
    bounds
        By the name of the cell. They are kept in single precision, cells of the same images side by side.
    """
    arrays: dict[str, Any] = {}
    for mark in dict.fromkeys(each.mark for each in bounds.values()):
        alike = {name: each for name, each in bounds.items() if each.mark == mark}
        first = next(iter(alike.values()))
        arrays[f"{mark}/cell"] = np.array(list(alike))
        arrays[f"{mark}/bound"] = np.stack([each.bound for each in alike.values()]).astype(np.float32)
        arrays |= {f"{mark}/image": first.image, f"{mark}/group": first.group}
    beside = Path(path).with_suffix(".part")
    with beside.open("wb") as file:
        np.savez_compressed(file, **arrays)
    beside.replace(path)


def read_table(path: str | os.PathLike[str]) -> dict[str, Bounds]:
    """The bounds in such a file by the name of the cell; none where there is no file.

    Raises
    ------
    UserError
        If the file is damaged.
    """
    return _read(Path(path), _bounds_by_cell) if Path(path).is_file() else {}


def _bounds_by_cell(file: Mapping[str, np.ndarray]) -> dict[str, Bounds]:
    found = {}
    for mark in (name.removesuffix("/cell") for name in file if name.endswith("/cell")):
        image, group, bounds = (file[f"{mark}/{name}"] for name in ("image", "group", "bound"))
        for cell, bound in zip(file[f"{mark}/cell"].tolist(), bounds, strict=True):
            found[cell] = Bounds(image, group, bound.astype(np.float64), mark)
    return found


def _read(path: Path, of: Callable[[Mapping[str, np.ndarray]], T]) -> T:
    try:
        with zipfile.ZipFile(path), np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
        if strange := [name for name, array in arrays.items() if not isinstance(array, np.ndarray)]:
            raise ValueError(f"{strange[0]} is no array")  # its head is wrong, and NumPy gives its bytes
        return of(arrays)
    except _DAMAGED as error:
        raise UserError(f"cannot read {path}: {error}; it is damaged, delete it.") from None

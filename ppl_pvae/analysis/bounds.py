"""The bound on log p(x) of single test images, as a cell keeps it: what two cells are compared by, image by image."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, Num, Shaped

__all__ = ["BOUNDS_FILE", "Bounds", "bounds_of", "read_bounds"]

BOUNDS_FILE = "evidence.npz"


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
        Letters that other images would not have.
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
    pixels = np.ascontiguousarray(x)
    mark = hashlib.sha256(str(pixels.shape).encode() + pixels.tobytes()).hexdigest()[:16]
    return Bounds(image, group, np.asarray(bound, dtype=np.float64), mark)


def read_bounds(folder: str | os.PathLike[str]) -> Bounds | None:
    """The bounds in a cell's directory; None where it has none: older cells kept their mean alone."""
    path = Path(folder) / BOUNDS_FILE
    if not path.is_file():
        return None
    with np.load(path) as file:
        return Bounds(file["image"], file["group"], file["bound"], str(file["mark"]))

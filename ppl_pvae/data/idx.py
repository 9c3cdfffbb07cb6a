"""Folders of idx files, in which MNIST and Fashion-MNIST come: bytes behind a header with their sizes, gzipped or not.

The header is a magic number, 00 00 08 and the number of axes, and the length of each axis in four bytes, big end first.
"""

import gzip
import math
import re
import struct
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ppl_pvae.data.dataset import Dataset
from ppl_pvae.data.whole import Images, whole_images
from ppl_pvae.errors import UserError

__all__ = ["idx_files", "load_idx"]

# kind -> number of axes: (image, y, x), (image,)
AXES = {"images": 3, "labels": 1}
_BYTES = b"\x00\x00\x08"
_GZIP = b"\x1f\x8b"
_NAME = re.compile(r"idx([13])-ubyte(\.gz)?$")


def idx_files(paths: Iterable[Path]) -> list[tuple[Path, str]]:
    """The idx files of images or labels among files, and which of the two each holds: (path, "images" or "labels").

    A file is one if its name ends in idx3-ubyte or idx1-ubyte, with or without .gz, or if it has the magic number.
    """
    found = ((path, _kind(path)) for path in paths)
    return [(path, kind) for path, kind in found if kind is not None]


def load_idx(folder: Path, files: Iterable[tuple[Path, str]], seed: int) -> Dataset:
    """Images of a folder of idx files, from 0 to 1: `t10k-...` are the test images, validation is cut off `train-...`.

    `labels` keeps the classes where there is a file of them, and then validation has an equal share of each. Without
    test images these are cut off the training images too. Nothing is cached: reading is as fast.

    Parameters
    ----------
    folder
        Where they lie, which gives the data set its name.
    files
        What `idx_files` finds there.
    seed
        Of the split.

    Raises
    ------
    UserError
        If there are no training images, a file is damaged or comes twice, or images and labels do not fit together.
    """
    roles = _roles(folder, files)
    if ("train", "images") not in roles:
        raise UserError(f"{folder} has idx files but no training images; add train-images-idx3-ubyte, or .gz.")
    training, test = _images(roles, "train"), None
    if ("test", "images") in roles:
        test = _images(roles, "test")
        if test.pixels.shape[1:] != training.pixels.shape[1:]:
            raise UserError(
                f"{roles['test', 'images']} has images of {_times(test.pixels.shape[1:])} pixels, where those for "
                f"training have {_times(training.pixels.shape[1:])}; they must be alike: take one of the two out."
            )
    elif ("test", "labels") in roles:
        raise UserError(f"{roles['test', 'labels']} are labels without images; add the images or take it out.")
    provenance: dict[str, Any] = {
        "source": "idx files of a folder",
        "folder": str(folder),
        "files": [path.name for path in roles.values()],
    }
    return whole_images(folder.resolve().name or "folder", training, test, seed, provenance)


def _kind(path: Path) -> str | None:
    name = _NAME.search(path.name.lower())
    axes = int(name[1]) if name else _axes(path)
    return next((kind for kind, number in AXES.items() if number == axes), None)


def _axes(path: Path) -> int | None:
    """Number of axes by the magic number, None for any other file."""
    try:
        magic = _read(path, 4)
    except (OSError, EOFError, zlib.error):
        return None
    return magic[3] if len(magic) == 4 and magic.startswith(_BYTES) else None


def _read(path: Path, size: int = -1) -> bytes:
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP
        file.seek(0)
        if not packed:
            return file.read(size)
        with gzip.open(file) as unpacked:
            return unpacked.read(size)


def _roles(folder: Path, files: Iterable[tuple[Path, str]]) -> dict[tuple[str, str], Path]:
    """File of each (split, kind), the split by its name."""
    roles: dict[tuple[str, str], Path] = {}
    for path, kind in files:
        name = path.name.lower()
        split = "train" if "train" in name else "test" if "t10k" in name or "test" in name else None
        if split is None:
            raise UserError(f"{path} may be for training or for test; call it train-... or t10k-...")
        if (split, kind) in roles:
            raise UserError(
                f"{folder} holds two files of {kind} for {split}, {roles[split, kind].name} and {path.name}; keep one."
            )
        roles[split, kind] = path
    return roles


def _images(roles: Mapping[tuple[str, str], Path], split: str) -> Images:
    """Images of a split with their labels."""
    path, labelled = roles[split, "images"], roles.get((split, "labels"))
    pixels = _array(path, "images")
    if not pixels.size:
        raise UserError(f"{path} holds no pixels; its header says {_times(pixels.shape)}; get it anew.")
    if labelled is None:
        return Images(pixels)
    labels = _array(labelled, "labels")
    if len(labels) != len(pixels):
        raise UserError(
            f"{labelled} has {len(labels):,} labels for the {len(pixels):,} images of {path.name}; get both anew."
        )
    return Images(pixels, labels)


def _array(path: Path, kind: str) -> np.ndarray:
    """Bytes of an idx file in the shape that its header says."""
    try:
        content = _read(path)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be read ({error}); get it anew.") from None
    magic = _BYTES + bytes([AXES[kind]])
    if content[:4] != magic:
        raise UserError(
            f"{path} is no idx file of {kind} in bytes: it begins with {content[:4].hex(' ') or 'nothing'}, not with "
            f"{magic.hex(' ')}; get it anew, or save what it holds as an array file."
        )
    header = 4 + 4 * AXES[kind]
    if len(content) < header:
        raise UserError(f"{path} ends within its header; get it anew.")
    sizes = struct.unpack_from(f">{AXES[kind]}I", content, 4)
    held, expected = len(content) - header, math.prod(sizes)
    if held != expected:
        raise UserError(
            f"{path} {'is cut short' if held < expected else 'is too long'}: {_times(sizes)} are "
            f"{expected:,} bytes, and it has {held:,}; get it anew."
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(sizes)


def _times(sizes: Iterable[int]) -> str:
    return " x ".join(map(str, sizes))

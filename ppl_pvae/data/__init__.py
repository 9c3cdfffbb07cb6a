"""Images to fit: natural patches, synthetic data with known truth, digits, arrays, folders of images."""

import operator
import os
from collections.abc import Callable
from pathlib import Path

from ppl_pvae.data.arrays import ARRAY_FILES, from_array, load_array_file
from ppl_pvae.data.dataset import SPLITS, Dataset, digest
from ppl_pvae.data.folder import load_folder
from ppl_pvae.data.mnist import load_mnist
from ppl_pvae.data.natural import load_natural
from ppl_pvae.data.synthetic import load_synthetic
from ppl_pvae.data.synthetic_counts import load_synthetic_counts
from ppl_pvae.errors import UserError
from ppl_pvae.names import nearest

__all__ = ["PATCH_SIZE", "SOURCES", "SPLITS", "Dataset", "digest", "from_array", "load"]

PATCH_SIZE = 16
SMALLEST_PATCH = 4

# name -> function(patch_size, seed) of the built-in data.
SOURCES: dict[str, Callable[[int, int], Dataset]] = {
    "natural": load_natural,
    "synthetic": load_synthetic,
    "synthetic-counts": lambda _, seed: load_synthetic_counts(seed),
    "mnist": lambda _, seed: load_mnist(seed),
}


def load(name: str | os.PathLike[str], *, patch_size: int = PATCH_SIZE, seed: int = 0) -> Dataset:
    """Load images in three splits: by name, from an array file, or from a folder of images.

    Parameters
    ----------
    name
        "natural", whitened patches of ten photographs; "synthetic", images of a planted dictionary; "synthetic-counts",
        spike counts of planted latents; "mnist", 5,000 digits with labels, which need the extra `digits`; the path of a
        `.npy` file, or of a `.npz` file with the key `x`; a folder of PNG, JPEG or TIFF photographs, or of idx files as
        MNIST and Fashion-MNIST come in. A folder that is called like a built-in name is reached as "./natural".
    patch_size
        Height and width of a patch, pixels, where patches are cut or drawn: of "natural", "synthetic" and photographs.
        Elsewhere images are as large as they are, and it must be left alone.
    seed
        Of the split and of synthetic data; not of training. An array file is split by position and uses no seed.

    Returns
    -------
    Dataset

    Raises
    ------
    UserError
        If the name is unknown, the file or folder holds nothing that can be fitted, or a patch size is given for images
        that have another size.
    """
    patch_size, seed = _whole_number("patch size", patch_size, SMALLEST_PATCH), _whole_number("seed", seed, 0)
    name = os.fspath(name)
    dataset = _load(name, patch_size, seed)
    if patch_size != PATCH_SIZE and dataset.shape != (patch_size, patch_size):
        raise UserError(
            f"{name} holds images of {dataset.train.shape[1]} pixels, taken as they are: leave the patch size out."
        )
    return dataset


def _load(name: str, patch_size: int, seed: int) -> Dataset:
    if name in SOURCES:
        return SOURCES[name](patch_size, seed)
    path = Path(name)
    if os.path.isdir(name):
        return load_folder(path, patch_size, seed)
    if os.path.isfile(name) and path.suffix.lower() in ARRAY_FILES:
        return load_array_file(path)
    raise _unknown(name)


def _whole_number(what: str, value: int, least: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise UserError(f"{what} must be a whole number, got {value!r}.") from None
    if number < least:
        raise UserError(f"{what} must be >= {least}, got {number}.")
    return number


def _unknown(name: str) -> UserError:
    known = f"data are {', '.join(SOURCES)}, a .npy or .npz file, or a folder of photographs or idx files."
    if os.path.isfile(name):
        return UserError(f"{name} is no array file; {known}")
    near = nearest(name.lower(), SOURCES)
    if near is None and (Path(name).suffix or os.path.basename(name) != name):
        return UserError(f"there is no file or folder {name!r}; {known}")
    return UserError(f"unknown data {name!r}; " + (f"did you mean {near!r}? {known.capitalize()}" if near else known))

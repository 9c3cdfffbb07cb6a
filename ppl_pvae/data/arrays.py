"""Images that are prepared already: an array in memory, or in a .npy or .npz file."""

import itertools
import math
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int
from numpy.typing import ArrayLike

from ppl_pvae.data.dataset import SPLITS, TEST, VALIDATION, Dataset, moments
from ppl_pvae.errors import UserError

__all__ = ["ARRAY_FILES", "from_array", "load_array_file", "split_by_blocks"]

ARRAY_FILES = (".npy", ".npz")
KEY = "x"
# The published split: 100 contiguous blocks, the last fifth of each held out for testing. The tenth before it is
# validation, which was published as training.
BLOCKS = 100
# Fewer images in a block would leave validation empty.
SMALLEST_BLOCK = 10


def from_array(x: ArrayLike, *, name: str = "array", seed: int = 0) -> Dataset:
    """Split an array of images by 100 contiguous blocks: the last fifth of each is test, the tenth before validation.

    Rows are taken as they are, neither scaled nor shuffled. Neighbours in a file often are neighbours in a photograph
    or in time, which is why runs of rows are held out and not single ones. Below 1,000 rows there are fewer blocks.

    Parameters
    ----------
    x
        (image, y, x) or (image, pixel): finite real numbers, at least ten images.
    name
        Of the data set.
    seed
        Not used: the split goes by position. It is here so that all sources are called alike.

    Returns
    -------
    Dataset
        In (image, pixel) with a square number of pixels the images are taken to be square; `groups` are the blocks.

    Raises
    ------
    UserError
        If the array has another shape, is no array of real numbers, holds NaN or infinity, or is constant.
    """
    array = _checked(x, name)
    images = array.reshape(len(array), -1)
    rows, groups, group_names = split_by_blocks(len(images))
    parts = {split: images[rows[split]] for split in SPLITS}
    if parts["train"].min() == parts["train"].max():
        raise UserError(
            f"{name} is constant (every training pixel is {parts['train'].flat[0]:g}); there is nothing to fit."
        )
    side = math.isqrt(images.shape[1])
    shape = array.shape[1:] if array.ndim == 3 else ((side, side) if side**2 == images.shape[1] and side > 1 else None)
    info: dict[str, Any] = {
        "kind": "array",
        "source": name,
        "array_shape": list(array.shape),
        "shape_is_a_guess": array.ndim == 2 and shape is not None,
        **moments(parts),
        "counts": bool(images.min() >= 0 and np.all(images == np.floor(images))),
        "blocks": len(group_names),
    }
    return Dataset(
        name=name,
        train=parts["train"],
        validation=parts["validation"],
        test=parts["test"],
        shape=shape,
        groups=groups,
        group_names=group_names,
        info=info,
    )


def load_array_file(path: Path) -> Dataset:
    """Split the array of a .npy file, or the array `x` of a .npz file. Nothing is ever unpickled.

    Raises
    ------
    UserError
        If the file is not what its name says, or `from_array` refuses what it holds.
    """
    kind = path.suffix.lower()
    try:
        with path.open("rb") as file:
            array = _array_in(path, np.load(file, allow_pickle=False))
    except UserError:
        raise
    except (OSError, ValueError, EOFError, AttributeError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        remedy = "save numbers with numpy.save" if kind == ".npy" else f"save numbers with numpy.savez(path, {KEY}=...)"
        if "Object arrays" in str(error):
            raise UserError(f"{path} holds Python objects, which are never unpickled; {remedy}.") from None
        raise UserError(f"{path} is no readable {kind} file; {remedy}.") from None
    return from_array(array, name=path.stem)


def _array_in(path: Path, loaded: np.ndarray | np.lib.npyio.NpzFile) -> np.ndarray:
    if isinstance(loaded, np.ndarray) != (path.suffix.lower() == ".npy"):
        raise UserError(f"{path} is not what its name says: it holds {type(loaded).__name__}; rename it.")
    if isinstance(loaded, np.ndarray):
        return loaded
    if KEY not in loaded.files:
        held = ", ".join(loaded.files) or "nothing"
        raise UserError(f"{path} has no array {KEY!r} (it holds {held}); save with numpy.savez(path, {KEY}=...).")
    array = loaded[KEY]
    if not isinstance(array, np.ndarray):
        raise UserError(f"{path} has something under {KEY!r} that is no array; save with numpy.savez(path, {KEY}=...).")
    return array


def split_by_blocks(
    images: int, blocks: int = BLOCKS
) -> tuple[dict[str, Int[np.ndarray, " row"]], dict[str, Int[np.ndarray, " row"]], tuple[str, ...]]:
    """Rows of each split, the block that each came from, and the names of the blocks."""
    edges = np.linspace(0, images, max(1, min(blocks, images // SMALLEST_BLOCK)) + 1).astype(int)
    rows: dict[str, list[int]] = {split: [] for split in SPLITS}
    groups: dict[str, list[int]] = {split: [] for split in SPLITS}
    for block, (start, stop) in enumerate(itertools.pairwise(edges)):
        test = stop - round(TEST * (stop - start))
        validation = test - round(VALIDATION * (stop - start))
        for split, chosen in zip(
            SPLITS, (range(start, validation), range(validation, test), range(test, stop)), strict=True
        ):
            rows[split] += chosen
            groups[split] += [block] * len(chosen)
    names = tuple(f"block {block}" for block in range(len(edges) - 1))
    return (
        {split: np.asarray(rows[split]) for split in SPLITS},
        {split: np.asarray(groups[split], np.int32) for split in SPLITS},
        names,
    )


def _checked(x: ArrayLike, name: str) -> Float32[np.ndarray, "image ..."]:
    try:
        array = np.asarray(x)
    except ValueError:
        raise UserError(
            f"{name} is no array: its rows differ in length; give (image, y, x) or (image, pixel)."
        ) from None
    if array.dtype == object:
        raise UserError(f"{name} holds Python objects; give numbers, in (image, y, x) or (image, pixel).")
    if array.dtype.kind not in "biuf":
        raise UserError(f"{name} holds {array.dtype}; real numbers are needed, for example float32.")
    if array.ndim not in (2, 3):
        raise UserError(f"{name} has the shape {array.shape}; expected (image, y, x) or (image, pixel).")
    if array.size == 0 or len(array) < SMALLEST_BLOCK:
        raise UserError(
            f"{name} has the shape {array.shape}; at least {SMALLEST_BLOCK} images of at least one pixel are needed "
            "for training, validation and test."
        )
    with np.errstate(over="ignore"):  # too large for float32 becomes infinite and is told below
        array = array.astype(np.float32)
    if bad := int(array.size - np.isfinite(array).sum()):
        raise UserError(
            f"{name} has {bad:,} pixels that are NaN or infinite in float32; replace them or drop their images."
        )
    return array

"""From photographs to a data set of patches: whiten, assign blocks, drop flat patches, draw equal numbers, scale."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int
from numpy.lib.stride_tricks import sliding_window_view

from ppl_pvae.data import preprocessing, splits
from ppl_pvae.data.dataset import SPLITS, Dataset, moments
from ppl_pvae.errors import UserError

__all__ = ["CONSTANTS", "Photograph", "patch_variance", "patches_of"]

# Patches wanted of each split; photographs share them equally.
WANTED = {"train": 80_000, "validation": 10_000, "test": 10_000}
# Above this size fewer are wanted: as many pixels in all, 330 MB.
LARGE_PATCH = 32
# Distance between neighbouring patches, pixels. A photograph too small to give its share takes the next finer one.
STRIDES = (4, 3, 2, 1)
# Patches whose variance is below this share of their photograph's mean are flat: they hold no image, and rule mean R².
FLAT = 0.05
# Pixel variance on training data, after scaling by one constant: that of the published patches (silence costs 187).
VARIANCE = 0.73

CONSTANTS = {
    "wanted": WANTED,
    "large_patch": LARGE_PATCH,
    "strides": STRIDES,
    "flat_below": FLAT,
    "variance": VARIANCE,
    "block_pixels": splits.BLOCK,
    "block_shares": splits.SHARES,
    "block_swaps": splits.SWAPS,
    "preprocessing": preprocessing.CONSTANTS,
}


@dataclass(frozen=True)
class Photograph:
    """A photograph by name, read when its turn comes: (y, x), intensity from 0 to 255."""

    name: str
    read: Callable[[], Float[np.ndarray, "y x"]]


@dataclass(frozen=True)
class _Whitened:
    index: int
    name: str
    pixels: Float32[np.ndarray, "y x"]
    variance: Float[np.ndarray, "patch_y patch_x"]  # of the patch whose first pixel it is
    flat_below: float
    blocks: splits.Blocks

    def positions(self, stride: int) -> tuple[Int[np.ndarray, " patch"], Int[np.ndarray, " patch"]]:
        """First pixels (y, x) of all patches on a grid, flat ones included."""
        y, x = (np.arange(0, n, stride) for n in self.variance.shape)
        return np.repeat(y, len(x)), np.tile(x, len(y))


def patches_of(
    name: str, photographs: Sequence[Photograph], patch_size: int, seed: int, provenance: dict[str, Any]
) -> Dataset:
    """Whitened patches of photographs in three splits that share no pixel.

    Every photograph gives the same number of patches to a split, as far as it has them, none of them twice. Photographs
    of at least ten blocks are split each for itself, smaller ones together.

    Parameters
    ----------
    name
        Of the data set.
    photographs
        Read one after another.
    patch_size
        Side of a patch, pixels.
    seed
        Of the assignment of blocks and of the choice of patches.
    provenance
        What the source says about itself; becomes part of `info`.

    Returns
    -------
    Dataset
        With pixel variance 0.73 on the training patches.

    Raises
    ------
    UserError
        If a photograph is constant or smaller than a patch, or all of them are too few or too small to split.
    """
    share = min(1.0, (LARGE_PATCH / patch_size) ** 2) / len(photographs)
    quota = {split: max(1, int(wanted * share)) for split, wanted in WANTED.items()}
    parts: dict[str, list[np.ndarray]] = {split: [] for split in SPLITS}
    groups: dict[str, list[int]] = {split: [] for split in SPLITS}
    spectra: list[np.ndarray] = []
    rows: list[dict[str, Any]] = []
    for stratum in _strata(photographs, patch_size, spectra):
        rng = np.random.default_rng([seed, stratum[0].index])
        for photo, labels in zip(stratum, _assign(rng, stratum, patch_size), strict=True):
            drawn, row = _draw(rng, photo, labels, patch_size, quota)
            rows.append(row)
            for split in SPLITS:
                parts[split].append(drawn[split])
                groups[split] += [photo.index] * len(drawn[split])
    x = {split: np.concatenate(parts[split]) for split in SPLITS}
    if missing := [split for split in SPLITS if not len(x[split])]:
        raise UserError(
            f"{name} has too few or too small images: no patch of {patch_size} x {patch_size} is left for "
            f"{missing[0]}; give more images, or larger ones."
        )
    scale = float(np.sqrt(VARIANCE / np.var(x["train"], dtype=np.float64)))
    order = {s: np.random.default_rng([seed, i, len(photographs)]).permutation(len(x[s])) for i, s in enumerate(SPLITS)}
    x = {s: np.float32(scale) * x[s][order[s]] for s in SPLITS}
    return Dataset(
        name=name,
        train=x["train"],
        validation=x["validation"],
        test=x["test"],
        shape=(patch_size, patch_size),
        groups={s: np.asarray(groups[s], np.int32)[order[s]] for s in SPLITS},
        group_names=tuple(photo.name for photo in photographs),
        info=provenance | _info(x, rows, patch_size, seed, scale),
        pictures=_pictures(spectra),
    )


def _strata(photographs: Sequence[Photograph], patch_size: int, spectra: list[np.ndarray]) -> Iterator[list[_Whitened]]:
    """Photographs that are split for themselves, one by one, then the small ones together. Fills `spectra`."""
    small = []
    for index, photograph in enumerate(photographs):
        photo, spectrum = _whitened(index, photograph, patch_size)
        spectra.append(spectrum)
        if len(photo.blocks) >= splits.FEWEST_BLOCKS:
            yield [photo]
        else:
            small.append(photo)
    if small:
        yield small


def _whitened(index: int, photograph: Photograph, patch_size: int) -> tuple[_Whitened, np.ndarray]:
    grey = photograph.read()
    least = patch_size + 2 * preprocessing.CROP
    if min(grey.shape) < least:
        raise UserError(
            f"{photograph.name} has {grey.shape[0]} x {grey.shape[1]} pixels, but patches of {patch_size} need {least} "
            f"a side ({preprocessing.CROP} are cut off at each border); give larger images or a smaller patch size."
        )
    inner = grey[preprocessing.CROP : -preprocessing.CROP, preprocessing.CROP : -preprocessing.CROP]
    if inner.min() == inner.max():
        raise UserError(f"{photograph.name} is constant (every pixel has the same value); take it out.")
    log_intensity, pixels = preprocessing.whiten(grey)
    variance = patch_variance(pixels, patch_size)
    spectrum = np.stack([preprocessing.radial_spectrum(image)[1] for image in (log_intensity, pixels)])
    flat_below = FLAT * float(variance.mean())
    blocks = splits.block_grid(pixels.shape, patch_size)
    return _Whitened(index, photograph.name, pixels, variance, flat_below, blocks), spectrum


def patch_variance(pixels: Float32[np.ndarray, "y x"], patch_size: int) -> Float[np.ndarray, "patch_y patch_x"]:
    """Variance over the pixels of every patch, one for each position of its first pixel."""

    def patch_mean(values: np.ndarray) -> np.ndarray:
        total = np.pad(values.astype(np.float64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
        p = patch_size
        return (total[p:, p:] - total[:-p, p:] - total[p:, :-p] + total[:-p, :-p]) / p**2

    return np.maximum(patch_mean(pixels.astype(np.float64) ** 2) - patch_mean(pixels) ** 2, 0.0)


def _assign(rng: np.random.Generator, stratum: list[_Whitened], patch_size: int) -> list[np.ndarray]:
    """Split of each block, (block,) for each photograph of a stratum, whose blocks are drawn together."""
    starts = np.cumsum([0] + [len(photo.blocks) for photo in stratum])
    if starts[-1] < splits.FEWEST_BLOCKS:
        return [np.zeros(len(photo.blocks), int) for photo in stratum]
    touched, variance = [], []
    for photo, start in zip(stratum, starts[:-1], strict=True):
        y, x = photo.positions(STRIDES[0])
        textured = photo.variance[y, x] >= photo.flat_below
        touched.append(photo.blocks.touched(y[textured], x[textured], patch_size) + start)
        variance.append(photo.variance[y, x][textured] / photo.variance.mean())
    labels = splits.draw_blocks(rng, int(starts[-1]), np.concatenate(touched), np.concatenate(variance))
    return np.split(labels, starts[1:-1])


def _draw(
    rng: np.random.Generator, photo: _Whitened, labels: np.ndarray, patch_size: int, quota: dict[str, int]
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Patches of one photograph for each split, (image, pixel), and what to tell about them."""
    windows = sliding_window_view(photo.pixels, (patch_size, patch_size))
    y, x = photo.positions(STRIDES[0])
    row: dict[str, Any] = {
        "name": photo.name,
        "pixels": list(photo.pixels.shape),
        "blocks": len(labels),
        "patches": len(y),
        "flat": int(np.sum(photo.variance[y, x] < photo.flat_below)),
        "stride": {},
        "kept": {},
    }
    drawn = {}
    for code, split in enumerate(SPLITS):
        for stride in STRIDES:
            y, x = photo.positions(stride)
            inside = splits.split_of(labels, photo.blocks.touched(y, x, patch_size)) == code
            usable = np.flatnonzero(inside & (photo.variance[y, x] >= photo.flat_below))
            if len(usable) >= quota[split]:
                usable = rng.choice(usable, quota[split], replace=False)
                break
        drawn[split] = windows[y[usable], x[usable]].reshape(len(usable), patch_size**2)
        row["stride"][split], row["kept"][split] = stride, len(usable)
    return drawn, row


def _info(x: dict[str, np.ndarray], rows: list[dict], patch_size: int, seed: int, scale: float) -> dict[str, Any]:
    return {
        "kind": "patches",
        "patch_size": patch_size,
        "seed": seed,
        "constants": CONSTANTS,
        "scale": scale,
        **moments(x),
        "patches": sum(row["patches"] for row in rows),
        "flat_dropped": sum(row["flat"] for row in rows),
        "photographs": sorted(rows, key=lambda row: row["name"]),
    }


def _pictures(spectra: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Gain of the filter and power spectra before and after, (frequency,), spectra averaged over photographs."""
    bins = preprocessing.FREQUENCY_BINS
    frequency = (np.arange(bins) + 0.5) / (2 * bins)
    stacked = np.stack(spectra)
    known = np.isfinite(stacked)
    mean = np.where(known, stacked, 0.0).sum(0) / np.maximum(known.sum(0), 1)
    return {
        "frequency": frequency,
        "filter_gain": preprocessing.filter_gain(frequency),
        "spectrum_before": mean[0],
        "spectrum_after": mean[1],
    }

"""The record that every source of data returns."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from jaxtyping import Float32

__all__ = ["SPLITS", "TEST", "VALIDATION", "Dataset", "digest", "moments"]

SPLITS = ("train", "validation", "test")
# Share of the images held out for test and for validation, where a source leaves it open: the published fifth, and the
# tenth that goes before it.
TEST = 0.2
VALIDATION = 0.1


def _empty() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True)
class Dataset:
    """Images in three splits, with where they came from and what was done to them.

    Train on `train`, stop and choose on `validation`, report on `test`. Everything is NumPy, nothing is random.

    Attributes
    ----------
    name
        What was loaded: "natural", "synthetic", ..., or the name of a file or folder.
    train, validation, test
        (image, pixel), float32: whitened intensity with pixel variance near 0.73 for patches of photographs, intensity
        from 0 to 1 for images with labels, spike counts of neurons, or whatever an array file holds.
    shape
        (y, x) of one image, None where it is not known.
    groups
        For each split (image,), int: the photograph (or the block of rows) that each image came from, as an index into
        `group_names`. Images of one group are not independent: intervals resample groups, not images. An image that was
        not cut from anything is a group of its own.
    group_names
        Names of the photographs, blocks or single images.
    info
        What a report wants, fit for JSON: provenance and licences, constants of the preprocessing, counts, variances.
    pictures
        Curves for a report: "frequency" (cycles per pixel), "filter_gain", "spectrum_before", "spectrum_after", all
        (frequency,); empty where nothing was filtered.
    truth
        For synthetic data what was planted: "dictionary" (unit, pixel), "rate" (unit,), "code" (image, unit) of the
        test images, and for spike counts "bias" (pixel,); empty otherwise.
    labels
        For each split whose classes are known (image,), int: the class of each image; empty where none are.
    """

    name: str
    train: Float32[np.ndarray, "train_image pixel"]
    validation: Float32[np.ndarray, "validation_image pixel"]
    test: Float32[np.ndarray, "test_image pixel"]
    shape: tuple[int, int] | None
    groups: Mapping[str, np.ndarray]
    group_names: tuple[str, ...]
    info: Mapping[str, Any] = field(default_factory=_empty)
    pictures: Mapping[str, np.ndarray] = field(default_factory=_empty)
    truth: Mapping[str, np.ndarray] = field(default_factory=_empty)
    labels: Mapping[str, np.ndarray] = field(default_factory=_empty)

    @property
    def guessed_shape(self) -> tuple[int, int] | None:
        """`shape` where flat images were taken to be square; None where it is known, or there is none."""
        return self.shape if self.info.get("shape_is_a_guess") else None


def moments(parts: Mapping[str, Float32[np.ndarray, "_ pixel"]]) -> dict[str, dict[str, Any]]:
    """What `info` says of every data set, for each split: number of images, variance and mean over all their pixels."""
    return {
        "images": {split: len(values) for split, values in parts.items()},
        "variance": {split: float(np.var(values, dtype=np.float64)) for split, values in parts.items()},
        "mean": {split: float(np.mean(values, dtype=np.float64)) for split, values in parts.items()},
    }


def digest(dataset: Dataset) -> str:
    """A few letters that other training images would not have."""
    shape = ",".join(map(str, dataset.train.shape)).encode()
    return hashlib.sha256(shape + np.ascontiguousarray(dataset.train).tobytes()).hexdigest()[:16]

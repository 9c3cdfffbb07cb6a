"""Evidence at one distortion: read off between two cells image by image, and how far two families differ in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ppl_pvae.analysis.bounds import Bounds
from ppl_pvae.analysis.evidence import paired_difference

__all__ = ["EvidenceDifference", "bounds_between", "difference_of", "mean_bounds"]


@dataclass(frozen=True)
class EvidenceDifference:
    """How much higher the evidence of a family is than that of another, at one distortion.

    Parameters
    ----------
    beside
        The other family, at the same number of units.
    difference
        Of the means over images, nats per image.
    standard_error
        Over photographs. That of seeds and of reading off between cells is not in it.
    paired
        Whether it is that of differences image by image. If not, the errors of both means are added as if they were of
        different images, which makes it too wide.
    images
        How many were compared; None where images are not kept.
    """

    beside: str
    difference: float
    standard_error: float | None
    paired: bool
    images: int | None


def bounds_between(near: Bounds | None, far: Bounds | None, share: float) -> Bounds | None:
    """Bounds a share of the way from one cell to another, of each image; None unless both kept the same images."""
    if near is None or far is None or not _same_images(near, far):
        return None
    return replace(near, bound=(1 - share) * near.bound + share * far.bound)


def mean_bounds(bounds: Sequence[Bounds | None]) -> Bounds | None:
    """The mean over seeds, of each image; None unless all kept the same images."""
    known = [each for each in bounds if each is not None]
    if not known or len(known) < len(bounds) or not all(_same_images(known[0], each) for each in known):
        return None
    return replace(known[0], bound=np.mean([each.bound for each in known], axis=0))


def difference_of(
    mine: tuple[float | None, float | None, Bounds | None],
    other: tuple[float | None, float | None, Bounds | None],
    beside: str,
) -> EvidenceDifference | None:
    """The difference of two families, each given by its mean, its standard error and its bounds image by image.

    Paired where both kept the same images, else with the errors of both; None where evidence is not known.
    """
    (value, error, bounds), (value_beside, error_beside, bounds_beside) = mine, other
    if value is None or value_beside is None:
        return None
    if bounds is not None and bounds_beside is not None and _same_images(bounds, bounds_beside):
        paired = paired_difference(bounds.bound, bounds_beside.bound, bounds.group)
        error = paired.standard_error if math.isfinite(paired.standard_error) else None  # one photograph has none
        return EvidenceDifference(beside, paired.interval.estimate, error, paired=True, images=paired.images)
    both = None if error is None or error_beside is None else math.hypot(error, error_beside)
    return EvidenceDifference(beside, value - value_beside, both, paired=False, images=None)


def _same_images(one: Bounds, other: Bounds) -> bool:
    finite = np.isfinite(one.bound).all() and np.isfinite(other.bound).all()
    return bool(finite) and one.mark == other.mark and np.array_equal(one.image, other.image)

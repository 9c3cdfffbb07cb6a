"""How far two families differ in evidence, image by image where both kept it; evidence between two cells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ppl_pvae.analysis.bounds import Bounds
from ppl_pvae.analysis.evidence import paired_difference

__all__ = ["Evidence", "EvidenceDifference", "bounds_between", "difference_of", "mean_bounds"]


@dataclass(frozen=True)
class Evidence:
    """The evidence of one family: at a β, or read off between two.

    Parameters
    ----------
    mean, standard_error
        Bound on log p(x), nats per image, and its error over photographs; None where unknown.
    bounds
        The same image by image, where it was kept.
    converged
        Whether all cells that it rests on are known to have converged.
    """

    mean: float | None
    standard_error: float | None
    bounds: Bounds | None
    converged: bool


@dataclass(frozen=True)
class EvidenceDifference:
    """How much higher the evidence of a family is than that of another.

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
    converged
        Whether all cells of both that it rests on are known to have converged.
    """

    beside: str
    difference: float
    standard_error: float | None
    paired: bool
    images: int | None
    converged: bool


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


def difference_of(mine: Evidence, other: Evidence, beside: str) -> EvidenceDifference | None:
    """The difference of two families, the second under its name.

    Paired where both kept the same images, else with the errors of both; None where evidence is not known.
    """
    if mine.mean is None or other.mean is None:
        return None
    first, second, converged = mine.bounds, other.bounds, mine.converged and other.converged
    if first is not None and second is not None and _same_images(first, second):
        paired = paired_difference(first.bound, second.bound, first.group)
        error = paired.standard_error if math.isfinite(paired.standard_error) else None  # one photograph has none
        value, images = paired.interval.estimate, paired.images
        return EvidenceDifference(beside, value, error, paired=True, images=images, converged=converged)
    one, two = mine.standard_error, other.standard_error
    error = None if one is None or two is None else math.hypot(one, two)
    return EvidenceDifference(beside, mine.mean - other.mean, error, paired=False, images=None, converged=converged)


def _same_images(one: Bounds, other: Bounds) -> bool:
    finite = np.isfinite(one.bound).all() and np.isfinite(other.bound).all()
    return bool(finite) and one.mark == other.mark and np.array_equal(one.image, other.image)

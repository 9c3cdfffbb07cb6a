"""Seeded splits in which every class has its share of every split."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Int, Integer

__all__ = ["split_by_strata"]


def split_by_strata(
    rng: np.random.Generator, strata: Integer[np.ndarray, " image"], sizes: Mapping[str, int]
) -> dict[str, Int[np.ndarray, " row"]]:
    """Rows of each split, in random order; of every stratum a split has its proportional share, to within one image.

    Parameters
    ----------
    rng
        Decides.
    strata
        (image,), the class of each image; all alike for a plain random split.
    sizes
        Images of each split but "train", which gets what is left.
    """
    # Rows sorted by class and at random within each; every (n / size)-th of them, from a random start, is a sample that
    # takes from each class what is its due.
    left = rng.permutation(len(strata))
    left = left[np.argsort(strata[left], kind="stable")]
    rows = {}
    for split, size in sizes.items():
        taken = (np.arange(size) * len(left) + rng.integers(len(left))) // max(size, 1)
        rows[split] = rng.permutation(left[taken])
        left = np.delete(left, taken)
    return {"train": rng.permutation(left)} | rows

"""Reading off between two measured points: which two lie on either side of a level, and what is there; no library."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

__all__ = ["geometric", "linear", "neighbours", "shared_middle"]


def neighbours(levels: Sequence[float], level: float) -> tuple[int, int, float] | None:
    """The two neighbours in a rising sequence between which a level lies, and how far along; None beyond its ends.

    Parameters
    ----------
    levels
        In rising order.
    level
        What is looked for.

    Returns
    -------
    tuple
        Index below, index above, and share of the way from one to the other.
    """
    for i, (low, high) in enumerate(pairwise(levels)):
        if low <= level <= high:
            return i, i + 1, 0.0 if high == low else (level - low) / (high - low)
    return None


def linear(near: float, far: float, share: float) -> float:
    """The value a share of the way from near to far."""
    return (1 - share) * near + share * far


def geometric(near: float, far: float, share: float) -> float:
    """The same on a log scale; linear where one of the two has no logarithm."""
    if near <= 0 or far <= 0:
        return linear(near, far, share)
    return math.exp(linear(math.log(near), math.log(far), share))


def shared_middle(ranges: Sequence[tuple[float, float]]) -> float | None:
    """The middle of what all of several ranges share; None where they share nothing, or there are none."""
    if not ranges:
        return None
    low, high = max(start for start, _ in ranges), min(end for _, end in ranges)
    return (low + high) / 2 if low <= high else None

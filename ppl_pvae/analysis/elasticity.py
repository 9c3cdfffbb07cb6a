"""By what power a cost follows what was set: slopes in logarithms, with intervals over photographs; NumPy alone."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Num, Shaped

from ppl_pvae.analysis.intervals import Interval, interval_of_means

__all__ = ["elasticity"]


def elasticity(
    x: Float[np.ndarray, " setting"],
    values_per_image: Num[np.ndarray, "image setting"],
    group: Shaped[np.ndarray, " image"],
    *,
    seed: int = 0,
    resamples: int = 1000,
    level: float = 0.95,
) -> Interval:
    """d log (mean over images) / d log x by least squares, 1 where the mean is proportional to x and 0 where it stays.

    Photographs are resampled for all settings together, since every setting was measured on the same images: what
    makes a photograph dear at all of them moves no slope. Give two settings, `x[i : i + 2]` and
    `values_per_image[:, i : i + 2]`, for the slope between neighbours.

    Parameters
    ----------
    x
        What was set, (setting,), > 0, at least two different values.
    values_per_image
        What each image then cost, (image, setting), of a mean > 0 at each setting.
    group
        Photograph of each image, (image,).
    seed, resamples, level
        As in `interval_of_means`.

    Raises
    ------
    ValueError
        If there is no slope: a single setting, or what has no logarithm.
    """
    if not (x > 0).all() or len(np.unique(x)) < 2:
        raise ValueError(f"x must be at least two different values > 0, got {x.tolist()}.")
    means = values_per_image.mean(axis=0, dtype=np.float64)
    if not (means > 0).all():
        raise ValueError(f"means over images must be > 0 to have a logarithm, got {means.tolist()}.")
    # slope = Σ_i w_i log y_i, w_i = (log x_i − mean log x) / Σ_j (log x_j − mean log x)²
    centred = np.log(x.astype(np.float64)) - np.log(x.astype(np.float64)).mean()
    weight = centred / np.sum(centred**2)
    return interval_of_means(
        values_per_image, group, lambda m: np.log(m) @ weight, seed=seed, resamples=resamples, level=level
    )

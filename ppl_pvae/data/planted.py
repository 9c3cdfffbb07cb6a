"""What all planted data have in common: Poisson codes of sparse units, a split by blocks, and the truth kept."""

from typing import Any

import numpy as np
from jaxtyping import Float, Float32

from ppl_pvae.data.arrays import split_by_blocks
from ppl_pvae.data.dataset import SPLITS, Dataset, moments

__all__ = ["IMAGES", "draw_codes", "keep_truth", "log_uniform"]

IMAGES = 25_000


def draw_codes(
    rate_key: np.random.SeedSequence, code_key: np.random.SeedSequence, units: int, rates: tuple[float, float]
) -> tuple[Float[np.ndarray, " unit"], Float32[np.ndarray, "image unit"]]:
    """Expected counts r of each unit, log-uniform between two rates, and codes z_k ~ Poisson(r_k) of all images."""
    rate = log_uniform(rate_key, rates, units)
    return rate, np.random.default_rng(code_key).poisson(rate, (IMAGES, units)).astype(np.float32)


def log_uniform(key: np.random.SeedSequence, between: tuple[float, float], number: int) -> Float[np.ndarray, " number"]:
    """Numbers whose logarithm is uniform between those of two bounds."""
    low, high = between
    return np.exp(np.random.default_rng(key).uniform(np.log(low), np.log(high), number))


def keep_truth(
    name: str,
    x: Float32[np.ndarray, "image pixel"],
    shape: tuple[int, int] | None,
    truth: dict[str, np.ndarray],
    provenance: dict[str, Any],
) -> Dataset:
    """The data set of images that were made from a truth, in blocks as `from_array` splits them.

    Parameters
    ----------
    name
        Of the data set.
    x
        All images.
    shape
        (y, x) of one image, None where it is no picture.
    truth
        "dictionary" (unit, pixel), "rate" (unit,) and "code" (image, unit) of all images, of which those of the test
        images are kept; whatever else was planted.
    provenance
        What the source says about itself; becomes part of `info`.
    """
    rows, groups, group_names = split_by_blocks(len(x))
    parts = {split: x[rows[split]] for split in SPLITS}
    return Dataset(
        name=name,
        train=parts["train"],
        validation=parts["validation"],
        test=parts["test"],
        shape=shape,
        groups=groups,
        group_names=group_names,
        info={
            "kind": "synthetic",
            **provenance,
            "spikes_per_image": float(truth["rate"].sum()),
            **moments(parts),
        },
        truth=truth | {"code": truth["code"][rows["test"]]},
    )

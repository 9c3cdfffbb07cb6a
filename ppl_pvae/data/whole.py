"""Small images that are fitted whole, as digits are: intensity from 0 to 1, nothing whitened, labels where known."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Integer, UInt8

from ppl_pvae.data.dataset import SPLITS, TEST, VALIDATION, Dataset, moments
from ppl_pvae.data.strata import split_by_strata
from ppl_pvae.errors import UserError

__all__ = ["Images", "whole_images"]

FULL_SCALE = 255
# Fewer would leave validation empty.
FEWEST = 10


@dataclass(frozen=True)
class Images:
    """Images as they are stored, one byte a pixel, and the class of each where that is known."""

    pixels: UInt8[np.ndarray, "image y x"]
    labels: Integer[np.ndarray, " image"] | None = None


def whole_images(name: str, training: Images, test: Images | None, seed: int, provenance: dict[str, Any]) -> Dataset:
    """Images divided by 255, in three splits.

    A tenth of the training images, drawn at random with an equal share of each class, is validation; where there are no
    test images, so is another fifth test. Test images that are given keep their order, all others are shuffled.

    Parameters
    ----------
    name
        Of the data set.
    training, test
        Of like height and width.
    seed
        Of the split.
    provenance
        What the source says about itself; becomes part of `info`.

    Returns
    -------
    Dataset
        Every image is a group of its own, called by its number in its source, from 0.

    Raises
    ------
    UserError
        If there are fewer than ten training images, or they are constant.
    """
    number = len(training.pixels)
    if number < FEWEST:
        raise UserError(f"{name} has {number} training images; at least {FEWEST} are needed.")
    if training.pixels.min() == training.pixels.max():
        raise UserError(
            f"{name} is constant (every training pixel is {training.pixels.flat[0]}); there is nothing to fit."
        )
    shares = {"validation": VALIDATION} | ({"test": TEST} if test is None else {})
    strata = np.zeros(number, int) if training.labels is None else training.labels
    sizes = {split: round(share * number) for split, share in shares.items()}
    rows = split_by_strata(np.random.default_rng(seed), strata, sizes)
    sources = dict.fromkeys(rows, training)
    groups, group_names = dict(rows), [f"image {i}" for i in range(number)]
    if test is not None:
        sources["test"], rows["test"] = test, np.arange(len(test.pixels))
        groups["test"] = rows["test"] + number
        group_names += [f"test image {i}" for i in rows["test"]]
    x = {split: _intensity(sources[split].pixels[rows[split]]) for split in SPLITS}
    labels = {s: known[rows[s]].astype(np.int32) for s in SPLITS if (known := sources[s].labels) is not None}
    height, width = training.pixels.shape[1:]
    return Dataset(
        name=name,
        train=x["train"],
        validation=x["validation"],
        test=x["test"],
        shape=(height, width),
        groups={split: groups[split].astype(np.int32) for split in SPLITS},
        group_names=tuple(group_names),
        info={
            "kind": "whole images",
            **provenance,
            "seed": seed,
            "pixels": f"intensity / {FULL_SCALE}",
            **moments(x),
            "images_of_each_class": {split: np.bincount(values).tolist() for split, values in labels.items()},
        },
        labels=labels,
    )


def _intensity(pixels: np.ndarray) -> np.ndarray:
    """(image, pixel), float32, from 0 to 1."""
    x = pixels.reshape(len(pixels), -1).astype(np.float32)
    x /= FULL_SCALE
    return x

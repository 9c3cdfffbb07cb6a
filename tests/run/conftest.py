"""Data whose truth is known, small enough to train on in seconds."""

from typing import NamedTuple

import numpy as np
import pytest


class Planted(NamedTuple):
    """x = zΦ + noise of variance ½, z_k ~ Poisson(r_k): images (image, y, x), Φ (unit, pixel), r (unit,)."""

    images: np.ndarray
    dictionary: np.ndarray
    rate: np.ndarray


@pytest.fixture(scope="session")
def planted():
    """Six random elements of norm 8 in 6 × 6 pixels, 3,000 images."""
    rng = np.random.default_rng(0)
    dictionary = rng.normal(size=(6, 36))
    dictionary *= 8 / np.linalg.norm(dictionary, axis=1, keepdims=True)
    rate = np.array([0.1, 0.15, 0.2, 0.3, 0.3, 0.4])
    z = rng.poisson(rate, (3000, 6))
    images = z @ dictionary + np.sqrt(0.5) * rng.normal(size=(3000, 36))
    return Planted(np.float32(images).reshape(3000, 6, 6), np.float32(dictionary), rate)

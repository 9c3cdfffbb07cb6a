"""Images whose truth is known: a planted dictionary of Gabor functions, lit by Poisson counts, under Gaussian noise."""

from typing import Any

import numpy as np
from jaxtyping import Float

from ppl_pvae.data.dataset import Dataset
from ppl_pvae.data.planted import IMAGES, draw_codes, keep_truth

__all__ = ["gabor_dictionary", "load_synthetic"]

# As many units as the Gabor functions below allow that are told apart, and no more than one for four pixels.
MOST_UNITS = 64
PIXELS_PER_UNIT = 4
# Expected counts, log-uniform between these. Sparse: about 5 spikes an image among 64 units.
RATES = (0.02, 0.2)
# Norm of a dictionary element. A Poisson code of rate λ pays λ|Φ|² for its noise, so an element is worth a spike only
# if its energy is many nats; at 100 it is, for the rarest unit too.
NORM = 10.0
# That of the default likelihood.
NOISE_VARIANCE = 0.5
# No two elements are more alike than this (cosine): what is nearly the same cannot be told apart.
MOST_ALIKE = 0.5
CANDIDATES_PER_UNIT = 100


def load_synthetic(patch_size: int, seed: int) -> Dataset:
    """Images x = zΦ + noise, z_k ~ Poisson(r_k), of a planted sparse dictionary Φ.

    `truth` keeps "dictionary" (unit, pixel), "rate" (unit,) and "code" (image, unit), the counts of the test images.
    """
    units = min(MOST_UNITS, patch_size**2 // PIXELS_PER_UNIT)
    shape_key, rate_key, code_key, noise_key = np.random.SeedSequence(seed).spawn(4)
    dictionary = NORM * gabor_dictionary(np.random.default_rng(shape_key), units, patch_size)
    rate, code = draw_codes(rate_key, code_key, units, RATES)
    noise = np.random.default_rng(noise_key).standard_normal((IMAGES, patch_size**2), np.float32)
    x = code @ dictionary.astype(np.float32) + np.float32(np.sqrt(NOISE_VARIANCE)) * noise
    provenance: dict[str, Any] = {
        "source": "planted dictionary, Poisson codes, Gaussian noise",
        "patch_size": patch_size,
        "seed": seed,
        "constants": {"units": units, "rates": list(RATES), "norm": NORM, "noise_variance": NOISE_VARIANCE},
    }
    truth = {"dictionary": dictionary.astype(np.float32), "rate": rate, "code": code}
    return keep_truth("synthetic", x, (patch_size, patch_size), truth, provenance)


def gabor_dictionary(rng: np.random.Generator, units: int, patch_size: int) -> Float[np.ndarray, "unit pixel"]:
    """Gabor functions of unit norm and zero mean, of all places, orientations, phases and scales, no two much alike.

    Where so many cannot be found that are as different as asked, the rest are taken as they come.
    """
    candidates = _gabors(rng, CANDIDATES_PER_UNIT * units, patch_size)
    chosen: list[int] = []
    spare: list[int] = []
    for i, candidate in enumerate(candidates):
        alike = np.abs(candidates[chosen] @ candidate).max(initial=0.0)
        (chosen if alike < MOST_ALIKE else spare).append(i)
        if len(chosen) == units:
            break
    return candidates[(chosen + spare)[:units]]


def _gabors(rng: np.random.Generator, number: int, patch_size: int) -> Float[np.ndarray, "unit pixel"]:
    y, x = np.indices((patch_size, patch_size)).reshape(2, 1, -1) + 0.5
    centre_y, centre_x = rng.uniform(0.2, 0.8, (2, number, 1)) * patch_size
    angle, phase = rng.uniform(0, np.pi, (number, 1)), rng.uniform(0, 2 * np.pi, (number, 1))
    frequency = rng.uniform(1.5, 4.0, (number, 1)) / patch_size  # cycles per pixel
    across = 0.45 / frequency  # standard deviation across the bars, pixels: about two bars show
    along = across * rng.uniform(1.0, 1.8, (number, 1))
    u = (x - centre_x) * np.cos(angle) + (y - centre_y) * np.sin(angle)
    v = (y - centre_y) * np.cos(angle) - (x - centre_x) * np.sin(angle)
    gabor = np.exp(-0.5 * ((u / across) ** 2 + (v / along) ** 2)) * np.cos(2 * np.pi * frequency * u + phase)
    gabor -= gabor.mean(axis=1, keepdims=True)
    return gabor / np.linalg.norm(gabor, axis=1, keepdims=True)

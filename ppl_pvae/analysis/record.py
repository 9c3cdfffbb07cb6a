"""The record that analysis works on: what one trained program says about a set of images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Float, Num, Shaped

from ppl_pvae.analysis.information import UnitBill, poisson_bill, poisson_kl

__all__ = ["Posterior", "Predicted"]


@dataclass(frozen=True)
class Predicted:
    """What the program itself makes up: images from its prior, images again from codes of given ones, its globals.

    Parameters
    ----------
    prior_z, prior_x
        Codes drawn from the prior, (prior draw, unit), and images from the likelihood, (prior draw, pixel); None for a
        program that makes none by itself.
    x
        Images drawn again from posterior codes of the first test images, (draw, drawn image, pixel); None where the
        likelihood cannot be drawn from.
    mean, variance
        Of each pixel of those over codes and noise, (drawn image, pixel); None where the likelihood has no variance.
    globals_posterior, globals_prior
        Draws of each latent of the whole data set by name, (draw, ...).
    """

    prior_z: Num[np.ndarray, "prior_draw unit"] | None
    prior_x: Num[np.ndarray, "prior_draw pixel"] | None
    x: Num[np.ndarray, "draw drawn_image pixel"] | None
    mean: Float[np.ndarray, "drawn_image pixel"] | None
    variance: Float[np.ndarray, "drawn_image pixel"] | None
    globals_posterior: Mapping[str, np.ndarray] = field(default_factory=dict)
    globals_prior: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Posterior:
    """What one trained program says about a set of images, in plain NumPy arrays.

    A code is whatever the decoder sees: spike counts, rectified values or signed values. Every reader of this record
    asks `is_count` and `is_nonnegative`, never which program it came from. Nats are in the paper's scale
    (sigma^2 = 1/2 for the default likelihood, its constant kept apart in `likelihood_constant`).

    Parameters
    ----------
    x
        Images, (image, pixel).
    shape
        Height and width of one image, or None where pixels have no such order.
    group
        Photograph (or block) that each image was cut from, (image,), an index into `group_names`.
    group_names
        Names of the photographs.
    mean
        E_q z, (image, unit): the rate lambda of a Poisson code, E max(., 0) of a rectified one.
    z
        One hard posterior draw for every image, (image, unit); whole numbers for counts.
    draws
        More draws for the first images, (draw, drawn image, unit).
    kl
        Nats that each unit costs for each image, (image, unit).
    reconstruction
        Mean of the likelihood at `z`, (image, pixel).
    distortion
        Distortion expected under the posterior, (image,), nats.
    distortion_sampled
        Distortion at `z`, (image,), nats.
    squared_error
        Squared error at `z` summed over pixels, (image,).
    global_kl
        KL of the global latents divided by the number of training images, nats per image.
    prior_mean
        Prior rate r, (unit,); None where the prior has no rate.
    dictionary
        Linear decoder weights, (unit, pixel); None where the decoder is not linear.
    encoder
        Linear encoder weights, (unit, pixel); None where the encoder is not linear.
    is_count
        Whether the code is a number of spikes.
    is_nonnegative
        Whether the code is never below zero.
    objective
        What training minimised, as relaxed, mean per image.
    likelihood_constant
        Nats that the free energy drops: (D/2) log pi for the default likelihood, 0 otherwise.
    silent_free_energy
        Free energy of sending nothing at all, nats per image.
    """

    x: Num[np.ndarray, "image pixel"]
    shape: tuple[int, int] | None
    group: Shaped[np.ndarray, " image"]
    group_names: tuple[str, ...]
    mean: Float[np.ndarray, "image unit"]
    z: Num[np.ndarray, "image unit"]
    draws: Num[np.ndarray, "draw drawn_image unit"]
    kl: Float[np.ndarray, "image unit"]
    reconstruction: Float[np.ndarray, "image pixel"]
    distortion: Float[np.ndarray, " image"]
    distortion_sampled: Float[np.ndarray, " image"]
    squared_error: Float[np.ndarray, " image"]
    global_kl: float
    prior_mean: Float[np.ndarray, " unit"] | None
    dictionary: Float[np.ndarray, "unit pixel"] | None
    encoder: Float[np.ndarray, "unit pixel"] | None
    is_count: bool
    is_nonnegative: bool
    objective: float
    likelihood_constant: float
    silent_free_energy: float | None

    @property
    def activity(self) -> Num[np.ndarray, "image unit"]:
        """Activity of each unit for each image, (image, unit): E z, or |z| at the one draw for a code with both signs.

        The mean of a signed code says nothing about how much it moves (a Gaussian code has E z near 0), so its
        magnitude stands in for the rate everywhere.
        """
        return self.mean if self.is_nonnegative else np.abs(self.z)

    @property
    def use(self) -> Float[np.ndarray, " unit"]:
        """Mean activity of each unit over images, (unit,): spikes per image for counts."""
        return self.activity.mean(axis=0, dtype=np.float64)

    @cached_property
    def unit_bill(self) -> UnitBill | None:
        """Nats paid, delivered and mismatched by each unit of a Poisson code; None for any other, or a broken one.

        The record does not say of which family the counts are. The books do: they are Poisson where the nats that the
        program paid are those of Poisson counts with its rates, which is looked at in a few hundred images.
        """
        if not self.is_count or self.prior_mean is None or not (self.prior_mean > 0).all():
            return None
        if not np.isfinite(self.mean).all():
            return None
        few = np.unique(np.linspace(0, len(self.mean) - 1, 300).astype(int))
        paid = poisson_kl(self.mean[few], self.prior_mean)
        slack = 1e-5 * (self.mean[few] + self.prior_mean)  # rates are kept in float32
        poisson = np.abs(paid - self.kl[few]) <= 1e-3 * paid + slack
        return poisson_bill(self.mean, self.prior_mean) if poisson.all() else None

    @property
    def activity_word(self) -> str:
        """What activity is called in words and on axes: `spikes` for counts, `activity` otherwise."""
        return "spikes" if self.is_count else "activity"

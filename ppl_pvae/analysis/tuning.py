"""Gratings to show to a code, and how its units are tuned to them; NumPy alone.

The caller runs the encoder between the two: `run.encode(gratings.images)` gives the rates. Angles are as in `gabor.py`:
radians from the x axis (columns) towards the y axis (rows, downwards), and an orientation is that of the stripes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Num

__all__ = [
    "Gratings",
    "Tuning",
    "circular_variance",
    "half_contrast",
    "half_width",
    "make_gratings",
    "preferred_responses",
    "tuning",
]


@dataclass(frozen=True)
class Gratings:
    """Sinusoidal gratings, one for each orientation, frequency and phase, the last running fastest.

    Parameters
    ----------
    images
        (image, pixel), with as many images as orientations × frequencies × phases.
    orientation
        Radians in [0, π), evenly spaced, (orientation,).
    frequency
        Cycles per pixel, (frequency,).
    phase
        Radians in [0, 2π), evenly spaced, (phase,).
    contrast
        Amplitude of the sinusoid, in pixel values.
    """

    images: Float[np.ndarray, "image pixel"]
    orientation: Float[np.ndarray, " orientation"]
    frequency: Float[np.ndarray, " frequency"]
    phase: Float[np.ndarray, " phase"]
    contrast: float


def make_gratings(
    shape: tuple[int, int],
    *,
    orientations: int = 48,
    frequencies: tuple[float, ...] = (0.05, 0.08, 0.11, 0.15, 0.2, 0.26, 0.33),
    phases: int = 8,
    contrast: float = 1.0,
) -> Gratings:
    """Gratings contrast · cos(2π f d + phase) over the whole image, d the distance across the stripes from its middle.

    Programs see whitened images, so these are gratings of the whitened pixel: contrast 1 gives each a standard
    deviation of 0.7, close to that of whitened natural patches.

    Parameters
    ----------
    shape
        Height and width of an image, pixels.
    orientations, phases
        How many, evenly spaced over half a turn and a whole one.
    frequencies
        Cycles per pixel; one half is the finest that pixels can show.
    contrast
        Amplitude, in pixel values.
    """
    height, width = shape
    orientation = np.arange(orientations) * np.pi / orientations
    frequency = np.array(frequencies, dtype=np.float64)
    phase = np.arange(phases) * 2 * np.pi / phases
    y, x = np.mgrid[:height, :width].astype(np.float64)
    y, x = (y - (height - 1) / 2).ravel(), (x - (width - 1) / 2).ravel()
    # The wave runs a quarter turn from its stripes.
    across = -np.sin(orientation)[:, np.newaxis] * x + np.cos(orientation)[:, np.newaxis] * y
    angle = 2 * np.pi * frequency[:, np.newaxis] * across[:, np.newaxis, :]
    images = contrast * np.cos(angle[:, :, np.newaxis, :] + phase[:, np.newaxis])
    return Gratings(
        images=images.reshape(-1, height * width).astype(np.float32),
        orientation=orientation,
        frequency=frequency,
        phase=phase,
        contrast=contrast,
    )


@dataclass(frozen=True)
class Tuning:
    """How each unit is tuned, all (unit,) but `curve`.

    Parameters
    ----------
    orientation
        Preferred orientation, radians: that of the strongest response, averaged over phases.
    frequency
        Preferred frequency, cycles per pixel, of the same response.
    circular_variance
        Of the orientation curve at the preferred frequency: 0 for one orientation alone, 1 for none preferred.
    half_width
        Half width of that curve at half its height, radians; NaN where it does not fall that far.
    modulation
        Strength of the first harmonic over phase relative to the mean (F1/F0) at the preferred grating: near 0 for a
        unit that does not care about phase, 2 for one that fires at one phase only.
    curve
        The orientation curve at the preferred frequency, (orientation, unit).
    """

    orientation: Float[np.ndarray, " unit"]
    frequency: Float[np.ndarray, " unit"]
    circular_variance: Float[np.ndarray, " unit"]
    half_width: Float[np.ndarray, " unit"]
    modulation: Float[np.ndarray, " unit"]
    curve: Float[np.ndarray, "orientation unit"]


def tuning(responses: Num[np.ndarray, "image unit"], gratings: Gratings) -> Tuning:
    """Preferred orientation and frequency of each unit, and how sharply it is tuned.

    Parameters
    ----------
    responses
        Rates for `gratings.images`, (image, unit), >= 0.
    gratings
        What was shown.

    Source: Ringach, Shapley & Hawken 2002 (J. Neurosci. 22:5639) for circular variance; Skottun et al. 1991
    (Vision Res. 31:1079) for F1/F0.
    """
    sizes = len(gratings.orientation), len(gratings.frequency), len(gratings.phase)
    table = responses.astype(np.float64).reshape(*sizes, -1)
    mean = table.mean(axis=2)
    units = np.arange(mean.shape[2])
    angle, frequency = np.unravel_index(mean.reshape(-1, len(units)).argmax(axis=0), sizes[:2])
    curve = mean[:, frequency, units]
    over_phase = table[angle, frequency, :, units]
    harmonic = 2 * np.abs(over_phase @ np.exp(-1j * gratings.phase)) / sizes[2]
    level = over_phase.mean(axis=1)
    return Tuning(
        orientation=gratings.orientation[angle],
        frequency=gratings.frequency[frequency],
        circular_variance=circular_variance(curve, gratings.orientation),
        half_width=half_width(curve, gratings.orientation),
        modulation=np.where(level > 0, harmonic / np.where(level > 0, level, 1.0), np.nan),
        curve=curve,
    )


def preferred_responses(
    responses: Num[np.ndarray, "image unit"], gratings: Gratings, tuned: Tuning
) -> Float[np.ndarray, " unit"]:
    """Response of each unit to the grating of its preferred orientation and frequency, averaged over phases, (unit,).

    Parameters
    ----------
    responses
        Rates for `gratings.images`, (image, unit).
    gratings
        Of the same orientations, frequencies and phases as those by which units were `tuned`, at any contrast.
    """
    sizes = len(gratings.orientation), len(gratings.frequency), len(gratings.phase)
    mean = responses.astype(np.float64).reshape(*sizes, -1).mean(axis=2)
    angle = np.searchsorted(gratings.orientation, tuned.orientation)
    frequency = np.searchsorted(gratings.frequency, tuned.frequency)
    return mean[angle, frequency, np.arange(mean.shape[2])]


def circular_variance(
    curve: Num[np.ndarray, "orientation unit"], orientation: Float[np.ndarray, " orientation"]
) -> Float[np.ndarray, " unit"]:
    """1 - |Σ r e^{2iθ}| / Σ r over evenly spaced orientations, (unit,); NaN for a silent unit.

    Source: Ringach, Shapley & Hawken 2002, J. Neurosci. 22:5639.
    """
    total = curve.sum(axis=0, dtype=np.float64)
    resultant = np.abs(np.exp(2j * orientation) @ curve)
    return np.where(total > 0, 1 - resultant / np.where(total > 0, total, 1.0), np.nan)


def half_width(
    curve: Num[np.ndarray, "orientation unit"], orientation: Float[np.ndarray, " orientation"]
) -> Float[np.ndarray, " unit"]:
    """Half the width of each orientation curve at half its largest response, radians, (unit,).

    From the peak outwards on either side, between samples on a straight line; half the distance of the two crossings.
    Height is counted from zero. NaN where a side does not fall to half.

    Parameters
    ----------
    curve
        Responses, (orientation, unit).
    orientation
        Radians, evenly spaced over [0, π), (orientation,).
    """
    step, count = np.pi / len(orientation), len(orientation)
    peak = curve.argmax(axis=0)
    units = np.arange(curve.shape[1])
    half = curve[peak, units] / 2
    sides = []
    for sign in (1, -1):
        # Outwards from the peak, around the circle: (distance, unit)
        out = curve[(peak + sign * np.arange(count)[:, np.newaxis]) % count, units].astype(np.float64)
        falls = out <= half
        at = np.where(falls.any(axis=0) & (half > 0), falls.argmax(axis=0), 0)
        before, after = out[at - 1, units], out[at, units]
        gap = np.where(at > 0, before - after, 1.0)
        sides.append(np.where(at > 0, at - 1 + (before - half) / np.where(gap > 0, gap, 1.0), np.nan))
    return step * (sides[0] + sides[1]) / 2


def half_contrast(
    responses: Num[np.ndarray, "contrast unit"], contrast: Float[np.ndarray, " contrast"]
) -> Float[np.ndarray, " unit"]:
    """Contrast at which each unit's response has come half the way from none to that at the largest, (unit,).

    Between the contrasts shown on a straight line. NaN for a unit that responds no more to the largest contrast than
    to none.

    Parameters
    ----------
    responses
        Mean rate over phases of each unit's preferred grating, (contrast, unit).
    contrast
        Ascending from 0, (contrast,).
    """
    base, top = responses[0].astype(np.float64), responses[-1].astype(np.float64)
    half = (base + top) / 2
    above = responses >= half
    at = np.maximum(above.argmax(axis=0), 1)
    units = np.arange(responses.shape[1])
    low, high = responses[at - 1, units].astype(np.float64), responses[at, units].astype(np.float64)
    share = np.divide(half - low, high - low, out=np.zeros_like(half), where=high > low)
    return np.where(top > base, contrast[at - 1] + share * (contrast[at] - contrast[at - 1]), np.nan)

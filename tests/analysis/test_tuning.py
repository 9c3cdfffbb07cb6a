"""Tuning against hand-made curves, and a linear unit whose tuning follows from its filter."""

import numpy as np
from numpy.testing import assert_allclose

from ppl_pvae.analysis.tuning import (
    circular_variance,
    half_contrast,
    half_width,
    make_gratings,
    preferred_responses,
    tuning,
)

ANGLES = np.arange(36) * np.pi / 36


def test_gratings_are_what_they_say():
    g = make_gratings((16, 12), orientations=4, frequencies=(0.125, 0.25), phases=4, contrast=0.5)
    assert g.images.shape == (32, 192)
    pictures = g.images.reshape(4, 2, 4, 16, 12)
    assert_allclose(np.ptp(pictures[0, 0, 0], axis=1), 0, atol=1e-6)  # stripes at orientation 0 run along x
    assert_allclose(np.ptp(pictures[2, 1, 3], axis=0), 0, atol=1e-6)  # and at π/2 along y
    assert_allclose(pictures[0, 0, 0, :8], pictures[0, 0, 0, 8:], atol=1e-6)  # eight pixels a cycle
    assert_allclose(pictures[0, 0, 0], -pictures[0, 0, 2], atol=1e-6)  # half a turn of phase
    assert_allclose(np.abs(g.images).max(), 0.5, atol=0.05)
    diagonal = pictures[1, 0, 0]  # x and y grow alike along the stripes at π/4, since y points down
    assert_allclose(diagonal[:-1, :-1], diagonal[1:, 1:], atol=1e-6)


def test_circular_variance_of_known_curves():
    bump = np.zeros(36)
    bump[7] = 3.0
    # Σ (1 + c cos 2(θ − θ₀)) e^{2iθ} is c/2 of Σ r.
    cosine = 1 + 0.6 * np.cos(2 * (ANGLES - 1.0))
    curves = np.column_stack([bump, np.ones(36), cosine, np.zeros(36)])
    assert_allclose(circular_variance(curves, ANGLES), [0, 1, 0.7, np.nan], atol=1e-12)


def test_half_width_of_known_curves():
    triangle = np.maximum(0, 1 - np.abs((ANGLES - 0.0 + np.pi / 2) % np.pi - np.pi / 2) / (np.pi / 6))
    cosine = (1 + np.cos(2 * (ANGLES - ANGLES[20]))) / 2
    broad = 1 + 0.2 * np.cos(2 * ANGLES)
    curves = np.column_stack([triangle, cosine, broad, np.zeros(36)])
    # The triangle's peak sits at the end of the circle, so that its curve goes round.
    assert_allclose(half_width(curves, ANGLES), [np.pi / 12, np.pi / 4, np.nan, np.nan], rtol=1e-12)


def test_half_width_of_a_curve_that_is_not_symmetric():
    curve = np.zeros((36, 1))
    curve[[10, 11, 12, 13], 0] = [4, 3, 1, 0]  # 1 → half at 0.5 before, 1.5 after
    assert_allclose(half_width(curve, ANGLES), np.pi / 36, rtol=1e-12)


def test_a_rectified_filter_prefers_its_own_grating():
    g = make_gratings((16, 16), orientations=12, frequencies=(0.0625, 0.125, 0.25), phases=8)
    seen = g.images.reshape(12, 3, 8, -1)
    filters = np.stack([seen[3, 1, 2], seen[9, 2, 0]])
    rates = np.maximum(g.images @ filters.T, 0)
    found = tuning(rates, g)
    assert_allclose(found.orientation, g.orientation[[3, 9]])
    assert_allclose(found.frequency, [0.125, 0.25])
    assert (found.circular_variance < 0.4).all()
    assert (found.half_width < np.pi / 6).all()
    # A half-rectified sinusoid, sampled at eight phases: F1/F0 = (1/2)/(mean), mean = (1 + 2 cos π/4)/8.
    assert_allclose(found.modulation, 0.5 * 8 / (1 + np.sqrt(2)), rtol=1e-2)
    assert found.curve.shape == (12, 2)


def test_energy_does_not_care_about_phase_and_silence_has_no_tuning():
    g = make_gratings((16, 16), orientations=12, frequencies=(0.125,), phases=8)
    even, odd = g.images.reshape(12, 8, -1)[4, [0, 2]]
    energy = (g.images @ even) ** 2 + (g.images @ odd) ** 2
    found = tuning(np.column_stack([energy, np.zeros(96)]), g)
    assert found.modulation[0] < 0.02
    assert_allclose(found.orientation[0], g.orientation[4])
    assert np.isnan([found.modulation[1], found.circular_variance[1], found.half_width[1]]).all()


def test_half_contrast_of_known_curves():
    contrast = np.array([0.0, 0.5, 1.0, 2.0])
    linear, saturating = 1 + contrast, np.array([0.0, 8.0, 10.0, 10.0])
    flat, falling = np.ones(4), -contrast
    found = half_contrast(np.column_stack([linear, saturating, flat, falling]), contrast)
    # From 1 to 3 half the way is 2, at 1; from 0 to 10 it is 5, on the line from 0 to 8 at 0.5 · 5/8.
    assert_allclose(found, [1.0, 0.5 * 5 / 8, np.nan, np.nan], rtol=1e-12)


def test_the_response_to_the_preferred_grating_at_any_contrast():
    """Of rectified filters it is their mean over phases, by a loop, and in proportion to contrast."""
    shown = make_gratings((16, 16), orientations=12, frequencies=(0.0625, 0.125, 0.25), phases=8)
    filters = shown.images.reshape(12, 3, 8, -1)[[3, 9], [1, 2], [2, 0]]
    rates = np.maximum(shown.images @ filters.T, 0)
    tuned = tuning(rates, shown)
    by_loop = [max(rates[i : i + 8, k].mean() for i in range(0, len(rates), 8)) for k in range(2)]
    assert_allclose(preferred_responses(rates, shown, tuned), by_loop, rtol=1e-6)
    fainter = np.maximum(0.25 * shown.images @ filters.T, 0)
    assert_allclose(preferred_responses(fainter, shown, tuned), np.array(by_loop) / 4, rtol=1e-6)

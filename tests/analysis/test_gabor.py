"""Gabor fits: planted elements come back, derivatives are those of finite differences, noise is not fitted."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ppl_pvae.analysis import gabor as module
from ppl_pvae.analysis.gabor import Gabors, fit_gabors, gabor

UNITS = 60


@pytest.fixture(scope="module")
def planted() -> Gabors:
    """Random Gabors well inside 16 × 16 pixels, with half a cycle or more under the envelope."""
    rng = np.random.default_rng(0)
    frequency = rng.uniform(0.1, 0.3, UNITS)
    return Gabors(
        x=rng.uniform(4, 11, UNITS),
        y=rng.uniform(4, 11, UNITS),
        orientation=rng.uniform(0, np.pi, UNITS),
        frequency=frequency,
        phase=rng.uniform(-np.pi, np.pi, UNITS),
        amplitude=rng.uniform(0.5, 5, UNITS),
        sigma_across=rng.uniform(0.28, 0.45, UNITS) / frequency,
        sigma_along=rng.uniform(1.3, 3, UNITS),
        r2=np.ones(UNITS),
    )


def apart(a, b, period):
    """Distance on a circle."""
    return np.abs((a - b + period / 2) % period - period / 2)


def compare(found: Gabors, planted: Gabors, tolerance: float):
    """Everything within the tolerance: pixels, radians, cycles per ten pixels, logarithms."""
    assert_allclose(np.stack([found.x, found.y]), np.stack([planted.x, planted.y]), atol=tolerance)
    around = apart(found.orientation, planted.orientation, np.pi)
    assert_allclose(around, 0, atol=tolerance)
    assert_allclose(10 * found.frequency, 10 * planted.frequency, atol=tolerance)
    for name in ("sigma_across", "sigma_along", "amplitude"):
        assert_allclose(np.log(getattr(found, name)), np.log(getattr(planted, name)), atol=tolerance, err_msg=name)
    # Across the end of the half circle of orientations the wave runs the other way.
    direction = np.mod(np.stack([found.orientation, planted.orientation]) + np.pi / 2, np.pi)
    same = np.abs(direction[0] - direction[1]) < 1
    assert_allclose(apart(found.phase, np.where(same, planted.phase, -planted.phase), 2 * np.pi), 0, atol=2 * tolerance)


def test_planted_gabors_come_back(planted):
    found = fit_gabors(gabor(planted, (16, 16)))
    compare(found, planted, 1e-5)
    assert_allclose(found.r2, 1, atol=1e-9)


def test_planted_gabors_come_back_from_noise(planted):
    pictures = gabor(planted, (16, 16))
    noise = 0.2 * pictures.std(axis=(1, 2), keepdims=True) * np.random.default_rng(1).normal(size=pictures.shape)
    found = fit_gabors((pictures + noise).astype(np.float32))
    compare(found, planted, 0.25)
    assert np.median(apart(found.orientation, planted.orientation, np.pi)) < 0.01
    assert_allclose(found.r2, 1 / 1.04, atol=0.02)  # what is not noise


def test_a_picture_by_hand():
    one = np.ones(1)
    vertical = Gabors(8 * one, 8 * one, np.pi / 2 * one, 0.25 * one, 0 * one, 2 * one, 2 * one, 3 * one, one)
    picture = gabor(vertical, (17, 17))[0]
    assert_allclose(picture[8, 8], 2)
    assert_allclose(picture[8, [6, 10]], -2 * np.exp(-0.5), rtol=1e-12)  # half a cycle along x, one deviation across
    assert_allclose(picture[[5, 11], 8], 2 * np.exp(-0.5), rtol=1e-12)  # along a vertical stripe
    found = fit_gabors(picture[np.newaxis])
    assert_allclose([found.orientation[0], found.frequency[0], found.phase[0]], [np.pi / 2, 0.25, 0], atol=1e-6)


def test_white_noise_is_no_gabor():
    r2 = fit_gabors(np.random.default_rng(2).normal(size=(30, 16, 16))).r2
    assert r2.max() < 0.2
    assert r2.min() > 0


def test_a_unit_without_weights_has_no_fit():
    found = fit_gabors(np.zeros((2, 8, 12)))
    assert np.isnan(found.r2).all()
    assert_allclose(found.amplitude, 0, atol=1e-12)


def test_derivatives_by_finite_differences(planted):
    rng = np.random.default_rng(3)
    waves = rng.normal(size=(4, UNITS))
    p = np.column_stack([planted.x, planted.y, np.log(planted.sigma_across), np.log(planted.sigma_along), *waves])
    rows, columns = (a.ravel().astype(float) for a in np.mgrid[:9, :12])
    _, slopes = module._model_and_slopes(p, columns, rows)
    for i, step in enumerate(1e-6 * np.eye(8)):
        by_difference = (module._model(p + step, columns, rows) - module._model(p - step, columns, rows)) / 2e-6
        assert_allclose(slopes[:, i], by_difference, atol=1e-7 * np.abs(by_difference).max(), rtol=1e-5)

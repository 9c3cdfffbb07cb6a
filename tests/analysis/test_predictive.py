"""Statistics of images and codes against scipy.stats, np.fft and loops; p-values that are uniform where they should."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import chisquare, kurtosis, skew

from ppl_pvae.analysis.predictive import (
    Check,
    band_power,
    code_checks,
    code_statistics,
    neighbour_correlation,
    pixel_checks,
    pixel_moments,
    pixel_statistics,
    unit_correlation,
)


@pytest.fixture
def images():
    return np.random.default_rng(0).gamma(0.7, 1.0, (30, 48)).astype(np.float32)


# --- pixels ---


def test_moments_of_pixels_are_those_of_scipy(images):
    x = images.astype(np.float64)
    expected = [x.var(axis=1).mean(), skew(x, axis=1).mean(), kurtosis(x, axis=1).mean()]
    assert_allclose(pixel_moments(images), expected, rtol=1e-10)
    # An image of one value, which float32 does not hold exactly, counts for the variance only.
    flat = np.concatenate([images, np.full((30, 48), 0.1, np.float32)])
    assert_allclose(pixel_moments(flat), [expected[0] / 2, *expected[1:]], rtol=1e-10)


def test_neighbours_by_a_loop(images):
    pairs = []
    for image in images.reshape(30, 6, 8).astype(np.float64):
        pairs += [(image[y, x], image[y, x + 1]) for y in range(6) for x in range(7)]
        pairs += [(image[y, x], image[y + 1, x]) for y in range(5) for x in range(8)]
    assert_allclose(neighbour_correlation(images, (6, 8)), np.corrcoef(np.transpose(pairs))[0, 1], rtol=1e-10)


def test_neighbours_of_ramps_and_of_a_chessboard():
    board = (-1.0) ** np.add.outer(np.arange(8), np.arange(8))
    assert_allclose(neighbour_correlation(board.reshape(1, 64), (8, 8)), -1)
    assert neighbour_correlation(np.arange(64.0).reshape(1, 64), (1, 64)) == pytest.approx(1)


def test_power_in_bands_by_a_loop_over_frequencies(images):
    x = images.reshape(30, 6, 8).astype(np.float64)
    power = (np.abs(np.fft.fft2(x)) ** 2).sum(axis=0)
    expected = np.zeros(3)
    for i, fy in enumerate(np.fft.fftfreq(6)):
        for j, fx in enumerate(np.fft.fftfreq(8)):
            if i or j:
                expected[min(int(6 * np.hypot(fy, fx) + 1e-9), 2)] += power[i, j]
    edges, share = band_power(images, (6, 8), bands=3)
    assert_allclose(share, expected / expected.sum(), rtol=1e-10)
    assert_allclose(edges, [0, 1 / 6, 1 / 3, np.inf])
    # Parseval: all of it is the variance.
    assert_allclose(expected.sum() / 48**2, 30 * pixel_moments(images)[0], rtol=1e-10)


def test_a_grating_has_its_power_in_one_band():
    y = np.arange(16)
    for cycles, band in ((1, 0), (2, 1), (5, 3), (8, 4)):
        grating = np.cos(2 * np.pi * cycles * y / 16)[:, np.newaxis] * np.ones(16)
        edges, share = band_power(grating.reshape(1, -1), (16, 16), bands=5)
        assert_allclose(share, np.eye(5)[band], atol=1e-12)
        assert edges[band] <= cycles / 16 < edges[band + 1]


def test_bands_that_hold_no_frequency_are_joined():
    """Of 3 × 3 pixels frequencies are 1/3 and √2/3: one band below .4 cycles per pixel, one above."""
    edges, share = band_power(np.random.default_rng(1).normal(size=(5, 9)), (3, 3), bands=5)
    assert_allclose(edges, [0, 0.4, np.inf])
    assert_allclose(share.sum(), 1)


def test_what_asks_for_a_shape_is_left_out_without_one(images):
    assert list(pixel_statistics(images)) == ["variance", "skewness", "excess kurtosis"]
    named = pixel_statistics(images, (6, 8), bands=2)
    assert list(named)[3:] == ["neighbour correlation", "power 0–0.25 c/px", "power above 0.25 c/px"]
    assert len(pixel_statistics(images[:, :1], (1, 1))) == 3
    assert len(pixel_statistics(images[:, :4], (2, 2), bands=1)) == 4  # all of the power is no statistic
    flat = pixel_statistics(np.full((4, 48), 0.1, np.float32), (6, 8))
    assert flat.pop("variance") == 0
    assert np.isnan(list(flat.values())).all()


# --- codes ---


def test_statistics_of_codes_by_hand():
    z = np.array([[0, 2, 0], [2, 0, 0], [0, 2, 0], [2, 4, 0]])
    found = code_statistics(z)
    assert_allclose(found["mean of a unit"], (1 + 2 + 0) / 3)
    assert_allclose(found["spread of unit means"], np.std([1, 2, 0]))
    assert_allclose(found["Fano factor"], (1 / 1 + 2 / 2) / 2)
    assert_allclose(found["share of zeros"], 7 / 12)
    assert_allclose(found["variance of the total"], np.var([2, 2, 2, 6]))
    assert_allclose(found["RMS correlation"], abs(np.corrcoef(z[:, :2].T)[0, 1]), atol=1e-12)


def test_the_correlation_of_units_is_numpys():
    z = np.random.default_rng(2).poisson(1.0, (50, 6))
    z[:, 3] += z[:, 1]
    correlation = np.corrcoef(z.T)[np.triu_indices(6, 1)]
    assert_allclose(unit_correlation(z), np.sqrt(np.mean(correlation**2)), rtol=1e-10)
    assert np.isnan(unit_correlation(np.column_stack([z[:, 0], np.ones(50)])))


def test_codes_of_both_signs_have_a_variance_and_no_fano_factor():
    z = np.random.default_rng(3).normal(0, 2, (500, 4))
    named = {check.name: check for check in code_checks(z, -z[np.newaxis])}
    assert not {"Fano factor", "share of zeros"} & set(named)
    assert_allclose(named["variance of a unit"].observed, z.var(axis=0).mean())
    assert {"Fano factor", "share of zeros"} < set(code_statistics(np.abs(z)))


def test_a_silent_code_is_no_accident():
    """No correlation and no Fano factor is defined, and nothing warns."""
    silent = np.zeros((10, 3))
    for check in code_checks(silent, np.zeros((5, 10, 3))):
        assert check.p_value == 1 or np.isnan(check.p_value)


# --- p-values ---


def test_p_values_by_hand():
    replicated = np.array([1.0, 2.0, 3.0, 4.0])
    for observed, p_value in ((0.0, 0.4), (1.5, 0.8), (2.5, 1.0), (2.0, 1.0), (9.0, 0.4), (4.0, 0.8)):
        assert_allclose(Check("mean", observed, replicated).p_value, p_value)
    check = Check("mean", 0.0, np.array([1.0, np.nan, 3.0]))
    assert_allclose((check.mean, check.deviation, check.p_value), (2, np.sqrt(2), 2 / 3))
    assert np.isnan(Check("mean", np.nan, replicated).p_value)
    empty = Check("mean", 0.0, np.full(3, np.nan))
    assert np.isnan([empty.mean, empty.deviation, empty.p_value]).all()


def test_p_values_are_uniform_when_the_data_are_one_more_replicate():
    """200 data sets of images and of codes among 9 of theirs: multiples of .2, each as often, p above .001."""
    rng = np.random.default_rng(4)
    found: dict[str, list[float]] = {}
    for _ in range(200):
        x, z = rng.normal(size=(10, 8, 16)), rng.poisson(0.8, (10, 30, 5))
        for check in (*pixel_checks(x[0], x[1:], (4, 4), bands=3), *code_checks(z[0], z[1:])):
            found.setdefault(check.name, []).append(check.p_value)
    assert len(found) == 12
    for name, p_values in found.items():
        level = np.round(5 * np.array(p_values)).astype(int)
        if name not in ("share of zeros", "mean of a unit"):  # ties make these larger, never smaller
            assert chisquare(np.bincount(level, minlength=6)[1:]).pvalue > 1e-3, name
        assert np.mean(level <= 1) < 0.2 + 4 * np.sqrt(0.16 / 200), name


def test_what_the_model_cannot_make_is_found():
    """Heavy tails beside Gaussian pixels, counts that vary with the image beside Poisson ones: p at its least."""
    rng = np.random.default_rng(5)
    pixels = pixel_checks(rng.standard_t(4, (300, 16)), rng.normal(0, np.sqrt(2), (39, 300, 16)), (4, 4))
    found = {check.name: check.p_value for check in pixels}
    assert found["excess kurtosis"] == 2 / 40
    assert found["neighbour correlation"] > 2 / 40
    codes = code_checks(rng.poisson(rng.gamma(1, 1, (300, 8))), rng.poisson(1.0, (39, 300, 8)))
    found = {check.name: check.p_value for check in codes}
    assert found["Fano factor"] == found["share of zeros"] == 2 / 40

"""Preprocessing against closed forms: the filter on mirrored images, its spectrum, what normalisation undoes."""

import numpy as np
from numpy.testing import assert_allclose
from scipy.optimize import minimize_scalar

from ppl_pvae.data import preprocessing


def test_gain_has_its_peak_where_calculus_puts_it():
    # d/df log(f exp(-(f/f0)^n)) = 0 at f = f0 n^(-1/n)
    peak = minimize_scalar(
        lambda f: -preprocessing.filter_gain(np.array([f]))[0], bounds=(0.01, 0.5), method="bounded"
    ).x
    assert_allclose(peak, 0.4 * 4 ** (-1 / 4), rtol=1e-4)
    assert_allclose(preprocessing.filter_gain(np.array([0.0, 0.4, -0.4])), [0, 0.4 / np.e, 0.4 / np.e])


def test_filter_is_the_fourier_filter_of_the_mirrored_image():
    image = np.random.default_rng(0).standard_normal((20, 31)).astype(np.float32)
    mirrored = np.block([[image, image[:, ::-1]], [image[::-1], image[::-1, ::-1]]])
    f = np.hypot(np.fft.fftfreq(40)[:, None], np.fft.fftfreq(62))
    expected = np.fft.ifft2(np.fft.fft2(mirrored) * f * np.exp(-((f / 0.4) ** 4))).real[:20, :31]
    assert_allclose(preprocessing.apply_filter(image), expected, atol=1e-5)


def test_filtered_noise_has_the_spectrum_of_the_filter():
    # White noise of variance 1 has power 1 at every frequency, so its filtered spectrum is the squared gain (16
    # images of 128 x 128: each bin averages over more than 600 independent powers, relative error below 1/25).
    rng = np.random.default_rng(1)
    noise = rng.standard_normal((16, 128, 128)).astype(np.float32)
    spectra = [[preprocessing.radial_spectrum(i)[1] for i in (n, preprocessing.apply_filter(n))] for n in noise]
    before, after = np.mean(spectra, axis=0)
    frequency = preprocessing.radial_spectrum(noise[0])[0]
    inner = slice(3, -1)
    assert_allclose(before[inner], 1, rtol=0.15)
    assert_allclose((after / before)[inner], preprocessing.filter_gain(frequency[inner]) ** 2, rtol=0.1)


def test_contrast_and_brightness_of_a_photograph_leave_no_trace(photograph):
    # A gain on intensity + 1 is a shift of the logarithm and a power of it a factor: both are normalised away.
    grey = photograph(2)
    _, plain = preprocessing.whiten(grey)
    _, changed = preprocessing.whiten(3 * (1 + grey) ** 0.5 - 1)
    assert_allclose(changed, plain, atol=2e-4)


def test_log_intensity_has_no_mean_and_the_border_is_cut(photograph):
    grey = photograph(3, (60, 70))
    log_intensity, pixels = preprocessing.whiten(grey)
    expected = np.log(1 + grey)
    assert_allclose(log_intensity, expected - expected.mean(), atol=1e-5)
    assert pixels.shape == (44, 54)
    assert pixels.dtype == np.float32


def test_luminance_of_grey_is_grey():
    grey = np.random.default_rng(4).uniform(0, 255, (5, 6))
    assert_allclose(preprocessing.luminance(np.stack([grey] * 3, axis=2)), grey)

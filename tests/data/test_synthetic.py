"""Synthetic data against the model that made them."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

import ppl_pvae.data as data
from ppl_pvae.data.synthetic import gabor_dictionary


def test_the_seed_decides_everything():
    one, same, other = (data.load("synthetic", patch_size=8, seed=seed) for seed in (0, 0, 1))
    assert_array_equal(one.train, same.train)
    assert not np.array_equal(one.truth["dictionary"], other.truth["dictionary"])


def test_regression_on_the_kept_code_gives_the_dictionary_back():
    # Residual of x on z is the noise: variance ½ on 2,500... pixels. Tolerances are six standard errors.
    dataset = data.load("synthetic")
    code, dictionary = dataset.truth["code"].astype(np.float64), dataset.truth["dictionary"]
    assert code.shape == (len(dataset.test), len(dictionary))
    fitted, *_ = np.linalg.lstsq(code, dataset.test.astype(np.float64))
    error = np.sqrt(0.5 * np.diag(np.linalg.inv(code.T @ code)))
    assert np.abs((fitted - dictionary) / error[:, None]).max() < 6
    residual = dataset.test - code @ dictionary
    assert_allclose(residual.var(), 0.5, rtol=6 * np.sqrt(2 / residual.size))


def test_codes_are_poisson_with_the_kept_rates():
    dataset = data.load("synthetic")
    code, rate = dataset.truth["code"], dataset.truth["rate"]
    assert_array_equal(code, np.round(code))
    z_scores = (code.mean(0) - rate) / np.sqrt(rate / len(code))
    assert np.abs(z_scores).max() < 4.5
    # Var of (z - r)² for a Poisson z is 2r² + r.
    spread = ((code - rate) ** 2).mean(0)
    assert np.abs((spread - rate) / np.sqrt((2 * rate**2 + rate) / len(code))).max() < 4.5


def test_energy_of_an_image_is_what_the_model_says():
    # E|x|² = Σ r_k|Φ_k|² + |rΦ|² + D/2
    dataset = data.load("synthetic")
    dictionary, rate = dataset.truth["dictionary"], dataset.truth["rate"]
    expected = rate @ (dictionary**2).sum(1) + ((rate @ dictionary) ** 2).sum() + 128
    energy = (dataset.train.astype(np.float64) ** 2).sum(1)
    assert_allclose(energy.mean(), expected, atol=5 * energy.std() / np.sqrt(len(energy)))


def test_dictionary_has_unit_norm_no_mean_and_distinct_elements():
    dictionary = gabor_dictionary(np.random.default_rng(0), 64, 16)
    assert_allclose((dictionary**2).sum(1), 1)
    assert_allclose(dictionary.mean(1), 0, atol=1e-12)
    alike = np.abs(dictionary @ dictionary.T - np.eye(64))
    assert alike.max() < 0.5

"""Planted spike counts against the model that made them, and against methods that know nothing of this package."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import linear_sum_assignment
from scipy.special import expit
from scipy.stats import poisson
from sklearn.decomposition import FastICA

import ppl_pvae.data as data
from ppl_pvae.data.dataset import SPLITS
from ppl_pvae.data.synthetic_counts import GROUP, LOADINGS, softplus


def test_the_seed_decides_everything():
    one, same, other = (data.load("synthetic-counts", seed=seed) for seed in (0, 0, 1))
    assert_array_equal(one.train, same.train)
    assert not np.array_equal(one.truth["dictionary"], other.truth["dictionary"])


def test_counts_of_neurons_that_are_no_picture():
    dataset = data.load("synthetic-counts")
    assert dataset.shape is None
    assert dataset.info["counts"] is True
    for split, images in zip(SPLITS, (17_500, 2_500, 5_000), strict=True):
        x = getattr(dataset, split)
        assert x.shape == (images, 100)
        assert x.dtype == np.float32
        assert x.min() == 0
        assert_array_equal(x, np.round(x))


def test_every_latent_drives_a_group_and_groups_overlap():
    dictionary = data.load("synthetic-counts").truth["dictionary"]
    driven = dictionary > 0
    assert_array_equal(driven.sum(axis=1), np.full(16, GROUP))
    assert dictionary[driven].min() >= LOADINGS[0]
    assert dictionary[driven].max() <= LOADINGS[1]
    assert_array_equal(dictionary[~driven], 0)
    assert (driven.sum(axis=0) > 1).sum() > 20
    assert np.max(np.corrcoef(dictionary) - np.eye(16)) < 0.5


def test_maximum_likelihood_on_the_kept_code_gives_loadings_and_bias_back():
    # Poisson regression with a softplus link, by Fisher scoring from a start that knows nothing; the likelihood is
    # concave. With μ = softplus(v) and its slope σ the score is Σ (x/μ − 1)σ z and the information Σ (σ²/μ) z zᵀ, whose
    # inverse holds the squared errors. Tolerance six of them.
    dataset = data.load("synthetic-counts")
    x = dataset.test.astype(np.float64)
    z = np.column_stack([dataset.truth["code"], np.ones(len(x))]).astype(np.float64)
    truth = np.vstack([dataset.truth["dictionary"], dataset.truth["bias"]])
    products = (z[:, :, None] * z[:, None, :]).reshape(len(z), -1)
    fitted = np.vstack([np.ones((16, 100)), np.full((1, 100), -1.0)])
    for _ in range(12):
        mean, slope = softplus(z @ fitted), expit(z @ fitted)
        information = ((slope**2 / mean).T @ products).reshape(100, 17, 17)
        score = ((x / mean - 1) * slope).T @ z
        step = np.linalg.solve(information, score[:, :, None])[:, :, 0].T
        fitted += np.clip(step, -2, 2)
    assert np.abs(step).max() < 1e-6
    error = np.sqrt(np.diagonal(np.linalg.inv(information), axis1=1, axis2=2)).T
    assert np.abs((fitted - truth) / error).max() < 6
    assert error.max() < 0.4


def test_spikes_given_the_events_are_poisson():
    # With μ = softplus(zΦ + b): mean of x − μ is 0 with variance Σμ/n², and Pearson's (x − μ)²/μ has mean 1 and
    # variance 2 + 1/μ. Tolerance five standard errors over 100 neurons.
    dataset = data.load("synthetic-counts")
    truth = dataset.truth
    mean = softplus(truth["code"] @ truth["dictionary"] + truth["bias"]).astype(np.float64)
    n = len(mean)
    assert np.abs((dataset.test - mean).mean(0) / np.sqrt(mean.sum(0) / n**2)).max() < 5
    pearson = ((dataset.test - mean) ** 2 / mean).mean(0)
    assert np.abs((pearson - 1) / np.sqrt((2 + 1 / mean).mean(0) / n)).max() < 5


def test_mean_and_variance_of_every_neuron_are_the_exact_sums():
    # Over all codes of the latents that drive a neuron, up to 4 events of each: E x = Σ_z p(z) μ(z), and by the law of
    # total variance Var x = E μ + Var μ. On training samples, whose codes are not kept.
    dataset = data.load("synthetic-counts")
    truth = {key: value.astype(np.float64) for key, value in dataset.truth.items()}
    x = dataset.train.astype(np.float64)
    for neuron, column in enumerate(truth["dictionary"].T):
        by = np.flatnonzero(column)
        codes = np.array(list(itertools.product(range(5), repeat=len(by)))).reshape(5 ** len(by), len(by))
        p = poisson.pmf(codes, truth["rate"][by]).prod(axis=1)
        assert p.sum() > 1 - 1e-4
        mean = softplus(codes @ column[by] + truth["bias"][neuron])
        expected = p @ mean
        variance = expected + p @ mean**2 - expected**2
        values = x[:, neuron]
        assert abs(values.mean() - expected) < 5 * np.sqrt(variance / len(x))
        spread = ((values - expected) ** 2).std() / np.sqrt(len(x))
        assert abs(((values - expected) ** 2).mean() - variance) < 5 * spread + 1e-2 * variance


@pytest.mark.parametrize("seed", [0, 1])
def test_loadings_can_be_found_from_the_counts_alone(seed):
    # Independent component analysis of 4,000 samples, with as many components as there are latents: every planted
    # element has one that is like it, up to its scale.
    dataset = data.load("synthetic-counts", seed=seed)
    ica = FastICA(16, whiten="unit-variance", max_iter=500, tol=1e-3, random_state=0)
    found = ica.fit(dataset.train[:4000].astype(np.float64)).mixing_.T
    alike = np.abs(np.corrcoef(dataset.truth["dictionary"], found)[:16, 16:])
    assert alike[linear_sum_assignment(-alike)].min() > 0.9


def test_softplus_is_the_logarithm_of_one_plus_exp():
    v = np.array([-800.0, -2.0, 0.0, 3.0, 800.0])
    assert_allclose(softplus(v), [0.0, np.log1p(np.exp(-2)), np.log(2), np.log1p(np.exp(3)), 800.0])

"""k̂ against ArviZ and a known tail; paired differences against a hand-made table."""

import numpy as np
import pytest
from arviz_stats.base.array import array_stats
from numpy.testing import assert_allclose

from ppl_pvae.analysis.evidence import paired_difference, pareto_k


def test_pareto_k_is_that_of_arviz():
    log_weights = np.random.default_rng(0).normal(0, 2, (7, 500)).astype(np.float32)
    # Weights 1/likelihood are those of leave-one-out, for which ArviZ has its k̂.
    _, expected = array_stats.psislw(-log_weights.astype(np.float64), axis=-1)
    assert_allclose(pareto_k(log_weights), expected)
    assert (pareto_k(log_weights) > 0).all()  # heavy to the right


def test_weights_of_a_saturated_code_have_a_large_k_and_no_warning():
    for apart in (100, 500, 10_000):  # in double precision, at its end, and beyond
        assert (pareto_k(np.random.default_rng(0).normal(0, apart, (60, 200)).astype(np.float32)) > 10).all()


@pytest.mark.parametrize("shape", [0.2, 0.5, 1.0])
def test_pareto_k_finds_the_tail_it_is_given(shape):
    # w = U^(-shape) has a Pareto tail of that shape. 40 images of 4,000 weights: s.e. of the mean about 0.02
    log_weights = -shape * np.log(np.random.default_rng(1).uniform(size=(40, 4000)))
    assert abs(pareto_k(log_weights).mean() - shape) < 0.08


def test_weights_that_are_all_one_have_no_tail():
    assert np.isnan(pareto_k(np.zeros((3, 100)))).all()


def test_a_tail_of_equal_weights_has_no_shape():
    log_weights = np.repeat([[0.0, 1.0, 2.0]], 100, axis=0).reshape(1, -1)  # three codes, drawn again and again
    assert np.isnan(pareto_k(log_weights)).all()


def test_difference_by_hand():
    # Two photographs, differences 1, 3 and 5: mean 3; sums about it −2 and 2; √(2 · (4 + 4)) / 3
    first, second = np.array([2.0, 4.0, 9.0]), np.array([1.0, 1.0, 4.0])
    told = paired_difference(first, second, np.array([0, 0, 1]))
    assert told.interval.estimate == 3
    assert_allclose(told.standard_error, np.sqrt(2 * (2**2 + 2**2)) / 3)
    assert told.images == 3


def test_standard_error_is_the_spread_of_the_mean_over_new_photographs():
    rng = np.random.default_rng(2)
    estimates, errors = [], []
    for _ in range(400):
        level = np.repeat(rng.normal(0, 1, 12), 30)  # photographs differ, 30 images of each alike
        told = paired_difference(level + rng.normal(0, 1, 360), np.zeros(360), np.repeat(np.arange(12), 30))
        estimates.append(told.interval.estimate)
        errors.append(told.standard_error)
    assert_allclose(np.sqrt(np.mean(np.square(errors))), np.std(estimates), rtol=0.1)


def test_one_photograph_has_no_error():
    told = paired_difference(np.arange(4.0), np.zeros(4), np.zeros(4))
    assert np.isnan(told.standard_error)
    assert np.isnan(told.interval.low)

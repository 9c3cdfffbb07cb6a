"""Information of Gaussian and rectified units against SciPy's adaptive quadrature and a limit in closed form."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import quad
from scipy.stats import norm

from ppl_pvae.analysis.value_information import gaussian_information, rectified_information

LOC = np.array([[-1.5], [0.2], [2.5]])
SCALE = np.array([[0.4], [1.0], [0.25]])


def divergence_from_the_mixture(low: float) -> float:
    """mean_x ∫ q log(q / mixture) above `low`, by adaptive quadrature."""

    def integrand(z, m, s):
        q = norm.pdf(z, m, s)
        return q * np.log(q / norm.pdf(z, LOC, SCALE).mean()) if q > 0 else 0.0

    parts = [
        quad(integrand, max(low, m - 9 * s), m + 9 * s, args=(m, s), epsabs=1e-12, limit=300)[0]
        for m, s in zip(LOC[:, 0], SCALE[:, 0], strict=True)
        if m + 9 * s > low
    ]
    return float(np.sum(parts)) / len(LOC)


def test_a_gaussian_unit():
    assert_allclose(gaussian_information(LOC, SCALE), divergence_from_the_mixture(-np.inf), atol=1e-9)


def test_a_rectified_unit_has_an_atom_and_a_density():
    silent = norm.cdf(0, LOC, SCALE)
    atom = np.mean(silent * np.log(silent / silent.mean()))
    assert_allclose(rectified_information(LOC, SCALE), atom + divergence_from_the_mixture(0.0), atol=1e-9)


def test_rectifying_loses_information_and_far_from_zero_none():
    rng = np.random.default_rng(0)
    loc, scale = rng.normal(0, 1, (60, 3)), rng.uniform(0.3, 0.8, (60, 3))
    assert (rectified_information(loc, scale) < gaussian_information(loc, scale)).all()
    assert_allclose(rectified_information(loc + 30, scale), gaussian_information(loc, scale), atol=1e-9)


@pytest.mark.parametrize("information", [gaussian_information, rectified_information])
def test_limits(information):
    one = np.full((5, 1), 3.0)
    assert_allclose(information(one, one / 10), 0, atol=1e-9)  # all images alike
    apart = np.array([[10.0], [50.0]])
    assert_allclose(information(apart, np.ones((2, 1))), np.log(2), rtol=1e-9)
    assert_allclose(rectified_information(-apart, np.ones((2, 1))), 0, atol=1e-12)  # never above zero
    assert np.isnan(information(apart, np.array([[1e-4], [1.0]])))  # more nodes than it will take

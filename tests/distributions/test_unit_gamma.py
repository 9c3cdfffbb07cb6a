"""Gamma variables of mean 1 against scipy's, and their derivative against that of the exact distribution function."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats
from jax import lax, random
from numpy.testing import assert_allclose, assert_array_equal

from ppl_pvae.distributions import log_unit_gamma
from ppl_pvae.distributions.unit_gamma import _draw, _log_acceptance, _transport_less_one

DRAWS = 50_000
CONCENTRATIONS = [0.01, 0.1, 0.7, 3.9, 4.0, 10.0, 1e3, 1e4, 1e6]


@pytest.fixture(scope="module")
def drawn():
    """log g and its derivative in φ, float64, by concentration; other draws for each."""
    phi = jnp.repeat(jnp.asarray(CONCENTRATIONS), DRAWS).reshape(-1, DRAWS)
    found = [np.asarray(each, np.float64) for each in _draw(random.key(0), phi)]
    return dict(zip(CONCENTRATIONS, zip(*found, strict=True), strict=True))


def standard_errors(values, mean):
    return abs(values.mean() - mean) / (values.std() / np.sqrt(len(values)))


@pytest.mark.parametrize("phi", CONCENTRATIONS)
def test_draws_follow_the_gamma_law(phi, drawn):
    """Kolmogorov and Smirnov, p > 1e-4; at φ = 0.01 too, where most g are 0 in float32 and their logarithms are not."""
    log_g = drawn[phi][0]
    assert np.isfinite(log_g).all()
    # P(log g ≤ y) = P(φ, φeʸ), and for tiny x the leading term of the series, xᵠ/Γ(φ + 1)
    tail = phi * (log_g + np.log(phi)) - scipy.special.gammaln(phi + 1)
    cumulative = np.where(log_g < -50, np.exp(np.minimum(tail, 0)), scipy.special.gammainc(phi, phi * np.exp(log_g)))
    assert scipy.stats.kstest(cumulative, "uniform").pvalue > 1e-4


@pytest.mark.parametrize("phi", CONCENTRATIONS)
def test_the_derivative_moves_the_moments_as_the_concentration_does(phi, drawn):
    """E log g = ψ(φ) − log φ, E g = 1 and E g² = 1 + 1/φ, and their derivatives: within 4.5 standard errors."""
    log_g, slope = drawn[phi]
    g = np.exp(log_g)
    assert standard_errors(slope, scipy.special.polygamma(1, phi) - 1 / phi) < 4.5
    assert standard_errors(slope * g, 0) < 4.5
    assert standard_errors(2 * slope * g**2, -1 / phi**2) < 4.5
    assert standard_errors(g, 1) < 4.5
    assert standard_errors((g - 1) ** 2, 1 / phi) < 4.5


@pytest.mark.parametrize("shape", [4.0, 5.5, 8.0, 30.0, 1e3])
def test_the_derivative_is_that_of_the_distribution_function(shape):
    """d log Y/d log a = −a ∂F/∂a/(Y f) by central differences in float64: 3e-5, and 1e-3 of it in the lowest tail."""
    quantile = np.append(1e-5, np.linspace(1e-3, 1 - 1e-5, 300))
    x, step = scipy.stats.gamma(shape).ppf(quantile), 1e-4 * shape
    ahead, behind = (scipy.special.gammainc(shape + side * step, x) for side in (1, -1))
    exact = -shape * (ahead - behind) / (2 * step) / (x * scipy.stats.gamma(shape).pdf(x))
    y = jnp.asarray(np.log(x / shape), jnp.float32)
    found = _transport_less_one(y, jnp.float32(shape))
    assert_allclose(found[1:], exact[1:] - 1, atol=3e-5)
    assert_allclose(found[0], exact[0] - 1, rtol=1e-3)


def test_the_derivative_is_jaxs():
    """JAX's own implicit derivative of a gamma variable, where it is not raised: 1e-4 of the larger numbers."""
    phi = jnp.full(500, 6.5)
    log_g, slope = _draw(random.key(1), phi)
    # g = Y/φ: d log g/dφ = (dY/dφ)/Y − 1/φ
    y = phi * jnp.exp(log_g)
    assert_allclose(slope, lax.random_gamma_grad(phi, y) / y - 1 / phi, rtol=2e-3, atol=1e-4 / 6.5)


def test_the_acceptance_keeps_its_digits():
    """log(1 + s) − s + s²/2 − s³/3 in float32 against float64: relative 2e-4, where it is not −s⁴/4 to rounding."""
    step = np.float32([-0.9, -0.4, -0.26, -0.24, -0.1, 0.1, 0.24, 0.26, 0.5, 1.5])
    exact = np.float64(step)
    assert_allclose(_log_acceptance(jnp.asarray(step)), np.log1p(exact) - exact + exact**2 / 2 - exact**3 / 3, 2e-4)
    small = np.float32([-1e-3, 1e-3])
    assert_allclose(_log_acceptance(jnp.asarray(small)), -(np.float64(small) ** 4) / 4, rtol=2e-3)


def test_the_derivative_passes_through_jax():
    """In value and gradient, at low and high φ; the key has none."""
    phi = jnp.array([0.3, 20.0])
    value, pull = jax.vjp(lambda phi: log_unit_gamma(random.key(2), phi), phi)
    expected = _draw(random.key(2), phi)
    assert_array_equal(value, expected[0])
    assert_array_equal(pull(jnp.ones(2))[0], expected[1])


def test_what_is_no_concentration_gives_no_number():
    phi = jnp.array([0.0, -1.0, jnp.inf, jnp.nan, 2.0])
    assert_array_equal(np.isnan(log_unit_gamma(random.key(3), phi)), [True, True, True, True, False])

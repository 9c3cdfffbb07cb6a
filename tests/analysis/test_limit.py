"""Limits of dense codes against the problems that they solve, minimised by descent, Poisson sums, and likelihoods."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from scipy.stats import multivariate_normal

from ppl_pvae.analysis import linear_gaussian_limit, many_spikes_limit

RNG = np.random.default_rng(0)
SCALES = np.array([2.0, 1.3, 0.9, 0.4, 0.1])
X = RNG.normal(size=(4000, 5)) * SCALES @ np.linalg.qr(RNG.normal(size=(5, 5)))[0] + [3, 0, 0, 1, 0]
UNSEEN = RNG.normal(size=(3000, 5)) * SCALES[::-1] + [2, 0, 0, 1, 1]


def channel(flat, x, units, beta):
    """Mean over x of ‖x − b − ΦWx‖² + ‖Φ‖² + β/2 ‖Wx‖²: noise of variance 1 in each unit, KL u²/2."""
    decoder, encoder = jnp.reshape(flat[: 10 * units], (2, units, 5))
    offset = flat[10 * units :]
    centred = x - X.mean(axis=0)
    u = centred @ encoder.T
    residual = centred - offset - u @ decoder
    return jnp.mean((residual**2).sum(1)) + jnp.sum(decoder**2) + beta / 2 * jnp.mean((u**2).sum(1))


def descend(units, beta):
    """The least that descent finds from three starts, and where."""
    loss = jax.jit(jax.value_and_grad(lambda flat: channel(flat, X, units, beta)))
    starts = [0.5 * RNG.normal(size=10 * units + 5) for _ in range(3)]
    with jax.enable_x64(True):
        found = [minimize(lambda v: [np.asarray(o, float) for o in loss(v)], v, jac=True, method="L-BFGS-B",
                          options={"maxiter": 4000, "ftol": 1e-14, "gtol": 1e-9}) for v in starts]  # fmt: skip
    best = min(found, key=lambda each: each.fun)
    return best.fun, best.x


@pytest.mark.parametrize("units", [2, 5, 8])
@pytest.mark.parametrize("beta", [0.05, 1.0, 3.0])
def test_descent_on_the_gaussian_channel_ends_there(units, beta):
    least, _ = descend(units, beta)
    limit = many_spikes_limit(X, X, directions=units, beta=beta)
    assert_allclose(limit.free_energy, least, rtol=1e-6)
    assert_allclose(limit.free_energy, limit.distortion + beta * limit.coding_rate, rtol=1e-12)


def test_images_that_were_not_seen_have_the_channel_of_those_that_were():
    _, where = descend(3, 0.7)
    with jax.enable_x64(True):
        unseen = float(channel(where, UNSEEN, 3, 0.7))
    limit = many_spikes_limit(X, UNSEEN, directions=3, beta=0.7)
    assert_allclose(limit.free_energy, unseen, rtol=1e-5)


def test_poisson_codes_of_rising_rates_come_to_it():
    """One unit, one pixel, the mean and KL of counts in full, β = 0.5: the free energy falls towards the limit."""
    x, beta = 1.5 * RNG.normal(size=(20_000, 1)), 0.5
    limit = many_spikes_limit(x, x, directions=1, beta=beta).free_energy

    def poisson(v, rate):
        """λ = r exp(wx + c), decoder φz + b."""
        w, c, decode, offset = v
        d = w * x + c
        mean = rate * np.exp(d)
        kl = rate * (d * np.exp(d) - np.expm1(d))
        return np.mean((x - decode * mean - offset) ** 2 + decode**2 * mean + beta * kl)

    rates, found = [100.0, 1000.0, 10_000.0], []
    for rate in rates:
        start = np.array([0.7 / np.sqrt(rate), 0, 1 / np.sqrt(rate), -np.sqrt(rate)])
        found.append(minimize(poisson, start, args=(rate,), method="Nelder-Mead",
                              options={"maxiter": 4000, "xatol": 1e-10, "fatol": 1e-10}).fun)  # fmt: skip
    off = np.abs(np.array(found) - limit)
    assert_allclose(found[-1], limit, rtol=1e-3)
    assert off[2] < off[1] < off[0]


def test_with_a_high_price_nothing_is_sent():
    limit = many_spikes_limit(X, X, directions=5, beta=20.0)
    assert limit.directions == 0
    assert limit.coding_rate == 0
    assert_allclose(limit.free_energy, X.var(axis=0).sum())


def test_free_nats_leave_only_what_units_cannot_span():
    limit = many_spikes_limit(X, X, directions=2, beta=0.0)
    assert_allclose(limit.free_energy, np.sort(np.linalg.eigvalsh(np.cov(X.T, bias=True)))[:3].sum(), rtol=1e-9)
    assert limit.coding_rate == np.inf


@pytest.mark.parametrize("limit", [many_spikes_limit, linear_gaussian_limit])
@pytest.mark.parametrize(("directions", "beta"), [(-1, 1.0), (3, -0.1), (3, np.inf), (3, np.nan)])
def test_what_cannot_be_is_told(limit, directions, beta):
    with pytest.raises(ValueError, match=r"directions|beta"):
        limit(X, X, directions=directions, beta=beta)


def vae(flat, x, units, beta):
    """Mean over x of a linear Gaussian VAE: E‖x − b − Φz‖² + β KL(N(Wx, σ²)‖N(0, 1)), σ² one per unit."""
    decoder, encoder = jnp.reshape(flat[: 10 * units], (2, units, 5))
    offset, log_variance = flat[10 * units : 10 * units + 5], flat[10 * units + 5 :]
    centred = x - X.mean(axis=0)
    u, variance = centred @ encoder.T, jnp.exp(log_variance)
    residual = centred - offset - u @ decoder
    nats = 0.5 * (jnp.mean((u**2).sum(1)) + jnp.sum(variance - 1 - log_variance))
    return jnp.mean((residual**2).sum(1)) + jnp.sum(variance[:, None] * decoder**2) + beta * nats


@pytest.mark.parametrize(("units", "beta"), [(2, 0.5), (5, 0.05), (7, 1.5)])
def test_descent_on_a_linear_gaussian_vae_ends_there(units, beta):
    loss = jax.jit(jax.value_and_grad(lambda flat: vae(flat, X, units, beta)))
    starts = [np.r_[0.5 * RNG.normal(size=10 * units), np.zeros(5 + units)] for _ in range(3)]
    with jax.enable_x64(True):
        found = [minimize(lambda v: [np.asarray(o, float) for o in loss(v)], v, jac=True, method="L-BFGS-B",
                          options={"maxiter": 4000, "ftol": 1e-14, "gtol": 1e-9}) for v in starts]  # fmt: skip
        best = min(found, key=lambda each: each.fun)
        unseen = float(vae(best.x, UNSEEN, units, beta))
    limit = linear_gaussian_limit(X, X, directions=units, beta=beta)
    assert_allclose(limit.free_energy, best.fun, rtol=1e-6)
    assert_allclose(limit.free_energy, limit.distortion + beta * limit.coding_rate, rtol=1e-12)
    assert_allclose(linear_gaussian_limit(X, UNSEEN, directions=units, beta=beta).free_energy, unseen, rtol=1e-4)


def test_it_is_the_likelihood_of_a_gaussian_with_that_noise():
    """F = β(−log p(x) − D/2 log πβ) with as many directions as are worth it: SciPy's density of N(mean, ΦᵀΦ + β/2)."""
    beta = 0.8
    variance, direction = np.linalg.eigh(np.cov(X.T, bias=True))
    covariance = (direction * np.maximum(variance, beta / 2)) @ direction.T
    nats = -multivariate_normal(X.mean(0), covariance).logpdf(X).mean()
    limit = linear_gaussian_limit(X, X, directions=5, beta=beta)
    assert_allclose(limit.free_energy, beta * (nats - 2.5 * np.log(np.pi * beta)), rtol=1e-9)


def test_noise_that_is_chosen_is_never_worse():
    for beta in (0.05, 0.5, 2.0, 5.0):
        chosen, fixed = (f(X, X, directions=4, beta=beta) for f in (linear_gaussian_limit, many_spikes_limit))
        assert chosen.free_energy < fixed.free_energy
        assert chosen.directions == fixed.directions
    nothing = [f(X, X, directions=4, beta=50.0).free_energy for f in (linear_gaussian_limit, many_spikes_limit)]
    assert nothing[0] == nothing[1]

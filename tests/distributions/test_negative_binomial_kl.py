"""The KL of negative binomial counts against exact sums, and against its textbook form in sixty digits."""

from decimal import Decimal, localcontext

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from numpy.testing import assert_allclose
from numpyro.distributions import kl_divergence

from ppl_pvae.distributions import NegativeBinomial, Poisson, has_closed_form, negative_binomial_kl, poisson_kl, unit_kl


def kl_by_counting(rate, prior_rate, phi):
    """Σ_n q(n) [log q(n) − log p(n)] in float64."""
    q, p = (scipy.stats.nbinom(phi, phi / (phi + mean)) for mean in (rate, prior_rate))
    n = np.arange(int(q.isf(1e-15)) + 20)
    return np.sum(q.pmf(n) * (q.logpmf(n) - p.logpmf(n)))


def in_sixty_digits(log_rate, log_prior_rate, concentration):
    """λ log(λ/r) − (λ + φ) log((φ + λ)/(φ + r)) and its derivatives in log λ, log r and φ, as in textbooks."""
    with localcontext() as context:
        context.prec = 60
        log_l, log_r, phi = (Decimal(float(each)) for each in (log_rate, log_prior_rate, concentration))
        rate, prior_rate = log_l.exp(), log_r.exp()
        log_ratio = ((phi + rate) / (phi + prior_rate)).ln()
        return [
            float(each)
            for each in (
                rate * (log_l - log_r) - (rate + phi) * log_ratio,
                rate * (log_l - log_r - log_ratio),
                (prior_rate - rate) * phi / (phi + prior_rate),
                (rate - prior_rate) / (phi + prior_rate) - log_ratio,
            )
        ]


@pytest.mark.parametrize("phi", [0.05, 1.0, 20.0, 1e4])
def test_it_is_the_sum_over_counts(phi):
    """Relative 2e-5 in float32; the sum is good to 1e-12 absolute."""
    rates, prior_rates = np.array([1e-3, 0.3, 2.0, 30.0]), np.array([1e-2, 1.0, 50.0])
    expected = [[kl_by_counting(rate, prior_rate, phi) for prior_rate in prior_rates] for rate in rates]
    q, p = NegativeBinomial(jnp.asarray(rates)[:, None], phi), NegativeBinomial(jnp.asarray(prior_rates), phi)
    assert_allclose(kl_divergence(q, p), expected, rtol=2e-5, atol=1e-11)


def test_it_and_its_derivatives_keep_their_digits():
    """Rates from e⁻¹² to 200, |log λ/r| from 1e-6 to 12, φ from 10⁻³ to 10⁷: relative error 3e-6 in float32."""
    rng = np.random.default_rng(0)
    log_prior_rate = rng.uniform(-12, 5.3, 1500).astype(np.float32)
    d = np.exp(rng.uniform(np.log(1e-6), np.log(12), 1500)) * rng.choice([-1, 1], 1500)
    log_rate = np.minimum(log_prior_rate + d, 5.3).astype(np.float32)
    phi = np.exp(rng.uniform(np.log(1e-3), np.log(1e7), 1500)).astype(np.float32)
    apart = log_rate != log_prior_rate
    at = [each[apart] for each in (log_rate, log_prior_rate, phi)]
    expected = np.array([in_sixty_digits(*each) for each in zip(*at, strict=True)]).T
    value, slopes = jax.jit(jax.vmap(jax.value_and_grad(negative_binomial_kl, (0, 1, 2))))(*at)
    for found, exact in zip((value, *slopes), expected, strict=True):
        assert_allclose(found, exact, rtol=3e-6)


def test_at_equal_rates_it_is_flat_and_as_curved_as_it_should_be():
    """Value and slopes 0, curvature in log λ λφ/(φ + λ), at and next to λ = r."""
    log_rate = jnp.array([-3.0, 0.0, 4.0])
    value, slopes = jax.vmap(jax.value_and_grad(negative_binomial_kl, (0, 1, 2)))(log_rate, log_rate, jnp.full(3, 5.0))
    for each in (value, *slopes):
        assert_allclose(each, np.zeros(3))
    curved = jax.vmap(jax.grad(jax.grad(negative_binomial_kl)), (0, 0, None))
    rate = np.exp(np.float64(log_rate))
    for shift in (0.0, 1e-4, -1e-4):
        assert_allclose(curved(log_rate + shift, log_rate, 5.0), rate * 5 / (5 + rate), rtol=1e-3)


def test_at_a_large_concentration_it_is_that_of_poisson_counts():
    """Relative 2e-6 at φ = 10⁹, in value and gradient; and below it at 10⁴, by less than λ/φ and r/φ."""
    log_rate, log_prior_rate = jnp.linspace(-6.0, 5.0, 23), jnp.linspace(-4.0, 4.0, 5)[:, None]
    poisson = poisson_kl(log_rate, log_prior_rate)
    assert_allclose(negative_binomial_kl(log_rate, log_prior_rate, 1e9), poisson, rtol=2e-6, atol=1e-12)
    near = negative_binomial_kl(log_rate, log_prior_rate, 1e4)
    assert (near <= poisson * (1 + 1e-6)).all()
    assert_allclose(near, poisson, rtol=0.03)

    def slope(kl):
        return jax.grad(lambda log_rate: kl(log_rate, log_prior_rate).sum())(log_rate)

    found = slope(lambda one, other: negative_binomial_kl(one, other, 1e9))
    assert_allclose(found, slope(poisson_kl), rtol=1e-5, atol=1e-5)


def test_silent_units_stay_finite():
    """What silence costs is −log p(0) = φ log(1 + r/φ); rates that underflow give no NaN, in value or gradient."""
    cases = [
        (-80.0, 0.0, 5.0, 5 * np.log1p(1 / 5)),
        (-80.0, -80.0, 5.0, 0.0),
        (-300.0, -1.0, 0.2, 0.2 * np.log1p(np.exp(-1) / 0.2)),
        (-np.inf, 1.0, 20.0, 20 * np.log1p(np.e / 20)),
        (-np.inf, -np.inf, 20.0, 0.0),
        (0.0, -80.0, 5.0, 80 - 6 * np.log(6 / 5)),
        (5.3, -80.0, 0.1, np.exp(5.3) * 85.3 - (np.exp(5.3) + 0.1) * np.log1p(np.exp(5.3) / 0.1)),
    ]
    *at, expected = np.float32(cases).T
    value, slopes = jax.jit(jax.vmap(jax.value_and_grad(negative_binomial_kl, (0, 1, 2))))(*map(jnp.asarray, at))
    assert_allclose(value, expected, rtol=1e-5, atol=1e-30)
    for slope in slopes:
        assert np.isfinite(slope).all()


def test_units_are_kept_apart_and_the_order_is_posterior_then_prior():
    q = NegativeBinomial(jnp.array([[0.5, 2.0], [1.0, 3.0]]), jnp.array([2.0, 7.0])).to_event(1)
    p = NegativeBinomial(jnp.array([1.0, 1.5]), jnp.array([2.0, 7.0]))
    expected = [[kl_by_counting(0.5, 1, 2), kl_by_counting(2, 1.5, 7)], [0, kl_by_counting(3, 1.5, 7)]]
    for prior in (p.to_event(1), p.expand([2, 2]).to_event(1), p.to_event(1).expand([2])):
        assert_allclose(jax.jit(unit_kl)(q, prior), expected, rtol=1e-5, atol=1e-7)


def test_different_concentrations_have_no_closed_form():
    """Known, an error; known only in a compiled step, NaN for the units where they differ."""
    rates, same, other = jnp.array([0.5, 2.0]), jnp.array([3.0, 4.0]), jnp.array([3.0, 4.1])
    with pytest.raises(
        ValueError, match="no closed form for two values of concentration; give model and guide the same"
    ):
        kl_divergence(NegativeBinomial(rates, same), NegativeBinomial(rates + 1, other))

    def nats(one, other):
        return kl_divergence(NegativeBinomial(rates, one), NegativeBinomial(rates + 1, other))

    assert (np.isnan(jax.jit(nats)(same, other)) == [False, True]).all()
    # As much apart as two computations of the same number may be
    assert_allclose(jax.jit(nats)(same, same * (1 + 1e-6)), nats(same, same), rtol=1e-5)
    assert not has_closed_form(NegativeBinomial(1.0, 1.0), Poisson(1.0))

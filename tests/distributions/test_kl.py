"""KL divergences against exact sums over counts, closed forms in double precision, and sampling."""

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
import scipy.stats
from jax import random
from numpy.testing import assert_allclose, assert_array_equal
from numpyro.distributions import kl_divergence

from ppl_pvae.distributions import Poisson, RectifiedNormal, base_of, has_closed_form, poisson_kl, unit_kl


def kl_by_counting(rate, prior_rate):
    """Σ_n q(n) [log q(n) − log p(n)] in float64."""
    n = np.arange(int(rate + 40 * np.sqrt(rate) + 60))
    q, p = scipy.stats.poisson(rate), scipy.stats.poisson(prior_rate)
    return np.sum(q.pmf(n) * (q.logpmf(n) - p.logpmf(n)))


def exact_kl(d, log_prior_rate):
    """r(d eᵈ − expm1 d), by its power series in float64 where that difference cancels."""
    d = np.asarray(d, np.float64)
    series = sum(d**n * (n - 1) / float(np.prod(np.arange(1.0, n + 1))) for n in range(2, 12))
    return np.exp(np.float64(log_prior_rate)) * np.where(np.abs(d) < 0.1, series, d * np.exp(d) - np.expm1(d))


@pytest.mark.usefixtures("float64")
def test_poisson_kl_is_the_sum_over_counts():
    rates, prior_rates = np.array([1e-3, 0.3, 2.0, 30.0, 200.0]), np.array([1e-2, 1.0, 50.0])
    expected = [[kl_by_counting(rate, prior_rate) for prior_rate in prior_rates] for rate in rates]
    actual = poisson_kl(jnp.log(rates)[:, None], jnp.log(prior_rates))
    # 1e-9 relative; the sum itself is good to 1e-12 absolute
    assert_allclose(actual, expected, rtol=1e-9, atol=1e-12)


def test_poisson_kl_keeps_its_digits_at_small_modulation():
    """Relative error 1e-4 in float32 for |d| from 1e-6 to 5; d is what float32 makes of the two log-rates."""
    size = np.float32(np.logspace(-6, 0.7, 60))
    log_prior_rate = np.float32([-20.0, -3.0, 0.0, 4.0])[:, None]
    log_rate = log_prior_rate + np.concatenate([-size, size])
    d = log_rate.astype(np.float64) - log_prior_rate
    assert_allclose(poisson_kl(jnp.asarray(log_rate), jnp.asarray(log_prior_rate)), exact_kl(d, log_prior_rate), 1e-4)


def test_poisson_kl_at_an_exact_float32_modulation():
    """r = 1, so that d is exactly the float32 number given; relative error 1e-5."""
    d = np.float32([1e-6, -1e-6, 1e-5, -1e-4, 1e-3, 0.01, -0.3, 0.4999, -0.5001, 2.0])
    assert_allclose(poisson_kl(jnp.asarray(d), jnp.zeros(())), exact_kl(d, 0), rtol=1e-5)


def test_poisson_kl_has_its_closed_form_gradient():
    """λd in the log-rate and r − λ in the prior log-rate, and the curvature λ(1 + d), in float32."""
    log_prior_rate = np.float32(-1.5)
    log_rate = log_prior_rate + np.float32([1e-4, -0.2, 0.49, 0.51, -3.0, 3.0])
    slope = jax.jit(jax.vmap(jax.grad(poisson_kl, (0, 1)), (0, None)))
    slopes = slope(jnp.asarray(log_rate), jnp.asarray(log_prior_rate))
    d = log_rate.astype(np.float64) - log_prior_rate
    rate, prior_rate = np.exp(log_prior_rate + d), np.exp(np.float64(log_prior_rate))
    assert_allclose(slopes[0], rate * d, rtol=1e-5)
    assert_allclose(slopes[1], -prior_rate * np.expm1(d), rtol=1e-5, atol=2e-7 * prior_rate)  # rounding of r − λ
    curvature = jax.jit(jax.vmap(jax.grad(jax.grad(poisson_kl)), (0, None)))(
        jnp.asarray(log_rate), jnp.asarray(log_prior_rate)
    )
    assert_allclose(curvature, rate * (1 + d), rtol=1e-5)


@pytest.mark.usefixtures("float64")
def test_poisson_kl_gradient_against_finite_differences():
    rng = np.random.default_rng(0)
    log_rate, log_prior = jnp.asarray(rng.uniform(-4, 4, (2, 40)))
    step = 1e-5
    for argument in (0, 1):
        shift = step * np.eye(2)[argument]
        ahead = poisson_kl(log_rate + shift[0], log_prior + shift[1])
        behind = poisson_kl(log_rate - shift[0], log_prior - shift[1])
        slope = jax.vmap(jax.grad(poisson_kl, argument))(log_rate, log_prior)
        # central differences: error of order step² times the third derivative
        assert_allclose(slope, (ahead - behind) / (2 * step), rtol=1e-6, atol=1e-7)


def test_silent_units_stay_finite():
    cases = [
        (-80.0, 0.0, 1.0),  # silence costs r
        (0.0, -80.0, 79.0),
        (-80.0, -80.0, 0.0),
        (-300.0, -1.0, np.exp(-1.0)),  # a rate that underflows
        (-np.inf, 1.0, np.e),  # a rate that is zero
        (-np.inf, -np.inf, 0.0),
        (5.3, -80.0, np.exp(5.3) * (5.3 + 80 - 1)),
    ]
    log_rate, log_prior_rate, expected = np.float32(cases).T
    value, slopes = jax.jit(jax.vmap(jax.value_and_grad(poisson_kl, (0, 1))))(
        jnp.asarray(log_rate), jnp.asarray(log_prior_rate)
    )
    assert_allclose(value, expected, rtol=1e-5, atol=1e-30)
    assert np.isfinite(slopes).all()


def test_both_poissons_are_registered_with_numpyro():
    expected = [kl_by_counting(0.5, 1.0), kl_by_counting(2.0, 1.0)]
    for q_family, p_family in product((Poisson, dist.Poisson), repeat=2):
        assert_allclose(kl_divergence(q_family(jnp.array([0.5, 2.0])), p_family(jnp.array(1.0))), expected, rtol=1e-5)


def test_a_numpyro_rate_that_underflows_keeps_its_gradient():
    """exp(−100) is 0 in float32: the KL is r, its gradient finite."""

    def kl(log_rate):
        return kl_divergence(dist.Poisson(jnp.exp(log_rate)), Poisson(log_rate=0.5))

    value, slope = jax.value_and_grad(kl)(-100.0)
    assert_allclose(value, np.exp(0.5), rtol=1e-6)
    assert np.isfinite(slope)


def expanded(q_rates, p_rates):
    """Pairs of (q, p) over (3, 4) units that say the same with different wrappers, one event per image."""
    q, p = jnp.asarray(q_rates, jnp.float32), jnp.asarray(p_rates, jnp.float32)
    return [
        (Poisson(q).to_event(1), Poisson(p).to_event(1)),
        (Poisson(q).to_event(1), Poisson(p).expand([3, 4]).to_event(1)),
        (Poisson(q).to_event(1), Poisson(p).to_event(1).expand([3])),
        (Poisson(q).to_event(1).expand([3]), dist.Poisson(p).expand([3, 4]).to_event(1)),
        (Poisson(q).to_event(2), Poisson(p).expand([3, 4]).to_event(2)),
        (Poisson(q), dist.Poisson(p)),
    ]


def test_units_are_kept_apart_through_every_wrapper():
    rng = np.random.default_rng(0)
    q_rates, p_rates = rng.uniform(0.1, 5, (3, 4)), rng.uniform(0.1, 5, 4)
    expected = [[kl_by_counting(a, b) for a, b in zip(row, p_rates, strict=True)] for row in q_rates]
    for q, p in expanded(q_rates, p_rates):
        assert_allclose(jax.jit(unit_kl)(q, p), expected, rtol=1e-4)  # float32


def test_a_prior_of_one_rate_for_all_units_broadcasts():
    """A KL that depends on nothing of the image is still one number per image and unit."""
    q, p = Poisson(jnp.array(2.0)).expand([3, 4]).to_event(1), Poisson(1.0).expand([3, 4]).to_event(1)
    assert_allclose(unit_kl(q, p), np.full((3, 4), kl_by_counting(2.0, 1.0)), rtol=1e-5)


def test_masked_units_pay_nothing():
    heard = jnp.array([True, False])
    q, p = (Poisson(jnp.full(2, rate)).mask(heard).to_event(1) for rate in (3.0, 1.0))
    assert has_closed_form(q, p)
    assert_allclose(unit_kl(q, p), [kl_by_counting(3.0, 1.0), 0.0], rtol=1e-5)


def test_which_pairs_have_a_closed_form():
    normal, gamma = dist.Normal(0.0, 1.0), dist.Gamma(1.0, 1.0)
    assert has_closed_form(normal.expand([3]).to_event(1), normal)
    assert has_closed_form(gamma, gamma)
    assert not has_closed_form(normal, gamma)
    assert has_closed_form(dist.Laplace(0.0, 1.0).expand([3]).to_event(1), dist.Laplace(0.0, 1.0).expand([3]))
    assert not has_closed_form(dist.Laplace(0.0, 1.0).mask(jnp.array(True)), normal.mask(jnp.array(True)))
    assert not has_closed_form(Poisson(1.0), RectifiedNormal(0.0, 1.0))


def test_events_of_unlike_shape_have_no_kl():
    coupled = dist.MultivariateNormal(np.zeros(3), scale_tril=np.eye(3), validate_args=False)
    with pytest.raises(NotImplementedError, match=r"events of shape \(\) and \(3,\)"):
        unit_kl(dist.Normal(jnp.zeros(3), 1.0).to_event(1), coupled)


def test_the_family_behind_the_wrappers():
    bare = Poisson(jnp.ones(3))
    assert base_of(bare.expand([2, 3]).to_event(1)) is bare


def test_rectified_kl_by_sampling():
    """The sign and order of the arguments: E_q[log q − log p] of 40,000 draws, within 4 standard errors."""
    q, p = RectifiedNormal(0.3, 0.7), RectifiedNormal(-0.2, 1.1)
    z = q.sample(random.key(0), (40_000,))
    ratio = np.asarray(q.log_prob(z) - p.log_prob(z), np.float64)
    assert abs(ratio.mean() - float(kl_divergence(q, p))) < 4 * ratio.std() / np.sqrt(len(ratio))
    assert_array_equal(np.shape(kl_divergence(q, p)), ())

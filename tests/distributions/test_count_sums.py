"""KL by counting against closed forms, brute force in NumPy, and finite differences."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
import scipy.stats
from numpy.testing import assert_allclose, assert_array_equal

from ppl_pvae.distributions import Poisson, count_kl, has_count_sum
from ppl_pvae.distributions.poisson_list import window_of
from tests.distributions.families import SMOOTH, Own, log_pmf

RATES = np.logspace(-4, np.log10(200), 12)
PRIOR_RATES = np.logspace(-4, np.log10(200), 5)
AT = np.linspace(-1.5, 2.0, 4)  # where families are looked at, for each of the units of the other


def closed(log_rate, log_prior_rate):
    """λ log(λ/r) − λ + r and its derivatives in log λ and log r, float64."""
    rate, prior_rate, d = np.exp(log_rate), np.exp(log_prior_rate), log_rate - log_prior_rate
    return rate * d - rate + prior_rate, rate * d, prior_rate - rate


def brute_kl(log_q, log_p):
    q = np.exp(log_q)
    with np.errstate(invalid="ignore"):
        return np.sum(np.where(q > 0, q * (log_q - log_p), 0.0))


@partial(jax.jit, static_argnums=(0, 1))
def kl_and_slopes(q, p, at_q, at_p):
    """KL of each pair and its derivatives, from one backward pass: the sums of slopes over rows and columns."""

    def total(at_q, at_p):
        nats = count_kl(q(at_q), p(at_p))
        return jnp.sum(nats), nats

    slopes, nats = jax.grad(total, (0, 1), has_aux=True)(at_q, at_p)
    return nats, slopes


def poissons(full, dtype):
    log_rate, log_prior = (jnp.asarray(np.log(rates), dtype) for rates in (RATES, PRIOR_RATES))
    log_rate = jnp.broadcast_to(log_rate[:, None], (len(RATES), len(PRIOR_RATES)))
    return log_rate, jnp.broadcast_to(log_prior, log_rate.shape) if full else log_prior


def check_poissons(full, dtype, rtol, atol, slope_tolerance):
    log_rate, log_prior = poissons(full, dtype)
    nats, slopes = kl_and_slopes(SMOOTH["Poisson"], SMOOTH["own Poisson"], log_rate, log_prior)
    expected, by_rate, by_prior = closed(np.float64(log_rate), np.float64(log_prior))
    assert_allclose(nats, expected, rtol=rtol, atol=atol)
    assert nats.dtype == dtype
    # Errors are those of λ and of r, which nearly cancel where the two are alike.
    scale = np.exp(np.float64(log_rate)) + np.exp(np.float64(log_prior)) + np.abs(by_rate)
    assert np.all(np.abs(slopes[0] - by_rate) < slope_tolerance * scale)
    if not full:
        by_prior, scale = by_prior.sum(axis=0), scale.sum(axis=0)
    assert np.all(np.abs(slopes[1] - by_prior) < slope_tolerance * scale)


class PlainPoisson(dist.Distribution):
    """A Poisson that nobody knows for one."""

    support = dist.constraints.nonnegative_integer

    def __init__(self, log_rate):
        self.log_rate = log_rate
        super().__init__(jnp.shape(log_rate))

    def log_prob(self, n):
        return n * self.log_rate - jnp.exp(self.log_rate) - jax.scipy.special.gammaln(n + 1.0)


SMOOTH = {**SMOOTH, "own Poisson": PlainPoisson}


@pytest.mark.parametrize("full", [False, True])
def test_poisson_pairs_in_float32(full):
    """A table per unit, and the general sum where the prior is of full shape: 2e-5 relative, 2e-5 absolute (general:
    1e-4), gradients to 1e-5 (1e-4) of the rates they are the difference of."""
    tolerance = 1e-4 if full else 2e-5
    check_poissons(full, jnp.float32, tolerance, tolerance, 1e-4 if full else 2e-5)


def test_priors_with_other_zeros_keep_their_digits_at_large_rates():
    """Zero-inflated priors of rates up to 200, in float32: values to 1e-4 of max(KL, 1), slopes to 1e-5 of the rate."""
    rates, gate, n = np.array([0.1, 1.0, 10.0, 50.0, 200.0]), 0.7, np.arange(1000)

    def total(log_rate):
        nats = count_kl(Poisson(log_rate=log_rate), dist.ZeroInflatedPoisson(gate, jnp.float32(rates)))
        return jnp.sum(nats), nats

    log_rate = jnp.broadcast_to(jnp.log(jnp.float32(rates))[:, None], (5, 5))
    slopes, nats = jax.grad(total, has_aux=True)(log_rate)
    pmf = scipy.stats.poisson.logpmf
    for i, rate in enumerate(rates):
        log_q = pmf(n, rate)
        for j, prior_rate in enumerate(rates):
            log_p = np.log1p(-gate) + pmf(n, prior_rate)
            log_p[0] = np.logaddexp(np.log(gate), log_p[0])
            assert abs(nats[i, j] - brute_kl(log_q, log_p)) < 1e-4 * max(brute_kl(log_q, log_p), 1)
            # d/d log λ of Σ q (log q − log p) is Σ q (n − λ)(log q − log p)
            slope = np.sum(np.exp(log_q) * (n - rate) * (log_q - log_p))
            assert abs(slopes[i, j] - slope) < 1e-5 * max(rate + prior_rate, abs(slope))


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("full", [False, True])
def test_poisson_pairs_in_float64(full):
    """1e-11 relative and absolute: more than ten digits."""
    check_poissons(full, jnp.float64, 1e-11, 1e-11, 1e-11)


PAIRS = [
    ("Poisson", "zero-inflated"),
    ("NumPyro's Poisson", "mixture"),
    ("Poisson", "Conway–Maxwell–Poisson"),
    ("Poisson", "own"),
    ("geometric", "geometric by logits"),
    ("negative binomial", "zero-inflated"),
    ("zero-inflated", "Poisson"),
    ("mixture", "negative binomial"),
    ("mixture of families", "mixture"),
    ("own", "mixture of families"),
    ("Conway–Maxwell–Poisson", "NumPyro's Poisson"),
    ("truncated", "binomial"),
    ("truncated", "own"),
    ("categorical", "truncated"),
    ("Bernoulli", "categorical"),
]


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(("posterior", "prior"), PAIRS)
def test_pairs_against_brute_force(posterior, prior):
    """Values of every image and unit in float64, relative and absolute 1e-9; gradients by central differences, 1e-6."""
    at_q, at_p = jnp.asarray(np.repeat(AT[:3, None], 4, axis=1)), jnp.asarray(AT)
    nats, slopes = kl_and_slopes(SMOOTH[posterior], SMOOTH[prior], at_q, at_p)
    log_p = [log_pmf(prior, v) for v in AT]
    expected = [[brute_kl(log_pmf(posterior, v), each) for each in log_p] for v in AT[:3]]
    # NumPyro's negative binomial is itself good to 1e-6 only, and does not add up to 1 by 2e-7.
    tolerance = 3e-6 if "negative binomial" in (posterior, prior) else 1e-9
    assert_allclose(nats, expected, rtol=tolerance, atol=tolerance)
    step = 1e-5

    def kl(at_q, at_p):
        return np.asarray(kl_and_slopes(SMOOTH[posterior], SMOOTH[prior], at_q, at_p)[0])

    by_q = (kl(at_q + step, at_p) - kl(at_q - step, at_p)) / (2 * step)
    by_p = (kl(at_q, at_p + step) - kl(at_q, at_p - step)) / (2 * step)
    assert_allclose(slopes[0], by_q, rtol=max(tolerance, 1e-6), atol=max(tolerance, 1e-7))
    assert_allclose(slopes[1], by_p.sum(axis=0), rtol=max(tolerance, 1e-6), atol=max(tolerance, 1e-7))


def test_a_geometric_pair_has_its_closed_form():
    """log(a/b) + (1 − a)/a · log((1 − a)/(1 − b)) in float32, 1e-5; a mean of 999 takes 20,000 counts."""
    a, b = np.array([0.001, 0.03, 0.5, 0.9999]), np.array([0.002, 0.4])[:, None]
    q, p = (dist.GeometricProbs(jnp.asarray(each, jnp.float32)) for each in (a, b))
    nats = jax.jit(count_kl)(q, p)
    expected = np.log(a / b) + (1 - a) / a * np.log((1 - a) / (1 - b))
    assert_allclose(nats, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("zeros", [1e-3, 0.5])
def test_a_mode_far_out_is_not_missed(zeros):
    """Almost all counts are 0, the others about 300, and nothing is between."""
    rates = jnp.array([1e-8, 300.0])
    q = dist.MixtureSameFamily(dist.CategoricalProbs(jnp.array([1 - zeros, zeros])), dist.Poisson(rates))
    log_q = np.logaddexp(
        np.log1p(-zeros) + scipy.stats.poisson.logpmf(np.arange(600), 1e-8),
        np.log(zeros) + scipy.stats.poisson.logpmf(np.arange(600), 300),
    )
    expected = brute_kl(log_q, scipy.stats.geom.logpmf(np.arange(600) + 1, 0.5))
    assert_allclose(jax.jit(count_kl)(q, dist.GeometricProbs(0.5)), expected, rtol=1e-4)


@pytest.mark.parametrize("full", [False, True])
def test_counts_that_the_prior_does_not_have_cost_infinity(full):
    """P(n > 9) at rate 1 is 1e-7, more than the tail tolerance; at rate 0.1 it is 1e-17, which nobody pays for."""
    rate = jnp.array([[0.1, 1.0], [0.1, 50.0], [0.1, 300.0]])

    def total(log_rate, log_prior_rate):
        prior = SMOOTH["truncated"](jnp.broadcast_to(log_prior_rate, (3, 2) if full else (2,)))
        nats = count_kl(Poisson(log_rate=log_rate), prior)
        return jnp.sum(nats), nats

    slopes, nats = jax.jit(jax.grad(total, (0, 1), has_aux=True))(jnp.log(rate), jnp.zeros(()))
    assert_array_equal(np.isinf(nats), [[False, True]] * 3)
    expected = brute_kl(log_pmf("Poisson", np.log(0.1), 10), log_pmf("truncated", 0.0, 10))
    assert_allclose(nats[:, 0], expected, rtol=1e-5)
    assert all(np.isfinite(each).all() for each in slopes)


def test_a_prior_without_silence_costs_infinity():
    """p(0) = 0: everyone who is ever silent pays; a rate of 60 hardly ever is."""

    class Loud(PlainPoisson):
        def log_prob(self, n):
            kept = super().log_prob(n) - jnp.log(-jnp.expm1(-jnp.exp(self.log_rate)))
            return jnp.where(n == 0, -jnp.inf, kept)

    def total(rate):
        nats = count_kl(Poisson(rate), Loud(jnp.log(jnp.array([40.0, 50.0]))))
        return nats[1, 1], nats

    slope, nats = jax.jit(jax.grad(total, has_aux=True))(jnp.array([[2.0, 60.0], [2.0, 60.0]]))
    assert_array_equal(np.isinf(nats), [[True, False]] * 2)
    assert_allclose(nats[1, 1], 60 * np.log(60 / 50) - 10, rtol=2e-5)
    assert_allclose(slope, [[0, 0], [0, np.log(60 / 50)]], rtol=1e-5, atol=1e-6)


def test_counts_that_the_posterior_does_not_have_cost_nothing():
    """q(n) = 0 for n > 1, against a prior that has these and one that has not: both finite, with finite slopes."""
    p = jnp.array([0.3, 1.0])

    def kl(p, prior):
        return count_kl(dist.BernoulliProbs(p), prior)

    for prior in (dist.Poisson(0.5), dist.BernoulliProbs(0.5)):
        nats, slope = jax.jit(jax.value_and_grad(lambda p, prior=prior: kl(p, prior)[0]))(p)
        assert np.isfinite(nats)
        assert np.isfinite(slope).all()


def test_a_sum_that_does_not_end_is_not_a_number():
    """A rate beyond the table, beside one within it; probabilities that add up to less than 1."""
    rate = jnp.array([[3.0], [2000.0]])
    nats = jax.jit(count_kl)(Poisson(rate), dist.GeometricProbs(jnp.array([0.5])))
    assert_array_equal(np.isnan(nats), [[False], [True]])

    class Short(PlainPoisson):
        def log_prob(self, n):
            return super().log_prob(n) - 1.0

    assert np.isnan(jax.jit(lambda v: count_kl(Short(v), dist.GeometricProbs(0.5)))(0.0))


def test_rates_of_nothing_and_next_to_nothing():
    """A log-rate of −inf, one that underflows, and gradients that stay finite."""
    log_rate = jnp.array([[-jnp.inf], [-300.0], [-80.0]])

    def total(log_rate):
        nats = count_kl(Poisson(log_rate=log_rate), SMOOTH["zero-inflated"](jnp.zeros(1)))
        return jnp.sum(nats), nats

    slope, nats = jax.jit(jax.grad(total, has_aux=True))(log_rate)
    assert_allclose(nats, np.full((3, 1), -np.log(0.3 + 0.7 / np.e)), rtol=1e-6)
    assert np.isfinite(slope).all()


def busy(seed=0, images=40, units=30):
    """Rates of which few are large, up to 150."""
    log_rate = np.random.default_rng(seed).normal(-1.0, 2.0, (images, units))
    return jnp.asarray(np.minimum(log_rate, np.log(150)), jnp.float32)


@pytest.mark.parametrize("shift", [-4.0, 0.0, 3.0])
def test_few_and_many_large_rates(shift):
    """The short sum and the list in all proportions, several pieces of it; 2e-5 relative and absolute, float32."""
    log_rate = jnp.minimum(busy() + shift, np.log(150))
    log_prior = jnp.linspace(-2, 2, 30)
    nats, slopes = kl_and_slopes(SMOOTH["Poisson"], SMOOTH["own Poisson"], log_rate, log_prior)
    expected, by_rate, by_prior = closed(np.float64(log_rate), np.float64(log_prior))
    assert_allclose(nats, expected, rtol=2e-5, atol=2e-5)
    size = np.exp(np.float64(log_rate)) + np.exp(np.float64(log_prior))
    assert np.all(np.abs(slopes[0] - by_rate) < 2e-5 * (size + np.abs(by_rate)))
    assert np.all(np.abs(slopes[1] - by_prior.sum(0)) < 2e-5 * size.sum(0))


def test_windows_hold_all_but_the_tail():
    for dtype, tail in ((np.float32, 1.5e-8), (np.float64, 2.8e-17)):
        rate = np.geomspace(1.0 if dtype is np.float32 else 0.2, 700, 50).astype(dtype)
        with jax.enable_x64(dtype is np.float64):
            first, last = (np.asarray(each, np.float64) for each in window_of(jnp.asarray(rate)))
        left = scipy.stats.poisson.cdf(first - 1, np.float64(rate)) + scipy.stats.poisson.sf(last, np.float64(rate))
        assert np.all(left < tail)


def test_units_behind_every_wrapper():
    """(image, unit) whatever is wrapped round it, and through a vmap over draws."""
    q, p = jnp.exp(busy(images=3, units=4)), jnp.linspace(0.2, 1.0, 4)
    kl = jax.jit(count_kl)
    plain = kl(Poisson(q).to_event(1), dist.GeometricProbs(p).to_event(1))
    assert plain.shape == (3, 4)
    full = dist.GeometricProbs(jnp.tile(p, (3, 1))).to_event(1)
    assert_allclose(kl(Poisson(q).to_event(1), full), plain, rtol=1e-4, atol=1e-5)
    for prior in (dist.GeometricProbs(p).to_event(1).expand([3]), dist.GeometricProbs(p).expand([3, 4]).to_event(1)):
        assert jax.eval_shape(count_kl, Poisson(q).to_event(1), prior).shape == (3, 4)
    one = jax.jit(jax.vmap(lambda p: count_kl(Poisson(q), dist.GeometricProbs(p))))(jnp.stack([p, p / 2]))
    assert_allclose(one[0], plain, rtol=1e-5)
    heard = jnp.array([True, False, True, True])
    masked = kl(Poisson(q).mask(heard).to_event(1), full.base_dist.mask(heard).to_event(1))
    assert_allclose(masked, np.where(heard, plain, 0), rtol=1e-4, atol=1e-5)
    assert jax.eval_shape(count_kl, Poisson(jnp.ones(())), dist.GeometricProbs(0.5)).shape == ()
    assert jax.eval_shape(count_kl, Poisson(q), dist.GeometricProbs(0.5)).shape == (3, 4)


def test_which_pairs_can_be_counted():
    counts, normal = Poisson(jnp.ones(3)), dist.Normal(jnp.zeros(3), 1.0)
    assert has_count_sum(counts.to_event(1), dist.GeometricProbs(0.5).expand([3]).to_event(1))
    assert has_count_sum(counts, Own(jnp.zeros(3)))
    assert not has_count_sum(counts, normal)
    assert not has_count_sum(dist.Delta(jnp.ones(3)), counts)
    assert not has_count_sum(counts, counts.mask(jnp.array(True)))
    assert not has_count_sum(dist.Multinomial(3, jnp.ones(3) / 3), dist.Multinomial(3, jnp.ones(3) / 3))
    assert not has_count_sum(counts, dist.DiscreteUniform(-2, 4))
    whole = dist.MixtureSameFamily(dist.CategoricalProbs(jnp.ones(2) / 2), dist.Poisson(jnp.ones((2, 3))).to_event(1))
    assert not has_count_sum(counts.to_event(1), whole)

"""The cheap arrival-time count against the direct one in law, and against its closed forms."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from numpy.testing import assert_allclose, assert_array_equal

from ppl_pvae.distributions.arrival_crowd import crowd_sums
from ppl_pvae.distributions.arrival_steps import STEPS, Cubic
from ppl_pvae.distributions.arrival_window import window_sums
from ppl_pvae.distributions.random_words import cipher_key
from ppl_pvae.distributions.soft_poisson import _hardened, soft_poisson, soft_poisson_from_log
from tests.oracles.direct_arrival import direct_soft_poisson


def ends_first(values):
    """Parameters of which the first and the last are for every day, and what lies between them is slow evidence."""
    return [
        value if value in (values[0], values[-1]) else pytest.param(value, marks=pytest.mark.slow) for value in values
    ]


RATES = (0.01, 0.1, 1.0, 10.0, 100.0)
TEMPERATURES = (0.05, 0.3, 1.0)
DRAWS = 100_000  # one shape in most tests: compilation is what they cost
FEW = 60
SIGMAS = 4.5  # about 1 in 150,000, for some 200 comparisons


def arrivals_enough(rate, temperature):
    return int(scipy.stats.poisson.isf(1e-9, rate * (1 + temperature))) + 2


@partial(jax.jit, static_argnums=0, static_argnames=("hard", "arrivals", "indicator"))
def with_slope(function, key, rate, temperature, **settings):
    return jax.jvp(lambda rate: function(key, rate, temperature, **settings), (rate,), (jnp.ones_like(rate),))


def pairs(function, key, rate, temperature, draws, **settings):
    """Counts and their derivatives in the rate, float64."""
    both = with_slope(function, key, jnp.full(draws, rate), temperature, **settings)
    return tuple(np.asarray(x, np.float64) for x in both)


def moments_with_errors(z, slope):
    """Means, variances and covariance of the pair, with the standard error of each, by averages over 50 batches."""
    z, slope = z.reshape(50, -1), slope.reshape(50, -1)
    dz, ds = z - z.mean(), slope - slope.mean()
    batches = [x.mean(axis=1) for x in (z, slope, dz**2, ds**2, dz * ds)]
    return np.array([[b.mean(), b.std(ddof=1) / np.sqrt(50)] for b in batches]).T


@pytest.mark.parametrize("temperature", ends_first(TEMPERATURES))
@pytest.mark.parametrize("rate", ends_first(RATES))
def test_law_is_that_of_the_direct_form(rate, temperature):
    """Mean, variance and covariance of the pair (z, dz/dλ), and a two-sample test on z."""
    most = arrivals_enough(rate, temperature)
    key_direct, key_cheap = jax.random.split(jax.random.key(round(1000 * rate + 10 * temperature)))
    z, slope = pairs(soft_poisson, key_cheap, rate, temperature, DRAWS, hard=False)
    size = DRAWS if rate < 100 else 20_000
    z_direct, slope_direct = pairs(direct_soft_poisson, key_direct, rate, temperature, size, arrivals=most)

    ours, error = moments_with_errors(z, slope)
    direct, error_direct = moments_with_errors(z_direct, slope_direct)
    assert np.all(np.abs(ours - direct) < SIGMAS * np.hypot(error, error_direct) + 1e-12)

    # Many samples are whole numbers exactly, up to rounding in the direct form: compare on a grid.
    assert two_sample_p_value(np.round(z, 3), np.round(z_direct, 3)) > 1e-4
    assert two_sample_p_value(np.round(slope * rate, 3), np.round(slope_direct * rate, 3)) > 1e-4


def two_sample_p_value(a, b):
    """Chi-square test of homogeneity in bins that hold at least 40 of the pooled sample."""
    values = np.sort(np.concatenate([a, b]))
    edges = np.unique(values[:: max(40, len(values) // 200)])
    counts = np.array([np.bincount(np.searchsorted(edges, x), minlength=len(edges) + 1) for x in (a, b)])
    counts = counts[:, counts.sum(axis=0) > 0]
    few = counts.sum(axis=0) < 40
    counts = np.column_stack([counts[:, ~few], counts[:, few].sum(axis=1)]) if few.any() else counts
    return scipy.stats.chi2_contingency(counts).pvalue if counts.shape[1] > 1 else 1.0


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("temperature", ends_first([0.05, 0.3, 1.0]))
@pytest.mark.parametrize("rate", ends_first([0.003, 0.4, 5.0, 60.0, 900.0]))
def test_moments_are_the_closed_forms(rate, temperature, hard):
    """E z = λ, Var z = λ(1 − 9τ/35) (λ where hard), E dz/dλ = 1, Var dz/dλ = 2τ E h²/λ."""
    (mean, mean_slope, variance, slope_variance, _), error = moments_with_errors(
        *pairs(soft_poisson, jax.random.key(round(7 * rate + temperature)), rate, temperature, DRAWS, hard=hard)
    )
    exact = np.array([rate, 1.0, rate * (1 if hard else 1 - 9 * temperature / 35)])
    assert np.all(np.abs(np.array([mean, mean_slope, variance]) - exact) < SIGMAS * error[:3] + 2e-7 * exact)
    # h = g′(u)(1 − τu)/τ has E h² = 3/(10τ²) + 3/70, and Var Σ_j h(u_j) = 2τλ E h²
    exact_slope_variance = 2 * temperature * (0.3 / temperature**2 + 3 / 70) / rate
    assert abs(slope_variance - exact_slope_variance) < SIGMAS * error[3]


@pytest.mark.parametrize("temperature", [0.05, 1.0])
def test_hard_counts_are_poisson_and_share_the_derivative(temperature):
    z, slope = pairs(soft_poisson, jax.random.key(2), 3.0, temperature, DRAWS, hard=True)
    _, soft_slope = pairs(soft_poisson, jax.random.key(2), 3.0, temperature, DRAWS, hard=False)
    assert_array_equal(z, np.round(z))
    observed = np.bincount(np.minimum(z, 10).astype(int), minlength=11)
    expected = np.append(scipy.stats.poisson.pmf(np.arange(10), 3.0), scipy.stats.poisson.sf(9, 3.0)) * len(z)
    assert scipy.stats.chisquare(observed, expected).pvalue > 1e-4
    assert_array_equal(slope, soft_slope)


@pytest.mark.parametrize("indicator", STEPS)
@pytest.mark.parametrize("hard", [False, True])
def test_crowds_have_the_moments_of_their_arrivals(indicator, hard):
    """A normal with the moments of one arrival, against the window sums of 400 arrivals in 50,000 elements."""
    step = _hardened(STEPS[indicator]) if hard else STEPS[indicator]
    arrivals, temperature = jnp.full(50_000, 400.0), jnp.float32(0.4)
    summed = window_sums(cipher_key(jax.random.key(0)), arrivals, temperature, step)
    normal = crowd_sums(cipher_key(jax.random.key(1)), arrivals, temperature, step)
    exact, error = moments_with_errors(*(np.asarray(x, np.float64) for x in summed))
    ours, our_error = moments_with_errors(*(np.asarray(x, np.float64) for x in normal))
    assert np.all(np.abs(ours - exact) < SIGMAS * np.hypot(error, our_error))


@pytest.mark.parametrize(
    "arrivals",
    [
        np.zeros(1000),
        np.arange(300) % 7,  # passes only
        np.where(np.arange(100_000) % 5000 == 0, 900, 0),  # list only
        np.where(np.arange(100_000) % 3000 == 0, 40_000, 3),  # passes, then a list of several rounds and pieces
        np.array([65_536, 0, 1]),
    ],
)
def test_every_arrival_is_taken_once_and_by_its_owner(arrivals):
    """With a step that counts 1 for every arrival the sum is the number of arrivals."""
    summed, slope = jax.jit(window_sums, static_argnums=3)(
        cipher_key(jax.random.key(0)), jnp.asarray(arrivals, jnp.float32), jnp.float32(1.0), _one
    )
    assert_array_equal(summed, arrivals)
    assert_array_equal(slope, 2 * arrivals)


def _one(u, temperature):
    return jnp.ones_like(u), jnp.full_like(u, 2.0)


@pytest.mark.parametrize("temperature", ends_first([0.03, 0.3, 1.0, 3.0]))
@pytest.mark.parametrize("rate", [0.05, 2.0, 40.0])
def test_the_law_with_a_sigmoid_is_that_of_the_direct_form(rate, temperature):
    """Mean, variance and covariance of (z, dz/dλ) against one exponential per arrival; E z = λτ log(1 + e^(1/τ))."""
    most = int(scipy.stats.poisson.isf(1e-9, rate * (1 + 15 * temperature))) + 2
    key_direct, key_cheap = jax.random.split(jax.random.key(round(1000 * rate + 10 * temperature)))
    draws = 20_000
    z, slope = pairs(soft_poisson, key_cheap, rate, temperature, draws, indicator="sigmoid")
    direct = pairs(direct_soft_poisson, key_direct, rate, temperature, draws, arrivals=most, indicator="sigmoid")
    ours, error = moments_with_errors(z, slope)
    theirs, error_direct = moments_with_errors(*direct)
    assert np.all(np.abs(ours - theirs) < SIGMAS * np.hypot(error, error_direct) + 1e-6 * (1 + rate))
    expected = rate * temperature * np.logaddexp(0, 1 / temperature)
    assert abs(ours[0] - expected) < SIGMAS * error[0] + 2e-6 * rate


@pytest.mark.parametrize("temperature", [0.03, 1.0])
def test_hard_counts_with_a_sigmoid_are_poisson(temperature):
    z, _ = pairs(soft_poisson, jax.random.key(2), 3.0, temperature, DRAWS, hard=True, indicator="sigmoid")
    observed = np.bincount(np.minimum(z, 10).astype(int), minlength=11)
    expected = np.append(scipy.stats.poisson.pmf(np.arange(10), 3.0), scipy.stats.poisson.sf(9, 3.0)) * len(z)
    assert scipy.stats.chisquare(observed, expected).pvalue > 1e-4


@pytest.mark.parametrize(("elements", "arrivals", "calls"), [(100_000, 6, 2), (8, 5_000, 1000)])
def test_arrivals_of_one_element_are_independent(elements, arrivals, calls):
    """The variance of a sum of M arrivals is M times that of one: in passes (many elements), in a list (few)."""
    keys = jax.random.split(jax.random.key(5), calls)
    sums, _ = jax.lax.map(
        lambda key: window_sums(cipher_key(key), jnp.full(elements, arrivals, jnp.float32), jnp.float32(1), Cubic()),
        keys,
    )
    variance = np.var(np.asarray(sums, np.float64)) / arrivals
    assert_allclose(variance, 17 / 140, rtol=SIGMAS * np.sqrt(2 / sums.size))


@pytest.mark.parametrize("temperature", [0.05, 1.0])
def test_forward_and_reverse_mode_agree(temperature):
    log_rate = jnp.linspace(-6, 4, FEW)
    key = jax.random.key(0)

    def count(log_rate):
        return soft_poisson_from_log(key, log_rate, temperature)

    counts, tangent = jax.jvp(count, (log_rate,), (jnp.ones_like(log_rate),))
    again, pull = jax.vjp(count, log_rate)
    assert_array_equal(counts, again)
    assert_array_equal(tangent, pull(jnp.ones_like(log_rate))[0])
    assert_array_equal(counts, count(log_rate))
    assert np.any(np.asarray(tangent) > 0)


def test_rate_and_log_rate_agree():
    """The same draw and dz/dλ = (dz/dlog λ)/λ; exp(log λ) may differ from λ in the last digit."""
    rate = jnp.geomspace(0.05, 50, FEW)
    key = jax.random.key(3)
    z, slope = jax.jvp(lambda r: soft_poisson(key, r, 0.5), (rate,), (rate,))
    z_log, slope_log = jax.jvp(
        lambda log_rate: soft_poisson_from_log(key, log_rate, 0.5), (jnp.log(rate),), (jnp.ones_like(rate),)
    )
    assert_allclose(z, z_log, rtol=1e-4)
    assert_allclose(slope, slope_log, rtol=1e-4)


def test_vmap_gives_single_calls():
    keys = jax.random.split(jax.random.key(1), 3)
    rates = jnp.geomspace(1e-3, 300, 3 * FEW).reshape(FEW, 3).T
    temperatures = jnp.array([0.05, 0.4, 1.0])

    def slopes(key, rate, temperature):
        return jax.jvp(lambda r: soft_poisson(key, r, temperature), (rate,), (jnp.ones_like(rate),))

    together = jax.jit(jax.vmap(slopes))(keys, rates, temperatures)
    single = [slopes(*arguments) for arguments in zip(keys, rates, temperatures, strict=True)]
    for i in range(2):
        assert_allclose(together[i], jnp.stack([pair[i] for pair in single]), rtol=1e-6)


def test_temperature_gets_no_gradient():
    gradient = jax.grad(lambda t: soft_poisson(jax.random.key(0), jnp.full(FEW, 9.0), t).sum())(0.3)
    assert gradient == 0


def test_finite_in_float32_at_tiny_rates():
    log_rate = jnp.resize(jnp.array([-1000.0, -100.0, -87.5, -50.0, -20.0]), FEW)
    z, slope = jax.jvp(
        lambda x: soft_poisson_from_log(jax.random.key(0), x, 0.05), (log_rate,), (jnp.ones_like(log_rate),)
    )
    assert_array_equal(z, 0.0)
    assert_array_equal(slope, 0.0)
    rate = jnp.resize(jnp.array([0.0, 1e-44, 1e-38, 1e-30]), FEW)
    gradient = jax.grad(lambda r: soft_poisson(jax.random.key(0), r, 1.0).sum())(rate)
    assert_array_equal(gradient, 0.0)


def test_rates_beyond_all_counting():
    """A billion spikes take no billion draws; what is no rate gives what is no count."""
    rate = jnp.full(FEW, 1e9).at[:3].set(jnp.array([jnp.inf, -1.0, jnp.nan]))
    z, slope = jax.jvp(lambda r: soft_poisson(jax.random.key(0), r, 0.3), (rate,), (jnp.ones_like(rate),))
    assert_allclose(z[3:], 1e9, rtol=1e-3)
    assert_allclose(slope[3:], 1.0, atol=1e-3)
    assert z[0] == np.inf
    assert np.isnan(z[1:3]).all()
    assert np.isnan(slope[1:3]).all()


@pytest.mark.parametrize(("shape", "make"), [((), jax.random.key), ((2, 3), jax.random.PRNGKey)])
def test_shapes_and_keys(shape, make):
    z = jax.eval_shape(lambda: soft_poisson_from_log(make(0), jnp.zeros(shape), 0.1))
    assert z.shape == shape
    assert z.dtype == jnp.float32
    assert soft_poisson(make(0), jnp.zeros((0, 3)), 0.1).shape == (0, 3)


@pytest.mark.parametrize("temperature", [0.0, -0.1, 1.1, 2])
def test_temperatures_that_have_no_window(temperature):
    with pytest.raises(ValueError, match=r"temperature must be in \(0, 1\]"):
        soft_poisson(jax.random.key(0), jnp.ones(2), temperature)


def test_an_indicator_that_is_none_and_a_temperature_that_is_none():
    with pytest.raises(ValueError, match="indicator must be one of cubic, sigmoid, got 'step'"):
        soft_poisson(jax.random.key(0), jnp.ones(2), 0.1, indicator="step")
    with pytest.raises(ValueError, match=r"temperature must be > 0, got 0\.0"):
        soft_poisson(jax.random.key(0), jnp.ones(2), 0.0, indicator="sigmoid")


def test_memory_is_a_few_arrays_whatever_the_rate():
    """Rates are no part of the compiled program, so its memory is known before they are."""
    slopes = jax.jit(jax.grad(lambda rate, key: soft_poisson(key, rate, 0.05).sum()))
    rate = jax.ShapeDtypeStruct((1000, 512), jnp.float32)
    memory = slopes.lower(rate, jax.random.key(0)).compile().memory_analysis()
    assert memory.temp_size_in_bytes < 60 * rate.size * 4  # the direct form: some 5 × 300 arrays at rate 200

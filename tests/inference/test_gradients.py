"""The mean gradient of every estimator against sums over all codes, under a decoder that bends.

Each is compared with its own mean, bias included, in every parameter within 4.5 standard errors; and that mean with the
gradient of the free energy, from which it may differ by what the estimator says of itself. Where compiling takes most
of the time, the cases that a cheaper one covers in part are slow.
"""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import pytest
from jax import random
from numpy.testing import assert_allclose

from ppl_pvae.distributions import Poisson, SquaredError
from ppl_pvae.inference import ArrivalTime, Exact, FreeEnergy, GumbelSoftmax, ScoreFunction, StraightThrough
from tests.inference.conftest import IMAGES, PIXELS, UNITS
from tests.oracles.enumeration import Enumerable, random_params
from tests.oracles.relaxation import listed, nearly_hard_gumbel, relaxed, straight_through

BETA = 0.7
X = np.random.default_rng(1).normal(size=(IMAGES, PIXELS))
SLOW = pytest.param(True, marks=pytest.mark.slow)
BOTH = pytest.mark.parametrize("dispersed", [False, SLOW], ids=["Poisson", "negative binomial"])


def expected(objective, dispersed, *args):
    """The gradient of a function of (params, x, β, …), float64."""
    with jax.enable_x64(True):
        params = {name: jnp.asarray(value) for name, value in random_params(5, dispersed).items()}
        slopes = jax.jit(jax.grad(lambda params: objective(params, jnp.asarray(X), BETA, *args)))(params)
        return {name: np.asarray(slope) for name, slope in slopes.items()}


@cache
def exact(dispersed):
    return expected(listed, dispersed)


@cache
def drawn(estimator, dispersed, temperature=1.0, draws=4000):
    """Mean and standard error of its gradients, by parameter."""
    params = {name: jnp.asarray(value, jnp.float32) for name, value in random_params(5, dispersed).items()}
    program, free_energy = Enumerable(dispersed=dispersed), FreeEnergy(BETA, estimator=estimator)
    x = jnp.asarray(X, jnp.float32)

    def one(key, temperature):
        return jax.grad(
            lambda params: free_energy.loss(key, params, program.model, program.guide, x, temperature=temperature)
        )(params)

    found = jax.jit(jax.vmap(one, in_axes=(0, None)))(random.split(random.key(0), draws), temperature)
    values = {name: np.asarray(value, np.float64) for name, value in found.items()}
    return {name: (value.mean(axis=0), value.std(axis=0) / np.sqrt(draws)) for name, value in values.items()}


def assert_mean_is(found, gradient):
    """Within 4.5 standard errors, and what float32 leaves of sums that do not vary."""
    assert found.keys() == gradient.keys()
    for name, (mean, error) in found.items():
        assert (np.abs(mean - gradient[name]) < 4.5 * error + 1e-5).all(), name


def distance(one, other):
    """‖one − other‖/‖other‖ over all parameters."""
    difference, size = (np.concatenate([np.ravel(each[name]) for name in other]) for each in (one, other))
    return np.linalg.norm(difference - size) / np.linalg.norm(size)


@BOTH
def test_the_exact_gradient_of_a_linear_decoder_is_the_sum_over_codes(dispersed):
    """All parameters, the concentration of the counts among them, in float64; relative 1e-6."""
    own = random_params(5, dispersed)
    own |= {"dictionary": own.pop("output")[:UNITS]}
    own.pop("entry")
    program = Enumerable(dispersed=dispersed)

    def model(x):
        with numpyro.plate("image", len(x)):
            z = numpyro.sample("z", program.counts(numpyro.param("log_prior_rate")))
            numpyro.sample("x", SquaredError(z @ numpyro.param("dictionary")).to_event(1), obs=x)

    def log_likelihood(params, x, z):
        return -jnp.sum((x[:, None] - z @ params["dictionary"]) ** 2, axis=-1)

    with jax.enable_x64(True):
        params, x = {name: jnp.asarray(value) for name, value in own.items()}, jnp.asarray(X)
        free_energy = FreeEnergy(BETA, estimator=Exact())
        found = jax.jit(jax.grad(lambda p: free_energy.loss(random.key(0), p, model, program.guide, x)))(params)
        sums = jax.jit(jax.grad(lambda p: listed(p, x, BETA, log_likelihood)))(params)
    for name in own:
        assert_allclose(found[name], sums[name], rtol=1e-6, atol=1e-8, err_msg=name)


@BOTH
def test_the_score_function_has_the_gradient_itself_for_mean(dispersed):
    assert_mean_is(drawn(ScoreFunction(4), dispersed), exact(dispersed))


@BOTH
def test_straight_through_has_a_slope_in_place_of_a_difference(dispersed):
    """D′(n) in place of D(n + 1) − D(n): off by more than 4% here, all parameters together."""
    own = expected(straight_through, dispersed, 0.0)
    assert_mean_is(drawn(StraightThrough(), dispersed), own)
    assert distance(own, exact(dispersed)) > 0.04


@pytest.mark.parametrize(
    ("indicator", "temperature", "dispersed"),
    [
        ("cubic", 0.4, False),
        pytest.param("cubic", 0.4, True, marks=pytest.mark.slow),
        pytest.param("sigmoid", 0.1, False, marks=pytest.mark.slow),
    ],
)
def test_arrival_times_have_the_gradient_of_softened_counts(indicator, temperature, dispersed):
    """At a τ so large that the bias, more than 4%, is seen."""
    own = expected(relaxed, dispersed, temperature, indicator)
    assert_mean_is(drawn(ArrivalTime(indicator=indicator), dispersed, temperature), own)
    assert distance(own, exact(dispersed)) > 0.04


@pytest.mark.parametrize(("indicator", "temperature"), [("cubic", 0.1), ("sigmoid", 0.025)])
def test_the_bias_of_arrival_times_goes_with_their_temperature(indicator, temperature):
    """It is 1.3% at these, and half of that, within a tenth of itself, at half of them."""
    biases = [
        distance(expected(relaxed, False, tau, indicator), exact(False)) for tau in (temperature, temperature / 2)
    ]
    assert biases[0] < 0.014
    assert_allclose(biases[1], biases[0] / 2, rtol=0.1)


@BOTH
def test_whole_counts_of_arrival_times_have_a_slope_between_two_counts(dispersed):
    """D′ at the count without an arrival and at the count with it, ½ each but for 3τ/16; off by 2% here."""
    temperature = 0.4
    own = expected(straight_through, dispersed, 0.5 - 3 * temperature / 16)
    assert_mean_is(drawn(ArrivalTime(hard=True), dispersed, temperature), own)
    assert distance(own, exact(dispersed)) > 0.02


def test_whole_counts_of_gumbel_softmax_have_a_slope_at_each_of_two_counts():
    """At τ = 0.1, whose part in the bias is below its standard error; without any, off by 2% all the same."""
    own = expected(nearly_hard_gumbel, False)
    assert_mean_is(drawn(GumbelSoftmax(hard=True), False, 0.1), own)
    assert distance(own, exact(False)) > 0.02


@pytest.mark.parametrize("temperature", [0.4, 0.05])
@pytest.mark.parametrize("estimator", [ArrivalTime(hard=True), GumbelSoftmax(hard=True), StraightThrough()])
def test_no_temperature_takes_the_bias_of_whole_counts_behind_a_bent_decoder(estimator, temperature):
    """cos(πz) is level at every whole count: they see no slope, where E(1 − cos πz)² = 2(1 − e^−2λ) has 4λe^−2λ."""

    def model(x):
        with numpyro.plate("image", len(x)):
            z = numpyro.sample("z", Poisson(jnp.array([0.5])).to_event(1))
            numpyro.sample("x", SquaredError(jnp.cos(jnp.pi * z)).to_event(1), obs=x)

    def guide(x):
        log_rate = numpyro.param("log_rate", jnp.log(jnp.array([0.5])))
        with numpyro.plate("image", len(x)):
            numpyro.sample("z", Poisson(log_rate=log_rate).to_event(1))

    def slope(estimator):
        free_energy = FreeEnergy(0.0, estimator=estimator)
        params, x = {"log_rate": jnp.log(jnp.array([0.5]))}, jnp.ones((20_000, 1))
        return jax.grad(
            lambda params: free_energy.loss(random.key(0), params, model, guide, x, temperature=temperature)
        )(params)["log_rate"]

    assert_allclose(slope(estimator), 0, atol=1e-3)
    assert_allclose(slope(ScoreFunction(4)), 2 * np.exp(-1), rtol=0.05)


@pytest.mark.parametrize("dispersed", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_gumbel_softmax_is_near_the_gradient(dispersed):
    """Within 9% of its norm at τ = 0.1, of which 2% are what 4,000 draws leave."""
    mean = {name: each[0] for name, each in drawn(GumbelSoftmax(), dispersed, 0.1).items()}
    assert distance(mean, exact(dispersed)) < 0.09

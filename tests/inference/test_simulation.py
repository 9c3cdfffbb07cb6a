"""Simulated images against analytic moments, and ranks that are uniform for exact posteriors and for no others."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from jax import random
from numpy.testing import assert_allclose, assert_array_equal
from numpyro.distributions import constraints
from numpyro.handlers import scale

from ppl_pvae.analysis.calibration import judge_ranks, rank_among
from ppl_pvae.distributions import Poisson, SquaredError
from ppl_pvae.inference.evaluation import held_globals
from ppl_pvae.inference.simulation import (
    draw_posterior,
    predict,
    replicate,
    replicate_and_predict,
    simulate,
    simulations,
)
from tests.inference.conftest import PIXELS, UNITS, standard_normal
from tests.oracles.enumeration import CODES, Enumerable, log_likelihood, log_prior, random_params

IMAGES = 6000


class Size(NamedTuple):
    """What simulation asks of `nets`."""

    pixels: int = PIXELS


def made_by(model, guide, images=IMAGES, params=None, seed=0):
    return simulate(random.key(seed), params or {}, model, guide, Size(), images=images)


def assert_moments(draws, mean, variance):
    """Mean and variance over images within 4.5 standard errors, those of the variance from the fourth moment."""
    draws = np.float64(draws)
    error = np.sqrt(np.broadcast_to(variance, draws.shape[1:]) / len(draws))
    assert (np.abs(draws.mean(0) - mean) < 4.5 * error).all()
    square = (draws - mean) ** 2
    assert (np.abs(square.mean(0) - variance) < 4.5 * square.std(0) / np.sqrt(len(draws))).all()


# --- from the prior ---


def test_simulated_codes_and_images_have_the_moments_of_a_linear_model(linear):
    """E z = Var z = r; x has mean b + rΦ and variance Σ_k r_k Φ_k² + ½, and is its mean and noise of variance ½."""
    made = made_by(linear.model, linear.guide)
    r, weights = np.float64(linear.prior_rate), np.float64(linear.dictionary)
    assert made.z.shape == (IMAGES, UNITS)
    assert_moments(made.z, r, r)
    assert_allclose(made.mean, linear.bias + made.z @ weights, rtol=1e-5, atol=1e-5)
    assert_moments(made.x, linear.bias + r @ weights, r @ weights**2 + 0.5)
    assert_moments(made.x - made.mean, np.zeros(PIXELS), 0.5)


def test_the_default_likelihood_can_be_sampled():
    """6,000 draws of a normal of variance ½ about its mean."""
    drawn = SquaredError(jnp.full((IMAGES, 1), 3.0)).to_event(1).sample(random.key(0))
    assert_moments(drawn, 3.0, 0.5)


@pytest.mark.parametrize("likelihood", ["bernoulli", "poisson"])
def test_other_likelihoods_give_pixels_of_their_kind(likelihood):
    """Mean and variance given the code: p(1 − p) of a Bernoulli pixel, λ of a Poisson one."""
    params, program = random_params(3), Enumerable(likelihood)
    single = {name: jnp.asarray(value, jnp.float32) for name, value in params.items()}
    made = made_by(program.model, program.guide, params=single)
    assert_array_equal(made.x, np.floor(made.x))
    variance = made.mean * (1 - made.mean) if likelihood == "bernoulli" else made.mean
    assert_moments((made.x - made.mean) / np.sqrt(variance), np.zeros(PIXELS), 1.0)


def test_numbers_of_images_are_no_multiple_of_a_batch_and_data_sets_differ(linear):
    assert made_by(linear.model, linear.guide, images=7).x.shape == (7, PIXELS)
    made = made_by(linear.model, linear.guide, images=1003)
    assert made.x.shape == (1003, PIXELS)
    assert len(np.unique(made.x[:, 0])) == 1003  # batches do not repeat each other
    assert_array_equal(made_by(linear.model, linear.guide, images=1003).x, made.x)
    first, second = simulations(random.key(0), {}, linear.model, linear.guide, Size(), images=1003, replicates=2)
    assert_array_equal(first.x, made.x)
    assert not np.isin(second.x, first.x).any()


def test_several_latents_lie_side_by_side_and_globals_are_held(linear):
    """A level, two counts and a global offset: by name, level first; every image has the offset that is read off."""

    def model(x, nets):
        offset = numpyro.sample("offset", dist.Normal(0.0, 1.0))
        with numpyro.plate("image", len(x)):
            level = numpyro.sample("level", dist.Normal(5.0, 0.1))
            z = numpyro.sample("z", Poisson(jnp.asarray(linear.prior_rate)).to_event(1))
            numpyro.sample("x", SquaredError(offset + level[:, None] + z @ linear.dictionary).to_event(1), obs=x)

    def guide(x, nets):
        numpyro.sample("offset", dist.Normal(30.0, 1.0))
        with numpyro.plate("image", len(x)):
            numpyro.sample("level", dist.Normal(x.mean(1), 0.1))
            numpyro.sample("z", Poisson(jnp.ones((len(x), UNITS))).to_event(1))

    made = made_by(model, guide, images=1500)
    offset = held_globals({}, guide, Size(), made.x)["offset"]
    assert offset > 20
    assert_moments(made.z[:, 0], 5.0, 0.01)
    assert_allclose(made.mean, offset + made.z[:, :1] + made.z[:, 1:] @ linear.dictionary, rtol=1e-5)


def test_a_model_that_makes_no_images_is_refused(linear):
    def refused(model):
        with pytest.raises(ValueError, match=r"observ|scale") as refusal:
            made_by(model, linear.guide, images=5)
        return str(refusal.value)

    def twice(x, nets):
        linear.model(x)
        with numpyro.plate("image", len(x)):
            numpyro.sample("again", SquaredError(x).to_event(1), obs=x)

    def logarithm(x, nets):
        with numpyro.plate("image", len(x)):
            z = numpyro.sample("z", Poisson(jnp.ones(UNITS)).to_event(1))
            numpyro.sample("x", SquaredError(z @ linear.dictionary).to_event(1), obs=jnp.exp(x))

    def conditional(x, nets):
        with numpyro.plate("image", len(x)):
            z = numpyro.sample("z", Poisson(jnp.exp(x[:, :UNITS])).to_event(1))
            numpyro.sample("x", SquaredError(z @ linear.dictionary).to_event(1), obs=x)

    assert "the model observes 'x', 'again'" in refused(twice)
    assert "the model observes something other than the images themselves" in refused(logarithm)
    assert "uses images for more than observing them" in refused(conditional)
    assert "is under a scale" in refused(scale(linear.model, 2.0))


# --- from the posterior ---


def test_replications_have_the_moments_of_a_linear_posterior(linear, x):
    """x′ has mean b + λΦ and variance Σ_k λ_k Φ_k² + ½, image by image."""
    known, weights = ({}, linear.model, linear.guide, Size(), np.asarray(x)), np.float64(linear.dictionary)
    mean, variance = linear.bias + linear.rates(x) @ weights, linear.rates(x) @ weights**2 + 0.5
    made, predicted = replicate_and_predict(random.key(0), *known, draws=3000)
    assert predicted is not None
    assert made.shape == (3000, len(x), PIXELS)
    assert_moments(made, mean, variance)
    # No noise of pixels is left in these; the variance between codes is within a tenth.
    spread = linear.rates(x) @ weights**2
    assert (np.abs(predicted.mean - mean) < 4.5 * np.sqrt(spread / 3000)).all()
    assert_allclose(predicted.variance, variance, rtol=0.1)


def test_the_moments_are_those_of_the_draws_themselves(linear, x):
    """The mean of means; ½ and their variance, unbiased: to float32."""
    known = (random.key(2), {}, linear.model, linear.guide, Size(), np.asarray(x))
    means = np.stack([np.float64(each.mean) for each in draw_posterior(*known, draws=7)])
    predicted = predict(*known, draws=7)
    assert_allclose(predicted.mean, means.mean(0), rtol=1e-6)
    assert_allclose(predicted.variance, 0.5 + means.var(0, ddof=1), rtol=1e-5)
    images, moments = replicate_and_predict(*known, draws=7)
    assert_array_equal(images, replicate(*known, draws=7))
    for one, other in zip(moments, predicted, strict=True):
        assert_array_equal(one, other)
    with pytest.raises(ValueError, match="draws must be >= 2, got 1"):
        predict(*known, draws=1)


def test_a_likelihood_without_a_variance_is_replicated_and_not_predicted(linear, x):
    class Shy(dist.Normal):
        @property
        def variance(self):
            raise NotImplementedError

    def model(x, nets):
        with numpyro.plate("image", len(x)):
            z = numpyro.sample("z", Poisson(jnp.ones(UNITS)).to_event(1))
            numpyro.sample("x", Shy(z @ linear.dictionary, 0.1).to_event(1), obs=x)

    known = (random.key(0), {}, model, linear.guide, Size(), np.asarray(x))
    images, moments = replicate_and_predict(*known, draws=2)
    assert images.shape == (2, len(x), PIXELS)
    assert moments is None
    with pytest.raises(ValueError, match="the likelihood has no variance of its own"):
        predict(*known, draws=2)


# --- calibration: uniform for exact posteriors ---

FEW = CODES[(CODES < 14).all(axis=1)]


class Listed(dist.Distribution):
    """A code drawn from the list `FEW` by its log-probabilities (image, code)."""

    support: Any = constraints.independent(constraints.nonnegative_integer, 1)

    def __init__(self, log_prob):
        self.logits = log_prob
        super().__init__(log_prob.shape[:-1], (UNITS,), validate_args=False)

    def sample(self, key, sample_shape=()):
        at = random.categorical(key, self.logits, shape=sample_shape + self.batch_shape)
        return jnp.asarray(FEW, jnp.float32)[at]


def listed_guide(params, spoil=lambda log_posterior: log_posterior):
    """log p(z|x) of every code of the list, exact but for what `spoil` does to it."""
    prior = log_prior(params)[(CODES < 14).all(axis=1)]

    def guide(x, nets):
        with numpyro.plate("image", len(x)):
            numpyro.sample("z", Listed(spoil(prior + log_likelihood(params, x, jnp.asarray(FEW, jnp.float32)))))

    return guide


def calibrated(model, guide, params=None, images=2000, draws=39, seed=0):
    made = made_by(model, guide, images, params, seed)
    posterior = draw_posterior(random.key(seed + 1), params or {}, model, guide, Size(), made.x, draws=draws)
    found = rank_among(made.z, (each.z for each in posterior), seed=seed)
    return judge_ranks(found.ranks, found.draws)


@pytest.fixture(scope="module")
def counts():
    params = {name: jnp.asarray(value, jnp.float32) for name, value in random_params(2).items()}
    return Enumerable(), params


def test_ranks_of_counts_are_uniform_for_the_exact_posterior(counts):
    """The table of all codes for a posterior: p-value above .01, shift and spread within 4.5 standard errors."""
    program, params = counts
    found = calibrated(program.model, listed_guide(params), params)
    assert found.p_value > 0.01
    assert (np.abs(found.shift) < 4.5 * np.sqrt(1 / 12 / 2000)).all()
    assert (np.abs(found.spread - 1) < 4.5 * np.sqrt(0.8 / 2000)).all()  # kurtosis of uniform ranks 1.8


MORE = np.log(1.3) * FEW.sum(axis=1)


@pytest.mark.parametrize(
    ("spoil", "seen"),
    [
        (lambda log_posterior: log_posterior + MORE, lambda found: found.shift < 0),
        (lambda log_posterior: log_posterior - MORE, lambda found: found.shift > 0),
        (lambda log_posterior: 3 * log_posterior, lambda found: found.spread > 1.2),
        (lambda log_posterior: 0.5 * log_posterior, lambda found: found.spread < 0.9),
    ],
    ids=["rates too high", "rates too low", "too narrow", "too wide"],
)
def test_ranks_of_counts_tell_what_was_spoiled(counts, spoil, seen):
    """Rates off by a factor 1.3 are found at p < .001, with both units shifted to the side that is too empty."""
    program, params = counts
    found = calibrated(program.model, listed_guide(params, spoil), params)
    assert found.p_value < 1e-3
    assert seen(found).all()


def test_ranks_of_values_are_uniform_for_the_exact_posterior_of_a_gaussian_model(program, weights):
    """z ~ N(0, 1), x ~ N(zΦ, s²): posterior covariance (1 + ΦΦᵀ/s²)⁻¹, which units share; half as wide, it shows."""
    precision = np.eye(UNITS) + weights @ weights.T / 0.49
    covariance = np.linalg.inv(precision).astype(np.float32)

    def exact(width):
        def q(x):
            loc = x @ weights.T @ covariance / 0.49
            return dist.MultivariateNormal(loc, scale_tril=width * np.linalg.cholesky(covariance))

        return q

    assert calibrated(*program(exact(1.0), standard_normal)).p_value > 0.01
    narrow = calibrated(*program(exact(0.5), standard_normal))
    assert narrow.p_value < 1e-6
    assert (narrow.spread > 1.1).all()

"""The importance-weighted bound against evidence by enumeration, quadrature and closed forms, and what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
import scipy.stats
from jax import random
from numpy.testing import assert_allclose, assert_array_equal
from numpyro.handlers import scale
from scipy.special import logsumexp

from ppl_pvae.distributions import Poisson, RectifiedNormal, SquaredError
from ppl_pvae.inference import FreeEnergy, Hard, importance_weighted
from ppl_pvae.inference.evaluation import held_globals
from tests.inference.conftest import IMAGES, PIXELS, UNITS, some_normal, standard_normal
from tests.oracles.enumeration import CODES, Enumerable, log_count, log_evidence, random_params

DRAWS = 20_000
NOISE = 0.5 * np.eye(PIXELS)  # covariance of the default likelihood


def weigh(model, guide, x, draws=DRAWS, params=None, seed=0):
    return importance_weighted(random.key(seed), params or {}, model, guide, None, x, draws=draws)


def assert_mean_weight_is(evidence, log_weights):
    """E_q p(x, z)/q(z|x) = p(x) without bias, each image: within 4.5 standard errors, themselves below 5%."""
    ratio = np.exp(np.float64(log_weights) - np.asarray(evidence)[:, None])
    error = ratio.std(axis=1) / np.sqrt(ratio.shape[1])
    assert error.max() < 0.05
    assert (np.abs(ratio.mean(axis=1) - 1) < 4.5 * error).all()


def gaussian(mean, covariance, x):
    """log N(x; mean, covariance) of each image, for each of some means."""
    each = [scipy.stats.multivariate_normal(m, covariance).logpdf(np.float64(x)) for m in np.atleast_2d(mean)]
    return np.stack(each, axis=-1)


# --- counts ---


@pytest.mark.parametrize(
    ("likelihood", "dispersed"), [("gaussian", False), ("gaussian", True), ("bernoulli", False), ("poisson", True)]
)
def test_weights_of_counts_have_the_evidence_for_mean(likelihood, dispersed, x):
    """Poisson counts, or negative binomial ones, under a decoder that bends."""
    x = np.float32({"gaussian": x, "bernoulli": x > 0, "poisson": np.floor(np.abs(2 * x))}[likelihood])
    params, program = random_params(2, dispersed), Enumerable(likelihood, dispersed)
    single = {name: jnp.asarray(value, jnp.float32) for name, value in params.items()}
    with jax.enable_x64(True):
        evidence = np.asarray(log_evidence(params, np.float64(x), likelihood))
    assert_mean_weight_is(evidence, weigh(program.model, program.guide, x, params=single).log_weights)


def test_the_bound_is_the_negative_elbo_at_one_draw_rises_and_ends_at_the_evidence(linear, x):
    """Mean over 4,000, 400 and 40 repeats of an image at 1, 10 and 1,000 draws, each within its standard error."""
    parts = jax.jit(lambda x: FreeEnergy(estimator=Hard()).parts(random.key(9), {}, linear.model, linear.guide, x))
    many = parts(jnp.tile(x, (4000, 1)))
    elbo = -np.asarray(many.distortion + many.constant + many.coding_rate, np.float64).reshape(4000, IMAGES)
    bounds = []
    for seed, (draws, repeats) in enumerate(((1, 4000), (10, 400), (1000, 40))):
        found = weigh(linear.model, linear.guide, np.tile(x, (repeats, 1)), draws, seed=seed).bound
        bounds.append(found.reshape(repeats, IMAGES))
    mean = [each.mean(axis=0) for each in (elbo, *bounds)]
    error = [each.std(axis=0) / np.sqrt(len(each)) for each in (elbo, *bounds)]
    prior = scipy.stats.poisson(linear.prior_rate).logpmf(CODES).sum(-1)
    likelihood = gaussian(linear.bias + CODES @ np.float64(linear.dictionary), NOISE, x)
    evidence = logsumexp(prior + likelihood, axis=1)
    assert (np.abs(mean[1] - mean[0]) < 4.5 * np.hypot(error[0], error[1])).all()
    assert (mean[2] > mean[1] + 4.5 * np.hypot(error[1], error[2])).all()
    assert (mean[3] > mean[2] + 4.5 * np.hypot(error[2], error[3])).all()
    # E log of a mean of S weights is log p(x) − Var w/(2S p²) to first order: here less than 0.02 nats
    assert (np.abs(mean[3] - evidence) < 4.5 * error[3] + 0.02).all()


def test_the_bound_is_the_log_of_the_mean_weight(linear, x):
    found = weigh(linear.model, linear.guide, x, 7)
    assert_allclose(found.bound, logsumexp(np.float64(found.log_weights), axis=1) - np.log(7), rtol=1e-12)
    assert found.bound.dtype == np.float64


def test_a_prior_over_whole_count_vectors_has_an_evidence(program, weights, x):
    """A mixture that couples units has no KL per unit, which a weight does not ask for."""
    rates, shares = np.array([[0.3, 1.5], [2.0, 0.4]]), np.array([0.3, 0.7])

    def mixture(x):
        return dist.MixtureSameFamily(dist.Categorical(jnp.asarray(shares)), Poisson(jnp.asarray(rates)).to_event(1))

    def q(x):
        return Poisson(jnp.full((len(x), UNITS), 1.2)).to_event(1)

    model, guide = program(q, mixture)
    prior = logsumexp(np.log(shares) + np.stack([log_count(CODES, np.log(r)) for r in rates], -1), axis=1)
    evidence = logsumexp(prior + gaussian(CODES @ np.float64(weights), 0.49 * np.eye(PIXELS), x), axis=1)
    assert_mean_weight_is(evidence, weigh(model, guide, x).log_weights)


# --- codes that are not counts, several sites, globals ---


def test_weights_of_a_gaussian_code_have_the_evidence_for_mean(program, weights, x):
    model, guide = program(lambda x: dist.Normal(0.3 * x[:, :UNITS], 0.7).to_event(1))
    covariance = 0.49 * np.eye(PIXELS) + np.float64(weights).T @ weights
    assert_mean_weight_is(gaussian(np.zeros(PIXELS), covariance, x)[:, 0], weigh(model, guide, x).log_weights)


def test_weights_of_a_rectified_code_have_the_evidence_for_mean_whichever_is_paid(weights, x):
    """p(x) = ∫ N(z; m, s²) p(x|max(z, 0)) dz over the normal behind the code: its cdf below 0, quadrature above."""
    loc, spread, dictionary = np.array([-0.6, 0.4]), np.array([1.2, 0.8]), 0.5 * np.float64(weights)

    def program(pays):
        def model(x, nets):
            with numpyro.plate("image", len(x)):
                h = numpyro.sample("h", RectifiedNormal(jnp.asarray(loc), jnp.asarray(spread), pays=pays).to_event(1))
                numpyro.sample("x", SquaredError(jnp.sin(h) @ dictionary).to_event(1), obs=x)

        def guide(x, nets):
            with numpyro.plate("image", len(x)):
                q = RectifiedNormal(0.2 * x[:, :UNITS] - jnp.array([0.4, 0.0]), 1.0, pays=pays)
                numpyro.sample("h", q.to_event(1))

        return model, guide

    node, weight = np.polynomial.legendre.leggauss(60)
    h = np.concatenate([[0.0], 4 * (node + 1)])
    share = [np.concatenate([[q.cdf(0)], 4 * weight * q.pdf(h[1:])]) for q in map(scipy.stats.norm, loc, spread)]
    assert_allclose([each.sum() for each in share], 1, atol=1e-8)
    pairs = np.stack(np.meshgrid(h, h, indexing="ij"), -1).reshape(-1, UNITS)
    likelihood = gaussian(np.sin(pairs) @ dictionary, NOISE, x)
    evidence = logsumexp(likelihood, b=np.outer(*share).ravel(), axis=1)
    code, latent = (weigh(*program(pays), x).log_weights for pays in ("code", "latent"))
    assert_mean_weight_is(evidence, code)
    assert_array_equal(latent, code)


def test_several_sites_and_a_global_latent(weights, x):
    """Counts beside a Gaussian level: Σ_n p(n) N(x; m + nΦ, noise + 11ᵀ), at the one draw of the global m."""

    def model(x, nets):
        m = numpyro.sample("m", dist.Normal(0.0, 2.0).expand([PIXELS]).to_event(1))
        with numpyro.plate("image", len(x)):
            level = numpyro.sample("level", dist.Normal(0.0, 1.0))
            z = numpyro.sample("z", dist.Poisson(0.5 + jnp.zeros(UNITS)).to_event(1))
            numpyro.sample("x", SquaredError(m + level[:, None] + z @ weights).to_event(1), obs=x)

    def guide(x, nets):
        numpyro.sample("m", dist.Normal(0.2, 0.3).expand([PIXELS]).to_event(1))
        with numpyro.plate("image", len(x)):
            numpyro.sample("z", Poisson(jnp.full((len(x), UNITS), 0.6)).to_event(1))
            numpyro.sample("level", dist.Normal(0.5 * x.mean(1), 0.8))

    m = np.float64(held_globals({}, guide, None, x)["m"])
    assert np.abs(m - 0.2).max() > 0.1
    means = m + CODES @ np.float64(weights)
    likelihood = gaussian(means, NOISE + np.ones((PIXELS, PIXELS)), x)
    evidence = logsumexp(log_count(CODES, np.log([0.5, 0.5])) + likelihood, axis=1)
    assert_mean_weight_is(evidence, weigh(model, guide, x).log_weights)


# --- what it refuses ---


class Nameless(dist.Normal):
    """A family that draws and cannot say how probably."""

    def log_prob(self, value):
        raise NotImplementedError


def refused(model, guide, x):
    with pytest.raises(ValueError, match=r"^site") as error:
        weigh(model, guide, x, 1)
    return str(error.value)


CANNOT = {
    "no log-probability": (
        lambda x: Nameless(jnp.zeros((len(x), UNITS)), 1.0),
        lambda x: dist.Normal(jnp.zeros(UNITS), 1.0),
        "site 'z': Nameless has no log_prob",
    ),
    "an atom on one side": (
        lambda x: RectifiedNormal(jnp.zeros((len(x), UNITS)), 1.0),
        lambda x: dist.HalfNormal(jnp.ones(UNITS)),
        "site 'z': RectifiedNormal in the guide has a probability at 0 and a density above, HalfNormal in the model a "
        "density",
    ),
    "counts on one side": (
        lambda x: dist.Normal(jnp.zeros((len(x), UNITS)), 1.0),
        lambda x: Poisson(jnp.ones(UNITS)),
        "site 'z': Normal in the guide has a density, Poisson in the model probabilities",
    ),
    "a point mass": (
        lambda x: dist.Delta(jnp.zeros((len(x), UNITS))),
        lambda x: dist.Normal(jnp.zeros(UNITS), 1.0),
        "site 'z': Delta has no probability",
    ),
    "a mask": (
        lambda x: dist.Normal(jnp.zeros((len(x), UNITS)), 1.0).mask(jnp.array([True, False])),
        lambda x: dist.Normal(jnp.zeros(UNITS), 1.0).mask(jnp.array([True, False])),
        "site 'z': MaskedDistribution has no probability",
    ),
    "events of unlike shape": (
        lambda x: dist.Normal(jnp.zeros((len(x), UNITS + 1)), 1.0),
        lambda x: dist.Normal(jnp.zeros(UNITS), 1.0),
        "site 'z': one event of the guide has shape (3,), of the model (2,)",
    ),
}


@pytest.mark.parametrize("case", CANNOT)
def test_a_site_that_cannot_be_weighed_is_named(case, program, x):
    q, p, told = CANNOT[case]
    built = program(lambda x: q(x).to_event(1), lambda x: p(x).to_event(1), decode=lambda z, x: (0 * x, 0.7))
    assert told in refused(*built, x)


@pytest.mark.parametrize("side", ["model", "guide"])
def test_a_scale_is_refused(side, program, x):
    model, guide = program(some_normal)
    scaled = (scale(model, 2.0), guide) if side == "model" else (model, scale(guide, 2.0))
    assert "is under a scale" in refused(*scaled, x)


def test_images_observed_outside_the_plate_are_refused(x):
    def model(x, nets):
        with numpyro.plate("image", len(x)):
            numpyro.sample("z", standard_normal(x))
        numpyro.sample("x", dist.Normal(jnp.zeros_like(x), 1.0).to_event(1), obs=x)

    def guide(x, nets):
        with numpyro.plate("image", len(x)):
            numpyro.sample("z", some_normal(x))

    assert "site 'x' is observed outside the plate 'image'" in refused(model, guide, x)


def test_a_draw_that_the_prior_excludes_weighs_nothing(program, x):
    """A bound still: of a guide that draws below zero too, where the prior has no density."""
    model, guide = program(
        lambda x: dist.Normal(jnp.zeros((len(x), UNITS)), 1.0).to_event(1),
        lambda x: dist.HalfNormal(jnp.ones(UNITS)).to_event(1),
    )
    log_weights = weigh(model, guide, x, 400).log_weights
    assert abs(np.isneginf(log_weights).mean() - 0.75) < 4.5 * np.sqrt(0.75 * 0.25 / log_weights.size)
    assert np.isfinite(weigh(model, guide, x, 400).bound).all()

"""The negative ELBO of a program whose codes can be listed: what lies between it and −log p(x), in float64."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from jax import random
from numpy.testing import assert_allclose
from numpyro.distributions import constraints, kl_divergence

from ppl_pvae.distributions import SquaredError
from ppl_pvae.inference import FreeEnergy, importance_weighted
from tests.inference.conftest import IMAGES, PIXELS
from tests.oracles.enumeration import (
    CODES,
    TOP,
    Enumerable,
    decode,
    log_evidence,
    log_likelihood,
    log_posterior,
    log_prior,
    random_params,
)

pytestmark = pytest.mark.usefixtures("float64")


@dataclass(frozen=True)
class At:
    """Estimator whose draws are given, one for each image."""

    z: Any
    name: str = "at"
    exact: bool = False

    def draw(self, key, q, temperature):
        return self.z


def negative_elbo(params, model, guide, x, log_q):
    """D + constant + KL of each image, the distortion summed over all codes with the weights q(n|x) that are given."""
    rows, codes = jnp.repeat(x, len(CODES), axis=0), jnp.tile(jnp.asarray(CODES, x.dtype), (len(x), 1))
    parts = FreeEnergy(estimator=At(codes)).parts(random.key(0), params, model, guide, rows)
    distortion = jnp.sum(jnp.exp(log_q) * parts.distortion.reshape(log_q.shape), axis=1)
    return distortion + parts.constant + parts.coding_rate.reshape(log_q.shape)[:, 0]


def images(likelihood, seed=1):
    rng = np.random.default_rng(seed)
    draws = {"gaussian": rng.normal(size=(IMAGES, PIXELS)), "bernoulli": rng.integers(0, 2, (IMAGES, PIXELS))}
    return jnp.asarray(draws.get(likelihood, rng.poisson(1.0, (IMAGES, PIXELS))), jnp.float64)


@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli", "poisson"])
@pytest.mark.parametrize("dispersed", [False, True], ids=["poisson counts", "negative binomial counts"])
def test_the_negative_elbo_exceeds_minus_log_evidence_by_the_divergence_from_the_true_posterior(dispersed, likelihood):
    """KL(q(z|x) ‖ p(z|x)) ≥ 0 of each of 5 images at 12 random parameters of a bent decoder; absolute 1e-8."""
    program, x = Enumerable(likelihood, dispersed), images(likelihood)

    def gap(params):
        log_q, evidence = log_posterior(params, x), log_evidence(params, x, likelihood)
        log_true = log_prior(params) + log_likelihood(params, x, CODES, likelihood) - evidence[:, None]
        found = negative_elbo(params, program.model, program.guide, x, log_q)
        return jnp.exp(log_q).sum(1), found + evidence, jnp.sum(jnp.exp(log_q) * (log_q - log_true), axis=1)

    sets = [random_params(seed, dispersed) for seed in range(12)]
    stacked = {name: jnp.asarray(np.stack([each[name] for each in sets])) for name in sets[0]}
    mass, found, expected = jax.jit(lambda sets: jax.lax.map(gap, sets))(stacked)
    assert_allclose(mass, 1, atol=1e-9)  # the counts left out do not matter
    assert_allclose(found, expected, atol=1e-8)
    assert found.min() > 0
    assert found.min() < 0.2  # some guide comes near


# --- a guide that is the true posterior ---


class Listed(dist.Distribution):
    """Both counts at once, by the unnormalised log-probabilities of all pairs, (…, code)."""

    support = constraints.independent(constraints.nonnegative_integer, 1)
    pytree_data_fields = ("log_table",)

    def __init__(self, log_table):
        self.log_table = jax.nn.log_softmax(log_table)
        super().__init__(jnp.shape(log_table)[:-1], (2,))

    def sample(self, key, sample_shape=()):
        chosen = random.categorical(key, self.log_table, shape=sample_shape + self.batch_shape)
        return jnp.asarray(CODES, self.log_table.dtype)[chosen]

    def log_prob(self, value):
        index = (TOP * value[..., 0] + value[..., 1]).astype(int)
        table = jnp.broadcast_to(self.log_table, (*index.shape, len(CODES)))
        return jnp.take_along_axis(table, index[..., None], axis=-1)[..., 0]


@kl_divergence.register(Listed, Listed)
def _listed_listed(q, p):
    return jnp.sum(jnp.exp(q.log_table) * (q.log_table - p.log_table), axis=-1)


@pytest.fixture
def exact_guide():
    """(model, guide, params): the bent program with counts drawn in pairs, the guide its true posterior."""
    params = {name: jnp.asarray(value) for name, value in random_params(3).items()}

    def model(x, nets=None):
        with numpyro.plate("image", len(x)):
            z = numpyro.sample("z", Listed(log_prior(params)))
            numpyro.sample("x", SquaredError(decode(params, z)).to_event(1), obs=x)

    def guide(x, nets=None):
        with numpyro.plate("image", len(x)):
            numpyro.sample("z", Listed(log_prior(params) + log_likelihood(params, x, CODES)))

    return model, guide, params


def test_the_true_posterior_attains_the_evidence(exact_guide):
    """Equality of the negative ELBO and −log p(x), absolute 1e-9."""
    (model, guide, params), x = exact_guide, images("gaussian")

    @jax.jit
    def found(x):
        log_q = jax.nn.log_softmax(log_prior(params) + log_likelihood(params, x, CODES))
        return negative_elbo({}, model, guide, x, log_q)

    assert_allclose(found(x), -log_evidence(params, x), atol=1e-9)


def test_under_the_true_posterior_every_draw_has_the_weight_of_its_image(exact_guide):
    """log p(x), absolute 1e-9, whatever was drawn: 7 images of 300 draws, so that blocks end within an image."""
    (model, guide, params), x = exact_guide, jnp.asarray(np.random.default_rng(4).normal(size=(7, PIXELS)))
    found = importance_weighted(random.key(0), {}, model, guide, None, x, draws=300)
    evidence = log_evidence(params, x)
    assert found.log_weights.shape == (7, 300)
    assert_allclose(found.log_weights, np.broadcast_to(evidence[:, None], (7, 300)), atol=1e-9)
    assert_allclose(found.bound, evidence, atol=1e-9)

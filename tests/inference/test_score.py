"""Gradients for whole counts: the score function without bias, straight-through with a known one."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
import scipy.stats
from jax import random
from numpy.testing import assert_allclose

from ppl_pvae.distributions import NegativeBinomial, Poisson, SquaredError
from ppl_pvae.inference import ArrivalTime, Exact, FreeEnergy, GumbelSoftmax, ScoreFunction, StraightThrough
from ppl_pvae.inference.score import with_score_gradient
from tests.inference.conftest import PIXELS, UNITS

PARAMS = {
    "encoder": jnp.asarray(np.random.default_rng(0).normal(0, 0.5, (PIXELS, UNITS)), jnp.float32),
    "dictionary": jnp.asarray(np.random.default_rng(1).normal(0, 0.7, (UNITS, PIXELS)), jnp.float32),
}


def model(x):
    with numpyro.plate("image", len(x)):
        z = numpyro.sample("z", Poisson(jnp.ones(UNITS)).to_event(1))
        numpyro.sample("x", SquaredError(z @ numpyro.param("dictionary")).to_event(1), obs=x)


def guide(x):
    with numpyro.plate("image", len(x)):
        numpyro.sample("z", Poisson(log_rate=x @ numpyro.param("encoder")).to_event(1))


def gradients(estimator, x, draws):
    """Gradients of the free energy under independent keys, one array (draw, …) per parameter."""
    free_energy = FreeEnergy(0.7, estimator=estimator)

    def one(key):
        return jax.grad(lambda params: free_energy.loss(key, params, model, guide, x))(PARAMS)

    return jax.jit(jax.vmap(one))(random.split(random.key(0), draws))


@pytest.mark.parametrize("particles", [2, 5])
def test_the_score_function_has_the_exact_gradient_for_mean(particles, x):
    """Within 4.5 standard errors over 4,000 draws, every entry."""
    exact, drawn = gradients(Exact(), x, 1), gradients(ScoreFunction(particles), x, 4000)
    for name, values in drawn.items():
        values = np.asarray(values, np.float64)
        error = values.std(axis=0) / np.sqrt(len(values))
        assert np.all(np.abs(values.mean(axis=0) - exact[name][0]) < 4.5 * error), name


@pytest.mark.slow
def test_the_score_function_has_the_exact_gradient_of_a_negative_binomial_too(x):
    """In encoder and concentration, which model and guide share; within 4.5 standard errors over 4,000 draws."""
    params = PARAMS | {"concentration": jnp.array([0.8, 5.0])}

    def model(x):
        with numpyro.plate("image", len(x)):
            prior = NegativeBinomial(jnp.ones(UNITS), numpyro.param("concentration"))
            z = numpyro.sample("z", prior.to_event(1))
            numpyro.sample("x", SquaredError(z @ numpyro.param("dictionary")).to_event(1), obs=x)

    def guide(x):
        with numpyro.plate("image", len(x)):
            log_rate, phi = x @ numpyro.param("encoder"), numpyro.param("concentration")
            numpyro.sample("z", NegativeBinomial(log_rate=log_rate, concentration=phi).to_event(1))

    def gradient(estimator, key):
        free_energy = FreeEnergy(0.7, estimator=estimator)
        return jax.grad(lambda params: free_energy.loss(key, params, model, guide, x))(params)

    exact = jax.jit(lambda key: gradient(Exact(), key))(random.key(0))
    drawn = jax.jit(jax.vmap(lambda key: gradient(ScoreFunction(4), key)))(random.split(random.key(0), 4000))
    for name, values in drawn.items():
        values = np.asarray(values, np.float64)
        error = values.std(axis=0) / np.sqrt(len(values))
        assert np.all(np.abs(values.mean(axis=0) - exact[name]) < 4.5 * error), name


def test_straight_through_misses_what_the_spread_costs(x):
    """Its mean gradient is the exact one less that of Σ_k λ_k‖Φ_k‖², within 4.5 standard errors."""

    def spread(encoder):
        return jnp.mean(jnp.exp(x @ encoder) @ jnp.sum(PARAMS["dictionary"] ** 2, axis=1))

    exact, drawn = gradients(Exact(), x, 1), gradients(StraightThrough(), x, 4000)
    values = np.asarray(drawn["encoder"], np.float64)
    missing = jax.grad(spread)(PARAMS["encoder"])
    assert np.abs(missing).max() > 0.1
    error = values.std(axis=0) / np.sqrt(len(values))
    assert np.all(np.abs(values.mean(axis=0) - (exact["encoder"][0] - missing)) < 4.5 * error)


def test_gumbel_softmax_points_the_way_of_the_exact_gradient(x):
    """At τ = 0.1 the mean over 500 draws has a cosine of more than 0.9 with it."""
    free_energy = FreeEnergy(0.7, estimator=GumbelSoftmax(), temperature=0.1)

    def one(key):
        return jax.grad(lambda params: free_energy.loss(key, params, model, guide, x))(PARAMS)["encoder"]

    mean = np.asarray(jax.jit(jax.vmap(one))(random.split(random.key(0), 500))).mean(axis=0).ravel()
    exact = np.asarray(gradients(Exact(), x, 1)["encoder"][0]).ravel()
    assert mean @ exact / np.linalg.norm(mean) / np.linalg.norm(exact) > 0.9


def test_the_value_is_the_mean_cost_and_the_baseline_leaves_one_out():
    """By hand for three particles of one image."""
    cost, log_prob = jnp.array([[1.0], [2.0], [6.0]]), jnp.array([[0.1], [0.2], [0.3]])
    assert_allclose(with_score_gradient(cost, log_prob), cost)
    slope = jax.grad(lambda log_prob: with_score_gradient(cost, log_prob).sum())(log_prob)
    assert_allclose(slope, [[1 - 4.0], [2 - 3.5], [6 - 1.5]])


def test_a_price_that_hangs_on_a_count_is_scored_too():
    """z₂'s prior rate is ½ + z₁: E KL₂ over z₁ ~ Pois(λ) has the derivative λ Σ p(n)(KL₂(n + 1) − KL₂(n)) in log λ."""

    def model(x):
        with numpyro.plate("image", len(x)):
            first = numpyro.sample("first", Poisson(jnp.full(1, 2.0)).to_event(1))
            numpyro.sample("second", Poisson(0.5 + first).to_event(1))
            numpyro.sample("x", SquaredError(jnp.zeros((len(x), PIXELS))).to_event(1), obs=x)

    def guide(x):
        with numpyro.plate("image", len(x)):
            numpyro.sample("first", Poisson(log_rate=jnp.full((len(x), 1), numpyro.param("log_rate"))).to_event(1))
            numpyro.sample("second", Poisson(jnp.full((len(x), 1), 1.5)).to_event(1))

    log_rate, x = np.log(0.8), jnp.zeros((8, PIXELS))
    free_energy = FreeEnergy(estimator=ScoreFunction(3))

    def one(key):
        return jax.grad(lambda value: free_energy.loss(key, {"log_rate": value}, model, guide, x))(log_rate)

    drawn = np.asarray(jax.jit(jax.vmap(one))(random.split(random.key(0), 2000)), np.float64)
    n = np.arange(40)
    kl = 1.5 * np.log(1.5 / (0.5 + n)) - 1.5 + 0.5 + n
    first = 0.8 * (log_rate - np.log(2.0))
    exact = first + 0.8 * np.sum(scipy.stats.poisson.pmf(n[:-1], 0.8) * np.diff(kl))
    assert abs(drawn.mean() - exact) < 4.5 * drawn.std() / np.sqrt(len(drawn))


def test_one_particle_has_nothing_to_be_compared_with():
    with pytest.raises(ValueError, match="particles must be >= 2, got 1"):
        ScoreFunction(1)


def test_without_counts_there_is_nothing_to_score():
    """One number per particle in place of one per image changes nothing."""
    cost = jnp.arange(6.0).reshape(2, 3)
    assert_allclose(with_score_gradient(cost, jnp.zeros(2)), cost)


def coupled(z_site, scale):
    """Two units that fire together: a prior that mixes two vectors of rates, with a parameter in it."""

    def model(x):
        both = jnp.stack([jnp.array([0.3, 0.5]), jnp.exp(scale() * jnp.ones(2))])
        weights = dist.CategoricalProbs(jnp.array([0.6, 0.4]))
        with numpyro.plate("image", len(x)):
            z = numpyro.sample("z", dist.MixtureSameFamily(weights, Poisson(both).to_event(1)))
            numpyro.sample("x", SquaredError(z @ numpyro.param("dictionary")).to_event(1), obs=x)

    def guide(x):
        with numpyro.plate("image", len(x)):
            numpyro.sample("z", Poisson(log_rate=x @ numpyro.param("encoder")).to_event(1), infer=z_site)

    return model, guide


def enumerated(params, x, beta):
    """E_q[‖x − zΦ‖² + β(log q − log p)], averaged over images, over all counts up to 24."""
    n = jnp.arange(25.0)
    z = jnp.stack(jnp.meshgrid(n, n, indexing="ij"), axis=-1).reshape(-1, 2)

    def log_poisson(log_rate):
        return jnp.sum(z * log_rate - jnp.exp(log_rate) - jax.scipy.special.gammaln(z + 1), axis=-1)

    parts = [jnp.log(0.6) + log_poisson(jnp.log(jnp.array([0.3, 0.5]))), jnp.log(0.4) + log_poisson(params["scale"])]
    log_p = jnp.logaddexp(*parts)

    def one(x):
        log_q = log_poisson(x @ params["encoder"])
        error = jnp.sum(jnp.square(x - z @ params["dictionary"]), axis=-1)
        return jnp.sum(jnp.exp(log_q) * (error + beta * (log_q - log_p)))

    return jnp.mean(jax.vmap(one)(x))


def test_a_prior_that_couples_units_by_monte_carlo_on_whole_counts(x):
    """Value and every gradient, that of the prior too, within 4.5 standard errors of enumeration over 4,000 draws."""
    params = PARAMS | {"scale": jnp.asarray(0.6)}
    model, guide = coupled({"kl": "monte-carlo"}, lambda: numpyro.param("scale"))
    free_energy = FreeEnergy(0.7, estimator=ScoreFunction(3))

    def one(key):
        return jax.value_and_grad(lambda params: free_energy.loss(key, params, model, guide, x))(params)

    drawn = jax.jit(jax.vmap(one))(random.split(random.key(0), 4000))
    exact = jax.value_and_grad(enumerated)(params, x, 0.7)
    for values, expected in zip(jax.tree.leaves(drawn), jax.tree.leaves(exact), strict=True):
        values = np.asarray(values, np.float64)
        error = values.std(axis=0) / np.sqrt(len(values))
        assert np.all(np.abs(values.mean(axis=0) - expected) < 4.5 * error)


@pytest.mark.parametrize("estimator", [ArrivalTime(), GumbelSoftmax(), StraightThrough()])
def test_relaxed_counts_have_no_such_kl(estimator, x):
    model, guide = coupled({"kl": "monte-carlo"}, lambda: 0.6)
    with pytest.raises(
        ValueError, match="site 'z' asks for its KL at whole counts: use the estimator 'score-function'"
    ):
        jax.eval_shape(lambda p: FreeEnergy(estimator=estimator).loss(random.key(0), p, model, guide, x), PARAMS)


def test_what_couples_units_is_refused_unless_asked_for(x):
    free_energy = FreeEnergy(estimator=ScoreFunction())
    for asked, told in (
        (None, r"couples units .* infer=\{\"kl\": \"monte-carlo\"\}"),
        ({"kl": "mc"}, "must be 'monte-"),
    ):
        model, guide = coupled(asked, lambda: 0.6)
        with pytest.raises(ValueError, match=told):
            jax.eval_shape(lambda p, m=model, g=guide: free_energy.loss(random.key(0), p, m, g, x), PARAMS)

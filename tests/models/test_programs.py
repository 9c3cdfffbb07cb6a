"""The built-in programs against the formulas of their papers, and the contract that all of them keep."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import random
from numpy.testing import assert_allclose, assert_array_equal
from numpyro.handlers import seed, substitute, trace, uncondition

from ppl_pvae.distributions import NegativeBinomial, Poisson, RectifiedNormal, base_of, unit_kl
from ppl_pvae.inference import Exact, run_program
from ppl_pvae.models import BUILT_IN, Variation, built_in, poisson
from ppl_pvae.networks import Linear, Nets

NETS = Nets(units=3, pixels=5)
X = np.float32(np.random.default_rng(0).normal(size=(4, 5)))
VARIATIONS = [
    ("poisson", Variation()),
    ("poisson", Variation(prior="fixed", ceiling="fixed")),
    ("negative-binomial", Variation()),
    ("negative-binomial", Variation(prior="fixed", ceiling="fixed", dispersion="fixed", concentration=2.0)),
    ("gaussian", Variation()),
    ("gaussian", Variation(prior="fixed")),
    ("rectified-gaussian", Variation(pays="code")),
    ("rectified-gaussian", Variation(prior="fixed", pays="latent")),
]


def weights(heads):
    rng = np.random.default_rng(1)
    encoder, bias, decoder = (rng.normal(0, 0.5, size) for size in ((5, 3 * heads), 3 * heads, (3, 5)))
    networks = {"encoder": Linear(jnp.float32(encoder)), "decoder": Linear(jnp.float32(decoder))}
    return networks | {"encoder_bias": jnp.float32(bias)}


def sites(name, variation=None, params=None):
    """One run with local sites at their means."""
    program = built_in(name, variation or Variation())
    args = (jnp.asarray(X), NETS)
    return run_program(
        random.key(0), params or {}, *program, args, {}, estimator=Exact(), temperature=1.0, plate="image"
    )


@pytest.mark.parametrize(("name", "variation"), VARIATIONS)
def test_the_contract(name, variation):
    """One local code (image, unit), x observed as one event an image, nothing returned."""
    program = built_in(name, variation)
    traces = sites(name, variation)
    z, x = traces.guide["z"], traces.model["x"]
    assert (z["fn"].batch_shape, z["fn"].event_shape) == ((4,), (3,))
    assert (x["fn"].batch_shape, x["fn"].event_shape) == ((4,), (5,))
    assert_array_equal(x["value"], X)
    assert unit_kl(z["fn"], traces.model["z"]["fn"]).shape == (4, 3)
    assert seed(substitute(program.guide, data={"z": z["value"]}), 0)(jnp.asarray(X), NETS) is None


def test_poisson_rates_are_prior_times_gain():
    """log λ = log r + log δr far below the ceiling; never above it; KL as for the two rates."""
    log_r = jnp.array([-1.0, -80.0, 0.5])
    params = weights(1) | {"log_prior_rate": log_r, "log_largest_gain": jnp.full(3, 60.0)}
    traces = sites("poisson", params=params)
    log_gain = X @ np.asarray(params["encoder"].weight) + np.asarray(params["encoder_bias"])
    found = traces.guide["z"]["fn"]
    assert isinstance(base_of(found), Poisson)
    top = np.minimum(60.0, 5.3 - np.asarray(log_r))  # no rate above e^5.3
    expected = np.asarray(log_r) + top - np.logaddexp(0, top - log_gain)
    assert_allclose(base_of(found).log_rate, expected, rtol=1e-5, atol=1e-5)
    assert_allclose(traces.model["z"]["fn"].mean, np.broadcast_to(np.exp(log_r), (4, 3)), rtol=1e-5)
    loud = params | {"encoder_bias": jnp.full(3, 1e4)}
    assert (base_of(sites("poisson", params=loud).guide["z"]["fn"]).log_rate <= 5.3001).all()


@pytest.mark.parametrize("name", ["poisson", "negative-binomial"])
def test_with_a_fixed_ceiling_rates_are_as_published(name):
    """log λ = softclamp(log r + softclamp(Wx, 10), 5.3), also where both are met; one clamp is something else."""
    params = weights(1) | {"log_prior_rate": jnp.array([-5.0, -1.0, 3.0]), "encoder_bias": jnp.array([9.0, 6.0, 2.0])}

    def clamped(value, top):
        return top - np.logaddexp(0, top - value)

    log_gain = X @ np.asarray(params["encoder"].weight, np.float64) + np.asarray(params["encoder_bias"])
    expected = clamped(np.asarray(params["log_prior_rate"]) + clamped(log_gain, 10.0), 5.3)
    found = base_of(sites(name, Variation(ceiling="fixed", largest_log_gain=10.0), params).guide["z"]["fn"]).log_rate
    assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    at_once = np.asarray(params["log_prior_rate"])
    at_once = at_once + clamped(log_gain, np.minimum(10.0, 5.3 - at_once))
    assert np.abs(at_once - expected).max() > 0.1


def test_negative_binomial_counts_have_the_rates_of_the_poisson_program_and_one_concentration():
    """λ and r as there; φ of posterior and prior the parameter's, soft-clamped between 0.01 and 10⁶."""
    params = weights(1) | {"log_prior_rate": jnp.array([-1.0, -80.0, 0.5]), "log_largest_gain": jnp.full(3, 3.0)}
    counts = sites("poisson", params=params)
    log_phi = jnp.log(jnp.array([0.5, 20.0, 3000.0]))
    traces = sites("negative-binomial", params=params | {"log_concentration": log_phi})
    q, p = (base_of(each["z"]["fn"]) for each in traces)
    assert isinstance(q, NegativeBinomial)
    assert_array_equal(q.log_rate, base_of(counts.guide["z"]["fn"]).log_rate)
    assert_allclose(traces.model["z"]["fn"].mean, counts.model["z"]["fn"].mean)
    assert_array_equal(jnp.squeeze(q.concentration), jnp.squeeze(p.concentration))
    assert_allclose(jnp.squeeze(q.concentration), np.exp(log_phi), rtol=0.03)
    far = sites("negative-binomial", params=params | {"log_concentration": jnp.array([-1e3, 0.0, 1e3])})
    assert_allclose(jnp.squeeze(base_of(far.guide["z"]["fn"]).concentration), [0.01, 1.01, 1e6], rtol=1e-3)
    assert np.isfinite(unit_kl(far.guide["z"]["fn"], far.model["z"]["fn"])).all()


def test_a_concentration_starts_or_stays_where_it_is_told():
    learned = sites("negative-binomial", Variation(concentration=5.0))
    assert_allclose(learned.model["log_concentration"]["value"], np.full(3, np.log(5.0)), rtol=1e-6)
    assert_array_equal(learned.guide["log_concentration"]["value"], learned.model["log_concentration"]["value"])
    fixed = sites("negative-binomial", Variation(dispersion="fixed", concentration=5.0))
    assert_allclose(base_of(fixed.guide["z"]["fn"]).concentration.squeeze(), np.full(3, 5.0))
    assert "log_concentration" not in fixed.guide


def test_a_unit_silenced_beyond_float32_stays_finite():
    params = weights(1) | {"log_prior_rate": jnp.array([-200.0, -80.0, 0.0]), "log_largest_gain": jnp.full(3, 3.0)}
    traces = sites("poisson", params=params)
    nats = unit_kl(traces.guide["z"]["fn"], traces.model["z"]["fn"])
    assert np.isfinite(nats).all()
    assert np.isfinite(base_of(traces.guide["z"]["fn"]).log_rate).all()


def test_fixed_prior_rate_is_the_middle_of_the_range():
    traces = sites("poisson", Variation(prior="fixed", log_rate_start=(-3.0, -1.0)))
    assert_allclose(traces.model["z"]["fn"].mean, np.full((4, 3), np.exp(-2.0)), rtol=1e-5)
    assert "log_prior_rate" not in traces.model


def test_learned_prior_rates_start_within_their_range_and_differ():
    traces = sites("poisson", Variation(log_rate_start=(-3.0, -1.0)))
    start = np.asarray(traces.model["log_prior_rate"]["value"])
    assert ((start > -3) & (start < -1)).all()
    assert len(np.unique(start)) == 3
    assert_array_equal(start, traces.guide["log_prior_rate"]["value"])


@pytest.mark.parametrize("name", ["gaussian", "rectified-gaussian"])
def test_normal_posteriors_are_as_published(name):
    """μ the first head, log σ = 5.3·tanh(second head/5.3)."""
    params = weights(2)
    traces = sites(name, params=params)
    out = X @ np.asarray(params["encoder"].weight) + np.asarray(params["encoder_bias"])
    found = base_of(traces.guide["z"]["fn"])
    assert_allclose(found.loc, out[:, :3], rtol=1e-5, atol=1e-6)
    assert_allclose(found.scale, np.exp(5.3 * np.tanh(out[:, 3:] / 5.3)), rtol=1e-5)
    prior = base_of(traces.model["z"]["fn"])
    assert_array_equal(prior.loc, np.zeros(3))
    assert_array_equal(prior.scale, np.ones(3))
    assert "prior_loc" in traces.model
    assert "prior_loc" not in traces.guide


@pytest.mark.parametrize("pays", ["code", "latent"])
def test_the_rectified_program_pays_as_asked(pays):
    traces = sites("rectified-gaussian", Variation(pays=pays))
    for each in traces:
        assert isinstance(base_of(each["z"]["fn"]), RectifiedNormal)
        assert base_of(each["z"]["fn"]).pays == pays


def test_prior_prediction_is_unconditioning_the_model():
    """x = zΦ + noise of variance ½ with z from the prior: variance of a pixel Σ r_k Φ_kp² + ½, within 10%."""
    program = built_in("poisson", Variation(prior="fixed", log_rate_start=(0.0, 0.0)))
    params = weights(1)
    free = seed(substitute(uncondition(program.model), data=params), random.key(0))
    x = jax.jit(lambda x: trace(free).get_trace(x, NETS)["x"]["value"])(jnp.zeros((5000, 5)))
    expected = np.square(np.asarray(params["decoder"].weight)).sum(0) + 0.5
    assert_allclose(np.var(x, axis=0), expected, rtol=0.1)


def test_a_program_is_made_once_for_the_same_wishes():
    for name in BUILT_IN:
        assert built_in(name) is built_in(name, Variation())
    assert built_in("poisson", Variation(prior="fixed")) is not built_in("poisson")


def test_spread_units_are_one_to_one():
    """There and back, with and without a bias, and where the rate is no parameter; relative 1e-6."""
    log_r = jnp.array([-3.0, 0.0, 4.0])
    for left_out in (set(), {"encoder_bias"}):
        params = {n: p for n, p in weights(1).items() if n not in left_out} | {"log_prior_rate": log_r}
        moved = poisson.in_spread_units(params)
        assert_allclose(moved["decoder"].weight, params["decoder"].weight * np.sqrt(1 + np.exp(log_r))[:, None])
        back = poisson.from_spread_units(moved)
        for one, other in zip(jax.tree.leaves(back), jax.tree.leaves(params), strict=True):
            assert_allclose(one, other, rtol=1e-6)
    assert poisson.in_spread_units(weights(1)).keys() == weights(1).keys()


def test_along_a_rate_in_spread_units_a_busy_unit_keeps_its_reconstruction_and_its_cost():
    """From r = 100 to 110 at held coordinates, weak modulation: mean reconstruction, noise and KL move by < 1%."""

    def costs(log_r):
        start = {"encoder": Linear(jnp.full((5, 3), 0.01)), "decoder": Linear(jnp.full((3, 5), 0.1))}
        there = poisson.in_spread_units(start | {"log_prior_rate": jnp.full(3, jnp.log(100.0))})
        params = poisson.from_spread_units(there | {"log_prior_rate": log_r})
        x = X @ np.asarray(params["encoder"].weight)
        rate, prior = np.exp(log_r + x), np.exp(log_r)
        code = (rate - prior) @ np.asarray(params["decoder"].weight)
        noise = rate @ np.square(np.asarray(params["decoder"].weight))
        return np.abs(code).mean(), noise.mean(), (rate * (x - 1) + prior).mean()

    before, after = costs(jnp.full(3, jnp.log(100.0))), costs(jnp.full(3, jnp.log(110.0)))
    assert_allclose(after, before, rtol=0.01)

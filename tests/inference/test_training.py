"""The training loop: one compilation, seeds, batches, resuming, and that it goes downhill."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from jax import random
from numpy.testing import assert_allclose, assert_array_equal
from numpyro.infer import SVI
from numpyro.optim import Adam

from ppl_pvae.distributions import Poisson
from ppl_pvae.inference import ArrivalTime, Exact, FreeEnergy, Recipe, Trainer
from ppl_pvae.inference.checkpoint import flatten, load_arrays, restore, save_checkpoint
from ppl_pvae.inference.training import CHUNK, batch_indices
from ppl_pvae.models import Program, built_in
from ppl_pvae.networks import Nets

IMAGES, PIXELS, UNITS = 60, 6, 4
NETS = Nets(units=UNITS, pixels=PIXELS)
RECIPE = Recipe(
    beta=1.0,
    spike_price=0.0,
    steps=120,
    seed=0,
    batch_size=20,
    optimizer="adam",
    learning_rate=0.01,
    final_learning_rate=0.0,
    warmup_steps=10,
    decay=0.5,
    decay_shape="linear",
    prior_speed=3.0,
    clip_norm=500.0,
    anneal=0.3,
    anneal_from=1e-4,
    temperature=0.1,
    temperature_from=1.0,
)


@pytest.fixture(scope="module")
def x():
    rng = np.random.default_rng(0)
    return np.float32(
        rng.poisson(0.7, (IMAGES, 3)) @ rng.normal(0, 2, (3, PIXELS)) + rng.normal(0, 0.5, (IMAGES, PIXELS))
    )


def trainer(x, recipe=RECIPE, estimator=Exact(), program=None):  # noqa: B008 - a frozen record
    return Trainer(*(program or built_in("poisson")), NETS, x, recipe, estimator)


def train(x, recipe=RECIPE, end=None, **kwargs):
    one = trainer(x, recipe, **kwargs)
    list(one.advance_to(recipe.steps if end is None else end))
    return one


def same(one, other):
    for name, value in flatten(one).items():
        assert_array_equal(flatten(other)[name], value)


def test_one_compilation_serves_all_settings_that_are_numbers(x):
    """β, learning rate, temperature, seed, number of steps, length of a stretch: traced, none of them static.

    A price on activity costs one compilation more, whatever the price.
    """
    whole = replace(RECIPE, batch_size=IMAGES)
    first = train(x, whole, end=CHUNK + 7)
    before = first._compiled.advance._cache_size()
    for change in (
        {"beta": 0.01},
        {"beta": 4.0},
        {"learning_rate": 0.001, "seed": 5},
        {"steps": 70, "anneal": 0.0, "warmup_steps": 0},
    ):
        other = train(x, replace(whole, **change), end=60)
        assert other._compiled is first._compiled
    assert first._compiled.advance._cache_size() == before
    for price in (0.1, 0.3):
        train(x, replace(whole, spike_price=price), end=60)
    assert first._compiled.advance._cache_size() <= before + 1


def test_beta_and_price_reach_the_objective(x):
    """At a learning rate that moves nothing, the loss is D + β·R + γ·E Σ z of the whole data set; relative 1e-5."""
    still = replace(RECIPE, learning_rate=1e-30, batch_size=IMAGES, steps=10, anneal=0.0)
    at = trainer(x, still)
    run = jax.jit(
        lambda x: FreeEnergy(estimator=Exact()).parts(random.key(0), at.params, *built_in("poisson"), x, NETS)
    )
    parts = run(x)
    D, R, A = (np.asarray(each, np.float64).mean() for each in (parts.distortion, parts.coding_rate, parts.activity))
    for beta, price in ((0.0, 0.0), (2.0, 0.0), (0.5, 3.0)):
        found = train(x, replace(still, beta=beta, spike_price=price))
        assert_allclose(found.loss, D + beta * R + price * A, rtol=1e-5)


def test_seeds_give_different_initial_weights_and_the_same_seed_the_same(x):
    one, again, other = (trainer(x, replace(RECIPE, seed=seed)).params for seed in (0, 0, 1))
    same(one, again)
    for name in ("encoder.weight", "decoder.weight", "log_prior_rate"):
        assert (flatten(one)[name] != flatten(other)[name]).any(), name
    assert flatten(one)["encoder.weight"].std() == pytest.approx(NETS.weight_scale, rel=0.5)


def test_encoder_and_decoder_of_equal_size_start_apart(x):
    nets = Nets(units=PIXELS, pixels=PIXELS)
    params = flatten(Trainer(*built_in("poisson"), nets, x, RECIPE, Exact()).params)
    assert (params["encoder.weight"] != params["decoder.weight"]).all()


@pytest.mark.parametrize("at", [7, 83])
def test_a_training_that_stops_and_resumes_is_bit_equal(at, x, tmp_path):
    """Exact objective, through the file; stopped inside a stretch, while annealing and after."""
    whole = train(x)
    first = train(x, end=at)
    save_checkpoint(tmp_path, first.step, first.state)
    saved = load_arrays(tmp_path / "checkpoint.npz")
    second = trainer(x)
    second.state, second.step = restore(second.state, saved), int(saved["step"])
    assert all(step > at for step in second.advance_to(RECIPE.steps))
    same(second.state, whole.state)


@pytest.mark.slow
def test_random_draws_resume_bit_equal_too(x):
    """The arrival-time estimator draws at every step: its key is part of the state."""
    whole = train(x, end=30, estimator=ArrivalTime())
    second = trainer(x, estimator=ArrivalTime())
    list(second.advance_to(13))
    second.state = restore(second.state, flatten(second.state))
    list(second.advance_to(30))
    same(second.state, whole.state)


@pytest.mark.slow
def test_training_is_numpyros_svi(x):
    """Ten steps against `svi.update` in a loop with NumPyro's own Adam, its rate set by hand; relative 1e-5."""
    recipe = replace(
        RECIPE, steps=10, anneal=0.0, warmup_steps=0, decay=1e-9, prior_speed=1.0, clip_norm=float("inf"), batch_size=20
    )
    ours = train(x, recipe, end=9)  # the last step is at rate zero
    program = built_in("poisson")
    svi = SVI(*program, Adam(0.01, b1=0.9, b2=0.98), FreeEnergy(estimator=Exact(), images=IMAGES))
    state = jax.jit(lambda key, x: svi.init(key, x, NETS))(random.key(0), x[:20])
    update = jax.jit(lambda state, x: svi.update(state, x, NETS)[0])
    for rows in batch_indices(IMAGES, 20, 0, range(9)):
        state = update(state, x[rows])
    reference = flatten(svi.get_params(state))
    for name, value in flatten(ours.params).items():
        assert_allclose(value, reference[name], rtol=1e-4, atol=1e-5)


def test_every_epoch_sees_every_image_once():
    rows = batch_indices(60, 20, 3, range(9)).reshape(3, 60)
    for epoch in rows:
        assert_array_equal(np.sort(epoch), np.arange(60))
    assert (rows[0] != rows[1]).any()
    assert_array_equal(batch_indices(60, 20, 3, range(5, 9)), batch_indices(60, 20, 3, range(9))[5:])
    assert (batch_indices(60, 20, 4, range(1)) != rows[0, :20]).any()


def test_a_batch_larger_than_the_data_is_all_of_it_and_a_remainder_waits():
    assert_array_equal(np.sort(batch_indices(7, 100, 0, range(2))), [np.arange(7)] * 2)
    rows = batch_indices(50, 20, 0, range(2))  # two batches an epoch; ten images wait for another shuffle
    assert len(np.unique(rows)) == 40


def test_training_goes_downhill_and_reports_the_mean_loss(x):
    one = trainer(x, replace(RECIPE, anneal=0.0, steps=400, learning_rate=0.03))
    losses = []
    for _ in one.advance_to(400):
        losses.append(one.loss)
    assert losses[-1] < 0.7 * losses[0]
    assert all(np.isfinite(value).all() for value in flatten(one.params).values())


def guide_with_global(x, nets):
    loc = numpyro.param("loc", jnp.zeros(PIXELS))
    scale = numpyro.param("scale", 0.1 * jnp.ones(PIXELS), constraint=dist.constraints.positive)
    numpyro.sample("offset", dist.Normal(loc, scale).to_event(1))
    with numpyro.plate("image", len(x)):
        numpyro.sample("z", Poisson(log_rate=jnp.minimum(nets.encode(x), 3.0)).to_event(1))


def test_the_posterior_of_a_global_latent_narrows_with_the_data(x):
    """Offsets of Gaussian noise alone have posterior sd about 1/√N: with a silent decoder within 25% after training."""

    def silent_model(x, nets):
        offset = numpyro.sample("offset", dist.Normal(0.0, 3.0).expand([PIXELS]).to_event(1))
        with numpyro.plate("image", len(x)):
            z = numpyro.sample("z", Poisson(jnp.ones(UNITS)).to_event(1))
            numpyro.sample("x", dist.Normal(offset + 0 * nets.decode(z), 1.0).to_event(1), obs=x)

    recipe = replace(RECIPE, steps=1500, learning_rate=0.05, anneal=0.0, decay=0.8)
    found = train(x, recipe, program=Program(silent_model, guide_with_global))
    precision = IMAGES + 1 / 9
    assert_allclose(found.params["scale"], np.full(PIXELS, precision**-0.5), rtol=0.25)
    assert_allclose(found.params["loc"], x.sum(0) / precision, atol=4 * precision**-0.5)

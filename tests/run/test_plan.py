"""Which estimator a program gets, by what its decoder and its codes are."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
import scipy.stats
from numpy.testing import assert_allclose, assert_array_equal
from numpyro.handlers import seed, trace

from ppl_pvae.config import Settings, validate
from ppl_pvae.data import SPLITS, from_array
from ppl_pvae.distributions import NegativeBinomial, Poisson, SquaredError, base_of
from ppl_pvae.errors import UserError
from ppl_pvae.inference import ArrivalTime, GumbelSoftmax, Reparameterised, ScoreFunction
from ppl_pvae.inference.evaluation import read_out
from ppl_pvae.models import Program
from ppl_pvae.run.description import describe_plan
from ppl_pvae.run.plan import build_nets, build_program, initial_params, make_plan

X = np.random.default_rng(0).normal(size=(300, 2, 2)).astype(np.float32)
SETTINGS = Settings(program="own", units=3, batch_size=20)


def program(*families):
    """Local sites of these families in a row, 3 units each, and a decoder with a rectifier inside."""

    def sites(x):
        return [numpyro.sample(f"z{i}", family(x).to_event(1)) for i, family in enumerate(families)]

    def model(x, nets):
        with numpyro.plate("image", len(x)):
            codes = sum(sites(0 * x))
            numpyro.sample("x", SquaredError(jax.nn.relu(nets.decode(codes))).to_event(1), obs=x)

    def guide(x, nets):
        with numpyro.plate("image", len(x)):
            sites(x)

    return Program(model, guide)


def poisson(x):
    return Poisson(log_rate=x[:, :3])


def normal(x):
    return dist.Normal(x[:, :3], 1.0)


def negative_binomial(x):
    return NegativeBinomial(log_rate=x[:, :3], concentration=4.0)


def geometric(x):
    return dist.GeometricProbs(jax.nn.sigmoid(x[:, :3]))


@pytest.fixture(scope="module")
def dataset():
    return from_array(X, seed=0)


def plan(dataset, families, **settings):
    chosen = validate(dataclasses.replace(SETTINGS, **settings), own_program=True)
    return make_plan(chosen, dataset, program(*families))


@pytest.mark.parametrize(
    ("families", "estimator"),
    [((poisson, normal), ArrivalTime()), ((negative_binomial,), ArrivalTime()), ((normal,), Reparameterised())],
)
def test_auto_takes_the_first_that_holds(families, estimator, dataset):
    assert plan(dataset, families).estimator == estimator


def test_options_reach_their_estimator(dataset):
    soft = plan(dataset, (poisson,), estimator="arrival-time", hard=True, indicator="sigmoid")
    assert soft.estimator == ArrivalTime(hard=True, indicator="sigmoid")
    assert plan(dataset, (poisson,), estimator="gumbel-softmax").estimator == GumbelSoftmax()
    assert plan(dataset, (poisson,), estimator="score-function", particles=7).estimator == ScoreFunction(7)


def test_a_concentration_reaches_the_program():
    """The one that is asked for, in its prior, and no parameter of its own where it is fixed."""
    settings = validate(Settings(program="negative-binomial", units=3, dispersion="fixed", concentration=1e4))
    model = build_program(settings).model
    sites = trace(seed(model, 0)).get_trace(np.zeros((2, 4), np.float32), build_nets(settings, 4, None))
    assert_array_equal(base_of(sites["z"]["fn"]).concentration, np.full(3, 1e4, np.float32))
    assert "log_concentration" not in sites


@pytest.mark.parametrize(
    "settings", [{"decoder": "mlp", "width": 5}, {}, {"program": "negative-binomial"}, {"noise": "learned"}]
)
def test_options_mean_something_to_auto_if_they_do_to_what_it_comes_to(dataset, settings):
    """Where settings alone tell what that is, as for built-in programs, they tell right."""
    if built_in_plan(dataset, **settings).not_exact is None:
        with pytest.raises(UserError, match="hard means nothing to the estimator 'exact', which auto comes to here"):
            validate(Settings(hard=True, **settings))
    else:
        found = built_in_plan(dataset, hard=True, indicator="sigmoid", **settings)
        assert found.estimator == ArrivalTime(hard=True, indicator="sigmoid")


def test_options_of_auto_are_checked_when_an_own_program_has_run(dataset):
    assert plan(dataset, (poisson,), hard=True).estimator == ArrivalTime(hard=True)
    assert plan(dataset, (geometric,), particles=6).estimator == ScoreFunction(6)
    with pytest.raises(UserError, match="hard means nothing to the estimator 'score-function', which auto comes to"):
        plan(dataset, (geometric,), hard=True)


def test_a_temperature_that_goes_nowhere_is_refused(dataset):
    with pytest.raises(UserError, match="temperature means nothing to the estimator 'reparameterised'"):
        plan(dataset, (normal,), temperature=0.2)


def test_what_does_not_hold_is_refused_with_what_does(dataset):
    relaxed = "arrival-time or gumbel-softmax or straight-through or score-function"
    with pytest.raises(UserError, match=f"'exact' does not hold .* the decoder is not affine; use {relaxed}"):
        plan(dataset, (poisson,), estimator="exact")
    with pytest.raises(
        UserError, match="it relaxes Poisson counts, and the program has none; use auto, which takes the"
    ):
        plan(dataset, (normal,), estimator="straight-through")
    with pytest.raises(UserError, match="the decoder is not affine; use auto, which takes the own gradient"):
        built_in_plan(dataset, program="gaussian", decoder="mlp", estimator="exact")


def test_counts_of_another_family_are_left_to_the_score_function(dataset):
    assert plan(dataset, (geometric,)).estimator == ScoreFunction()
    assert "KL exact sum" in describe_plan(plan(dataset, (geometric,), steps=10))


def test_a_site_that_asks_for_whole_counts_is_left_to_the_score_function(dataset):
    def model(x, nets):
        parts = Poisson(jnp.array([[1.0, 2.0, 0.1], [0.1, 0.1, 3.0]])).to_event(1)
        with numpyro.plate("image", len(x)):
            z = numpyro.sample("z", dist.MixtureSameFamily(dist.CategoricalProbs(jnp.ones(2) / 2), parts))
            numpyro.sample("x", SquaredError(nets.decode(z)).to_event(1), obs=x)

    def guide(x, nets):
        with numpyro.plate("image", len(x)):
            numpyro.sample("z", poisson(x).to_event(1), infer={"kl": "monte-carlo"})

    chosen = make_plan(validate(SETTINGS, own_program=True), dataset, Program(model, guide))
    assert (chosen.estimator, chosen.not_exact) == (ScoreFunction(), "site 'z' has no exact KL")
    assert "KL Monte Carlo on whole counts" in describe_plan(chosen)
    # Of all units together only: each is given an equal part of it.
    params = initial_params(jax.random.key(0), Program(model, guide), chosen.nets, dataset.test[:2])
    read = read_out(jax.random.key(0), params, model, guide, chosen.nets, dataset.test[:5], exact=False)
    z, rate = read.z, np.exp(dataset.test[:5, :3])
    log_q = scipy.stats.poisson.logpmf(z, rate).sum(1)
    both = [scipy.stats.poisson.logpmf(z, each).sum(1) for each in ([1.0, 2.0, 0.1], [0.1, 0.1, 3.0])]
    assert_allclose(read.kl.sum(axis=1), log_q - np.logaddexp(*both) + np.log(2), rtol=1e-4, atol=1e-5)
    assert read.kl.shape == read.mean.shape


def built_in_plan(dataset, **settings):
    return make_plan(validate(Settings(units=3, batch_size=20, **settings)), dataset)


def test_a_program_with_networks_inside_is_not_exact(dataset):
    chosen = built_in_plan(dataset, decoder="mlp", width=5)
    assert chosen.not_exact == "the decoder is not affine"
    assert isinstance(chosen.estimator, ArrivalTime)
    with pytest.raises(UserError, match=r"'exact' does not hold .* not affine; use arrival-time or"):
        built_in_plan(dataset, decoder="mlp", width=5, estimator="exact")
    assert built_in_plan(dataset, encoder="mlp", width=5).not_exact is None


def test_learned_noise_is_exact(dataset):
    assert built_in_plan(dataset, noise="learned").not_exact is None


@pytest.mark.parametrize(
    ("cut", "shape", "depth", "remedy"),
    [
        (False, (12, 12), 3, "got 12 × 12; use a depth of at most 2."),
        (True, (12, 12), 3, "use a depth of at most 2, or another patch_size."),
        (False, (9, 16), 1, "use an mlp."),
    ],
)
def test_a_patch_size_is_a_remedy_only_where_patches_are_cut(cut, shape, depth, remedy):
    images = from_array(np.random.default_rng(0).normal(size=(60, *shape)), seed=0)
    images = dataclasses.replace(images, info={**images.info, **({"patch_size": shape[0]} if cut else {})})
    with pytest.raises(UserError) as refused:
        built_in_plan(images, encoder="conv", depth=depth)
    assert str(refused.value).endswith(remedy)


@pytest.mark.parametrize(
    ("likelihood", "problem"), [("bernoulli", "pixels must be from 0 to 1"), ("poisson", "counts must be whole")]
)
def test_images_without_a_probability_are_refused(dataset, likelihood, problem):
    with pytest.raises(UserError, match=f"likelihood = {likelihood} does not fit the train images of array: {problem}"):
        built_in_plan(dataset, likelihood=likelihood)


def test_other_likelihoods_are_trained_through_counts(dataset):
    counts = dataclasses.replace(dataset, **{s: np.floor(np.abs(getattr(dataset, s))) for s in SPLITS})
    chosen = built_in_plan(counts, likelihood="poisson")
    assert chosen.not_exact.endswith("needs a Gaussian likelihood")
    assert isinstance(chosen.estimator, ArrivalTime)

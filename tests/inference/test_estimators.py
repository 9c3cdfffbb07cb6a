"""The handler round the guide: which sites it draws, what passes a gradient, and what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from jax import random
from numpy.testing import assert_allclose, assert_array_equal
from numpyro.handlers import seed, trace

from ppl_pvae.distributions import NegativeBinomial, Poisson, gumbel_softmax_poisson, log_unit_gamma
from ppl_pvae.inference import ESTIMATORS, ArrivalTime, Exact, GumbelSoftmax, Hard, StraightThrough
from ppl_pvae.inference.estimators import LocalValues
from tests.inference.conftest import UNITS


def guide(x):
    numpyro.sample("gain", dist.Normal(1.0, 2.0))
    with numpyro.plate("image", len(x)):
        numpyro.sample("counts", Poisson(log_rate=x[:, :UNITS]).to_event(1))
        numpyro.sample("level", dist.Normal(x[:, 0], 1.0))


def draw(estimator, x, temperature=0.3, of=guide):
    return trace(LocalValues(seed(of, random.key(0)), estimator, temperature, "image")).get_trace(x)


TEMPERATURE = 0.2


@pytest.fixture(scope="module")
def images(x):
    return jnp.tile(x, (400, 1))


@pytest.fixture(scope="module")
def drawn(images):
    """Values of all sites under each estimator and of the plain guide; d counts/d log-rate of the relaxed ones."""

    def values(estimator, x):
        return {name: site["value"] for name, site in draw(estimator, x, TEMPERATURE).items() if name != "image"}

    @jax.jit
    def run(x):
        plain = trace(seed(guide, random.key(0))).get_trace(x)
        soft, change = jax.jvp(lambda x: values(ArrivalTime(), x), (x,), (jnp.ones_like(x),))
        found = {"soft": soft, "hard": values(Hard(), x), "exact": values(Exact(), x), "slope": change["counts"]}
        return found | {"plain": {n: s["value"] for n, s in plain.items() if n != "image"}}

    return jax.tree.map(np.asarray, run(images))


def test_exact_puts_local_sites_at_their_means(drawn, images):
    sites = drawn["exact"]
    assert_allclose(sites["counts"], np.exp(images[:, :UNITS]), rtol=1e-6)
    assert_array_equal(sites["level"], images[:, 0])
    assert sites["gain"] != 1.0  # a draw: global sites are left alone


def test_hard_is_the_guide_as_it_stands(drawn):
    for name in ("counts", "level", "gain"):
        assert_array_equal(drawn["hard"][name], drawn["plain"][name])


def test_arrival_time_relaxes_counts_and_leaves_the_rest(drawn):
    assert (drawn["soft"]["counts"] % 1 > 0).any()
    for name in ("level", "gain"):
        assert_array_equal(drawn["soft"][name], drawn["plain"][name])


def test_all_draws_have_the_rate_for_mean(drawn, images):
    """Each estimator's mean count, and the mean derivative in the log-rate, are λ: within 4.5 standard errors."""
    rate = np.exp(np.asarray(images[:, :UNITS], np.float64))
    for counts in [drawn[name]["counts"] for name in ("soft", "hard")] + [drawn["slope"]]:
        difference = (counts - rate).ravel()
        assert abs(difference.mean()) < 4.5 * difference.std() / np.sqrt(len(difference))


def test_all_draws_have_their_variance(drawn, images):
    """λ for whole counts and λ(1 − 9τ/35) for relaxed ones, within 4.5 standard errors."""
    rate = np.exp(np.asarray(images[:, :UNITS], np.float64))
    for name, share in (("hard", 1.0), ("soft", 1 - 9 * TEMPERATURE / 35)):
        difference = ((drawn[name]["counts"] - rate) ** 2 - share * rate).ravel()
        assert abs(difference.mean()) < 4.5 * difference.std() / np.sqrt(len(difference)), name


def test_numpyros_poisson_is_relaxed_too(x):
    """In its full shape, which the plate and `expand` gave it; an abstract run."""

    def local(x):
        with numpyro.plate("image", len(x)):
            numpyro.sample("z", dist.Poisson(jnp.exp(x[:, :1])).expand([len(x), 20]).to_event(1))

    def slope(x):
        return jax.jvp(lambda x: draw(ArrivalTime(), x, of=local)["z"]["value"], (x,), (x,))[1]

    assert jax.eval_shape(slope, x).shape == (len(x), 20)


@pytest.mark.parametrize(
    ("family", "q"),
    [
        ("NegativeBinomial2", dist.NegativeBinomial2(jnp.ones((5, 2)), 1.0)),
        ("BernoulliProbs", dist.Bernoulli(jnp.full((5, 2), 0.5))),
        ("MaskedDistribution", Poisson(jnp.ones((5, 2))).mask(jnp.ones((5, 2), bool))),
    ],
)
def test_a_count_that_it_cannot_relax_is_an_error(family, q, x):
    """Left as a hard sample it would pass no gradient, and nobody would know."""

    def local(x):
        with numpyro.plate("image", len(x)):
            numpyro.sample("z", q.to_event(1))

    with pytest.raises(ValueError, match=f"no gradient passes through a sample of {family}"):
        draw(ArrivalTime(), x, of=local)


@pytest.mark.parametrize("estimator", [Exact(), ArrivalTime()])
def test_a_global_count_is_an_error(estimator, x):
    def whole(x):
        numpyro.sample("n", Poisson(2.0))

    with pytest.raises(
        ValueError, match="site 'n' is outside the plate 'image', and no gradient passes through a sample of Poisson"
    ):
        draw(estimator, x, of=whole)


def test_a_family_without_mean_is_an_error_for_exact(x):
    def local(x):
        with numpyro.plate("image", len(x)):
            numpyro.sample("z", dist.TransformedDistribution(dist.Normal(x[:, 0]), dist.transforms.SigmoidTransform()))

    with pytest.raises(ValueError, match="TransformedDistribution has no mean in closed form"):
        draw(Exact(), x, of=local)


# --- negative binomial counts ---

LOG_RATE, CONCENTRATION = np.log([0.5, 4.0, 1.0]), np.array([0.4, 8.0, 0.01])
KNOWN = slice(2)  # units whose moments 40,000 draws show: at φ = 0.01 one draw in hundreds has it all
SPREAD_KEPT = 1 - 9 * TEMPERATURE / 35  # share of a Poisson count's variance that its soft count has
MIXED = {"soft": ArrivalTime(), "straight through": StraightThrough()}


def mixture(log_rate, concentration, images):
    return NegativeBinomial(log_rate=log_rate, concentration=concentration).expand([images, 3]).to_event(1)


@pytest.fixture(scope="module")
def mixed():
    """Relaxed counts (image, unit) by estimator, and their derivatives in log λ and φ."""

    def run(log_rate, concentration, estimator):
        def draw(log_rate, concentration):
            q = mixture(log_rate, concentration, 40_000)
            return estimator.draw(random.key(0), q, jnp.float32(TEMPERATURE))

        z, slope = jax.linearize(draw, log_rate, concentration)
        return z, slope(jnp.ones(3), jnp.zeros(3)), slope(jnp.zeros(3), jnp.ones(3))

    compiled = jax.jit(run, static_argnums=2)
    return {name: [np.float64(each) for each in compiled(LOG_RATE, CONCENTRATION, one)] for name, one in MIXED.items()}


def within(values, mean):
    """Whether the mean of each known unit lies within 4.5 standard errors."""
    distance = np.abs(values.mean(0) - mean) / (values.std(0) / np.sqrt(len(values)))
    return (distance[KNOWN] < 4.5).all()


@pytest.mark.parametrize(("name", "kept"), [("soft", SPREAD_KEPT), ("straight through", 1.0)])
def test_a_relaxed_mixture_has_its_mean_and_variance(name, kept, mixed):
    """λ, and the variance of a count given its rate and that of the rate: λ·share + λ²/φ."""
    rate, z = np.exp(LOG_RATE), mixed[name][0]
    assert within(z, rate)
    assert within((z - rate) ** 2, kept * rate + rate**2 / CONCENTRATION)


@pytest.mark.parametrize(("name", "kept"), [("soft", SPREAD_KEPT), ("straight through", 0.0)])
def test_the_gradient_of_a_relaxed_mixture_is_that_of_its_moments(name, kept, mixed):
    """E z = λ and E z² = λ·share + λ² + λ²/φ; straight-through does not see the spread of a Poisson count."""
    rate, (z, by_rate, by_phi) = np.exp(LOG_RATE), mixed[name]
    assert within(by_rate, rate)
    assert within(2 * z * by_rate, kept * rate + 2 * rate**2 * (1 + 1 / CONCENTRATION))
    assert within(by_phi, 0)
    assert within(2 * z * by_phi, -((rate / CONCENTRATION) ** 2))


def test_a_mixture_of_small_concentration_is_finite(mixed):
    """At φ = 0.01 most rates underflow, and neither their logarithms nor the derivatives do."""
    assert np.isfinite(np.stack([np.stack(each) for each in mixed.values()])).all()


def test_the_rate_of_a_mixture_is_drawn_first_and_poisson_sites_keep_their_draws():
    """One key for the rate, another for the count of that rate; a Poisson site uses the key that it is given."""
    q = mixture(jnp.asarray(LOG_RATE), jnp.asarray(CONCENTRATION), images=4)
    key_rate, key_count = random.split(random.key(5))
    log_rate = jnp.asarray(LOG_RATE) + log_unit_gamma(key_rate, jnp.tile(jnp.asarray(CONCENTRATION), (4, 1)))
    softmax, given = GumbelSoftmax(), Poisson(log_rate=log_rate).to_event(1)
    expected = gumbel_softmax_poisson(key_count, log_rate, jnp.float32(0.3))
    assert_array_equal(softmax.draw(key_count, given, jnp.float32(0.3)), expected)
    assert_allclose(softmax.draw(random.key(5), q, jnp.float32(0.3)), expected, rtol=1e-5)


def test_the_table_makes_estimators_of_their_names():
    for name, make in ESTIMATORS.items():
        assert make().name == name

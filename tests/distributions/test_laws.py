"""What a class inherits from a family whose law it does not follow is not taken for its own."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from numpy.testing import assert_allclose

from ppl_pvae.distributions import (
    Poisson,
    count_kl,
    follows,
    has_closed_form,
    has_own,
    is_poisson,
    is_users,
    mean_of,
    variance_of,
)
from ppl_pvae.inference.draws import draw_of
from tests.distributions.families import log_pmf

GATE = 0.3  # that of the zero-inflated family in `log_pmf`
AT = np.linspace(-1.5, 1.5, 3)


def inflated(log_p, n):
    return jnp.where(n == 0, jnp.logaddexp(jnp.log(GATE), jnp.log1p(-GATE) + log_p), jnp.log1p(-GATE) + log_p)


class Inflated(Poisson):
    """Silent more often than the family that it derives from."""

    def log_prob(self, value):
        return inflated(super().log_prob(value), value)


class InflatedToo(dist.Poisson):
    """The same, by NumPyro's Poisson, with a mean and draws of its own."""

    @property
    def mean(self):
        return (1 - GATE) * self.rate

    def log_prob(self, value, intermediates=None):
        return inflated(super().log_prob(value), value)

    def sample(self, key, sample_shape=()):
        return super().sample(key, sample_shape) * 0


class Named(Poisson):
    """Another name and nothing else."""


BOTH = {"this package's": lambda v: Inflated(log_rate=v), "NumPyro's": lambda v: InflatedToo(jnp.exp(v))}


@pytest.mark.parametrize("family", BOTH)
def test_the_kl_of_a_class_that_changes_a_family_is_that_of_its_own_probabilities(family):
    """As prior and as posterior, against sums over counts in float64."""
    own, plain = BOTH[family](AT), Poisson(log_rate=AT + 0.5)
    assert not has_closed_form(plain, own)
    assert not has_closed_form(own, plain)
    for (q, p), names in {
        (plain, own): ("Poisson", "zero-inflated"),
        (own, plain): ("zero-inflated", "Poisson"),
    }.items():
        shifts = [0.5 if each == "Poisson" else 0.0 for each in names]
        for at, nats in zip(AT, count_kl(q, p), strict=True):
            log_q, log_p = (log_pmf(name, at + shift, 100) for name, shift in zip(names, shifts, strict=True))
            assert_allclose(nats, np.sum(np.exp(log_q) * (log_q - log_p)), rtol=1e-4, atol=1e-6)


def test_an_image_with_many_units_takes_the_same_sum():
    """A posterior (image, unit) that is no Poisson for all that it derives from one."""
    log_rate = jnp.asarray(np.broadcast_to(AT, (4, 3)))
    nats = count_kl(Inflated(log_rate=log_rate), Poisson(log_rate=AT))
    assert_allclose(nats[0], count_kl(Inflated(log_rate=AT), Poisson(log_rate=AT)), rtol=1e-5)


@pytest.mark.parametrize("family", BOTH)
def test_mean_and_variance_are_those_of_its_own_probabilities(family):
    q = BOTH[family](AT)
    rate = np.exp(AT)
    assert_allclose(mean_of(q), (1 - GATE) * rate, rtol=1e-5)
    assert_allclose(variance_of(q), (1 - GATE) * (rate + rate**2) - ((1 - GATE) * rate) ** 2, rtol=1e-5)


def test_what_a_class_has_of_its_own_and_what_it_inherits():
    inherits, has = Inflated(1.0), InflatedToo(1.0)
    assert [has_own(inherits, name) for name in ("mean", "variance", "sample")] == [False, False, False]
    assert [has_own(has, name) for name in ("mean", "variance", "sample")] == [True, False, True]
    assert not is_poisson(inherits)
    assert is_users(inherits)
    assert not is_users(Named(1.0))


def test_another_name_alone_changes_nothing():
    named = Named(2.0)
    assert has_closed_form(named, Poisson(1.0))
    assert is_poisson(named)
    assert has_own(named, "sample")
    assert float(mean_of(named)) == 2.0


@pytest.mark.parametrize("family", [Poisson(1.0), dist.Poisson(1.0), dist.Normal(0.0, 1.0), dist.Beta(1.0, 2.0)])
def test_families_of_the_packages_have_their_own(family):
    assert has_own(family, "sample")
    assert has_own(family, "mean")
    assert follows(family, dist.Distribution)
    assert not is_users(family)


WRAPPED = {
    "inflated": lambda d: dist.ZeroInflatedDistribution(d, gate=0.5),
    "mixed of two": lambda d: dist.MixtureGeneral(
        dist.Categorical(jnp.full((3, 2), 0.5)), [d, dist.Poisson(np.exp(AT))], support=d.support
    ),
    "masked": lambda d: d.mask(True),
}


@pytest.mark.parametrize("wrapper", ["inflated", "mixed of two", "masked"])
def test_a_wrapper_is_what_it_is_made_of(wrapper):
    """Nothing of NumPyro's round a law that was changed is taken as it stands; its mean is summed."""
    wrapped = WRAPPED[wrapper](Inflated(log_rate=AT))
    assert is_users(wrapped)
    assert not has_own(wrapped, "mean")
    assert not has_own(wrapped, "sample")
    plain, own = np.exp(AT), (1 - GATE) * np.exp(AT)
    expected = {"inflated": own / 2, "mixed of two": (own + plain) / 2, "masked": own}[wrapper]
    assert_allclose(mean_of(wrapped), expected, rtol=1e-5)
    drawn = np.asarray(draw_of("z", jax.random.key(0), wrapped.expand([4000, 3])))
    assert np.all(np.abs(drawn.mean(axis=0) - expected) < 4.5 * drawn.std(axis=0) / np.sqrt(4000))
    assert has_own(WRAPPED[wrapper](Poisson(log_rate=AT)), "sample")


class Draws:
    """Draws for whatever family takes them."""

    def sample(self, key, sample_shape=()):
        return jnp.zeros(sample_shape + self.batch_shape)


class Mixed(Draws, dist.Distribution):
    support = dist.constraints.nonnegative_integer

    def log_prob(self, value):
        return jnp.where(value == 0, 0.0, -jnp.inf)


class Base(dist.Distribution):
    """A template: what its classes have in common, and no law."""

    support = dist.constraints.nonnegative_integer

    def sample(self, key, sample_shape=()):
        return jnp.zeros(sample_shape + self.batch_shape)


class Filled(Base):
    def log_prob(self, value):
        return jnp.where(value == 0, 0.0, -jnp.inf)


@pytest.mark.parametrize("family", [Mixed, Filled])
def test_draws_of_a_mixin_or_a_template_are_those_of_the_family(family):
    assert has_own(family(()), "sample")


def test_a_log_probability_given_to_one_distribution_is_its_own():
    changed = Poisson(1.0)
    changed.log_prob = lambda value: Poisson(2.0).log_prob(value)
    assert not has_closed_form(changed, Poisson(1.0))
    assert not has_own(changed, "mean")
    assert is_users(changed)


def test_a_changed_family_of_values_has_no_mean_and_no_closed_form():
    class Shifted(dist.Normal):
        def log_prob(self, value, intermediates=None):
            return super().log_prob(value - 5)

    assert not has_closed_form(Shifted(0.0, 1.0), dist.Normal(0.0, 1.0))
    assert has_closed_form(dist.LogNormal(0.0, 1.0), dist.LogNormal(1.0, 1.0))
    with pytest.raises(NotImplementedError, match="Shifted has no mean of its own"):
        mean_of(Shifted(0.0, 1.0))


def test_a_series_of_a_few_terms_is_no_closed_form():
    """NumPyro's KL of Kumaraswamy and beta: .333 for (1, 1) and (2, 3), by quadrature .515."""
    q, p = dist.Kumaraswamy(1.0, 1.0), dist.Beta(2.0, 3.0)
    assert not has_closed_form(q, p)
    assert q.has_rsample
    assert has_closed_form(dist.Delta(0.5), p)
    assert jax.numpy.isfinite(q.log_prob(0.3))

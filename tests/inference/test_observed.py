"""Values that a likelihood cannot have are found wherever they are, and those that it can have are let through."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest

from ppl_pvae.distributions import Poisson, SquaredError
from ppl_pvae.inference import check_observed

TRAIN, TEST = np.ones((2100, 3), np.float32), np.ones((500, 3), np.float32)


def check(observe, train=TRAIN, test=TEST):
    def model(x):
        with numpyro.plate("image", len(x)):
            z = numpyro.sample("z", Poisson(jnp.ones(1)).to_event(1))
            numpyro.sample("x", observe(z * jnp.ones(3), x), obs=x)

    def guide(x):
        with numpyro.plate("image", len(x)):
            numpyro.sample("z", Poisson(jnp.ones((len(x), 1))).to_event(1))

    check_observed({}, model, guide, {"train": train, "test": test})


def with_one(x, value, at=(-1, 1)):
    """The same images but for a single pixel."""
    x = x.copy()
    x[at] = value
    return x


@pytest.mark.parametrize(
    ("observe", "value", "complaint"),
    [
        (lambda z, x: Poisson(z + 1).to_event(1), -1, "Poisson, each value a whole number from 0, .* the first -1;"),
        (lambda z, x: dist.Poisson(z + 1).to_event(1), 0.5, "the first 0.5;"),
        (lambda z, x: dist.BernoulliLogits(z).to_event(1), 1.0001, "a number from 0 to 1, .* the first 1.0001;"),
        (lambda z, x: dist.Binomial(4, logits=z).to_event(1), 5, "the first 5;"),
        (lambda z, x: dist.Gamma(z + 1, 1.0).to_event(1), -2, "Gamma, each value a number above 0"),
        (lambda z, x: Poisson(z + 1).mask(x < 9).to_event(1), -1, "the first -1;"),
    ],
)
@pytest.mark.parametrize("at", [0, 1050, -1])
def test_a_single_impossible_value_is_named(observe, value, complaint, at):
    with pytest.raises(ValueError, match=f"site 'x' observes the train images as .*{complaint}") as refused:
        check(observe, train=with_one(TRAIN, value, (at, 1)))
    assert "and 1 of 6,300 is not" in str(refused.value)


def test_every_part_is_looked_at_and_every_value_counted():
    bad = with_one(with_one(TEST, -1.0), -3.0, (7, 0))
    with pytest.raises(ValueError, match=r"the test images .* 2 of 1,500 are not, the first -3;"):
        check(lambda z, x: Poisson(z + 1).to_event(1), test=bad)


@pytest.mark.parametrize(
    ("observe", "value"),
    [
        (lambda z, x: SquaredError(z).to_event(1), -1e6),
        (lambda z, x: dist.BernoulliLogits(z).to_event(1), 0.25),
        (lambda z, x: Poisson(z + 1).mask(x >= 0).to_event(1), -1),
        (lambda z, x: Poisson(z + 1).to_event(1).mask((x >= 0).all(axis=1)), -1),
        (lambda z, x: dist.Poisson(z + 1).to_event(1), 17),
    ],
)
def test_what_can_be_observed_passes(observe, value):
    check(observe, train=with_one(TRAIN, value), test=with_one(TEST, value))

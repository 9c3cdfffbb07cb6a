"""A start at which nothing can be trained is told with its site: one image, one latent, and one thing that is wrong."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest

from ppl_pvae.distributions import Poisson, SquaredError
from ppl_pvae.inference import check_start

X = np.array([[0.3, -0.5], [1.0, -2.0]], np.float32)
STEP = 0.01


def poisson(x):
    return Poisson(log_rate=x[:, :1]).to_event(1)


def normal(x):
    return dist.Normal(x[:, :1], 1.0).to_event(1)


def check(prior, posterior=poisson, observe=lambda z: SquaredError(z + jnp.zeros(2)), params=None, exact=True):
    def model(x):
        with numpyro.plate("image", len(x)):
            z = numpyro.sample("z", prior().expand([1]).to_event(1))
            numpyro.sample("x", observe(z).to_event(1), obs=x)

    def guide(x):
        with numpyro.plate("image", len(x)):
            numpyro.sample("z", posterior(x))

    check_start(jax.random.key(0), params or {}, model, guide, X, exact=exact, step=STEP)


def gate(constraint=dist.constraints.real, start=0.0):
    return dist.ZeroInflatedPoisson(numpyro.param("gate", start, constraint=constraint), 0.5)


class Unfinished(dist.Distribution):
    """A Poisson whose −r was forgotten, r = 2: e² in all."""

    support = dist.constraints.nonnegative_integer

    def log_prob(self, n):
        return n * jnp.log(2.0) - jax.scipy.special.gammaln(n + 1.0)


class Flat(Unfinished):
    """As likely as can be, every count."""

    def log_prob(self, n):
        return 0.0 * n


class Thinned(dist.Poisson):
    """Nine tenths of a Poisson."""

    def __init__(self):
        super().__init__(1.0)

    def log_prob(self, value, intermediates=None):
        return super().log_prob(value) + jnp.log(0.9)


START = "start inside, give its numpyro.param a constraint, or transform it"
REFUSED = {
    "a negative rate": (
        {"prior": lambda: dist.Poisson(-jnp.ones(()))},
        f"site 'z': the prior Poisson starts with rate = -1, and it must be a number from 0; {START}",
    ),
    "the logarithm of one": (
        {"prior": lambda: Poisson(log_rate=jnp.log(-jnp.ones(())))},
        "the prior Poisson starts with log_rate = nan, and it must be a number below inf",
    ),
    "fewer counts": (
        {"prior": lambda: dist.Binomial(5, probs=0.3)},
        "KL(Poisson || BinomialProbs) is infinite: the posterior has values from 0 up, the prior from 0 to 5; choose",
    ),
    "no counts": (
        {"prior": lambda: dist.Poisson(1.0), "posterior": lambda x: dist.Delta(jnp.exp(x[:, :1]), event_dim=1)},
        "KL(Delta || Poisson) is infinite: the posterior has values that are no whole numbers, the prior has counts",
    ),
    "values on one side": (
        {"prior": lambda: dist.HalfNormal(1.0), "posterior": normal, "exact": False},
        "KL(Normal || HalfNormal) is infinite: the posterior has values of both signs, the prior from 0 up; choose",
    ),
    "a rate of nothing": (
        {"prior": lambda: Poisson(log_rate=-jnp.inf)},
        "KL(Poisson || Poisson) is infinite: the posterior has values to which the prior gives no probability",
    ),
    "probabilities that add up to more than 1": (
        {"prior": Unfinished},
        "site 'z': the probabilities of Unfinished add up to 7.389 and not to 1, so that nats would be no KL",
    ),
    "probabilities that add up without end": (
        {"prior": lambda: dist.ZeroInflatedDistribution(Flat(), gate=0.5)},
        "site 'z': the probabilities of ZeroInflatedProbs add up to 3.277e+04 and not to 1",
    ),
    "probabilities that add up to less": (
        {"prior": Thinned},
        "site 'z': the probabilities of Thinned add up to 0.9 and not to 1",
    ),
    "images that cannot be": (
        {"prior": lambda: Poisson(1.0), "observe": lambda z: Poisson(1.0 + z + jnp.zeros(2)), "exact": False},
        "site 'x': the log-probability of an image under Poisson is not finite at the start; choose",
    ),
    "an edge": (
        {"prior": gate, "params": {"gate": jnp.zeros(())}},
        "the prior ZeroInflatedPoisson after a step of training may have gate = -0.01, and it must be a number from 0",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_start_that_cannot_be_is_told(case):
    given, told = REFUSED[case]
    with pytest.raises(ValueError, match="site") as error:
        check(**given)
    assert told in str(error.value)


@pytest.mark.parametrize(
    "given",
    [
        {"prior": lambda: gate(dist.constraints.unit_interval, 0.001), "params": {"gate": jnp.array(0.001)}},
        {"prior": lambda: gate(start=0.2), "params": {"gate": jnp.array(0.2)}},
        {"prior": lambda: dist.Normal(0.0, 1.0), "posterior": lambda x: dist.LogNormal(x[:, :1], 1.0).to_event(1)},
    ],
)
def test_a_start_that_can_be_passes(given):
    """A gate near its edge that is constrained, or far from it; a posterior of fewer values than its prior."""
    check(**given, exact="posterior" not in given)

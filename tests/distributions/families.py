"""Families of counts for the tests, each with its log-probabilities in NumPy by a formula of its own."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import scipy.special
import scipy.stats
from jax.scipy.special import gammaln
from numpyro.distributions import constraints

from ppl_pvae.distributions import Poisson

__all__ = ["Own", "SMOOTH", "log_pmf"]


class Own(dist.Distribution):
    """A family of the user's: nothing but a log-probability. Poisson counts reweighted by 1 + (n mod 2)/2."""

    support = constraints.nonnegative_integer

    def __init__(self, log_rate):
        self.log_rate = log_rate
        super().__init__(jnp.shape(log_rate))

    def log_prob(self, n):
        even = (1 + jnp.exp(-2 * jnp.exp(self.log_rate))) / 2
        weight = jnp.where(n % 2 == 0, 1.0, 1.5) / (1.5 - 0.5 * even)
        return jnp.log(weight) + n * self.log_rate - jnp.exp(self.log_rate) - gammaln(n + 1.0)


class ConwayMaxwell(dist.Distribution):
    """p(n) ∝ (e^ℓ)ⁿ/(n!)^ν, normalised over 200 counts."""

    support = constraints.nonnegative_integer

    def __init__(self, log_rate, power):
        self.log_rate, self.power = log_rate, power
        super().__init__(jax.lax.broadcast_shapes(jnp.shape(log_rate), jnp.shape(power)))

    def log_prob(self, n):
        def energy(n, log_rate, power):
            return n * log_rate - power * gammaln(n + 1.0)

        every = energy(jnp.arange(200.0), jnp.asarray(self.log_rate)[..., None], jnp.asarray(self.power)[..., None])
        return energy(n, self.log_rate, self.power) - jax.nn.logsumexp(every, axis=-1)


class Truncated(dist.Distribution):
    """Poisson counts of at most `top`, whose support says so."""

    def __init__(self, rate, top):
        self.rate, self.top = rate, top
        super().__init__(jnp.shape(rate))

    @property
    def support(self):
        return constraints.integer_interval(0, self.top)

    def log_prob(self, n):
        every = jnp.arange(self.top + 1.0)
        terms = every * jnp.log(self.rate)[..., None] - gammaln(every + 1.0)
        return n * jnp.log(self.rate) - gammaln(n + 1.0) - jax.nn.logsumexp(terms, axis=-1)


def _mixture(v):
    weights = jnp.stack([jax.nn.sigmoid(v), 1 - jax.nn.sigmoid(v)], axis=-1)
    rates = jnp.stack([0.3 * jnp.exp(v), 20.0 * jnp.exp(-0.1 * v)], axis=-1)
    return dist.MixtureSameFamily(dist.Categorical(weights), dist.Poisson(rates))


def _general_mixture(v):
    weights = jnp.stack([jax.nn.sigmoid(v), 1 - jax.nn.sigmoid(v)], axis=-1)
    return dist.MixtureGeneral(
        dist.Categorical(weights),
        [dist.Poisson(jnp.exp(v)), dist.GeometricProbs(0.3 + 0 * v)],
        support=constraints.nonnegative_integer,
    )


# Families as a function of one real number for each unit.
SMOOTH = {
    "Poisson": lambda v: Poisson(log_rate=v),
    "NumPyro's Poisson": lambda v: dist.Poisson(jnp.exp(v)),
    "geometric": lambda v: dist.GeometricProbs(jax.nn.sigmoid(v)),
    "geometric by logits": lambda v: dist.GeometricLogits(v),
    "zero-inflated": lambda v: dist.ZeroInflatedPoisson(0.3 + 0 * v, jnp.exp(v)),
    "negative binomial": lambda v: dist.NegativeBinomial2(jnp.exp(v), 1.75),
    "mixture": _mixture,
    "mixture of families": _general_mixture,
    "Conway–Maxwell–Poisson": lambda v: ConwayMaxwell(v, 1.4),
    "own": lambda v: Own(v),
    "truncated": lambda v: Truncated(jnp.exp(v), 9),
    "binomial": lambda v: dist.BinomialProbs(jax.nn.sigmoid(v), 12),
    "categorical": lambda v: dist.CategoricalLogits(jnp.stack([v, 0 * v, -v], axis=-1)),
    "Bernoulli": lambda v: dist.BernoulliLogits(v),
}


def _normalised(energy):
    return energy - scipy.special.logsumexp(energy)


def log_pmf(name, v, counts=2000):
    """log p(0), log p(1), ... of a family above at a number v, float64."""
    n, rate = np.arange(counts), np.exp(v)
    chance = 1 / (1 + np.exp(-v))
    poisson = scipy.stats.poisson.logpmf
    match name:
        case "Poisson" | "NumPyro's Poisson":
            return poisson(n, rate)
        case "geometric" | "geometric by logits":
            return scipy.stats.geom.logpmf(n + 1, chance)
        case "zero-inflated":
            return np.where(n == 0, np.log(0.3 + 0.7 * np.exp(-rate)), np.log(0.7) + poisson(n, rate))
        case "negative binomial":
            return scipy.stats.nbinom.logpmf(n, 1.75, 1.75 / (1.75 + rate))
        case "mixture":
            parts = np.log(chance) + poisson(n, 0.3 * rate), np.log1p(-chance) + poisson(n, 20 * np.exp(-0.1 * v))
            return np.logaddexp(*parts)
        case "mixture of families":
            parts = np.log(chance) + poisson(n, rate), np.log1p(-chance) + scipy.stats.geom.logpmf(n + 1, 0.3)
            return np.logaddexp(*parts)
        case "Conway–Maxwell–Poisson":
            return _normalised(n * v - 1.4 * scipy.special.gammaln(n + 1))
        case "own":
            return _normalised(poisson(n, rate) + np.log(np.where(n % 2, 1.5, 1.0)))
        case "truncated":
            return _normalised(np.where(n <= 9, poisson(n, rate), -np.inf))
        case "binomial":
            return scipy.stats.binom.logpmf(n, 12, chance)
        case "categorical":
            return _normalised(np.where(n < 3, v - n * v, -np.inf))
        case "Bernoulli":
            return scipy.stats.bernoulli.logpmf(n, chance)
    raise KeyError(name)

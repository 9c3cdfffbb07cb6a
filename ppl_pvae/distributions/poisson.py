"""The Poisson distribution that keeps its log-rate."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jax.scipy.special import gammaln
from jaxtyping import Array, Float
from numpyro.distributions import constraints
from numpyro.distributions.util import validate_sample

from ppl_pvae.distributions.laws import follows
from ppl_pvae.distributions.poisson_sampler import poisson_counts

__all__ = ["Poisson", "is_poisson", "log_rate_of"]


class Poisson(dist.Distribution):
    """Spike counts of a given expected number, stored as its logarithm.

    A float32 rate underflows at log-rate −87 (and XLA flushes subnormals), after which log λ is −inf and every
    gradient through it NaN. Kept as a log-rate, a silent unit stays finite.

    Parameters
    ----------
    rate
        Expected counts, >= 0, any batch shape. Give this or `log_rate`.
    log_rate
        Log of the expected counts, any batch shape.

    Raises
    ------
    TypeError
        If neither or both of `rate` and `log_rate` are given.
    """

    # A log-rate of −inf is a rate of 0.
    arg_constraints = {"log_rate": constraints.less_than(math.inf)}  # noqa: RUF012 - as NumPyro declares them
    support = constraints.nonnegative_integer
    pytree_data_fields = ("log_rate",)

    def __init__(self, rate=None, *, log_rate=None, validate_args=None):
        if (rate is None) == (log_rate is None):
            raise TypeError("Poisson takes exactly one of rate=... and log_rate=...; got both or neither.")
        given = log_rate if rate is None else jnp.log(rate)
        self.log_rate: Any = jnp.asarray(given, jnp.result_type(given, 1.0))
        super().__init__(jnp.shape(self.log_rate), validate_args=validate_args)

    @property
    def rate(self):
        return jnp.exp(self.log_rate)

    @property
    def mean(self):
        return self.rate

    @property
    def variance(self):
        return self.rate

    def sample(self, key: jax.Array, sample_shape: tuple[int, ...] = ()) -> Array:
        return poisson_counts(key, jnp.broadcast_to(self.rate, sample_shape + self.batch_shape))

    @validate_sample
    def log_prob(self, value):
        # log p = n·log λ − λ − log n!, where 0·log λ is 0 even for a rate that is exactly 0
        value = jnp.asarray(value, jnp.result_type(float))
        weighted = jnp.where(value == 0, 0.0, value * jnp.where(value == 0, 0.0, self.log_rate))
        return weighted - self.rate - gammaln(value + 1.0)


def is_poisson(distribution: dist.Distribution) -> bool:
    """Whether a bare family is this package's Poisson or NumPyro's, or has the law of one."""
    return follows(distribution, Poisson, dist.Poisson)


def log_rate_of(poisson: Poisson | dist.Poisson) -> Float[Array, "..."]:
    """Log of the expected counts of this package's Poisson or of NumPyro's, same shape as its parameter."""
    if isinstance(poisson, Poisson):
        return poisson.log_rate
    # A rate that has underflowed to 0 would turn every gradient through its logarithm into NaN.
    rate = jnp.asarray(poisson.rate, jnp.result_type(float))
    tiny = jnp.finfo(rate.dtype).tiny
    return jnp.log(jnp.where((rate >= 0) & (rate < tiny), tiny, rate))

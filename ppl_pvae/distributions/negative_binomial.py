"""The negative binomial distribution: spike counts more variable than Poisson counts, by a gamma-distributed rate."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jax import random
from jax.scipy.special import gammaln
from jaxtyping import Array, Float
from numpyro.distributions import constraints
from numpyro.distributions.util import promote_shapes, validate_sample

from ppl_pvae.distributions.negative_binomial_kl import negative_binomial_kl
from ppl_pvae.distributions.poisson_sampler import poisson_counts
from ppl_pvae.distributions.unit_gamma import log_unit_gamma

__all__ = ["NegativeBinomial"]

STIRLING_FROM = 4.0
STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188)  # of 1/x, 1/x³, …: to 5e-10 from 4 on


class NegativeBinomial(dist.Distribution):
    """Spike counts of mean λ and variance λ + λ²/φ: Poisson counts whose rate is a gamma variable of that mean.

    The mean is kept as its logarithm, as in `Poisson`, and called its rate. The larger the concentration φ, the closer
    to Poisson counts. A concentration of 1 is the geometric distribution.

    Parameters
    ----------
    rate
        Expected counts λ, >= 0, any batch shape. Give this or `log_rate`.
    concentration
        φ, > 0 and finite, any batch shape.
    log_rate
        Log of the expected counts, any batch shape.

    Raises
    ------
    TypeError
        If neither or both of `rate` and `log_rate` are given, or no concentration.
    """

    # A log-rate of −inf is a rate of 0.
    arg_constraints = {  # noqa: RUF012 - as NumPyro declares them
        "log_rate": constraints.less_than(math.inf),
        "concentration": constraints.positive,
    }
    support = constraints.nonnegative_integer
    pytree_data_fields = ("log_rate", "concentration")

    def __init__(self, rate=None, concentration=None, *, log_rate=None, validate_args=None):
        if (rate is None) == (log_rate is None):
            raise TypeError("NegativeBinomial takes exactly one of rate=... and log_rate=...; got both or neither.")
        if concentration is None:
            raise TypeError("NegativeBinomial needs a concentration; the larger, the closer to Poisson counts.")
        given = jnp.asarray(log_rate) if rate is None else jnp.log(rate)
        log_rate, concentration = (jnp.asarray(each, jnp.result_type(each, 1.0)) for each in (given, concentration))
        self.log_rate: Any
        self.concentration: Any
        self.log_rate, self.concentration = promote_shapes(log_rate, concentration)
        shape = jnp.broadcast_shapes(jnp.shape(log_rate), jnp.shape(concentration))
        super().__init__(shape, validate_args=validate_args)

    @property
    def rate(self):
        return jnp.exp(self.log_rate)

    @property
    def mean(self):
        return jnp.broadcast_to(self.rate, self.batch_shape)

    @property
    def variance(self):
        return self.rate * (1 + self.rate / self.concentration)

    def log_rate_sample(self, key: jax.Array, shape: tuple[int, ...]) -> Float[Array, "..."]:
        """Log of the gamma-distributed rates of Poisson counts, differentiable in log-rate and concentration.

        Parameters
        ----------
        shape
            Of all draws; the batch shape is broadcast to it.
        """
        return self.log_rate + log_unit_gamma(key, jnp.broadcast_to(self.concentration, shape))

    def sample(self, key: jax.Array, sample_shape: tuple[int, ...] = ()) -> Array:
        key_rate, key_count = random.split(key)
        return poisson_counts(key_count, jnp.exp(self.log_rate_sample(key_rate, sample_shape + self.batch_shape)))

    @validate_sample
    def log_prob(self, value):
        # log p(n | λ) = log p(n | n) − KL(n‖λ), a mean of n being the best for n; and by Stirling's formula
        # log p(n | n) = −½ log(2πn(1 + n/φ)) + S(n + φ) − S(φ) − S(n): no large numbers to cancel, at any φ.
        value = jnp.asarray(value, jnp.result_type(float))
        silent = value == 0
        n, phi = jnp.where(silent, 1.0, value), self.concentration
        peak = _stirling(n + phi) - _stirling(phi) - _stirling(n) - 0.5 * jnp.log(2 * jnp.pi * n * (1 + n / phi))
        log_count = jnp.where(silent, -jnp.inf, jnp.log(n))
        return jnp.where(silent, 0.0, peak) - negative_binomial_kl(log_count, self.log_rate, phi)


def _stirling(x):
    """S(x) = log Γ(x) − (x − ½) log x + x − ½ log 2π, from its asymptotic series where that holds."""
    large = x >= STIRLING_FROM
    inverse = 1 / jnp.where(large, x, STIRLING_FROM)
    series = jnp.zeros_like(inverse)
    for coefficient in reversed(STIRLING):
        series = series * inverse**2 + coefficient
    x = jnp.where(large, 1.0, x)
    direct = gammaln(x) - (x - 0.5) * jnp.log(x) + x - 0.5 * math.log(2 * math.pi)
    return jnp.where(large, series * inverse, direct)

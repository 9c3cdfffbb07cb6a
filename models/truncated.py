"""Counts that end at three spikes, in prior and posterior alike: what does a refractory period cost a code?

TODO
"""

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from jax.nn import softmax
from jax.scipy.special import gammaln

from ppl_pvae.models.poisson import learned_rate

COUNTS = jnp.arange(4)


class Truncated(dist.CategoricalProbs):
    """A Poisson count, given that it is one of `COUNTS`."""

    def __init__(self, log_rate):
        super().__init__(softmax(log_rate[..., None] * COUNTS - gammaln(COUNTS + 1)))  # λⁿ/n!, made to add up to 1

    @property
    def mean(self):
        return self.probs @ COUNTS

    @property
    def variance(self):
        return self.probs @ COUNTS**2 - self.mean**2


def model(x, nets):
    log_r = jnp.log(learned_rate(nets))
    with numpyro.plate("image", len(x)):
        z = numpyro.sample("z", Truncated(log_r).to_event(1))
        numpyro.sample("x", nets.observe(nets.decode(z)), obs=x)


def guide(x, nets):
    with numpyro.plate("image", len(x)):
        log_rate = jnp.log(learned_rate(nets)) + nets.encode(x)
        numpyro.sample("z", Truncated(log_rate).to_event(1))

"""Prior rates under a hyper-prior: shared by all units, one of each group, and in a plate of their own."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from jax.scipy.special import gammaln

from ppl_pvae.config import Settings, validate
from ppl_pvae.data import from_array
from ppl_pvae.inference import Exact, FreeEnergy
from ppl_pvae.models import Program, poisson
from ppl_pvae.run.plan import make_plan

UNITS, GROUPS = 3, 2
SHAPE, RATE = 2.0, 1.5  # of the gamma hyper-prior
START, SCALE = -0.7, 0.2  # of the log-normal posterior
OF_UNIT = jnp.arange(UNITS) % GROUPS


def start(groups):
    """Where the median of the posterior is, on a log scale: learned."""
    return numpyro.param("median", jnp.full(groups, START))


def shared(family, nets):
    return numpyro.sample("rate", family(())) * jnp.ones(nets.units)


def by_group(family, nets):
    return numpyro.sample("rate", family((GROUPS,)).to_event(1))[OF_UNIT]


def plated(family, nets):
    with numpyro.plate("group", GROUPS):
        rates = numpyro.sample("rate", family((GROUPS,)))
    return rates[OF_UNIT]


def gamma(shape):
    return dist.Gamma(SHAPE, RATE).expand(shape)


def log_normal(shape):
    return dist.LogNormal(start(shape), SCALE)


def kl_of_one():
    """KL(LogNormal ‖ Gamma) = −H(q) − E log p, where E log r = m and E r = e^(m + s²/2)."""
    entropy = np.log(SCALE) + 0.5 * np.log(2 * np.pi * np.e) + START
    mean = np.exp(START + SCALE**2 / 2)
    return -entropy - (SHAPE * np.log(RATE) - gammaln(SHAPE) + (SHAPE - 1) * START - RATE * mean)


@pytest.mark.parametrize(
    ("rates", "groups"),
    [
        (plated, GROUPS),
        pytest.param(shared, 1, marks=pytest.mark.slow),
        pytest.param(by_group, GROUPS, marks=pytest.mark.slow),
    ],
)
def test_a_hyper_prior_is_paid_for_and_trained(rates, groups):
    """Its KL over 2,000 draws within 4.5 standard errors of the closed form; ten steps that move its posterior."""
    parts = (partial(part, prior_rate=partial(rates, family)) for part, family in PARTS)
    x = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)
    settings = validate(Settings(program="own", units=UNITS, batch_size=20, steps=10), own_program=True)
    plan = make_plan(settings, from_array(x, seed=0), Program(*parts))
    trainer = plan.trainer()
    before = trainer.params

    @jax.jit
    @jax.vmap
    def nats(key):
        return (
            FreeEnergy(estimator=Exact())
            .parts(key, before, *plan.program, jnp.asarray(x[:2]), plan.nets)
            .global_kl["rate"]
        )

    found = np.asarray(nats(jax.random.split(jax.random.key(0), 2000)), np.float64)
    assert abs(found.mean() - groups * kl_of_one()) < 4.5 * found.std() / np.sqrt(len(found))
    for _ in trainer.advance_to(10):
        pass
    assert np.isfinite(trainer.loss)
    assert np.all(np.asarray(trainer.params["median"]) != np.asarray(before["median"]))


PARTS = ((poisson.model, gamma), (poisson.guide, log_normal))

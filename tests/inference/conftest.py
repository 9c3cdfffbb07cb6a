"""Small programs for the free energy: a linear P-VAE of fixed weights, and what can be computed of it by hand."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest

from ppl_pvae.distributions import Poisson, SquaredError

IMAGES, PIXELS, UNITS = 5, 3, 2


class Linear(NamedTuple):
    """A program of fixed weights: λ = exp(xV + c), x̂ = b + zΦ, prior rates r; sizes above."""

    encoder: np.ndarray
    offset: np.ndarray
    bias: np.ndarray
    dictionary: np.ndarray
    prior_rate: np.ndarray

    def rates(self, x):
        """λ, (image, unit), float64."""
        return np.exp(np.asarray(x, np.float64) @ self.encoder + self.offset)

    def model(self, x, nets=None):
        with numpyro.plate("image", len(x)):
            z = numpyro.sample("z", Poisson(jnp.asarray(self.prior_rate)).to_event(1))
            numpyro.sample("x", SquaredError(self.bias + z @ self.dictionary).to_event(1), obs=x)

    def guide(self, x, nets=None):
        with numpyro.plate("image", len(x)):
            numpyro.sample("z", Poisson(log_rate=x @ self.encoder + self.offset).to_event(1))


def linear_program(seed=0, scale=0.5):
    rng = np.random.default_rng(seed)
    weights = [rng.normal(0, scale, shape) for shape in [(PIXELS, UNITS), (UNITS,), (PIXELS,), (UNITS, PIXELS)]]
    return Linear(*(np.float32(each) for each in weights), np.float32(rng.uniform(0.3, 1.5, UNITS)))


@pytest.fixture(scope="session")
def linear():
    return linear_program()


@pytest.fixture(scope="session")
def x():
    return jnp.asarray(np.random.default_rng(1).normal(size=(IMAGES, PIXELS)), jnp.float32)


@pytest.fixture(scope="session")
def weights():
    """Φ for decoders of the tests' own, (unit, pixel)."""
    return np.float32(np.random.default_rng(2).normal(size=(UNITS, PIXELS)))


@pytest.fixture(scope="session")
def program(weights):
    """A function that puts a program together: posterior q(x), prior p(x), and (mean, scale) = decode(z, x)."""

    def build(q, p=None, decode=None):
        decode = decode or (lambda z, x: (z @ weights, 0.7))

        def model(x, nets=None):
            with numpyro.plate("image", len(x)):
                z = numpyro.sample("z", (p or standard_normal)(x))
                mean, scale = decode(z, x)
                numpyro.sample("x", dist.Normal(mean, scale).to_event(1), obs=x)

        def guide(x, nets=None):
            with numpyro.plate("image", len(x)):
                numpyro.sample("z", q(x))

        return model, guide

    return build


def standard_normal(x):
    return dist.Normal(jnp.zeros(UNITS), 1.0).to_event(1)


def some_normal(x):
    return dist.Normal(0.5 * x[:, :UNITS], 0.4).to_event(1)

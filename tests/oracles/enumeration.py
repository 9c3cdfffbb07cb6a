"""A program of two units whose codes can all be listed, and what it is by its definition: sums over the list."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
from jax.scipy.special import gammaln, logsumexp

from ppl_pvae.distributions import NegativeBinomial, Poisson
from ppl_pvae.networks import LIKELIHOODS

PIXELS, UNITS, HIDDEN = 3, 2, 4
TOP = 40  # rates of the program are so low that larger counts do not matter
CODES = np.stack(np.meshgrid(np.arange(TOP), np.arange(TOP), indexing="ij"), -1).reshape(-1, UNITS)


def random_params(seed: int, dispersed: bool = False) -> dict[str, np.ndarray]:
    """Parameters of the program: rates of about 0.1 to 2, a decoder that bends within a few counts."""
    rng = np.random.default_rng(seed)
    shapes = {"encoder": (PIXELS, UNITS), "offset": (UNITS,), "log_prior_rate": (UNITS,)}
    params = {name: rng.normal(0, 0.3, shape) for name, shape in shapes.items()}
    params["offset"] -= 0.6
    params |= {"entry": rng.normal(0, 0.5, (UNITS, 2 * HIDDEN)), "output": rng.normal(0, 0.7, (2 * HIDDEN, PIXELS))}
    return params | ({"log_concentration": np.log([1.5, 6.0])} if dispersed else {})


def encode(params, x):
    """log λ of images, (image, unit), bounded."""
    return jnp.tanh(x @ params["encoder"]) + params["offset"]


def decode(params, z):
    """x̂ of codes (…, unit): half of the hidden units saturate, the others start at a threshold."""
    bent, above = jnp.split(z @ params["entry"], 2, axis=-1)
    return jnp.concatenate([jnp.tanh(bent), jax.nn.relu(above - 0.3)], axis=-1) @ params["output"]


class Enumerable(NamedTuple):
    """Model and guide, with parameters of `random_params`; `dispersed` says that counts are negative binomial."""

    likelihood: str = "gaussian"
    dispersed: bool = False

    def model(self, x, nets=None):
        params = {name: numpyro.param(name) for name in ("log_prior_rate", "entry", "output")}
        with numpyro.plate("image", len(x)):
            z = numpyro.sample("z", self.counts(params["log_prior_rate"]))
            numpyro.sample("x", LIKELIHOODS[self.likelihood].observe(decode(params, z)).to_event(1), obs=x)

    def guide(self, x, nets=None):
        log_rate = encode({name: numpyro.param(name) for name in ("encoder", "offset")}, x)
        with numpyro.plate("image", len(x)):
            numpyro.sample("z", self.counts(log_rate))

    def counts(self, log_rate):
        if not self.dispersed:
            return Poisson(log_rate=log_rate).to_event(1)
        phi = jnp.exp(numpyro.param("log_concentration"))
        return NegativeBinomial(log_rate=log_rate, concentration=phi).to_event(1)


# --- by definition: log-probabilities of all codes, in whatever precision the parameters have ---


def log_count(n, log_rate, log_phi=None):
    """log p(n) of counts by the textbook, summed over units."""
    n = jnp.asarray(n, jnp.result_type(log_rate))
    if log_phi is None:
        return jnp.sum(n * log_rate - jnp.exp(log_rate) - gammaln(n + 1), axis=-1)
    phi, log_total = jnp.exp(log_phi), jnp.logaddexp(log_phi, log_rate)
    ways = gammaln(n + phi) - gammaln(phi) - gammaln(n + 1)
    return jnp.sum(ways + phi * (log_phi - log_total) + n * (log_rate - log_total), axis=-1)


def log_posterior(params, x):
    """log q(n|x), (image, code)."""
    return log_count(CODES, encode(params, x)[:, None], params.get("log_concentration"))


def log_prior(params):
    """log p(n), (code,)."""
    return log_count(CODES, params["log_prior_rate"], params.get("log_concentration"))


def log_likelihood(params, x, z, likelihood="gaussian"):
    """log p(x|z) of images (image, pixel) at codes (…, unit), (image, …), constants included."""
    out = decode(params, z)
    x = x.reshape(len(x), *(1,) * (out.ndim - 1), x.shape[-1])
    if likelihood == "gaussian":
        return jnp.sum(-((x - out) ** 2) - 0.5 * jnp.log(jnp.pi), axis=-1)
    if likelihood == "bernoulli":
        return jnp.sum(x * out - jnp.log1p(jnp.exp(out)), axis=-1)
    rate = jnp.log1p(jnp.exp(out))
    return jnp.sum(x * jnp.log(rate) - rate - gammaln(x + 1), axis=-1)


def log_evidence(params, x, likelihood="gaussian"):
    """log p(x) = log Σ_n p(n) p(x|n), (image,)."""
    return logsumexp(log_prior(params) + log_likelihood(params, x, CODES, likelihood), axis=1)

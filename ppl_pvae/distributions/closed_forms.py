"""Closed-form KL divergences of families that NumPyro has none for: log-normal, Laplace, categorical, multinomial."""

from itertools import product

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jax.core import Tracer
from jaxtyping import Array, Float
from numpyro.distributions import kl_divergence

from ppl_pvae.distributions.kl import SAME, disagreement, not_shared

__all__ = ["categorical_kl"]


def categorical_kl(log_q: Float[Array, "*q value"], log_p: Float[Array, "*p value2"]) -> Float[Array, "..."]:
    """Σ_k q_k (log q_k − log p_k) over the last axis, nats; p has nothing beyond its last value.

    +inf where q has a value that p has not.
    """
    values, beyond = log_q.shape[-1], max(log_q.shape[-1] - log_p.shape[-1], 0)
    widths = [(0, 0)] * (log_p.ndim - 1) + [(0, beyond)]
    log_p = jnp.pad(log_p, widths, constant_values=-jnp.inf)[..., :values]
    q = jnp.exp(log_q)
    there = q > 0  # elsewhere log q may be −inf, and its gradient NaN
    ratio = jnp.where(there, log_q, 0.0) - jnp.where(there, log_p, 0.0)
    return jnp.sum(q * ratio, axis=-1)


def _log_probs(family):
    """log of the probabilities of each value, (..., value)."""
    if isinstance(family, dist.CategoricalLogits | dist.MultinomialLogits):
        return jax.nn.log_softmax(family.logits)
    # NumPyro's own logits of them end at the smallest float, and not at −inf.
    there = family.probs > 0
    return jnp.where(there, jnp.log(jnp.where(there, family.probs, 1.0)), -jnp.inf)


@kl_divergence.register(dist.LogNormal, dist.LogNormal)
def _log_normal_log_normal(q, p):
    # That of the normals: a KL does not change under one map of both variables.
    return kl_divergence(q.base_dist, p.base_dist)


@kl_divergence.register(dist.Laplace, dist.Laplace)
def _laplace_laplace(q, p):
    # KL = log(s/b) + (b e^(−|μ−m|/b) + |μ−m|)/s − 1, q of μ and b, p of m and s
    far = jnp.abs(q.loc - p.loc)
    return jnp.log(p.scale / q.scale) + (q.scale * jnp.exp(-far / q.scale) + far) / p.scale - 1


def _categorical_categorical(q, p):
    return categorical_kl(_log_probs(q), _log_probs(p))


for _q, _p in product((dist.CategoricalLogits, dist.CategoricalProbs), repeat=2):
    if _q is dist.CategoricalLogits or _p is dist.CategoricalLogits:  # two of probabilities: NumPyro has it
        kl_divergence.register(_q, _p)(_categorical_categorical)


def _multinomial_multinomial(q, p):
    """NaN where the numbers of events differ and are known only when the program runs: there is no such sum over k."""
    # KL = n Σ_k q_k (log q_k − log p_k): the coefficients n!/Π z_k! are the same in both
    gap = disagreement(q, p)
    assert gap is not None, "multinomials share their number of events"
    differ = gap > SAME
    if not isinstance(differ, Tracer) and differ:
        raise ValueError(not_shared(q, p))
    return jnp.where(differ, jnp.nan, q.total_count * categorical_kl(_log_probs(q), _log_probs(p)))


for _q, _p in product((dist.MultinomialLogits, dist.MultinomialProbs), repeat=2):
    kl_divergence.register(_q, _p)(_multinomial_multinomial)

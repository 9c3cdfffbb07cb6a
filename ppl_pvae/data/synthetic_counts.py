"""Spike counts whose truth is known: sparse events of a few latents, each of which drives a group of neurons."""

from typing import Any

import numpy as np
from jaxtyping import Float, Float64

from ppl_pvae.data.dataset import Dataset
from ppl_pvae.data.planted import draw_codes, keep_truth, log_uniform

__all__ = ["load_synthetic_counts", "loading_matrix", "softplus"]

NEURONS = 100
LATENTS = 16
# Neurons that a latent drives. Groups overlap: a neuron is in 1.6 of them on average.
GROUP = 10
# What one event adds before the softplus, uniform between these. An event is worth its price many times over: it makes
# its group fire about 30 spikes, where it fires one without it.
LOADINGS = (3.0, 8.0)
# Expected events, log-uniform between these. Sparse: about 2 events a sample among 16 latents, and more than 800 of the
# rarest latent among the training samples.
RATES = (0.05, 0.2)
# Expected spikes of a neuron that nothing drives, log-uniform between these.
BASELINES = (0.05, 0.2)


def load_synthetic_counts(seed: int) -> Dataset:
    """Spike counts x ~ Poisson(softplus(zΦ + b)) of 100 neurons, z_k ~ Poisson(r_k) events of 16 latents.

    A pixel is a neuron, and there is no picture: `shape` is None. `truth` keeps "dictionary" (unit, pixel), which is Φ,
    "bias" (pixel,), which is b, "rate" (unit,) and "code" (image, unit), the events of the test samples.

    A Poisson posterior is as wide as its mean, so a fit says an event with many spikes of small loadings: Φ comes back
    up to one scale for each unit, and rates do not.
    """
    loading_key, bias_key, rate_key, code_key, spike_key = np.random.SeedSequence(seed).spawn(5)
    loadings = loading_matrix(np.random.default_rng(loading_key))
    bias = np.log(np.expm1(log_uniform(bias_key, BASELINES, NEURONS)))  # softplus(b) is the baseline
    rate, code = draw_codes(rate_key, code_key, LATENTS, RATES)
    x = np.random.default_rng(spike_key).poisson(softplus(code @ loadings + bias)).astype(np.float32)
    provenance: dict[str, Any] = {
        "source": "planted events of latents, each driving a group of neurons, Poisson spike counts",
        "seed": seed,
        "counts": True,
        "constants": {
            "neurons": NEURONS,
            "latents": LATENTS,
            "group": GROUP,
            "loadings": list(LOADINGS),
            "rates": list(RATES),
            "baselines": list(BASELINES),
        },
    }
    truth = {
        "dictionary": loadings.astype(np.float32),
        "bias": bias.astype(np.float32),
        "rate": rate,
        "code": code,
    }
    return keep_truth("synthetic-counts", x, None, truth, provenance)


def loading_matrix(rng: np.random.Generator) -> Float64[np.ndarray, "unit pixel"]:
    """Loadings of as many neurons, drawn without replacement, for each latent; all others are zero."""
    members = rng.permuted(np.tile(np.arange(NEURONS) < GROUP, (LATENTS, 1)), axis=1)
    return np.where(members, rng.uniform(*LOADINGS, members.shape), 0.0)


def softplus(v: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """log(1 + e^v), the rate of a neuron from what drives it."""
    return np.logaddexp(0.0, v)

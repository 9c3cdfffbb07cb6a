"""The arrival-time estimator done directly, in JAX and in PyTorch: what the cheap form is compared with.

Every unit of every image draws as many exponential waiting times as the largest rate asks for, and the gradient goes
back through all of them.
"""

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import scipy.stats
from numpyro.distributions import Distribution

from ppl_pvae.distributions import base_of, log_rate_of

__all__ = ["DirectArrivalTime", "TorchStep", "arrivals_needed"]


def arrivals_needed(rate: float, temperature: float) -> int:
    """Waiting times after which the window of a unit with this rate has closed, but for one draw in a million."""
    return int(scipy.stats.poisson.isf(1e-6, rate * (1 + temperature))) + 1


@dataclass(frozen=True)
class DirectArrivalTime:
    """An estimator for the free energy: soft counts Σ_n g((1 − S_n)/τ), differentiated through all arrival times."""

    arrivals: int
    name: str = "direct"
    exact: bool = False

    def draw(self, key: jax.Array, q: Distribution, temperature: jax.Array) -> jax.Array:
        log_rate = log_rate_of(base_of(q))
        waiting = jax.random.exponential(key, (self.arrivals, *log_rate.shape))
        times = jnp.cumsum(waiting, axis=0) * jnp.exp(-log_rate)
        v = jnp.clip(0.5 * (1 + (1 - times) / temperature), 0, 1)
        return jnp.sum(v * v * (3 - 2 * v), axis=0)


class TorchStep:
    """The same training step in PyTorch: linear encoder and decoder, direct estimator, Poisson KL, Adam.

    Parameters
    ----------
    x
        Images, (image, pixel).
    encoder, decoder
        Weights, (pixel, unit) and (unit, pixel).
    level
        Log of the prior rate of all units; log λ = level + xW.
    """

    def __init__(self, x: np.ndarray, encoder: np.ndarray, decoder: np.ndarray, level: float):
        import torch

        self.torch = torch
        torch.manual_seed(0)
        self.x, self.level = torch.tensor(x), level
        weights = (encoder, decoder, np.zeros(encoder.shape[1], np.float32))
        self.encoder, self.decoder, self.log_prior_rate = (torch.tensor(w, requires_grad=True) for w in weights)
        self.optimizer = torch.optim.Adam([self.encoder, self.decoder, self.log_prior_rate], lr=0.0)

    def step(self, arrivals: int, temperature: float) -> float:
        """One update; the free energy before it."""
        torch = self.torch
        log_r = self.log_prior_rate + self.level
        gain = self.x @ self.encoder
        rate = torch.exp(log_r + gain)
        waiting = torch.empty((arrivals, *rate.shape)).exponential_()
        times = torch.cumsum(waiting, 0) / rate
        v = torch.clamp(0.5 * (1 + (1 - times) / temperature), 0, 1)
        z = torch.sum(v * v * (3 - 2 * v), 0)
        # KL = λ d − λ + r, d = log λ − log r
        kl = torch.sum(rate * gain - rate + torch.exp(log_r), 1)
        loss = torch.mean(torch.sum((self.x - z @ self.decoder) ** 2, 1) + kl)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        value = float(loss.detach())
        if not math.isfinite(value):
            raise FloatingPointError(f"free energy of the PyTorch step is {value}")
        return value

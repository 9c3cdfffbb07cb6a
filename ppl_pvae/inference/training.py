"""The training loop: jitted stretches of NumPyro SVI steps between evaluations and checkpoints."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import random
from numpyro.infer import SVI

from ppl_pvae.inference.augmentation import symmetric_views
from ppl_pvae.inference.coordinates import Coordinates
from ppl_pvae.inference.estimators import Estimator
from ppl_pvae.inference.free_energy import FreeEnergy
from ppl_pvae.inference.optimizers import build_optimizer, with_learning_rate
from ppl_pvae.inference.schedules import annealed, warmup_hold_decay

__all__ = ["Recipe", "Trainer", "batch_indices"]

CHUNK = 50  # steps between two returns to Python: a progress bar that moves, at no measurable cost


@dataclass(frozen=True)
class Recipe:
    """How the parameters are moved: everything about training that is neither program nor data.

    Field names and units are those of the settings of a fit.
    """

    beta: float
    spike_price: float
    steps: int
    seed: int
    batch_size: int
    optimizer: str
    learning_rate: float
    final_learning_rate: float
    warmup_steps: int
    decay: float
    decay_shape: str
    prior_speed: float
    clip_norm: float
    anneal: float
    anneal_from: float
    temperature: float
    temperature_from: float

    def beta_at(self, step):
        """β at each of the steps."""
        start = min(self.anneal_from, self.beta)
        return annealed(step, start=start, end=self.beta, share=self.anneal, steps=self.steps)

    def temperature_at(self, step):
        """τ at each of the steps."""
        start = max(self.temperature_from, self.temperature)
        return annealed(step, start=start, end=self.temperature, share=self.anneal, steps=self.steps)

    def learning_rate_at(self, step):
        """Learning rate of network weights at each of the steps."""
        return warmup_hold_decay(
            step,
            peak=self.learning_rate,
            final=self.final_learning_rate,
            warmup=min(self.warmup_steps, self.steps // 2),
            decay=self.decay,
            shape=self.decay_shape,
            steps=self.steps,
        )


class _Compiled(NamedTuple):
    """What is the same for all values of β, learning rate, seed and steps."""

    svi: SVI
    init: Callable
    advance: Callable


@lru_cache(maxsize=32)
def _compile(
    model,
    guide,
    nets,
    estimator: Estimator,
    optimizer: str,
    prior_speed: float,
    clip_norm: float,
    coordinates: Coordinates | None,
    symmetries,
) -> _Compiled:
    mover = build_optimizer(optimizer, prior_speed=prior_speed, clip_norm=clip_norm, coordinates=coordinates)
    svi = SVI(model, guide, mover, FreeEnergy(estimator=estimator))

    def step(state, x, indices, schedule, spike_price):
        count, optim_state = state.optim_state
        state = state._replace(optim_state=(count, with_learning_rate(optim_state, schedule["learning_rate"])))
        batch = x[indices]
        return svi.update(
            state,
            symmetric_views(batch, symmetries) if symmetries else batch,
            nets,
            beta=schedule["beta"],
            temperature=schedule["temperature"],
            spike_price=0.0 if spike_price is None else spike_price,
            images=x.shape[0],
        )

    @jax.jit
    def advance(state, x, indices, schedules, spike_price, count):
        # `count` is data: stretches of every length run the same compiled code, so that a run which was stopped and
        # continued computes bit for bit what an undisturbed one does.
        def body(at, carry):
            state, total = carry
            now = jax.tree.map(lambda values: values[at], schedules)
            state, loss = step(state, x, indices[at], now, spike_price)
            return state, total + loss

        return jax.lax.fori_loop(0, count, body, (state, jnp.zeros(())))

    return _Compiled(svi, jax.jit(lambda key, x: svi.init(key, x, nets)), advance)


def _strong(leaf):
    """The same array, of a type that does not give way to others."""
    return leaf if jnp.issubdtype(leaf.dtype, jax.dtypes.extended) else jnp.asarray(leaf, leaf.dtype)


def batch_indices(images: int, batch_size: int, seed: int, steps: range) -> np.ndarray:
    """Which images each step sees, (step, batch): every epoch a new shuffle, the same whenever it is asked for."""
    batch_size = min(batch_size, images)
    per_epoch = images // batch_size
    shuffles: dict[int, np.ndarray] = {}
    rows = []
    for step in steps:
        epoch, batch = divmod(step, per_epoch)
        if epoch not in shuffles:
            shuffles = {epoch: np.random.default_rng([seed, epoch]).permutation(images).astype(np.int32)}
        rows.append(shuffles[epoch][batch * batch_size : (batch + 1) * batch_size])
    return np.stack(rows)


class Trainer:
    """One training, from its first step or from a saved state.

    Parameters
    ----------
    model, guide, nets
        A program and what it gets beside the images.
    x
        Training images, (image, pixel).
    recipe
        How to train.
    estimator
        How the expectation over local codes is taken.
    coordinates
        What the optimizer moves in place of the parameters; None for these themselves.
    symmetries
        (y, x) of an image whose mirrored and turned views are as good to train on; None to take images as they are.
    """

    def __init__(
        self,
        model,
        guide,
        nets,
        x,
        recipe: Recipe,
        estimator: Estimator,
        *,
        coordinates: Coordinates | None = None,
        symmetries: tuple[int, int] | None = None,
    ):
        self.recipe, self.x = recipe, jnp.asarray(x)
        self._compiled = _compile(
            model,
            guide,
            nets,
            estimator,
            recipe.optimizer,
            recipe.prior_speed,
            recipe.clip_norm,
            coordinates,
            symmetries,
        )
        first = self.x[: min(recipe.batch_size, len(x))]
        # Of the types that a state has which was saved and read: one compilation serves both.
        self.state: Any = jax.tree.map(_strong, self._compiled.init(random.key(recipe.seed), first))
        self.step = 0

    @property
    def params(self) -> dict[str, Any]:
        """Parameters by name, as the program sees them."""
        return self._compiled.svi.get_params(self.state)

    def advance_to(self, end: int) -> Iterator[int]:
        """Train up to step `end`; yields the step reached after every short stretch, for a progress bar."""
        while self.step < end:
            count = min(CHUNK, end - self.step)
            steps = np.arange(self.step, self.step + CHUNK)
            indices = batch_indices(
                len(self.x), self.recipe.batch_size, self.recipe.seed, range(self.step, self.step + count)
            )
            indices = np.concatenate([indices, np.zeros((CHUNK - count, indices.shape[1]), np.int32)])
            schedules = {
                "beta": self.recipe.beta_at(steps),
                "temperature": self.recipe.temperature_at(steps),
                "learning_rate": self.recipe.learning_rate_at(steps),
            }
            price = np.float32(self.recipe.spike_price) if self.recipe.spike_price else None
            self.state, total = self._compiled.advance(self.state, self.x, indices, schedules, price, count)
            self.step += count
            self.loss = float(total) / count
            yield self.step

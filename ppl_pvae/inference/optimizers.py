"""Optimizers for NumPyro parameters, with a learning rate that is data and not code."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from ppl_pvae.inference.coordinates import Coordinates, in_coordinates

__all__ = ["OPTIMIZERS", "RateState", "build_optimizer", "with_learning_rate"]

OPTIMIZERS: Mapping[str, Callable[[], optax.GradientTransformation]] = {
    # A short memory for the second moment: gradients through exp(Wx) come in bursts.
    "adam": partial(optax.scale_by_adam, b1=0.9, b2=0.98),
    "adamax": optax.scale_by_adamax,
}


class RateState(NamedTuple):
    """The learning rate of the next step, in the optimizer's state so that a schedule costs no compilation."""

    learning_rate: Float[Array, ""]


def build_optimizer(
    name: str, *, prior_speed: float, clip_norm: float, coordinates: Coordinates | None = None
) -> optax.GradientTransformation:
    """An optimizer for a dictionary of parameters by name.

    Parameters
    ----------
    name
        One of `OPTIMIZERS`.
    prior_speed
        Learning rate of parameters that are vectors or scalars (prior log-rates, biases of codes and images), as a
        multiple of that of networks and matrices: log-rates move over many orders of magnitude, weights do not.
    clip_norm
        Largest global norm of the gradient; inf for no clipping.
    coordinates
        What is moved instead of the parameters; None for these themselves.
    """
    clip = optax.clip_by_global_norm(clip_norm) if clip_norm < float("inf") else optax.identity()
    move = optax.chain(OPTIMIZERS[name](), _scale_by_kind(prior_speed), _scale_by_rate())
    return optax.chain(clip, in_coordinates(move, coordinates) if coordinates else move)


def _scale_by_kind(vector_speed):
    # Parameters that are vectors by themselves: a bias within a network is of the kind of the weights beside it.
    def scale(updates, params=None):
        return {name: vector_speed * u if _is_vector(u) else u for name, u in updates.items()}

    return optax.stateless(scale)


def _is_vector(parameter):
    return isinstance(parameter, jax.Array) and parameter.ndim < 2


def _scale_by_rate():
    def init(params):
        return RateState(jnp.zeros(()))

    def update(updates, state, params=None):
        return jax.tree.map(lambda u: -state.learning_rate * u, updates), state

    return optax.GradientTransformation(init, update)


def with_learning_rate(optim_state, learning_rate: Float[Array, ""]):
    """The same optimizer state (any tree around it), about to step at this learning rate."""

    def is_rate(node):
        return isinstance(node, RateState)

    return jax.tree.map(lambda node: RateState(learning_rate) if is_rate(node) else node, optim_state, is_leaf=is_rate)

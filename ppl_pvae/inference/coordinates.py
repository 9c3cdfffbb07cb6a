"""Optimizers that move something other than the parameters themselves."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import optax

__all__ = ["Coordinates", "in_coordinates"]


class Coordinates(NamedTuple):
    """A change of variables, one to one, between parameters by name and a tree that is easier to move."""

    enter: Callable[[Any], Any]
    leave: Callable[[Any], Any]


def in_coordinates(optimizer: optax.GradientTransformation, coordinates: Coordinates) -> optax.GradientTransformation:
    """The optimizer at work in other coordinates; parameters and gradients outside keep their own.

    Adam and its kin scale every coordinate by itself, so that a narrow valley is followed fast along an axis and very
    slowly across one: which coordinates they work in decides how long a fit takes, and nothing else.
    """

    def init(params):
        return optimizer.init(coordinates.enter(params))

    def update(gradient, state, params=None):
        here = coordinates.enter(params)
        back, pull = jax.vjp(coordinates.leave, here)
        (slope,) = pull(gradient)
        step, state = optimizer.update(slope, state, here)
        there = coordinates.leave(optax.apply_updates(here, step))
        return jax.tree.map(lambda new, old: new - old, there, back), state

    return optax.GradientTransformation(init, update)

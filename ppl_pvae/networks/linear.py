"""One matrix, and what other networks are made of."""

from collections.abc import Sequence
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import random
from jaxtyping import Array, Float, Num

__all__ = ["Linear", "Size", "evenly_spread", "linear"]


class Size(NamedTuple):
    """What a network is built for.

    `inputs` and `outputs` are the lengths of a row; `shape` the (y, x) of an image, where that is known; `weight_scale`
    the standard deviation of the first weights where a code enters and leaves; `width` and `depth` the units (or
    channels) and the number of hidden layers (or blocks) between.
    """

    inputs: int
    outputs: int
    shape: tuple[int, int] | None
    weight_scale: float
    width: int
    depth: int


class Linear(eqx.Module):
    """One matrix (input, output), and a bias if there is one; takes a batch at a time."""

    weight: Float[Array, "input output"]
    bias: Float[Array, " output"] | None = None

    def __call__(self, x: Num[Array, "image input"]) -> Float[Array, "image output"]:
        out = x @ self.weight
        return out if self.bias is None else out + self.bias


def linear(size: Size, key: jax.Array) -> Linear:
    """Weights from N(0, weight_scale²)."""
    return Linear(size.weight_scale * random.normal(key, (size.inputs, size.outputs)))


def evenly_spread(key: jax.Array, shapes: Sequence[tuple[int, int]]) -> list[Float[Array, "input output"]]:
    """For each (input, output) weights that keep the size of what a rectifier lets pass, N(0, 2/input).

    One draw for all: the code of a generator is long, and each one compiled takes a good part of a second.
    Source: He et al. 2015 (arXiv:1502.01852).
    """
    sizes = [inputs * outputs for inputs, outputs in shapes]
    pieces = jnp.split(random.normal(key, (sum(sizes),)), np.cumsum(sizes)[:-1])
    return [jnp.sqrt(2.0 / shape[0]) * piece.reshape(shape) for shape, piece in zip(shapes, pieces, strict=True)]

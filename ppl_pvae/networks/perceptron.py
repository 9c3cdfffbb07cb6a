"""Multilayer perceptrons."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import random
from jaxtyping import Array, Float, Num

from ppl_pvae.networks.linear import Linear, Size, evenly_spread, linear

__all__ = ["Perceptron", "mlp_decoder", "mlp_encoder"]


class Perceptron(eqx.Module):
    """Linear layers with rectifiers between; `entry` takes the input and `head` gives the output."""

    entry: Linear
    hidden: tuple[Linear, ...]
    head: Linear

    def __call__(self, x: Num[Array, "image input"]) -> Float[Array, "image output"]:
        out = jax.nn.relu(self.entry(x))
        for layer in self.hidden:
            out = jax.nn.relu(layer(out))
        return self.head(out)


def mlp_encoder(size: Size, key: jax.Array) -> Perceptron:
    """`depth` hidden layers of `width`; the head starts at weight_scale, so that gains start near 1."""
    first, *keys, last = random.split(key, size.depth + 1)
    head = linear(size._replace(inputs=size.width), last)
    return Perceptron(_layer(first, size.inputs, size.width), _hidden(size, keys), head)


def mlp_decoder(size: Size, key: jax.Array) -> Perceptron:
    """`depth` hidden layers of `width`; the entry starts at weight_scale, as a linear decoder does."""
    first, *keys, last = random.split(key, size.depth + 1)
    entry = Linear(linear(size._replace(outputs=size.width), first).weight, jnp.zeros(size.width))
    head = Linear(evenly_spread(last, size.width, size.outputs))
    return Perceptron(entry, _hidden(size, keys), head)


def _hidden(size, keys):
    return tuple(_layer(key, size.width, size.width) for key in keys)


def _layer(key, inputs, outputs):
    return Linear(evenly_spread(key, inputs, outputs), jnp.zeros(outputs))

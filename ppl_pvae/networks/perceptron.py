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
    hidden_key, head_key = random.split(key)
    entry, *hidden = _layers(hidden_key, [(size.inputs, size.width), *_between(size)])
    return Perceptron(entry, tuple(hidden), linear(size._replace(inputs=size.width), head_key))


def mlp_decoder(size: Size, key: jax.Array) -> Perceptron:
    """`depth` hidden layers of `width`; the entry starts at weight_scale, as a linear decoder does."""
    hidden_key, entry_key = random.split(key)
    entry = Linear(linear(size._replace(outputs=size.width), entry_key).weight, jnp.zeros(size.width))
    *hidden, head = _layers(hidden_key, [*_between(size), (size.width, size.outputs)])
    return Perceptron(entry, tuple(hidden), Linear(head.weight))


def _between(size):
    return (size.depth - 1) * [(size.width, size.width)]


def _layers(key, shapes):
    return [Linear(weight, jnp.zeros(weight.shape[1])) for weight in evenly_spread(key, shapes)]

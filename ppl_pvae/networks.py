"""Encoders, decoders and the record `Nets` that a program receives."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from jax import random
from jaxtyping import Array, Float, Num

from ppl_pvae.distributions import SquaredError

__all__ = [
    "DECODERS",
    "ENCODERS",
    "LIKELIHOODS",
    "Linear",
    "Nets",
    "Size",
    "linear",
    "scaled_inputs",
    "scaled_outputs",
    "soft_clamp",
]


@jax.custom_jvp
def soft_clamp(x: Float[Array, "..."], upper: float | Float[Array, "..."]) -> Float[Array, "..."]:
    """x, bent so that it never exceeds `upper`: upper − softplus(upper − x). Shapes broadcast."""
    return _bent(x, upper)[0]


@soft_clamp.defjvp
def _soft_clamp_jvp(primals, tangents):
    # Slope s = 1/(1 + e^(x − c)) in x, 1 − s in c
    x, upper = primals
    value, small = _bent(x, upper)
    slope = jnp.where(x < upper, 1.0, small) / (1 + small)
    # Written so that backward both gradients sum what is needed anyway, g and s·g, and not (1 − s)·g besides.
    return value, slope * tangents[0] - slope * tangents[1] + tangents[1]


def _bent(x, upper):
    # The same number in a form that neither overflows nor cancels: min(x, c) − log(1 + e^−|x − c|)
    small = jnp.exp(-jnp.abs(x - upper))
    return jnp.minimum(x, upper) - jnp.log(1 + small), small


class Size(NamedTuple):
    """What a network is built for: lengths of its input and output, with or without bias, scale of its weights."""

    inputs: int
    outputs: int
    bias: bool
    weight_scale: float


class Linear(eqx.Module):
    """One matrix (input, output), and a bias if there is one; takes a batch at a time."""

    weight: Float[Array, "input output"]
    bias: Float[Array, " output"] | None

    def __call__(self, x: Num[Array, "image input"]) -> Float[Array, "image output"]:
        out = x @ self.weight
        return out if self.bias is None else out + self.bias


def linear(size: Size, key: jax.Array) -> Linear:
    """Weights from N(0, weight_scale²), biases from zero."""
    weight = size.weight_scale * random.normal(key, (size.inputs, size.outputs))
    return Linear(weight, jnp.zeros(size.outputs) if size.bias else None)


def scaled_inputs(network: Linear, factor: Float[Array, " input"]) -> Linear:
    """The network in front of which each input is multiplied by a factor."""
    return eqx.tree_at(lambda net: net.weight, network, network.weight * factor[:, None])


def scaled_outputs(network: Linear, factor: Float[Array, " output"]) -> Linear:
    """The network behind which each output, bias included, is multiplied by a factor."""
    return jax.tree.map(lambda leaf: leaf * factor, network)


ENCODERS: Mapping[str, Callable[[Size, jax.Array], eqx.Module]] = {"linear": linear}
DECODERS: Mapping[str, Callable[[Size, jax.Array], eqx.Module]] = {"linear": linear}
LIKELIHOODS: Mapping[str, Callable[[Array], dist.Distribution]] = {"gaussian": SquaredError}


@jax.tree_util.register_static
@dataclass(frozen=True)
class Nets:
    """What a program may use: the sizes, an encoder, a decoder, a likelihood; settings, no weights.

    Weights live in NumPyro parameters called "encoder" and "decoder", made from the key of the run, so that seeds
    differ from the first step on.

    Parameters
    ----------
    units, pixels
        Lengths of one code and of one image.
    encoder, decoder, likelihood
        Names in `ENCODERS`, `DECODERS`, `LIKELIHOODS`.
    encoder_bias
        Whether the encoder adds a bias per unit; without one, log λ = log r at x = 0.
    weight_scale
        Standard deviation of the initial weights.
    """

    units: int
    pixels: int
    encoder: str = "linear"
    decoder: str = "linear"
    likelihood: str = "gaussian"
    encoder_bias: bool = True
    weight_scale: float = 0.05

    def encode(self, x: Float[Array, "image pixel"], heads: int = 1) -> Any:
        """What the encoder says of each image: one array (image, unit), or a tuple of `heads` of them."""
        size = Size(self.pixels, heads * self.units, self.encoder_bias, self.weight_scale)
        out = _apply("encoder", partial(ENCODERS[self.encoder], size), x)
        return out if heads == 1 else tuple(jnp.split(out, heads, axis=-1))

    def decode(self, z: Num[Array, "image unit"]) -> Float[Array, "image pixel"]:
        """Reconstruction of each image from its code."""
        size = Size(self.units, self.pixels, False, self.weight_scale)
        return _apply("decoder", partial(DECODERS[self.decoder], size), z)

    def observe(self, mean: Float[Array, "image pixel"]) -> dist.Distribution:
        """Distribution of an image given its reconstruction, one event per image."""
        return LIKELIHOODS[self.likelihood](mean).to_event(1)


def _apply(name, build, inputs):
    # Only arrays may be parameters; what is static about the network (activations, shapes) stays outside.
    arrays = numpyro.param(name, lambda key: eqx.partition(build(key), eqx.is_array)[0])
    static = eqx.partition(eqx.filter_eval_shape(build, random.key(0)), _is_array_like)[1]
    return eqx.combine(arrays, static)(inputs)


def _is_array_like(leaf):
    return isinstance(leaf, jax.ShapeDtypeStruct)

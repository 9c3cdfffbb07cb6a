"""The record that a program receives."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from jax import random
from jaxtyping import Array, Float, Num

from ppl_pvae.networks.convolution import conv_decoder, conv_encoder
from ppl_pvae.networks.likelihoods import LIKELIHOODS
from ppl_pvae.networks.linear import Size, linear
from ppl_pvae.networks.perceptron import mlp_decoder, mlp_encoder

__all__ = ["DECODERS", "ENCODERS", "WIDTHS", "Nets", "scaled_inputs", "scaled_outputs"]

ENCODERS: Mapping[str, Callable[[Size, jax.Array], eqx.Module]] = {
    "linear": linear,
    "mlp": mlp_encoder,
    "conv": conv_encoder,
}
DECODERS: Mapping[str, Callable[[Size, jax.Array], eqx.Module]] = {
    "linear": linear,
    "mlp": mlp_decoder,
    "conv": conv_decoder,
}

# Units of a hidden layer, and channels, where nothing else is said.
WIDTHS: Mapping[str, int] = {"linear": 0, "mlp": 256, "conv": 16}


def scaled_inputs(network: Any, factor: Float[Array, " input"]) -> Any:
    """The network in front of whose matrix `entry` (or whose only one) each input is multiplied by a factor."""
    return eqx.tree_at(_weight_of("entry"), network, replace_fn=lambda weight: weight * factor[:, None])


def scaled_outputs(network: Any, factor: Float[Array, " output"]) -> Any:
    """The network behind whose matrix `head` (or whose only one) each output is multiplied by a factor."""
    return eqx.tree_at(_weight_of("head"), network, replace_fn=lambda weight: weight * factor)


def _weight_of(name):
    return lambda network: getattr(network, name, network).weight


@jax.tree_util.register_static
@dataclass(frozen=True)
class Nets:
    """What a program may use: the sizes, an encoder, a decoder, a likelihood; settings, no weights.

    Weights live in NumPyro parameters called "encoder" and "decoder", made from the key of the run, so that seeds
    differ from the first step on; biases of whole codes and images beside them, in "encoder_bias" and "decoder_bias".

    Parameters
    ----------
    units, pixels
        Lengths of one code and of one image.
    encoder, decoder, likelihood
        Names in `ENCODERS`, `DECODERS`, `LIKELIHOODS`.
    encoder_bias
        Whether the encoder adds a bias per unit; without one, a linear encoder has log λ = log r at x = 0.
    decoder_bias
        Whether the decoder adds a bias per pixel; under a likelihood that needs one it does in any case.
    weight_scale
        Standard deviation of the initial weights where a code enters and leaves.
    shape
        (y, x) of an image, for networks that need it.
    width, depth
        Units and number of hidden layers of an mlp, channels and number of halvings of a conv network; the width is
        that of `WIDTHS` where it is None.
    """

    units: int
    pixels: int
    encoder: str = "linear"
    decoder: str = "linear"
    likelihood: str = "gaussian"
    encoder_bias: bool = True
    decoder_bias: bool = False
    weight_scale: float = 0.05
    shape: tuple[int, int] | None = None
    width: int | None = None
    depth: int = 2

    @property
    def has_decoder_bias(self) -> bool:
        """Whether `decode` adds a bias per pixel."""
        return self.decoder_bias or LIKELIHOODS[self.likelihood].needs_bias

    def encode(self, x: Float[Array, "image pixel"], heads: int = 1) -> Any:
        """What the encoder says of each image: one array (image, unit), or a tuple of `heads` of them."""
        outputs = heads * self.units
        build = partial(ENCODERS[self.encoder], self._size(self.encoder, self.pixels, outputs))
        out = _apply("encoder", build, x)
        if self.encoder_bias:
            out = out + numpyro.param("encoder_bias", jnp.zeros(outputs))
        return out if heads == 1 else tuple(jnp.split(out, heads, axis=-1))

    def decode(self, z: Num[Array, "image unit"]) -> Float[Array, "image pixel"]:
        """What the likelihood takes of each image: a mean, a logit (bernoulli), or what softplus makes a rate of."""
        build = partial(DECODERS[self.decoder], self._size(self.decoder, self.units, self.pixels))
        out = _apply("decoder", build, z)
        return out + numpyro.param("decoder_bias", jnp.zeros(self.pixels)) if self.has_decoder_bias else out

    def observe(self, mean: Float[Array, "image pixel"]) -> dist.Distribution:
        """Distribution of an image given what was decoded, one event per image."""
        return LIKELIHOODS[self.likelihood].observe(mean).to_event(1)

    def _size(self, kind, inputs, outputs):
        width = WIDTHS[kind] if self.width is None else self.width
        return Size(inputs, outputs, self.shape, self.weight_scale, width, self.depth)


def _apply(name, build, inputs):
    # Only arrays may be parameters; what is static about the network (activations, shapes) stays outside.
    arrays = numpyro.param(name, lambda key: eqx.partition(build(key), eqx.is_array)[0])
    static = eqx.partition(eqx.filter_eval_shape(build, random.key(0)), _is_array_like)[1]
    return eqx.combine(arrays, static)(inputs)


def _is_array_like(leaf):
    return isinstance(leaf, jax.ShapeDtypeStruct)

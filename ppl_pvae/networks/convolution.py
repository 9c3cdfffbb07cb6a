"""Convolutional networks of residual blocks, without batch normalisation.

Features are laid out (channel, y, x, image): a convolution is then one product of the filters with the shifted copies
of its input below each other, which is read from memory in order. XLA's own convolutions on a CPU are up to 30 times
slower than that inside a compiled loop, where training spends its time.
"""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import random
from jaxtyping import Array, Float, Num

from ppl_pvae.errors import UserError
from ppl_pvae.networks.linear import Linear, Size, evenly_spread, linear

__all__ = [
    "Block",
    "Convolution",
    "ConvolutionDecoder",
    "ConvolutionEncoder",
    "ImageSizeError",
    "Mixing",
    "conv_decoder",
    "conv_encoder",
]

SIDE = 3  # of a filter, pixels
RESIDUAL_SCALE = 0.1  # blocks start close to the identity, which normalisation would see to elsewhere


class ImageSizeError(UserError):
    """Images that a network cannot halve as often as it is asked to: another depth does, or images of another size."""


class Convolution(eqx.Module):
    """Filters of 3 × 3 pixels and a bias; zeros beyond the border."""

    weight: Float[Array, "out nine_in"]
    bias: Float[Array, " out"]

    def __call__(self, x: Num[Array, "channel y x image"]) -> Float[Array, "out y x image"]:
        height, width = x.shape[1:3]
        padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        shifts = [padded[:, i : i + height, j : j + width] for i in range(SIDE) for j in range(SIDE)]
        return _times(self.weight, jnp.concatenate(shifts), self.bias)


class Block(eqx.Module):
    """x + conv(relu(conv(relu(x)))). Source: He et al. 2016, identity mappings in deep residual networks."""

    first: Convolution
    second: Convolution

    def __call__(self, x):
        return x + self.second(jax.nn.relu(self.first(jax.nn.relu(x))))


class Mixing(eqx.Module):
    """One matrix over the channels, the same at every place."""

    weight: Float[Array, "out channel"]
    bias: Float[Array, " out"]

    def __call__(self, x: Num[Array, "channel y x image"]) -> Float[Array, "out y x image"]:
        return _times(self.weight, x, self.bias)


class ConvolutionEncoder(eqx.Module):
    """Per halving: four pixels become channels of one, which are mixed, and a block; then one matrix, `head`."""

    mixings: tuple[Mixing, ...]
    blocks: tuple[Block, ...]
    head: Linear
    shape: tuple[int, int] = eqx.field(static=True)

    def __call__(self, x: Num[Array, "image pixel"]) -> Float[Array, "image output"]:
        out = x.T.reshape(1, *self.shape, len(x))
        for mix, block in zip(self.mixings, self.blocks, strict=True):
            out = block(mix(_halved(out)))
        return self.head(jax.nn.relu(out).reshape(-1, len(x)).T)


class ConvolutionDecoder(eqx.Module):
    """One matrix, `entry`, then the encoder in reverse: a block, mixing, and channels become four pixels of one."""

    entry: Linear
    blocks: tuple[Block, ...]
    mixings: tuple[Mixing, ...]
    start: tuple[int, int] = eqx.field(static=True)

    def __call__(self, z: Num[Array, "image unit"]) -> Float[Array, "image pixel"]:
        out = self.entry(z).T.reshape(-1, *self.start, len(z))
        for block, mix in zip(self.blocks, self.mixings, strict=True):
            out = _doubled(mix(block(out)))
        return out.reshape(-1, len(z)).T


def conv_encoder(size: Size, key: jax.Array) -> ConvolutionEncoder:
    """`width` channels, `depth` halvings; the head starts at weight_scale, so that gains start near 1.

    Raises
    ------
    UserError
        If height and width of the images are not known, or, an ImageSizeError, cannot be halved so often.
    """
    shape, (y, x) = _known(size), _smallest(size)
    layers_key, head_key = random.split(key)
    merged = [(4, size.width), *(size.depth - 1) * [(4 * size.width, size.width)]]
    mixings, blocks = _layers(layers_key, merged, size)
    return ConvolutionEncoder(mixings, blocks, linear(size._replace(inputs=size.width * y * x), head_key), shape)


def conv_decoder(size: Size, key: jax.Array) -> ConvolutionDecoder:
    """`width` channels, `depth` doublings; the entry starts at weight_scale, as a linear decoder does.

    Raises
    ------
    UserError
        If height and width of the images are not known, or, an ImageSizeError, cannot be halved so often.
    """
    y, x = _smallest(size)
    layers_key, entry_key = random.split(key)
    outputs = size.width * y * x
    entry = Linear(linear(size._replace(outputs=outputs), entry_key).weight, jnp.zeros(outputs))
    parted = [*(size.depth - 1) * [(size.width, 4 * size.width)], (size.width, 4)]
    mixings, blocks = _layers(layers_key, parted, size)
    return ConvolutionDecoder(entry, blocks, mixings, (y, x))


def _times(weight, x, bias):
    return (weight @ x.reshape(len(x), -1)).reshape(-1, *x.shape[1:]) + bias[:, None, None, None]


def _halved(x):
    """Squares of 2 × 2 pixels as four channels each."""
    channels, y, x_size, images = x.shape
    squares = x.reshape(channels, y // 2, 2, x_size // 2, 2, images)
    return squares.transpose(0, 2, 4, 1, 3, 5).reshape(4 * channels, y // 2, x_size // 2, images)


def _doubled(x):
    """The inverse of `_halved`."""
    channels, y, x_size, images = x.shape
    squares = x.reshape(channels // 4, 2, 2, y, x_size, images)
    return squares.transpose(0, 3, 1, 4, 2, 5).reshape(channels // 4, 2 * y, 2 * x_size, images)


def _known(size: Size) -> tuple[int, int]:
    if size.shape is None:
        raise UserError("a conv network needs images of known height and width; give the data as (image, y, x).")
    return size.shape


def _smallest(size: Size) -> tuple[int, int]:
    """Height and width after all halvings."""
    y, x = _known(size)
    step = 2**size.depth
    if y % step or x % step:
        most = next(depth for depth in itertools.count() if y % 2 ** (depth + 1) or x % 2 ** (depth + 1))
        remedy = f"use a depth of at most {most}" if most else "use an mlp"
        raise ImageSizeError(
            f"a conv network of depth {size.depth} needs height and width that {step} divides, got {y} × {x}; {remedy}."
        )
    return y // step, x // step


def _layers(key, mixed, size):
    """Mixings of these (input, output), and as many blocks."""
    filters = 2 * size.depth * [(SIDE**2 * size.width, size.width)]
    weights = [weight.T for weight in evenly_spread(key, [*mixed, *filters])]
    mixings = tuple(Mixing(weight, jnp.zeros(len(weight))) for weight in weights[: size.depth])
    start = jnp.zeros(size.width)
    pairs = zip(weights[size.depth :: 2], weights[size.depth + 1 :: 2], strict=True)
    blocks = (Block(Convolution(one, start), Convolution(RESIDUAL_SCALE * two, start)) for one, two in pairs)
    return mixings, tuple(blocks)

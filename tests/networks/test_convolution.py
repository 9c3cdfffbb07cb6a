"""Convolutional networks against XLA's own convolutions."""

import jax
import jax.numpy as jnp
import pytest
from jax import lax, random
from numpy.testing import assert_allclose

from ppl_pvae.errors import UserError
from ppl_pvae.networks import Linear, Size
from ppl_pvae.networks.convolution import Convolution, ConvolutionDecoder, Mixing, conv_decoder, conv_encoder

SIZE = Size(48, 3, (8, 6), 0.1, 4, 1)
LAYOUT = ("CHWN", "OIHW", "CHWN")


def oracle(layer, x, stride=1, side=3):
    """The same filters by lax; a row of weights holds the shifts (y, x) one after the other, all channels of each."""
    channels = len(x)
    weight = layer.weight.reshape(-1, side, side, channels).transpose(0, 3, 1, 2)
    out = lax.conv_general_dilated(
        x, weight, (stride, stride), "SAME", dimension_numbers=lax.conv_dimension_numbers(x.shape, weight.shape, LAYOUT)
    )
    return out + layer.bias[:, None, None, None]


def merged(mix, x):
    """2 × 2 pixels to one by lax: the weights hold, channel by channel, the four pixels of a square."""
    weight = mix.weight.reshape(-1, len(x), 2, 2)
    numbers = lax.conv_dimension_numbers(x.shape, weight.shape, LAYOUT)
    return (
        lax.conv_general_dilated(x, weight, (2, 2), "VALID", dimension_numbers=numbers) + mix.bias[:, None, None, None]
    )


def block(layers, x):
    return x + oracle(layers.second, jax.nn.relu(oracle(layers.first, jax.nn.relu(x))))


def test_a_convolution_is_that_of_xla():
    """Values and gradients, relative 1e-4."""
    x = random.normal(random.key(0), (2, 7, 5, 3))
    layer = Convolution(random.normal(random.key(1), (4, 18)), jnp.arange(4.0))
    assert_allclose(jax.jit(lambda x: layer(x))(x), jax.jit(oracle)(layer, x), rtol=1e-4, atol=1e-5)
    ours, theirs = (
        jax.jit(jax.grad(lambda f, v, run=run: jnp.sum(jnp.sin(run(f, v))), (0, 1)))(layer, x)
        for run in (lambda f, v: f(v), oracle)
    )
    for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert_allclose(one, other, rtol=1e-3, atol=1e-4)


def test_an_encoder_halves_and_looks_around():
    @jax.jit
    def both_ways(x):
        net = conv_encoder(SIZE, random.key(0))
        image = x.reshape(5, 8, 6).transpose(1, 2, 0)[None]
        features = jax.nn.relu(block(net.blocks[0], merged(net.mixings[0], image)))
        assert features.shape == (4, 4, 3, 5)
        return net(x), features.reshape(-1, 5).T @ net.head.weight

    one, other = both_ways(random.normal(random.key(1), (5, 48)))
    assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_a_decoder_is_the_encoder_in_reverse():
    """Without blocks and mixing, a decoder of what the encoder's merging gives returns the image."""

    @jax.jit
    def there_and_back(x):
        image = x.reshape(5, 8, 6).transpose(1, 2, 0)[None]
        kept = Mixing(jnp.eye(4), jnp.zeros(4))
        squares = merged(kept, image).reshape(-1, 5).T  # four pixels of each square as channels
        idle = jax.tree.map(jnp.zeros_like, conv_decoder(SIZE, random.key(0)).blocks)
        return ConvolutionDecoder(Linear(jnp.eye(48), jnp.zeros(48)), idle, (kept,), (4, 3))(squares)

    x = random.normal(random.key(1), (5, 48))
    assert_allclose(there_and_back(x), x, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "depth", "message"),
    [((28, 28), 3, "8 divides, got 28 × 28"), ((9, 8), 1, "2 divides, got 9 × 8"), (None, 1, "known height and width")],
)
def test_images_that_cannot_be_halved_are_refused(shape, depth, message):
    for make in (conv_encoder, conv_decoder):
        with pytest.raises(UserError, match=message):
            make(SIZE._replace(shape=shape, depth=depth), random.key(0))

"""What a program receives, against NumPy."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import random
from numpy.testing import assert_allclose, assert_array_equal
from numpyro.handlers import seed, substitute, trace

from ppl_pvae.config.ranges import CHOICES
from ppl_pvae.networks import DECODERS, ENCODERS, LIKELIHOODS, WIDTHS, Linear, Nets, Size, linear
from ppl_pvae.networks.nets import scaled_inputs, scaled_outputs

NETS = Nets(units=3, pixels=5)
X = np.float32(np.random.default_rng(0).normal(size=(4, 16)))


def parameters(run):
    return {name: site["value"] for name, site in trace(seed(run, 0)).get_trace().items() if site["type"] == "param"}


def test_linear_layers_are_matrix_products():
    x = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
    layer = linear(Size(5, 3, None, 0.1, 0, 0), random.key(0))
    assert_allclose(layer(jnp.asarray(x)), x @ np.asarray(layer.weight), atol=1e-6)
    shifted = Linear(layer.weight, jnp.array([1.0, 2.0, 3.0]))
    assert_allclose(shifted(jnp.asarray(x)), x @ np.asarray(layer.weight) + [1, 2, 3], atol=1e-6)


def test_initial_weights_have_the_standard_deviation_asked_for():
    """10,000 weights: relative error of the standard deviation below 3% (4 of its standard errors)."""
    weight = linear(Size(100, 100, None, 0.05, 0, 0), random.key(1)).weight
    assert np.std(weight) == pytest.approx(0.05, rel=0.03)


@pytest.mark.parametrize("heads", [1, 2])
def test_an_encoder_answers_with_one_array_per_head(heads):
    nets, x = NETS, jnp.ones((4, 5))
    encoder = parameters(lambda: nets.encode(x, heads))["encoder"]
    assert encoder.weight.shape == (5, 3 * heads)
    bias = jnp.arange(3.0 * heads)
    out = substitute(lambda: nets.encode(x, heads), {"encoder": encoder, "encoder_bias": bias})()
    whole = np.asarray(x @ encoder.weight + bias)
    if heads == 1:
        assert_allclose(out, whole, rtol=1e-6)
    else:
        assert_allclose(np.concatenate(out, axis=1), whole, rtol=1e-6)


def test_biases_are_there_as_asked_and_where_the_likelihood_needs_them():
    x = jnp.ones((4, 5))

    def found(nets):
        return {name for name in parameters(lambda: nets.decode(nets.encode(x))) if name.endswith("bias")}

    assert found(NETS) == {"encoder_bias"}
    assert found(replace(NETS, encoder_bias=False)) == set()
    assert found(replace(NETS, decoder_bias=True)) == {"encoder_bias", "decoder_bias"}
    assert found(replace(NETS, likelihood="poisson")) == {"encoder_bias", "decoder_bias"}
    decoder = parameters(lambda: NETS.decode(jnp.ones((4, 3))))["decoder"]
    params = {"decoder": decoder, "decoder_bias": jnp.arange(5.0)}
    out = substitute(lambda: replace(NETS, decoder_bias=True).decode(jnp.ones((4, 3))), params)()
    assert_allclose(out, np.ones((4, 3)) @ np.asarray(decoder.weight) + np.arange(5), rtol=1e-6)


@pytest.mark.parametrize(("encoder", "decoder"), [("linear", "conv"), ("conv", "mlp"), ("mlp", "linear")])
def test_networks_take_images_to_codes_and_back(encoder, decoder):
    """Finite, of the right shapes, and a gradient reaches every weight and bias but those a bias of zero hides."""
    nets = Nets(units=3, pixels=16, encoder=encoder, decoder=decoder, shape=(4, 4), width=6, depth=1)

    def run(x):
        return nets.decode(nets.encode(x))

    params = jax.jit(lambda: parameters(lambda: run(jnp.asarray(X))))()

    @jax.jit
    @jax.value_and_grad
    def loss(params):
        out = substitute(run, params)(jnp.asarray(X))
        assert out.shape == (4, 16)
        return jnp.sum(jnp.square(out))

    value, slopes = loss(params)
    assert np.isfinite(value)
    assert all(np.any(slope != 0) for slope in jax.tree.leaves(slopes))


@pytest.mark.parametrize("kind", ENCODERS)
def test_outputs_of_an_encoder_and_inputs_of_a_decoder_can_be_scaled(kind):
    """f(x)·c and f(c·z), relative 1e-5."""
    factor = jnp.array([0.5, 2.0, 3.0])

    @jax.jit
    def both_ways(x, z):
        encoder = ENCODERS[kind](Size(16, 3, (4, 4), 0.1, 6, 1), random.key(0))
        decoder = DECODERS[kind](Size(3, 16, (4, 4), 0.1, 6, 1), random.key(1))
        codes, images = scaled_outputs(encoder, factor)(x), scaled_inputs(decoder, factor)(z)
        return (codes, encoder(x) * factor), (images, decoder(z * factor))

    for one, other in both_ways(jnp.asarray(X), jnp.asarray(X[:, :3])):
        assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_widths_are_those_of_the_kind_unless_said_otherwise():
    def hidden(**settings):
        nets = Nets(units=3, pixels=16, encoder="mlp", shape=(4, 4), **settings)
        return parameters(lambda: nets.encode(jnp.asarray(X)))["encoder"].head.weight.shape[0]

    assert hidden() == WIDTHS["mlp"]
    assert hidden(width=7) == 7


def test_names_are_those_that_settings_know():
    assert tuple(ENCODERS) == tuple(DECODERS) == CHOICES["encoder"] == CHOICES["decoder"] == tuple(WIDTHS)
    assert {name.removesuffix("-learned") for name in LIKELIHOODS} == set(CHOICES["likelihood"])


def test_seeds_differ_and_nets_can_be_hashed():
    one, other = (trace(seed(lambda: NETS.encode(jnp.ones((1, 5))), key)).get_trace() for key in (0, 1))
    assert not np.array_equal(one["encoder"]["value"].weight, other["encoder"]["value"].weight)
    assert hash(NETS) == hash(Nets(units=3, pixels=5))
    assert_array_equal(jax.tree.leaves(NETS), [])

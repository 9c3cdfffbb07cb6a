"""Encoders, decoders and what a program receives, against NumPy."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import random
from numpy.testing import assert_allclose, assert_array_equal
from numpyro.handlers import seed, substitute, trace

from ppl_pvae.distributions import SquaredError
from ppl_pvae.networks import Linear, Nets, Size, linear, soft_clamp

NETS = Nets(units=3, pixels=5)


def test_soft_clamp_is_its_formula():
    """upper − log(1 + e^(upper − x)) in float64; slopes σ and 1 − σ; absolute 1e-6."""
    x, upper = np.linspace(-30, 30, 61), 5.3
    value, slopes = jax.vmap(jax.value_and_grad(soft_clamp, (0, 1)), (0, None))(jnp.asarray(x), jnp.asarray(upper))
    assert_allclose(value, upper - np.logaddexp(0, upper - x), rtol=1e-6, atol=1e-6)
    share = 1 / (1 + np.exp(x - upper))
    assert_allclose(slopes[0], share, atol=1e-6)
    assert_allclose(slopes[1], 1 - share, atol=1e-6)
    assert (np.asarray(value) <= upper).all()


def test_soft_clamp_leaves_silent_rates_alone_and_cannot_overflow():
    value = soft_clamp(jnp.array([-80.0, -1e6, 1e30, jnp.inf]), 5.3)
    assert_allclose(value, [-80.0, -1e6, 5.3, 5.3], rtol=1e-6)


def test_linear_layers_are_matrix_products():
    x = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
    layer = linear(Size(5, 3, True, 0.1), random.key(0))
    assert_allclose(layer(jnp.asarray(x)), x @ np.asarray(layer.weight), atol=1e-6)  # biases start at zero
    shifted = Linear(layer.weight, jnp.array([1.0, 2.0, 3.0]))
    assert_allclose(shifted(jnp.asarray(x)), x @ np.asarray(layer.weight) + [1, 2, 3], atol=1e-6)
    assert linear(Size(5, 3, False, 0.1), random.key(0)).bias is None


def test_initial_weights_have_the_standard_deviation_asked_for():
    """10,000 weights: relative error of the standard deviation below 3% (4 of its standard errors)."""
    weight = linear(Size(100, 100, False, 0.05), random.key(1)).weight
    assert np.std(weight) == pytest.approx(0.05, rel=0.03)


@pytest.mark.parametrize("heads", [1, 2])
def test_an_encoder_answers_with_one_array_per_head(heads):
    nets, x = NETS, jnp.ones((4, 5))
    sites = trace(seed(lambda: nets.encode(x, heads), 0)).get_trace()
    encoder = sites["encoder"]["value"]
    assert encoder.weight.shape == (5, 3 * heads)
    out = substitute(lambda: nets.encode(x, heads), {"encoder": encoder})()
    whole = np.asarray(x @ encoder.weight)
    if heads == 1:
        assert_allclose(out, whole, rtol=1e-6)
    else:
        assert_allclose(np.concatenate(out, axis=1), whole, rtol=1e-6)


def test_decoder_has_no_bias_and_encoder_as_asked():
    x = jnp.ones((4, 5))
    found = trace(seed(lambda: NETS.decode(NETS.encode(x)), 0)).get_trace()
    assert found["encoder"]["value"].bias.shape == (3,)
    assert found["decoder"]["value"].bias is None
    bare = replace(NETS, encoder_bias=False)
    assert trace(seed(lambda: bare.encode(x), 0)).get_trace()["encoder"]["value"].bias is None


def test_default_likelihood_is_the_squared_error():
    """−log p = ‖x − mean‖² + (D/2) log π."""
    x, mean = np.float32(np.random.default_rng(0).normal(size=(2, 4, 5)))
    fn = NETS.observe(jnp.asarray(mean))
    assert fn.event_shape == (5,)
    assert isinstance(fn.base_dist, SquaredError)
    assert_allclose(-fn.log_prob(x), np.square(x - mean).sum(1) + 2.5 * np.log(np.pi), rtol=1e-5)


def test_nets_are_settings_and_can_be_hashed():
    assert hash(NETS) == hash(Nets(units=3, pixels=5))
    assert_array_equal(jax.tree.leaves(NETS), [])

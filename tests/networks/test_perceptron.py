"""Multilayer perceptrons against NumPy."""

import jax.numpy as jnp
import numpy as np
import pytest
from jax import random
from numpy.testing import assert_allclose

from ppl_pvae.networks import DECODERS, ENCODERS, Size

X = np.float32(np.random.default_rng(0).normal(size=(4, 5)))


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("table", [ENCODERS, DECODERS])
def test_a_perceptron_is_products_with_rectifiers_between(table, depth):
    net = table["mlp"](Size(5, 3, None, 0.05, 7, depth), random.key(0))
    assert len(net.hidden) == depth - 1
    out = np.maximum(X @ np.asarray(net.entry.weight) + np.asarray(net.entry.bias), 0)
    for layer in net.hidden:
        out = np.maximum(out @ np.asarray(layer.weight) + np.asarray(layer.bias), 0)
    assert_allclose(net(jnp.asarray(X)), out @ np.asarray(net.head.weight), rtol=1e-4, atol=1e-6)


def test_weights_start_small_where_a_code_enters_and_leaves_and_keep_the_size_elsewhere():
    """Standard deviations within 5% (4 of their standard errors at 20,000 weights and more)."""
    size = Size(200, 150, None, 0.05, 180, 2)
    encoder, decoder = (table["mlp"](size, random.key(1)) for table in (ENCODERS, DECODERS))
    assert np.std(encoder.head.weight) == pytest.approx(0.05, rel=0.05)
    assert np.std(decoder.entry.weight) == pytest.approx(0.05, rel=0.05)
    assert np.std(encoder.entry.weight) == pytest.approx(np.sqrt(2 / 200), rel=0.05)
    assert np.std(decoder.hidden[0].weight) == pytest.approx(np.sqrt(2 / 180), rel=0.05)

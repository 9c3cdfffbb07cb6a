"""Optimizers against optax with the same learning rate, and what moves at which speed."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from numpy.testing import assert_allclose

from ppl_pvae.inference.coordinates import Coordinates, in_coordinates
from ppl_pvae.inference.optimizers import OPTIMIZERS, build_optimizer, with_learning_rate
from ppl_pvae.networks import Linear

PARAMS = {"encoder": jnp.ones((2, 3)), "log_prior_rate": jnp.ones(3)}
GRADIENTS = [
    {"encoder": jnp.full((2, 3), 0.5), "log_prior_rate": jnp.array([3.0, -1.0, 2.0])},
    {"encoder": jnp.full((2, 3), -0.1), "log_prior_rate": jnp.array([0.1, -1.0, 0.0])},
]


def run(optimizer, rates):
    params, state = PARAMS, optimizer.init(PARAMS)
    for gradient, rate in zip(GRADIENTS, rates, strict=True):
        updates, state = optimizer.update(gradient, with_learning_rate(state, jnp.float32(rate)), params)
        params = optax.apply_updates(params, updates)
    return params


@pytest.mark.parametrize(
    ("name", "reference"), [("adamax", optax.adamax), ("adam", lambda rate: optax.adam(rate, b1=0.9, b2=0.98))]
)
def test_steps_are_those_of_optax_at_the_rate_of_the_step(name, reference):
    """Two steps at two rates; vectors as fast as matrices; relative 1e-6."""
    rates = (0.1, 0.02)
    expected, state = PARAMS, reference(1.0).init(PARAMS)
    for gradient, rate in zip(GRADIENTS, rates, strict=True):
        updates, state = reference(1.0).update(gradient, state, expected)
        expected = {key: expected[key] + rate * updates[key] for key in expected}
    found = run(build_optimizer(name, prior_speed=1.0, clip_norm=float("inf")), rates)
    for key, value in expected.items():
        assert_allclose(found[key], value, rtol=1e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_vectors_move_at_their_own_speed(name):
    plain, fast = (run(build_optimizer(name, prior_speed=speed, clip_norm=500.0), (0.1, 0.1)) for speed in (1.0, 3.0))
    assert_allclose(fast["encoder"], plain["encoder"])
    assert_allclose(fast["log_prior_rate"] - 1, 3 * (plain["log_prior_rate"] - 1), rtol=1e-5)


def test_a_bias_inside_a_network_moves_as_its_weights():
    params = {"encoder": Linear(jnp.ones((2, 3)), jnp.ones(3)), "encoder_bias": jnp.ones(3)}
    optimizer = build_optimizer("adam", prior_speed=7.0, clip_norm=500.0)
    state = with_learning_rate(optimizer.init(params), jnp.float32(0.1))
    moved, _ = optimizer.update(jax.tree.map(jnp.ones_like, params), state, params)
    assert_allclose(moved["encoder"].bias, moved["encoder"].weight[0], rtol=1e-6)
    assert_allclose(moved["encoder_bias"], 7 * moved["encoder"].bias, rtol=1e-6)


def test_a_rate_of_zero_moves_nothing():
    found = run(build_optimizer("adam", prior_speed=3.0, clip_norm=1.0), (0.0, 0.0))
    for key, value in PARAMS.items():
        assert_allclose(found[key], value)


def test_long_gradients_are_clipped_to_their_norm():
    """Of two gradients that differ in length alone, one far longer, the first-moment state is the same."""
    optimizer = build_optimizer("adam", prior_speed=1.0, clip_norm=1.0)
    long = {key: 1000 * value for key, value in GRADIENTS[0].items()}
    norm = np.sqrt(sum(np.sum(np.square(value)) for value in long.values()))
    short = {key: value / norm for key, value in long.items()}
    clipped, plain = (optimizer.update(each, optimizer.init(PARAMS), PARAMS)[1] for each in (long, short))
    for one, other in zip(clipped[1][0].mu.values(), plain[1][0].mu.values(), strict=True):
        assert_allclose(one, other, rtol=1e-5)


def test_other_coordinates_are_those_of_the_same_problem():
    """Plain descent in y = x³ moves x as the chain rule says: x' = (x³ − rate·g/(3x²))^⅓; relative 1e-5."""
    cube = Coordinates(lambda tree: jax.tree.map(lambda x: x**3, tree), lambda tree: jax.tree.map(jnp.cbrt, tree))
    optimizer = in_coordinates(optax.sgd(0.1), cube)
    params = {"x": jnp.array([1.0, 2.0]), "y": jnp.array(0.5)}
    gradient = {"x": jnp.array([0.3, -0.4]), "y": jnp.array(0.2)}
    updates, _ = optimizer.update(gradient, optimizer.init(params), params)
    for key, found in optax.apply_updates(params, updates).items():
        x, g = np.asarray(params[key]), np.asarray(gradient[key])
        assert_allclose(found, np.cbrt(x**3 - 0.1 * g / (3 * x**2)), rtol=1e-5)


def test_adam_in_other_coordinates_is_adam_on_those():
    """Ten steps on a quadratic in 2x, taken outside and inside; relative 1e-5."""
    double = Coordinates(lambda tree: 2 * tree, lambda tree: tree / 2)
    inside, outside = in_coordinates(optax.adam(0.1), double), optax.adam(0.1)
    x = jnp.array([3.0, -1.0])
    y, state, reference = 2 * x, inside.init(x), outside.init(2 * x)
    for _ in range(10):
        updates, state = inside.update(x - 1, state, x)
        x = x + updates
        updates, reference = outside.update((y / 2 - 1) / 2, reference, y)
        y = y + updates
    assert_allclose(2 * x, y, rtol=1e-5)

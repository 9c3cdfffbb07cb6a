"""The exact expectation against enumeration over counts, quadrature by draws of moments, and hand-written code."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
import scipy.stats
from jax import random
from numpy.testing import assert_allclose

from ppl_pvae.distributions import Poisson, RectifiedNormal
from ppl_pvae.inference import Exact, FreeEnergy
from ppl_pvae.inference.spread import Reconstruction, jacobian
from tests.inference.conftest import IMAGES, PIXELS, UNITS, some_normal

COUNTS = np.stack(np.meshgrid(np.arange(30), np.arange(30), indexing="ij"), -1).reshape(-1, 2)  # (code, unit)


def parts(model, guide, x, params=None):
    free_energy = FreeEnergy(estimator=Exact())
    return jax.jit(lambda x: free_energy.parts(random.key(0), params or {}, model, guide, x, None))(x)


def test_exact_expectation_is_the_sum_over_counts(linear, x):
    """Σ_n q(n) ‖x − b − nΦ‖² over 900 codes in float64; relative 1e-5 (float32)."""
    x_hat = linear.bias + COUNTS @ np.float64(linear.dictionary)
    errors = np.square(np.asarray(x, np.float64)[:, None] - x_hat).sum(-1)  # (image, code)
    weights = scipy.stats.poisson(linear.rates(x)[:, None]).pmf(COUNTS).prod(-1)
    assert_allclose(weights.sum(1), 1, atol=1e-9)  # the counts left out do not matter
    assert_allclose(parts(linear.model, linear.guide, x).distortion, (weights * errors).sum(1), rtol=1e-5)


def test_loss_and_gradient_are_those_of_hand_written_code(x):
    """E‖x − x̂‖² = ‖x − b − mΦ‖² + Σ_k v_k‖Φ_k‖², and all derivatives, relative 3e-6."""

    def model(x, nets):
        dictionary = numpyro.param("dictionary", jnp.zeros((UNITS, PIXELS)))
        rate = jnp.exp(numpyro.param("log_prior_rate", jnp.zeros(UNITS)))
        with numpyro.plate("image", len(x)):
            z = numpyro.sample("z", Poisson(rate).to_event(1))
            numpyro.sample("x", dist.Normal(z @ dictionary, 0.8).to_event(1), obs=x)

    def guide(x, nets):
        encoder = numpyro.param("encoder", jnp.zeros((PIXELS, UNITS)))
        with numpyro.plate("image", len(x)):
            numpyro.sample("z", Poisson(log_rate=x @ encoder).to_event(1))

    def by_hand(params, x):
        log_rate, log_r = x @ params["encoder"], params["log_prior_rate"]
        rate = jnp.exp(log_rate)
        error = jnp.sum((x - rate @ params["dictionary"]) ** 2, 1) + rate @ jnp.sum(params["dictionary"] ** 2, 1)
        constant = PIXELS * (0.5 * jnp.log(2 * jnp.pi) + jnp.log(0.8))
        nats = jnp.sum(rate * (log_rate - log_r) - rate + jnp.exp(log_r), 1)
        return jnp.mean(error / (2 * 0.8**2) + constant + 0.3 * nats)

    rng = np.random.default_rng(3)
    shapes = {"dictionary": (UNITS, PIXELS), "log_prior_rate": (UNITS,), "encoder": (PIXELS, UNITS)}
    params = {name: jnp.asarray(rng.normal(0, 0.5, shape), jnp.float32) for name, shape in shapes.items()}
    free_energy = FreeEnergy(0.3, estimator=Exact())
    ours = jax.jit(jax.value_and_grad(lambda p, x: free_energy.loss(random.key(0), p, model, guide, x, None)))(
        params, x
    )
    hand = jax.jit(jax.value_and_grad(by_hand))(params, x)
    assert_allclose(ours[0], hand[0], rtol=3e-6)
    for name in shapes:
        assert_allclose(ours[1][name], hand[1][name], rtol=3e-6, atol=3e-6)


def test_two_sites_of_two_families_add_their_spread(x, weights):
    """Poisson counts and rectified values side by side, each with its own variance; relative 1e-5."""

    def model(x, nets):
        with numpyro.plate("image", len(x)):
            z = numpyro.sample("z", Poisson(jnp.ones(UNITS)).to_event(1))
            h = numpyro.sample("h", RectifiedNormal(jnp.zeros(UNITS), 1.0).to_event(1))
            numpyro.sample("x", dist.Normal(z @ weights - 2 * h @ weights, 0.8).to_event(1), obs=x)

    def guide(x, nets):
        with numpyro.plate("image", len(x)):
            numpyro.sample("z", Poisson(log_rate=0.3 * x[:, :UNITS]).to_event(1))
            numpyro.sample("h", RectifiedNormal(x[:, :UNITS], 0.5).to_event(1))

    y = np.asarray(x, np.float64)
    rate, h = np.exp(0.3 * y[:, :UNITS]), RectifiedNormal(x[:, :UNITS], 0.5)
    x_hat = (rate - 2 * np.asarray(h.mean)) @ weights
    spread = (rate + 4 * np.asarray(h.variance)) @ np.square(weights).sum(1)
    constant = PIXELS * (0.5 * np.log(2 * np.pi) + np.log(0.8))
    expected = (np.square(y - x_hat).sum(1) + spread) / (2 * 0.8**2) + constant
    assert_allclose(parts(model, guide, x).distortion, expected, rtol=1e-5)


def test_noise_may_differ_between_pixels_and_codes_may_be_scalars(x):
    """One scalar code, σ of each pixel its own: Σ_p v Φ_p²/(2σ_p²); relative 1e-5."""
    dictionary, scale = np.float32([1.0, -0.5, 2.0]), np.float32([0.5, 1.0, 2.0])

    def model(x, nets):
        with numpyro.plate("image", len(x)):
            z = numpyro.sample("z", dist.Normal(0.0, 1.0))
            numpyro.sample("x", dist.Normal(z[:, None] * dictionary, scale).to_event(1), obs=x)

    def guide(x, nets):
        with numpyro.plate("image", len(x)):
            numpyro.sample("z", dist.Normal(x[:, 0], 0.6))

    y = np.asarray(x, np.float64)
    error = np.square(y - y[:, :1] * dictionary) + 0.36 * np.square(dictionary)
    expected = (error / (2 * scale**2) + np.log(scale) + 0.5 * np.log(2 * np.pi)).sum(1)
    found = parts(model, guide, x)
    assert_allclose(found.distortion, expected, rtol=1e-5)
    assert found.local_kl["z"].shape == (IMAGES,)


def test_more_pixels_than_units_and_fewer_agree(program, x):
    """The Jacobian is taken forwards or backwards, whichever is shorter: both are Σ_k v_k‖Φ_k‖²/(2σ²)."""
    wide = np.float32(np.random.default_rng(4).normal(size=(UNITS, 40)))

    def doubled(z, x):
        return jnp.repeat(z, 20, axis=1) @ wide.reshape(40, UNITS) @ np.eye(UNITS, PIXELS, dtype=np.float32), 0.7

    dictionary = np.repeat(np.eye(UNITS), 20, axis=1) @ wide.reshape(40, UNITS) @ np.eye(UNITS, PIXELS)
    y = np.asarray(x, np.float64)
    spread = 0.16 * np.square(dictionary).sum()
    expected = (np.square(y - 0.5 * y[:, :UNITS] @ dictionary).sum(1) + spread) / (2 * 0.49)
    expected += PIXELS * (0.5 * np.log(2 * np.pi) + np.log(0.7))
    assert_allclose(parts(*program(some_normal, decode=doubled), x).distortion, expected, rtol=1e-5)


def test_a_global_dictionary_is_held_at_its_draw(x):
    """With a latent Φ the expectation is exact over the codes, given the one Φ that was drawn."""

    def model(x, nets):
        dictionary = numpyro.sample("dictionary", dist.Normal(jnp.zeros((UNITS, PIXELS)), 1.0).to_event(2))
        with numpyro.plate("image", len(x)):
            z = numpyro.sample("z", Poisson(jnp.ones(UNITS)).to_event(1))
            numpyro.sample("x", dist.Normal(z @ dictionary, 0.8).to_event(1), obs=x)

    def guide(x, nets):
        numpyro.sample("dictionary", dist.Normal(jnp.zeros((UNITS, PIXELS)), 0.5).to_event(2))
        with numpyro.plate("image", len(x)):
            numpyro.sample("z", Poisson(jnp.ones((len(x), UNITS))).to_event(1))

    # The draw itself: the guide's trace under the key that the free energy gives it.
    drawn = numpyro.handlers.trace(numpyro.handlers.seed(guide, random.split(random.key(0))[0])).get_trace(x, None)
    dictionary = np.asarray(drawn["dictionary"]["value"], np.float64)
    error = np.square(np.asarray(x) - dictionary.sum(0)).sum(1) + np.square(dictionary).sum()
    expected = error / (2 * 0.8**2) + PIXELS * (0.5 * np.log(2 * np.pi) + np.log(0.8))
    assert_allclose(parts(model, guide, x).distortion, expected, rtol=1e-5)


A, B = (jnp.asarray(np.random.default_rng(seed).normal(size=(UNITS, PIXELS)), jnp.float32) for seed in (5, 6))
C = jnp.asarray(np.random.default_rng(7).normal(size=(PIXELS, PIXELS)), jnp.float32)


def seen(mean):
    return Reconstruction({"x": mean}, {"x": jnp.ones_like(mean)})


@pytest.mark.parametrize(
    ("decode", "is_read"),
    [
        (lambda codes: codes["z"] @ A, True),
        (lambda codes: 2.0 + codes["z"] @ B.T.reshape(PIXELS, UNITS).T, True),
        (lambda codes: jnp.einsum("iu,pu->ip", codes["z"], A.T) - C[0], True),
        (lambda codes: codes["z"] @ A + codes["y"] @ B, True),
        (lambda codes: codes["y"] @ B, False),
        (lambda codes: codes["z"] @ A + codes["z"] @ B, False),
        (lambda codes: codes["z"] @ A @ C, False),
        (lambda codes: (3 * codes["z"]) @ A, False),
        (lambda codes: jnp.where(C[:1] > 0, codes["z"] @ A, codes["y"] @ B), False),
    ],
)
def test_a_jacobian_that_is_read_off_is_the_jacobian(decode, is_read, monkeypatch):
    """Against forward differentiation, exactly; what is no plain product is differentiated instead."""
    # Two sites, whose names come in another order than their sizes would suggest.
    codes = {"z": jnp.ones((1, UNITS)), "y": jnp.full((1, UNITS), 2.0)}
    expected = jax.jacfwd(decode)(codes)
    if is_read:
        codes = codes if "y" in decode.__code__.co_consts else {"z": codes["z"]}
        monkeypatch.setattr(jax, "jacrev", None)
        monkeypatch.setattr(jax, "jacfwd", None)
    found = jax.jit(lambda codes: jacobian(lambda each: seen(decode(each)), codes))(codes)["x"]
    for name, value in found.items():
        assert_allclose(value, expected[name], rtol=1e-6)


def test_two_reconstructions_are_read_off_under_their_names():
    def both(codes):
        means = {"x": codes["z"] @ A, "audio": codes["z"] @ B}
        return Reconstruction(means, means)

    found = jacobian(both, {"z": jnp.ones((1, UNITS))})
    assert_allclose(found["x"]["z"][0, :, 0], A.T)
    assert_allclose(found["audio"]["z"][0, :, 0], B.T)

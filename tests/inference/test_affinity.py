"""The probe says None where the exact expectation holds, and names the reason where it does not.

Every program refused here is one whose exact expectation would be wrong in silence.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from jax import random

from ppl_pvae.distributions import NegativeBinomial, Poisson, RectifiedNormal
from ppl_pvae.inference import why_not_exact
from ppl_pvae.models import Variation, built_in
from ppl_pvae.networks import Nets
from ppl_pvae.run.plan import initial_params
from tests.distributions.families import Own
from tests.inference.conftest import PIXELS, UNITS, some_normal

NETS = Nets(units=UNITS, pixels=PIXELS)


def probe(model, guide, x, params=None):
    return why_not_exact(random.key(0), params or {}, model, guide, x, NETS)


def some_poisson(x):
    return Poisson(log_rate=0.5 * x[:, :UNITS]).to_event(1)


def one_poisson(x):
    return Poisson(jnp.ones(UNITS)).to_event(1)


@pytest.mark.parametrize(
    ("name", "variation"),
    [
        ("poisson", Variation()),
        ("poisson", Variation(prior="fixed")),
        ("negative-binomial", Variation()),
        ("gaussian", Variation()),
        ("rectified-gaussian", Variation(pays="code")),
    ],
)
def test_it_holds_for_linear_programs(name, variation, x):
    program = built_in(name, variation)
    assert probe(*program, x, initial_params(random.key(0), program, NETS, x)) is None


def test_it_holds_for_counts_whose_kl_is_summed(program, x):
    """A posterior without moments of its own, too."""
    for posterior in (Poisson, Own):
        built = program(
            lambda x, family=posterior: family(log_rate=0.5 * x[:, :UNITS]).to_event(1),
            lambda x: dist.ZeroInflatedPoisson(0.3, jnp.ones(UNITS)).to_event(1),
        )
        assert probe(*built, x) is None


def test_it_holds_for_an_affine_decoder_of_noise_that_differs_between_pixels(program, weights, x):
    noise = np.float32([0.3, 1.0, 2.0])
    assert probe(*program(some_poisson, one_poisson, lambda z, x: (1 + z @ weights + x, noise)), x) is None


NOT_AFFINE = {
    "a hidden layer": lambda z, w: jax.nn.relu(z @ w) @ np.ones((PIXELS, PIXELS), np.float32),
    "a rectifier of the code": lambda z, w: jax.nn.relu(z) @ w,  # linear in positive codes
    "a ceiling": lambda z, w: jnp.minimum(z, 5.0) @ w,  # linear in small codes
    "a logarithm": lambda z, w: jnp.log1p(jnp.abs(z)) @ w,
    "a product of units": lambda z, w: z @ w + z[:, :1] * z[:, 1:],
    "whole numbers": lambda z, w: jnp.round(z) @ w,
}


@pytest.mark.parametrize("decoder", NOT_AFFINE)
def test_a_decoder_that_is_not_affine_is_told(decoder, program, weights, x):
    built = program(some_normal, decode=lambda z, x: (NOT_AFFINE[decoder](z, weights), 0.7))
    assert probe(*built, x) == "the decoder is not affine"


def test_a_rectified_reconstruction_of_counts_is_told(program, x):
    """Along one ray of positive codes it is linear."""
    wide = np.float32(np.random.default_rng(5).normal(size=(UNITS, 30))) @ np.eye(30, PIXELS, dtype=np.float32)
    built = program(some_poisson, one_poisson, lambda z, x: (jax.nn.relu(z @ wide), 0.7))
    assert probe(*built, x) == "the decoder is not affine"


def test_a_ceiling_above_counts_is_told_too(program, weights, x):
    built = program(some_poisson, one_poisson, lambda z, x: (jnp.minimum(z, 5.0) @ weights, 0.7))
    assert probe(*built, x) == "the decoder is not affine"


def test_rectifying_what_is_rectified_changes_nothing(program, weights, x):
    built = program(
        lambda x: RectifiedNormal(x[:, :UNITS], 0.5).to_event(1),
        lambda x: RectifiedNormal(jnp.zeros(UNITS), 1.0).to_event(1),
        lambda z, x: (jax.nn.relu(z) @ weights, 0.7),
    )
    assert probe(*built, x) is None


def test_a_decoder_with_a_gain_of_the_image_is_told(program, weights, x):
    built = program(some_normal, decode=lambda z, x: (jnp.exp(x) * (z @ weights), 0.7))
    assert probe(*built, x) == "the decoder depends on the image"


@pytest.mark.parametrize(
    ("scale", "on"), [(lambda z, x: jnp.exp(0.1 * z[:, :1]), "code"), (lambda z, x: jnp.exp(x), "image")]
)
def test_noise_that_is_not_fixed_is_told(scale, on, program, weights, x):
    built = program(some_normal, decode=lambda z, x: (z @ weights, scale(z, x)))
    assert probe(*built, x) == f"the scale of the likelihood depends on the {on}"


def test_a_weight_that_starts_at_zero_hides_nothing(program, weights, x):
    """A second-order term and a noise head of weight zero at the start, one of them under a constraint."""

    def bent(z, x):
        return z @ weights + numpyro.param("bend", jnp.zeros(())) * (z @ weights) ** 2, 0.7

    def noisy(z, x):
        small = numpyro.param("small", jnp.asarray(1e-6), constraint=dist.constraints.unit_interval)
        return z @ weights, 0.7 + small * z[:, :1] ** 2

    assert probe(*program(some_normal, decode=bent), x, {"bend": jnp.zeros(())}) == "the decoder is not affine"
    told = probe(*program(some_normal, decode=noisy), x, {"small": jnp.asarray(0.01)})
    assert told == "the scale of the likelihood depends on the code"


def test_a_likelihood_that_is_not_gaussian_is_told(weights, x):
    def model(x, nets):
        with numpyro.plate("image", len(x)):
            z = numpyro.sample("z", one_poisson(x))
            numpyro.sample("x", dist.Laplace(z @ weights, 1.0).to_event(1), obs=x)

    def guide(x, nets):
        with numpyro.plate("image", len(x)):
            numpyro.sample("z", some_poisson(x))

    assert probe(model, guide, x) == "site 'x' is Laplace: the exact expectation needs a Gaussian likelihood"


def test_units_that_are_not_independent_are_told(program, x):
    covariance = jnp.array([[1.0, 0.5], [0.5, 1.0]])
    built = program(
        lambda x: dist.MultivariateNormal(x[:, :UNITS], covariance),
        lambda x: dist.MultivariateNormal(jnp.zeros(UNITS), covariance),
    )
    expected = "the units of site 'z' are not independent: its posterior is MultivariateNormal"
    assert probe(*built, x) == expected


def test_a_site_without_closed_form_is_told(program, x):
    built = program(lambda x: dist.Laplace(x[:, :UNITS], 0.5).to_event(1))
    assert probe(*built, x) == "site 'z' has no exact KL"


def test_concentrations_of_their_own_are_refused_even_where_they_start_alike(weights, x):
    """Whatever the likelihood: there is no closed form once they have moved apart."""

    def counts(name, log_rate):
        phi = numpyro.param(name, jnp.full(UNITS, 5.0), constraint=dist.constraints.positive)
        return NegativeBinomial(log_rate=log_rate, concentration=phi).to_event(1)

    def model(x, nets):
        with numpyro.plate("image", len(x)):
            z = numpyro.sample("z", counts("prior_concentration", jnp.zeros(UNITS)))
            numpyro.sample("x", dist.Laplace(z @ weights, 1.0).to_event(1), obs=x)

    def guide(x, nets, name="concentration"):
        with numpyro.plate("image", len(x)):
            numpyro.sample("z", counts(name, x[:, :UNITS]))

    params = {name: jnp.full(UNITS, 5.0) for name in ("prior_concentration", "concentration")}
    told = r"site 'z': KL\(NegativeBinomial \|\| NegativeBinomial\) has no closed form for two values of concentration"
    with pytest.raises(ValueError, match=told):
        probe(model, guide, x, params)
    assert "Laplace" in probe(model, partial(guide, name="prior_concentration"), x, params)


@pytest.mark.parametrize("where", ["model", "guide"])
def test_a_hierarchy_of_local_sites_is_told(where, weights, x):
    """The second code's prior, or its posterior, moves with the first code, by a weight that starts at zero."""

    def latents(x, posterior):
        coupling = numpyro.param("coupling", jnp.zeros(())) if posterior == (where == "guide") else 0.0
        with numpyro.plate("image", len(x)):
            first = numpyro.sample("first", (some_poisson if posterior else one_poisson)(x))
            second = numpyro.sample("second", Poisson(log_rate=0.1 * x[:, :UNITS] + coupling * first).to_event(1))
        return first, second

    def model(x, nets):
        first, second = latents(x, posterior=False)
        with numpyro.plate("image", len(x)):
            numpyro.sample("x", dist.Normal((first + second) @ weights, 1.0).to_event(1), obs=x)

    def guide(x, nets):
        latents(x, posterior=True)

    told = probe(model, guide, x, {"coupling": jnp.zeros(())})
    assert told == f"site 'second' in the {where} depends on another code"


def test_a_hierarchy_through_a_family_that_declares_nothing_is_told(weights, x):
    def model(x, nets):
        with numpyro.plate("image", len(x)):
            first = numpyro.sample("first", one_poisson(x))
            second = numpyro.sample("second", Own(0.1 * first - 1).to_event(1))
            numpyro.sample("x", dist.Normal((first + second) @ weights, 1.0).to_event(1), obs=x)

    def guide(x, nets):
        with numpyro.plate("image", len(x)):
            numpyro.sample("first", some_poisson(x))
            numpyro.sample("second", some_poisson(x))

    assert probe(model, guide, x) == "site 'second' in the model depends on another code"


def test_a_global_latent_is_allowed(weights, x):
    def model(x, nets):
        gain = numpyro.sample("gain", dist.LogNormal(0.0, 1.0))
        with numpyro.plate("image", len(x)):
            z = numpyro.sample("z", Poisson(gain * jnp.ones(UNITS)).to_event(1))
            numpyro.sample("x", dist.Normal(gain * z @ weights, gain).to_event(1), obs=x)

    def guide(x, nets):
        numpyro.sample("gain", dist.LogNormal(0.2, 0.5))
        with numpyro.plate("image", len(x)):
            numpyro.sample("z", some_poisson(x))

    assert probe(model, guide, x) is None

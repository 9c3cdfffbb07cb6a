"""The rectified normal against quadrature over the normal behind it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.stats
from jax import random
from jax.test_util import check_grads
from numpy.testing import assert_allclose
from numpyro.distributions import kl_divergence

from ppl_pvae.distributions import RectifiedNormal, rectified_kl

jitted_kl = jax.jit(lambda q, p: kl_divergence(q, p))
moments = jax.jit(lambda h: (h.mean, h.variance))

POSTERIORS = [(-3.0, 1.0), (-0.5, 0.3), (0.0, 1.0), (0.7, 2.0), (2.0, 0.1), (5.0, 0.5)]
PRIORS = [(0.0, 1.0), (-1.0, 0.7), (1.5, 2.0)]


def expectation(function, loc, scale, above):
    """∫ function(z) N(z; loc, scale²) dz over z > above."""
    low, high = max(above, loc - 12 * scale), loc + 12 * scale
    if low >= high:
        return 0.0
    density = scipy.stats.norm(loc, scale).pdf
    points = np.linspace(low, high, 7)[1:-1]
    return scipy.integrate.quad(lambda z: function(z) * density(z), low, high, epsabs=1e-13, limit=400, points=points)[
        0
    ]


def kl_by_quadrature(q, p, pays):
    """The KL of h = max(z, 0) has an atom at 0 and a density above it; that of z is an ordinary one."""
    q_z, p_z = scipy.stats.norm(*q), scipy.stats.norm(*p)

    def ratio(z):
        return q_z.logpdf(z) - p_z.logpdf(z)

    if pays == "latent":
        return expectation(ratio, *q, above=-np.inf)
    return q_z.cdf(0) * (q_z.logcdf(0) - p_z.logcdf(0)) + expectation(ratio, *q, above=0.0)


@pytest.mark.usefixtures("float64")
def test_mean_and_variance_are_those_of_quadrature():
    h = RectifiedNormal(*jnp.array(POSTERIORS).T)
    mean = [expectation(lambda z: z, *q, above=0.0) for q in POSTERIORS]
    square = [expectation(lambda z: z**2, *q, above=0.0) for q in POSTERIORS]
    assert_allclose(moments(h)[0], mean, rtol=1e-8)
    assert_allclose(moments(h)[1], np.subtract(square, np.square(mean)), rtol=1e-7, atol=1e-12)


def test_moments_hold_in_float32():
    """Relative 1e-4 down to a mean 5 standard deviations below zero; a ≫ 1, where E h² − (E h)² would cancel."""
    loc, scale = np.array([-2.5, -0.5, 0.3, 40.0, 3000.0]), np.array([0.5, 0.3, 1.0, 0.01, 0.5])
    with jax.enable_x64(True):
        expected = np.asarray(moments(RectifiedNormal(jnp.asarray(loc), jnp.asarray(scale))))
    mean, variance = moments(RectifiedNormal(jnp.asarray(np.float32(loc)), jnp.asarray(np.float32(scale))))
    assert variance.dtype == jnp.float32
    assert_allclose(mean, expected[0], rtol=1e-4)
    assert_allclose(variance, expected[1], rtol=1e-3)


@pytest.mark.usefixtures("float64")
def test_derivatives_are_those_of_differences():
    """First and second ones, of moments and KL in all that they depend on; and with a prior that is not moved."""
    loc, scale = jnp.array(POSTERIORS).T
    prior_loc, prior_scale = jnp.array(PRIORS[:2] * 3).T

    def moments_of(loc, scale):
        return moments(RectifiedNormal(loc, scale))

    def nats(loc, scale, prior_loc, prior_scale):
        return rectified_kl(RectifiedNormal(loc, scale), RectifiedNormal(prior_loc, prior_scale))

    check_grads(jax.jit(moments_of), (loc, scale), order=2, rtol=1e-5, atol=1e-5)
    check_grads(jax.jit(nats), (loc, scale, prior_loc, prior_scale), order=2, rtol=1e-5, atol=1e-5)
    check_grads(jax.jit(lambda loc: nats(loc, 0.7, 0.3, 1.2)), (loc,), order=1, rtol=1e-5, atol=1e-5)


def test_derivatives_hold_in_float32():
    """Relative 1e-3 where a derivative is not next to nothing, from 5 deviations below zero to 4,000 above it."""
    loc, scale = np.array([-2.5, -0.5, 0.3, 40.0, 200.0]), np.array([0.5, 0.3, 1.0, 0.01, 0.5])
    prior = np.array([0.4, -0.4, 1.5, 0.0, 3.0]), np.array([1.0, 0.7, 2.0, 1.0, 1.0])

    @jax.jit
    def slopes(*at):
        def of(loc, scale, prior_loc, prior_scale):
            q, p = RectifiedNormal(loc, scale), RectifiedNormal(prior_loc, prior_scale)
            return q.mean, q.variance, rectified_kl(q, p)

        return jax.vmap(jax.jacrev(of, (0, 1, 2, 3)))(*at)

    with jax.enable_x64(True):
        expected = jax.tree.map(np.asarray, slopes(*map(jnp.asarray, (loc, scale, *prior))))
    actual = slopes(*(jnp.asarray(np.float32(each)) for each in (loc, scale, *prior)))
    for one, other in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        assert one.dtype == jnp.float32
        assert_allclose(one, other, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("pays", ["code", "latent"])
@pytest.mark.usefixtures("float64")
def test_both_kls_are_those_of_quadrature(pays):
    q, p = np.array(POSTERIORS)[:, None], np.array(PRIORS)
    actual = jitted_kl(
        RectifiedNormal(jnp.asarray(q[..., 0]), jnp.asarray(q[..., 1]), pays=pays),
        RectifiedNormal(jnp.asarray(p[..., 0]), jnp.asarray(p[..., 1]), pays=pays),
    )
    expected = [[kl_by_quadrature(a, b, pays) for b in PRIORS] for a in POSTERIORS]
    assert_allclose(actual, expected, rtol=1e-7, atol=1e-9)


def test_the_code_never_pays_more_than_the_latent():
    """Data processing: rectifying cannot add information. 500 random pairs, in float32 to 1e-5."""
    rng = np.random.default_rng(0)
    loc, prior_loc = np.float32(rng.normal(0, 3, (2, 500)))
    scale, prior_scale = np.float32(np.exp(rng.normal(0, 1, (2, 500))))
    by = {
        pays: np.asarray(
            jitted_kl(
                RectifiedNormal(jnp.asarray(loc), jnp.asarray(scale), pays=pays),
                RectifiedNormal(jnp.asarray(prior_loc), jnp.asarray(prior_scale), pays=pays),
            )
        )
        for pays in ("code", "latent")
    }
    assert (by["code"] <= by["latent"] * (1 + 1e-5) + 1e-5).all()
    assert (by["code"] >= -1e-5).all()
    assert (by["code"] < 0.9 * by["latent"]).any()


def test_kl_of_equals_is_zero_and_far_units_stay_finite():
    """a = μ/σ up to 10⁴, as the clamp on log σ allows; gradients too."""
    loc, scale = jnp.array([-50.0, -3.0, 0.0, 3.0, 50.0]), jnp.array([0.005, 200.0, 1.0, 0.3, 0.005])
    h = RectifiedNormal(loc, scale)
    assert_allclose(jax.jit(rectified_kl)(h, h), np.zeros(5), atol=1e-6)

    def nats(loc, scale, prior_loc, prior_scale):
        return jnp.sum(rectified_kl(RectifiedNormal(loc, scale), RectifiedNormal(prior_loc, prior_scale)))

    slopes = jax.jit(jax.grad(nats, (0, 1, 2, 3)))(loc, scale, jnp.zeros(5), jnp.ones(5))
    assert np.isfinite(slopes).all()
    both = jax.jacrev(lambda loc, scale: sum(moments(RectifiedNormal(loc, scale))).sum(), (0, 1))
    assert np.isfinite(both(loc, scale)).all()


def test_draws_are_rectified_and_have_the_closed_form_moments():
    """Mean and zeros of 40,000 draws within 4.5 standard errors."""
    h = RectifiedNormal(jnp.array([-1.0, 0.5]), jnp.array([1.0, 0.5]))
    z = np.asarray(h.sample(random.key(1), (40_000,)), np.float64)
    assert z.min() == 0
    silent = scipy.stats.norm.cdf([1.0, -1.0])
    assert (np.abs((z == 0).mean(0) - silent) < 4.5 * np.sqrt(silent * (1 - silent) / 40_000)).all()
    mean, variance = np.asarray(moments(h))
    assert (np.abs(z.mean(0) - mean) < 4.5 * np.sqrt(variance / 40_000)).all()


def test_log_prob_is_an_atom_and_a_density_that_sum_to_one():
    loc, scale = 0.4, 0.8
    h = RectifiedNormal(loc, scale)
    z = np.linspace(1e-6, loc + 10 * scale, 20_001)
    mass = np.exp(float(h.log_prob(0.0))) + scipy.integrate.trapezoid(np.exp(np.asarray(h.log_prob(z))), z)
    assert_allclose(mass, 1.0, atol=1e-5)


def test_gradients_pass_through_draws():
    """d mean/d loc = Φ(μ/σ), by 20,000 reparameterised draws: within 4.5 standard errors."""
    slope = jax.grad(lambda loc: jnp.mean(RectifiedNormal(loc, 0.5).sample(random.key(2), (20_000,))))(0.3)
    expected = scipy.stats.norm.cdf(0.3 / 0.5)
    assert abs(slope - expected) < 4.5 * np.sqrt(expected * (1 - expected) / 20_000)
    assert RectifiedNormal(0.0, 1.0).has_rsample


def test_model_and_guide_must_agree_on_what_is_paid():
    with pytest.raises(ValueError, match="disagree on what the rectified normal pays: 'latent' and 'code'"):
        kl_divergence(RectifiedNormal(0.0, 1.0, pays="code"), RectifiedNormal(0.0, 1.0, pays="latent"))


def test_what_it_pays_survives_wrappers_and_transformations():
    wrapped = RectifiedNormal(jnp.zeros(3), 1.0, pays="latent").expand([2, 3]).to_event(1)
    leaves, structure = jax.tree.flatten(wrapped)
    assert jax.tree.unflatten(structure, leaves).base_dist.base_dist.pays == "latent"


def test_plain_numbers_are_parameters_too():
    h = RectifiedNormal(0.4, 0.8)
    assert_allclose(moments(RectifiedNormal(jnp.array(0.4), jnp.array(0.8))), [h.mean, h.variance], rtol=1e-6)
    assert_allclose(rectified_kl(h, RectifiedNormal(0.4, 0.8)), 0.0, atol=1e-6)

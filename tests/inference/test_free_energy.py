"""The free energy: what weighs what, that it bounds, and what it refuses."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
import scipy.integrate
import scipy.special
import scipy.stats
from jax import random
from numpy.testing import assert_allclose
from numpyro.handlers import scale

from ppl_pvae.distributions import NegativeBinomial, Poisson, RectifiedNormal, SquaredError
from ppl_pvae.inference import ArrivalTime, Exact, FreeEnergy, Hard
from ppl_pvae.inference.divergence import site_divergence
from ppl_pvae.models import Program, Variation, built_in
from ppl_pvae.networks import Nets
from ppl_pvae.run.plan import initial_params
from tests.inference.conftest import IMAGES, PIXELS, UNITS, Linear, linear_program, some_normal, standard_normal

LOG_SQRT_2PI = 0.5 * np.log(2 * np.pi)


EXACT, HARD = Exact(), Hard()


def parts(model, guide, x, estimator=EXACT):
    free_energy = FreeEnergy(estimator=estimator)
    return jax.jit(lambda x: free_energy.parts(random.key(0), {}, model, guide, x, None))(x)


def loss(model, guide, x, estimator=HARD, **weights):
    """Traced, not compiled: for programs that are refused."""
    free_energy = FreeEnergy(estimator=estimator, **weights)
    return jax.eval_shape(lambda x: free_energy.loss(random.key(0), {}, model, guide, x, None), x)


def poisson_nats(rate, prior_rate):
    return rate * np.log(rate / prior_rate) - rate + prior_rate


def with_global(weights, prior_scale=2.0, loc=0.4, spread=0.3):
    """Codes z and an offset m of the whole data set, with the KL of m in closed form."""

    def model(x, nets):
        m = numpyro.sample("m", dist.Normal(0.0, prior_scale))
        with numpyro.plate("image", len(x)):
            z = numpyro.sample("z", standard_normal(x))
            numpyro.sample("x", dist.Normal(m + z @ weights, 0.7).to_event(1), obs=x)

    def guide(x, nets):
        numpyro.sample("m", dist.Normal(loc, spread))
        with numpyro.plate("image", len(x)):
            numpyro.sample("z", some_normal(x))

    return model, guide, 0.5 * ((spread**2 + loc**2) / prior_scale**2 - 1) + np.log(prior_scale / spread)


# --- what the parts are ---


def test_parts_of_a_linear_program(linear, x):
    """Each part against NumPy in float64, relative 1e-5."""
    found = parts(linear.model, linear.guide, x)
    rate = linear.rates(x)
    error = np.square(np.asarray(x) - linear.bias - rate @ linear.dictionary).sum(1)
    assert_allclose(found.distortion, error + rate @ np.square(linear.dictionary).sum(1), rtol=1e-5)
    assert_allclose(found.local_kl["z"], poisson_nats(rate, linear.prior_rate), rtol=1e-4, atol=1e-6)
    assert_allclose(found.coding_rate, poisson_nats(rate, linear.prior_rate).sum(1), rtol=1e-4)
    assert_allclose(found.activity, rate.sum(1), rtol=1e-5)
    assert_allclose(found.constant, PIXELS / 2 * np.log(np.pi), rtol=1e-6)
    assert found.global_kl == {}


def test_parts_of_a_linear_program_of_negative_binomial_counts(program, weights, x):
    """E‖x − zΦ‖² = ‖x − λΦ‖² + Σ(λ + λ²/φ)‖Φ‖² under σ = 0.7, and its KL by the textbook formula in float64."""
    phi, rate, r = np.array([0.7, 9.0]), np.exp(0.5 * np.float64(x[:, :UNITS])), 1.0
    built = program(
        lambda x: NegativeBinomial(log_rate=0.5 * x[:, :UNITS], concentration=jnp.asarray(phi)).to_event(1),
        lambda x: NegativeBinomial(jnp.ones(UNITS), jnp.asarray(phi)).to_event(1),
    )
    found = parts(*built, x)
    spread = (rate + rate**2 / phi) @ np.square(weights).sum(1)
    error = np.square(x - rate @ weights).sum(1) + spread
    assert_allclose(found.distortion, error / (2 * 0.7**2) + PIXELS * (np.log(0.7) + LOG_SQRT_2PI), rtol=1e-5)
    nats = rate * np.log(rate / r) - (rate + phi) * np.log((phi + rate) / (phi + r))
    assert_allclose(found.local_kl["z"], nats, rtol=1e-4)


def test_another_likelihood_keeps_its_constants(program, x):
    found = parts(*program(some_normal), x)
    assert found.constant == 0
    silent = parts(*program(some_normal, decode=lambda z, x: (0 * x, 0.7)), x).distortion
    assert_allclose(silent, -scipy.stats.norm(0, 0.7).logpdf(x).sum(1), rtol=1e-5)


@pytest.mark.parametrize("name", ["poisson", "gaussian", "rectified-gaussian"])
def test_beta_weighs_the_local_kl_and_nothing_else(name, x):
    """loss(β) = D + β·R to float32 rounding, one compilation for all β; and γ weighs E Σ z."""
    model, guide = built_in(name, Variation(pays="code") if name == "rectified-gaussian" else Variation())
    nets = Nets(units=UNITS, pixels=PIXELS)
    params = initial_params(random.key(0), Program(model, guide), nets, x)
    free_energy = FreeEnergy(estimator=Exact())
    compiled = jax.jit(
        lambda x, beta, price: free_energy.loss(
            random.key(0), params, model, guide, x, nets, beta=beta, spike_price=price
        )
    )
    terms = jax.jit(lambda x: free_energy.parts(random.key(0), params, model, guide, x, nets))(x)
    D, R, A = (np.asarray(each, np.float64).mean() for each in (terms.distortion, terms.coding_rate, terms.activity))
    for beta, price in ((0.0, 0.0), (0.01, 0.0), (1.0, 0.5), (4.0, 0.0), (100.0, 2.0)):
        assert_allclose(compiled(x, beta, price), D + beta * R + price * A, rtol=2e-6)
    assert compiled._cache_size() == 1


def test_a_global_latent_weighs_one_in_n_at_every_beta(weights, x):
    model, guide, nats = with_global(weights)
    free_energy = FreeEnergy(estimator=Exact())
    compiled = jax.jit(
        lambda x, beta, images: free_energy.loss(random.key(0), {}, model, guide, x, None, beta=beta, images=images)
    )
    found = parts(model, guide, x)
    assert_allclose(found.global_kl["m"], nats, rtol=1e-5)
    assert set(found.local_kl) == {"z"}
    D, R = (np.asarray(each, np.float64).mean() for each in (found.distortion, found.coding_rate))
    for beta, images in ((0.0, 5), (2.0, 5), (2.0, 1000)):
        assert_allclose(compiled(x, beta, images), D + beta * R + nats / images, rtol=2e-6)
    by_default = jax.jit(lambda x: FreeEnergy(2.0, estimator=Exact()).loss(random.key(0), {}, model, guide, x, None))
    assert_allclose(by_default(x), D + 2 * R + nats / IMAGES, rtol=2e-6)


def test_a_global_without_a_closed_form_is_drawn_beside_an_exact_expectation(linear, x):
    """KL(LogNormal(μ, s²) ‖ Gamma(a, b)) from 4,000 draws within four standard errors of its closed form."""
    (mu, s), (a, b) = (-0.5, 0.3), (0.7, 2.0)

    def model(x, nets=None):
        numpyro.sample("scale", dist.Gamma(a, b))
        linear.model(x)

    def guide(x, nets=None):
        numpyro.sample("scale", dist.LogNormal(mu, s))
        linear.guide(x)

    free_energy = FreeEnergy(estimator=Exact())
    draw = jax.jit(jax.vmap(lambda key: free_energy.parts(key, {}, model, guide, x).global_kl["scale"]))
    nats = np.asarray(draw(random.split(random.key(0), 4000)), np.float64)
    entropy = mu + 0.5 * np.log(2 * np.pi * np.e * s**2)
    cross = a * np.log(b) - scipy.special.gammaln(a) + (a - 1) * mu - b * np.exp(mu + s**2 / 2)
    assert_allclose(nats.mean(), -entropy - cross, atol=4 * nats.std() / np.sqrt(len(nats)))


def test_particles_are_averaged(weights, x):
    """Mean over the losses at the split keys, relative 1e-5."""
    model, guide, _ = with_global(weights)
    many = FreeEnergy(estimator=Exact(), num_particles=3)
    one = jax.jit(lambda key: FreeEnergy(estimator=Exact()).loss(key, {}, model, guide, x, None))
    expected = np.mean([one(key) for key in random.split(random.key(5), 3)])
    assert_allclose(jax.jit(lambda key: many.loss(key, {}, model, guide, x, None))(random.key(5)), expected, rtol=1e-5)


# --- that it bounds ---


def log_evidence(linear: Linear, x):
    """log p(x) = log Σ_n p(n) N(x; b + nΦ, ½) over all counts that matter, float64."""
    counts = np.stack(np.meshgrid(np.arange(40), np.arange(40), indexing="ij"), -1).reshape(-1, 2)
    error = np.square(np.asarray(x, np.float64)[:, None] - linear.bias - counts @ np.float64(linear.dictionary)).sum(-1)
    prior = scipy.stats.poisson(linear.prior_rate).logpmf(counts).sum(-1)
    return scipy.special.logsumexp(prior - error - PIXELS / 2 * np.log(np.pi), axis=1)


def test_negative_elbo_bounds_the_evidence(x):
    """At 40 guides of one model, β = 1 weights with constants: ≥ −log p(x) for every image; margin 1e-4 (float32)."""
    linear = linear_program(0)
    evidence = log_evidence(linear, x)
    rng = np.random.default_rng(0)
    encoders, offsets = rng.normal(0, 0.5, (40, PIXELS, UNITS)), rng.normal(-0.3, 0.5, (40, UNITS))

    @jax.jit
    @jax.vmap
    def bound(encoder, offset):
        guide = linear._replace(encoder=encoder, offset=offset).guide
        found = FreeEnergy(estimator=Exact()).parts(random.key(0), {}, linear.model, guide, x, None)
        return found.distortion + found.constant + found.coding_rate

    gap = np.asarray(bound(jnp.asarray(encoders, jnp.float32), jnp.asarray(offsets, jnp.float32))) + evidence
    assert gap.min() > -1e-4
    assert gap.min() < 1.0  # the test has teeth: some guide comes near


def test_the_exact_posterior_attains_the_evidence(x, weights):
    """Equality for a Gaussian code of one unit, whose posterior is known; absolute 1e-4."""
    dictionary, noise = np.float64(weights[0]), 0.5
    precision = 1 + dictionary @ dictionary / noise
    projection = np.float32(dictionary / noise / precision)

    def model(x, nets):
        with numpyro.plate("image", len(x)):
            z = numpyro.sample("z", dist.Normal(jnp.zeros(1), 1.0).to_event(1))
            numpyro.sample("x", SquaredError(z * weights[0]).to_event(1), obs=x)

    def guide(x, nets):
        with numpyro.plate("image", len(x)):
            numpyro.sample("z", dist.Normal((x @ projection)[:, None], precision**-0.5).to_event(1))

    found = parts(model, guide, x)
    bound = found.distortion + found.constant + found.coding_rate
    covariance = noise * np.eye(PIXELS) + np.outer(dictionary, dictionary)
    evidence = scipy.stats.multivariate_normal(np.zeros(PIXELS), covariance).logpdf(np.asarray(x, np.float64))
    assert_allclose(bound, -evidence, atol=1e-4)


# --- which KL ---


def test_a_reparameterised_pair_without_closed_form_is_sampled(program, x):
    """KL(Laplace ‖ Normal) by 4,000 draws an image, within 4.5 standard errors of quadrature."""
    images = jnp.tile(x[:1], (4000, 1))
    q, p = scipy.stats.laplace(float(0.5 * x[0, 0]), 0.4), scipy.stats.norm(0, 1)
    expected = scipy.integrate.quad(lambda z: q.pdf(z) * (q.logpdf(z) - p.logpdf(z)), -12, 12, points=[q.mean()])[0]
    model, guide = program(lambda x: dist.Laplace(0.5 * x[:, :UNITS], 0.4).to_event(1))
    for estimator in (Hard(), ArrivalTime()):
        found = parts(model, guide, images, estimator)
        assert found.local_kl["z"].shape == (4000,)
    q2 = scipy.stats.laplace(float(0.5 * x[0, 1]), 0.4)
    expected += scipy.integrate.quad(lambda z: q2.pdf(z) * (q2.logpdf(z) - p.logpdf(z)), -12, 12, points=[q2.mean()])[0]
    nats = np.asarray(found.local_kl["z"], np.float64)
    assert abs(nats.mean() - expected) < 4.5 * nats.std() / np.sqrt(len(nats))


@pytest.mark.parametrize(
    ("q", "p", "families"),
    [
        (
            lambda x: dist.Normal(jnp.zeros((IMAGES, UNITS)), 1.0),
            lambda x: Poisson(jnp.ones(UNITS)),
            "Normal || Poisson",
        ),
        (
            lambda x: RectifiedNormal(jnp.zeros((IMAGES, UNITS)), 1.0),
            lambda x: dist.HalfNormal(jnp.ones(UNITS)),
            "RectifiedNormal || HalfNormal",
        ),
        (
            lambda x: dist.Normal(jnp.zeros((IMAGES, UNITS)), 1.0).mask(jnp.array([True, False])),
            lambda x: dist.Normal(jnp.zeros(UNITS), 1.0),
            "MaskedDistribution || Normal",
        ),
    ],
)
def test_without_a_usable_kl_site_and_families_are_named(q, p, families, program, x):
    """Pairs whose log-densities are no ratio: a number would come out, and be no KL."""
    built = program(lambda x: q(x).to_event(1), lambda x: p(x).to_event(1))
    with pytest.raises(ValueError, match="site 'z': no usable KL") as error:
        loss(*built, x, ArrivalTime())
    assert families in str(error.value)
    assert "kl_divergence.register" in str(error.value)


def test_concentrations_that_are_known_to_differ_are_named():
    q, p = ({"fn": NegativeBinomial(jnp.ones(2), phi).to_event(1), "scale": None} for phi in (2.0, 3.0))
    with pytest.raises(ValueError, match=r"site 'z': KL.NegativeBinomial .* two values of concentration"):
        site_divergence("z", {**q, "infer": {}}, p, sampled=True, whole=True)


def test_counts_without_a_closed_form_are_summed(linear, program, x):
    """λ-weighted sums in NumPy, relative 1e-5: geometric prior, exact expectation."""
    prior = dist.GeometricProbs(jnp.array([0.3, 0.8])).to_event(1)
    built = program(lambda x: Poisson(log_rate=x @ linear.encoder + linear.offset).to_event(1), lambda x: prior)
    n = np.arange(200)
    log_q = scipy.stats.poisson.logpmf(n[:, None, None], linear.rates(x))
    log_p = scipy.stats.geom.logpmf(n[:, None, None] + 1, np.array([0.3, 0.8]))
    found = parts(*built, x)
    assert_allclose(found.local_kl["z"], np.sum(np.exp(log_q) * (log_q - log_p), axis=0), rtol=1e-5)


def test_a_prior_over_whole_count_vectors_is_named(x, program):
    def mixture(x):
        parts = Poisson(jnp.array([[1.0, 2.0], [3.0, 0.5]])).to_event(1)
        return dist.MixtureSameFamily(dist.Categorical(jnp.array([0.5, 0.5])), parts)

    built = program(lambda x: Poisson(jnp.ones((IMAGES, UNITS))).to_event(1), mixture)
    with pytest.raises(ValueError, match=r"site 'z': no usable KL\(Poisson \|\| MixtureSameFamily"):
        loss(*built, x, ArrivalTime())


def test_a_point_mass_for_a_global_latent_pays_its_prior(weights, x):
    """A Delta guide is maximum a posteriori: KL = −log p(m), over a vector that the prior keeps apart."""
    value = np.float32([0.3, -1.0, 2.0])

    def model(x, nets):
        m = numpyro.sample("m", dist.Normal(0.0, 2.0).expand([PIXELS]).to_event(1))
        with numpyro.plate("image", len(x)):
            numpyro.sample("x", dist.Normal(m, 0.7).to_event(1), obs=x)

    def guide(x, nets):
        numpyro.sample("m", dist.Delta(jnp.asarray(value), event_dim=1))

    found = parts(model, guide, x, Hard())
    assert_allclose(found.global_kl["m"], -scipy.stats.norm(0, 2).logpdf(value).sum(), rtol=1e-5)


def test_a_code_of_undefined_mean_costs_nothing_without_a_price(program, x):
    """The mean of a Cauchy code does not exist: 0 · NaN must not reach the loss."""

    def cauchy(x):
        return dist.StudentT(1.0, 0.5 * x[:, :UNITS], 0.5).to_event(1)

    model, guide = program(cauchy, lambda x: dist.StudentT(1.0, jnp.zeros(UNITS), 1.0).to_event(1))
    value = jax.jit(lambda x: FreeEnergy().loss(random.key(0), {}, model, guide, x, None))(x)
    assert np.isfinite(value)


# --- plates, scales, masks ---


def test_pixels_in_a_plate_of_their_own_are_summed(program, weights, x):
    """A likelihood over plates (image, pixel) is the same program as one with pixels in the event."""

    def model(x, nets):
        with numpyro.plate("image", len(x), dim=-2):
            z = numpyro.sample("z", dist.Normal(jnp.zeros((1, UNITS)), 1.0).to_event(1))
            with numpyro.plate("pixel", x.shape[1], dim=-1):
                numpyro.sample("x", dist.Normal((z @ weights)[:, 0], 0.7), obs=x)

    def guide(x, nets):
        with numpyro.plate("image", len(x), dim=-2):
            numpyro.sample("z", dist.Normal(0.5 * x[:, None, :UNITS], 0.4).to_event(1))

    square = x[:PIXELS]  # as many images as pixels: a wrong sum would broadcast in silence
    for images in (x, square):
        plain, plated = parts(*program(some_normal), images), parts(model, guide, images)
        for one, other in ((plated.distortion, plain.distortion), (plated.coding_rate, plain.coding_rate)):
            assert one.shape == (len(images),)
            assert_allclose(one, other, rtol=1e-5)


@pytest.mark.parametrize("factor", [3.0, np.float32([1.0, 2.0, 3.0, 4.0, 5.0])])
def test_a_scale_round_both_multiplies_every_term(factor, linear, x):
    plain, scaled = (parts(scale(linear.model, s), scale(linear.guide, s), x) for s in (1.0, factor))
    for one, other in ((scaled.distortion, plain.distortion), (scaled.coding_rate, plain.coding_rate)):
        assert_allclose(one, factor * other, rtol=1e-5)
    assert_allclose(scaled.constant, factor * np.float32(plain.constant), rtol=1e-6)


@pytest.mark.parametrize(("in_model", "in_guide"), [(2.0, None), (None, 2.0), (2.0, 3.0)])
def test_a_scale_on_one_side_is_an_error(in_model, in_guide, linear, x):
    model, guide = (scale(f, s) if s else f for f, s in ((linear.model, in_model), (linear.guide, in_guide)))
    with pytest.raises(ValueError, match=r"site 'z' is scaled .* put both under the same numpyro.handlers.scale"):
        loss(model, guide, x)


def test_a_traced_scale_round_both_will_do(linear, x):
    def value(s):
        model, guide = scale(linear.model, s), scale(linear.guide, s)
        return FreeEnergy(estimator=Exact()).loss(random.key(0), {}, model, guide, x, None)

    assert_allclose(jax.jit(value)(2.0), 2 * jax.jit(value)(1.0), rtol=1e-5)


def observed(x, mean=0.0):
    numpyro.sample("x", dist.Normal(mean * jnp.ones_like(x), 1.0).to_event(1), obs=x)


def model_with(*names, outside=()):
    def model(x, nets=None):
        for name in outside:
            numpyro.sample(name, dist.Normal(jnp.zeros((len(x), UNITS)), 1.0).to_event(1))
        with numpyro.plate("image", len(x)):
            for name in names:
                numpyro.sample(name, standard_normal(x))
            observed(x)

    return model


def guide_with(*names):
    def guide(x, nets=None):
        with numpyro.plate("image", len(x)):
            for name in names:
                numpyro.sample(name, some_normal(x))

    return guide


def subsampled(observe, x, nets=None):
    with numpyro.plate("image", 50, subsample_size=len(x)):
        numpyro.sample("z", some_normal(x))
        if observe:
            observed(x)


def outermost(observe, x, nets=None):
    with numpyro.plate("part", 2, dim=-2), numpyro.plate("image", len(x), dim=-1):
        numpyro.sample("z", dist.Normal(0.0, 1.0))
        if observe:
            numpyro.sample("x", dist.Normal(0.0, 1.0).expand([2, len(x)]), obs=jnp.stack([x[:, 0]] * 2))


def unobserved(x, nets=None):
    with numpyro.plate("image", len(x)):
        numpyro.sample("z", standard_normal(x))


def observed_outside(x, nets=None):
    unobserved(x)
    observed(x)


REFUSED = {
    "a latent of the guide alone": (
        (model_with("z"), guide_with("z", "y")),
        "site 'y' is in the guide and not in the model",
    ),
    "a latent of the model alone": (
        (model_with("z", "y"), guide_with("z")),
        "site 'y' is in the model and not in the guide",
    ),
    "local in the guide, global in the model": (
        (model_with(outside=["z"]), guide_with("z")),
        "site 'z' is inside the plate 'image' in the guide only",
    ),
    "nothing observed": ((unobserved, guide_with("z")), "the model observes nothing"),
    "observed outside the plate": ((observed_outside, guide_with("z")), "site 'x' is observed outside the plate"),
    "a plate that is subsampled": (
        (partial(subsampled, True), partial(subsampled, False)),
        "the plate 'image' is subsampled",
    ),
    "a plate that is not the outermost": (
        (partial(outermost, True), partial(outermost, False)),
        "whose first dimension is not the plate 'image'",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_program_that_has_no_free_energy_is_told_why(case, x):
    (model, guide), told = REFUSED[case]
    with pytest.raises(ValueError, match=r"site|plate|observes") as error:
        loss(model, guide, x)
    assert told in str(error.value)


def test_events_of_unlike_shape_are_told(program, x):
    def wide(x):
        return dist.Normal(jnp.zeros((IMAGES, UNITS + 1)), 1.0).to_event(1)

    built = program(wide, decode=lambda z, x: (0 * x, 0.7))
    with pytest.raises(ValueError, match=r"site 'z': one event of the guide has shape \(3,\), of the model \(2,\)"):
        loss(*built, x)


@pytest.mark.parametrize("weight", [{"beta": -1.0}, {"spike_price": -0.1}, {"beta": float("nan")}])
def test_weights_below_zero_are_refused(weight):
    with pytest.raises(ValueError, match=f"{next(iter(weight))} must be >= 0, got"):
        FreeEnergy(**weight)


# --- gradients ---


def test_by_default_counts_are_relaxed():
    """Hard counts would pass no gradient, and nobody would know."""
    assert FreeEnergy().estimator == ArrivalTime()


@pytest.mark.parametrize("estimator", [Exact(), ArrivalTime()])
def test_silent_units_have_a_finite_loss_and_gradient(estimator):
    """One unit of prior log-rate −80, one that the encoder pushes to −300."""
    nets = Nets(units=3, pixels=PIXELS)
    model, guide = built_in("poisson")
    x = jnp.ones((4, PIXELS))
    params = initial_params(random.key(0), Program(model, guide), nets, x)
    params["log_prior_rate"] = jnp.array([-80.0, -1.0, -1e4])
    encoder = params["encoder"]
    params["encoder"] = type(encoder)(encoder.weight, jnp.array([0.0, -300.0, 0.0]))
    free_energy = FreeEnergy(estimator=estimator, temperature=0.2)
    value, slopes = jax.jit(
        jax.value_and_grad(lambda params: free_energy.loss(random.key(0), params, model, guide, x, nets))
    )(params)
    assert np.isfinite(value)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes))

"""Refined posteriors against minimisers in double precision and closed forms, never above the start; what cannot be."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
import scipy.optimize
import scipy.stats
from jax import random
from numpy.testing import assert_allclose, assert_array_equal
from numpyro.handlers import scale

from ppl_pvae.distributions import NegativeBinomial, Poisson, RectifiedNormal, SquaredError
from ppl_pvae.inference.evaluation import held_globals
from ppl_pvae.inference.refinement import BATCH, refine

SLOW = pytest.mark.slow
UNITS, PIXELS, IMAGES = 6, 4, 5  # more units than pixels: they overlap
RNG = np.random.default_rng(3)
DICTIONARY = RNG.normal(size=(UNITS, PIXELS))
X = np.float32(RNG.normal(size=(IMAGES, PIXELS)))
RATE = RNG.uniform(0.1, 1.5, UNITS)
LOC, SCALE = RNG.normal(0, 0.5, UNITS), RNG.uniform(0.6, 1.4, UNITS)
CONCENTRATION = RNG.uniform(0.5, 5, UNITS)
ENCODER = 0.3 * RNG.normal(size=(2, PIXELS, UNITS))


def program_of(prior, posterior, decode=lambda z: SquaredError(z @ jnp.asarray(DICTIONARY))):
    """z ~ prior; q = posterior(first head, second head) of a random encoder."""

    def model(x, nets=None):
        with numpyro.plate("image", len(x)):
            z = numpyro.sample("z", prior.to_event(1))
            numpyro.sample("x", decode(z).to_event(1), obs=x)

    def guide(x, nets=None):
        with numpyro.plate("image", len(x)):
            numpyro.sample("z", posterior(x @ jnp.asarray(ENCODER[0]), x @ jnp.asarray(ENCODER[1])).to_event(1))

    return model, guide


def refined(program, x=X, beta=1.0, params=None, **kwargs):
    return refine(random.key(0), params or {}, *program, None, x, beta=beta, **kwargs)


# --- the same free energies in double precision: posterior parameters of one image to (means, variances, KL) ---


def poisson(log_rate):
    rate = np.exp(log_rate)
    return rate, rate, rate * (log_rate - np.log(RATE)) - rate + RATE


def negative_binomial(log_rate):
    rate, phi = np.exp(log_rate), CONCENTRATION
    kl = rate * (log_rate - np.log(RATE)) - (rate + phi) * np.log((phi + rate) / (phi + RATE))
    return rate, rate + rate**2 / phi, kl


def normal(both):
    loc, deviation = both[:UNITS], np.exp(both[UNITS:])
    return loc, deviation**2, np.log(SCALE / deviation) + (deviation**2 + (loc - LOC) ** 2) / (2 * SCALE**2) - 0.5


def rectified_moments(both):
    """M0, M1 and M2, the moments of z over z > 0."""
    loc, deviation = both[:UNITS], np.exp(both[UNITS:])
    a = loc / deviation
    above, density = scipy.stats.norm.cdf(a), scipy.stats.norm.pdf(a)
    first = deviation * density + loc * above
    return loc, deviation, above, first, loc * first + deviation**2 * above


def rectified_latent(both):
    *_, first, second = rectified_moments(both)
    return first, second - first**2, normal(both)[2]


def rectified_code(both):
    """KL of h: the atom at 0, and log q/p over z > 0 by its moments."""
    loc, deviation, above, first, second = rectified_moments(both)
    silent = [scipy.stats.norm.logcdf(-each) for each in (loc / deviation, LOC / SCALE)]
    own = (second - 2 * loc * first + loc**2 * above) / (2 * deviation**2)
    prior = (second - 2 * LOC * first + LOC**2 * above) / (2 * SCALE**2)
    kl = np.exp(silent[0]) * (silent[0] - silent[1]) + above * np.log(SCALE / deviation) - own + prior
    return first, second - first**2, kl


def free_energy(parameters, moments, x, beta, price=0.0):
    mean, variance, kl = moments(parameters)
    error = np.sum((x - mean @ DICTIONARY) ** 2) + variance @ np.sum(DICTIONARY**2, axis=1)
    return error + beta * kl.sum() + price * mean.sum()


def minimised(cost, start, *args):
    """Where L-BFGS-B ends in double precision; parameters are logarithms or near 0, and bounded.

    Begun anew once, with what has come to lie far down lifted: rates near 0 have no slope in their logarithm.
    """
    options = {"ftol": 1e-14, "gtol": 1e-7, "maxfun": 100_000, "maxiter": 1000}
    found = []
    for _ in range(2):
        bounds = [(-20, 6)] * len(start)
        found += [scipy.optimize.minimize(cost, start, args, "L-BFGS-B", "3-point", bounds=bounds, options=options)]
        start = np.maximum(found[-1].x, -3)
    return min(found, key=lambda each: each.fun)


def counts(make):
    return lambda one, two: make(one)


def rectified(pays):
    prior = RectifiedNormal(jnp.asarray(LOC), jnp.asarray(SCALE), pays=pays)
    return program_of(prior, lambda one, two: RectifiedNormal(one, jnp.exp(two), pays=pays))


def both_heads(x):
    return np.concatenate([x @ ENCODER[0], x @ ENCODER[1]])


# name -> (program, where the encoder puts an image, its free energy by hand)
FAMILIES = {
    "poisson": (
        program_of(Poisson(jnp.asarray(RATE)), counts(lambda u: Poisson(log_rate=u))),
        lambda x: x @ ENCODER[0],
        poisson,
    ),
    "poisson of NumPyro": (
        program_of(dist.Poisson(jnp.asarray(RATE)), counts(lambda u: dist.Poisson(jnp.exp(u)))),
        lambda x: x @ ENCODER[0],
        poisson,
    ),
    "negative binomial": (
        program_of(
            NegativeBinomial(jnp.asarray(RATE), jnp.asarray(CONCENTRATION)),
            counts(lambda u: NegativeBinomial(log_rate=u, concentration=jnp.asarray(CONCENTRATION))),
        ),
        lambda x: x @ ENCODER[0],
        negative_binomial,
    ),
    "normal": (
        program_of(dist.Normal(jnp.asarray(LOC), jnp.asarray(SCALE)), lambda one, two: dist.Normal(one, jnp.exp(two))),
        both_heads,
        normal,
    ),
    "rectified, pays latent": (rectified("latent"), both_heads, rectified_latent),
    "rectified, pays code": (rectified("code"), both_heads, rectified_code),
}


@pytest.mark.parametrize(
    ("family", "beta"),
    [
        ("poisson", 0.2),
        ("poisson", 5.0),
        # Each family compiles a minimiser of its own.
        *(pytest.param(f, 1.0, marks=[] if f in ("poisson", "rectified, pays code") else [SLOW]) for f in FAMILIES),
    ],
)
def test_refining_finds_the_minimum_that_a_minimiser_finds(family, beta):
    """Image by image, from the encoder's start, by L-BFGS in double precision: F to 1e-5, means to 3e-3.

    Where the code is paid for there are several minima: what refining finds is one, and none that is worse.
    """
    program, start, moments = FAMILIES[family]
    found = refined(program, beta=beta)
    for image, x in enumerate(np.float64(X[:3])):
        assert_allclose(found.before.free_energy[image], free_energy(start(x), moments, x, beta), rtol=1e-5)
        best = minimised(free_energy, start(x), moments, x, beta)
        if moments is rectified_code:
            assert found.after.free_energy[image] <= best.fun
            best = minimised(free_energy, rectified_parameters(found.after, image), moments, x, beta)
        assert_allclose(found.after.free_energy[image], best.fun, rtol=1e-4 if moments is rectified_code else 1e-5)
        mean, _, kl = moments(best.x)
        assert_allclose(found.after.mean[image], mean, atol=3e-3)
        assert_allclose(found.after.coding_rate[image], kl.sum(), rtol=2e-3, atol=2e-3)
    assert found.sweeps < 50
    assert (found.before.free_energy - found.after.free_energy > 0.01).all()


def rectified_parameters(code, image):
    """loc and log-scale of a rectified normal of known mean and P(h = 0)."""
    a = -scipy.stats.norm.ppf(np.clip(np.float64(code.zero[image]), 1e-6, 1 - 1e-6))
    deviation = code.mean[image] / (scipy.stats.norm.pdf(a) + a * scipy.stats.norm.cdf(a))
    return np.concatenate([a * deviation, np.log(deviation)])


@pytest.fixture(scope="module")
def plain():
    """The Poisson program refined."""
    return refined(FAMILIES["poisson"][0])


def test_a_price_on_activity_is_paid(plain):
    """With γ = 2 the minimum is that of the priced cost; without one it has more spikes."""
    program, start, moments = FAMILIES["poisson"]
    priced = refined(program, spike_price=2.0)
    x = np.float64(X[0])
    best = minimised(free_energy, start(x), moments, x, 1.0, 2.0)
    assert_allclose(priced.after.free_energy[0], best.fun, rtol=1e-5)
    assert_allclose(priced.after.mean[0], np.exp(best.x), atol=2e-3)
    assert (priced.after.mean.sum(1) < plain.after.mean.sum(1)).all()


def test_refined_gaussians_are_the_best_in_closed_form():
    """Noise of another size: σ_k⁻² = s_k⁻² + ‖Φ_k‖²/(βη²), and the means solve a linear system."""
    beta, noise = 2.0, 0.7
    program = program_of(
        dist.Normal(jnp.asarray(LOC), jnp.asarray(SCALE)),
        lambda one, two: dist.Normal(one, jnp.exp(two)),
        lambda z: dist.Normal(0.3 + z @ jnp.asarray(DICTIONARY), noise),
    )
    found = refined(program, beta=beta)
    precision = DICTIONARY @ DICTIONARY.T / (beta * noise**2) + np.diag(SCALE**-2.0)
    drive = (np.float64(X) - 0.3) @ DICTIONARY.T / (beta * noise**2) + LOC / SCALE**2
    assert_allclose(found.after.mean, np.linalg.solve(precision, drive.T).T, atol=2e-3)
    variance = 1 / (SCALE**-2.0 + np.sum(DICTIONARY**2, axis=1) / (beta * noise**2))
    kl = np.log(SCALE) - np.log(variance) / 2 + (variance + (found.after.mean - LOC) ** 2) / (2 * SCALE**2) - 0.5
    assert_allclose(found.after.coding_rate, kl.sum(axis=1), rtol=1e-3)
    assert not found.after.zero.any()


# --- many units, and starts that are hard to leave ---


def large(units=64, pixels=36, images=30):
    """An overcomplete dictionary, sparse causes, and an encoder that knows the direction only."""
    rng = np.random.default_rng(7)
    dictionary = rng.normal(size=(units, pixels)) * 3 / np.sqrt(pixels)
    x = np.float32(rng.poisson(0.1, (images, units)) @ dictionary + 0.7 * rng.normal(size=(images, pixels)))
    return dictionary, x


def large_program(family):
    dictionary = jnp.asarray(large()[0], jnp.float32)

    def model(x, nets=None):
        with numpyro.plate("image", len(x)):
            p = Poisson(jnp.full(64, 0.1)) if family == "poisson" else RectifiedNormal(jnp.zeros(64), 1.0)
            z = numpyro.sample("z", p.to_event(1))
            numpyro.sample("x", SquaredError(z @ dictionary).to_event(1), obs=x)

    def guide(x, nets=None):
        drive = 0.1 * x @ dictionary.T
        with numpyro.plate("image", len(x)):
            q = Poisson(log_rate=drive - 2.5) if family == "poisson" else RectifiedNormal(drive, 0.5)
            numpyro.sample("z", q.to_event(1))

    return model, guide


@pytest.mark.parametrize("family", ["poisson", pytest.param("rectified", marks=pytest.mark.slow)])
def test_ten_sweeps_close_nearly_all_of_the_gap(family):
    """Of each image 95% at least of what 2,000 sweeps close; no image above its start after any number."""
    x = large()[1]
    program = large_program(family)
    start, end = refined(program, x, iterations=2000)[:2]
    gap = start.free_energy - end.free_energy
    assert gap.min() > 0.1
    last = start.free_energy
    for iterations in (1, 10):
        after = refined(program, x, iterations=iterations).after.free_energy
        assert (after <= last + 1e-4).all()
        last = after
    assert ((start.free_energy - last) / gap).min() > 0.95


def test_refined_rates_are_where_the_free_energy_is_flat():
    """λ = r·exp(−∂D/∂λ), the stationary point of a Poisson rate: log-ratio below 5e-3 for every unit and image."""
    dictionary, x = large()
    rate = np.float64(refined(large_program("poisson"), x).after.mean)
    slope = np.sum(dictionary**2, axis=1) - 2 * (x - rate @ dictionary) @ dictionary.T
    assert_allclose(np.log(rate), np.log(0.1) - slope, atol=5e-3)


@pytest.mark.parametrize("log_rate", [-200.0, 4.0])
def test_a_bad_start_is_left_behind(log_rate, plain):
    """Rates that have underflowed to 0, and rates a hundred times too high, end at the one minimum: relative 1e-5."""
    program = program_of(Poisson(jnp.asarray(RATE)), lambda one, two: Poisson(log_rate=0 * one + log_rate))
    found, other = refined(program), plain
    assert_allclose(found.after.free_energy, other.after.free_energy, rtol=1e-5)
    assert_allclose(found.after.mean, other.after.mean, atol=2e-3)


@pytest.mark.parametrize("family", ["poisson", "rectified, pays latent", "rectified, pays code"])
def test_no_image_ends_above_where_it_started(family):
    """150 images, from faint to far out; without a price for the code too, where it has no best width."""
    x = np.tile(X, (30, 1)) * np.linspace(0, 3, 150, dtype=np.float32)[:, None]
    for beta in (1.0, 0.0):
        found = refined(FAMILIES[family][0], x, beta=beta)
        assert (found.after.free_energy <= found.before.free_energy).all()
        assert np.isfinite(found.after.free_energy).all()


def test_what_is_refined_already_stays(plain):
    """A guide that gives refined rates, where float32 decides: F not above, relative 1e-6."""
    best = jnp.log(plain.after.mean)

    def guide(x, nets=None):
        with numpyro.plate("image", len(x)):
            which = jnp.argmin(jnp.sum((x[:, None] - X) ** 2, axis=2), axis=1)
            numpyro.sample("z", Poisson(log_rate=best[which]).to_event(1))

    twice = refined((FAMILIES["poisson"][0][0], guide))
    assert (twice.after.free_energy <= twice.before.free_energy).all()
    assert_allclose(twice.after.free_energy, twice.before.free_energy, rtol=1e-6)


# --- what is reported ---


def test_terms_add_up_and_zeros_are_those_of_the_family():
    for family, zero in (
        ("poisson", lambda mean: np.exp(-mean)),
        ("negative binomial", lambda mean: (CONCENTRATION / (CONCENTRATION + mean)) ** CONCENTRATION),
    ):
        for code in refined(FAMILIES[family][0], beta=0.5)[:2]:
            assert_allclose(code.free_energy, code.distortion + 0.5 * code.coding_rate, rtol=1e-6)
            assert_allclose(code.zero, zero(np.float64(code.mean)), rtol=1e-4)
            assert code.mean.shape == code.zero.shape == code.z.shape == (IMAGES, UNITS)


@pytest.mark.parametrize("family", ["poisson", "rectified, pays code"])
def test_draws_have_the_probabilities_means_and_distortion_that_are_reported(family):
    """4,000 repeats of an image: zeros, means and sampled distortion within 4.5 standard errors, per unit."""
    for code in refined(FAMILIES[family][0], np.tile(X[:1], (4000, 1)), iterations=20)[:2]:
        for drawn, expected in (
            (code.z == 0, code.zero),
            (code.z, code.mean),
            (code.distortion_sampled[:, None], code.distortion[:, None]),
        ):
            error = np.std(drawn, axis=0, dtype=np.float64) / np.sqrt(len(drawn)) + 1e-3 / np.sqrt(len(drawn))
            assert (np.abs(drawn.mean(axis=0, dtype=np.float64) - expected[0]) < 4.5 * error).all()
    if family == "poisson":
        assert_array_equal(code.z, np.round(code.z))


def test_an_image_ends_where_it_ends_alone_whatever_the_others(plain):
    """Two batches and a part of one: F as by itself, relative 1e-6."""
    x = np.tile(X, (2 * BATCH // IMAGES + 3, 1))
    many = refined(FAMILIES["poisson"][0], x)
    assert len(many.after.mean) == len(x)
    assert_allclose(many.after.free_energy, np.tile(plain.after.free_energy, len(x) // IMAGES), rtol=1e-6)
    assert_array_equal(refined(FAMILIES["poisson"][0]).after.z, plain.after.z)


# --- several sites, parameters, globals ---


def test_several_sites_are_refined_together_and_a_global_latent_is_held():
    """A level of each image, counts, and an offset of all images, at its one draw: L-BFGS in double precision."""

    def model(x, nets):
        offset = numpyro.sample("offset", dist.Normal(0.0, 2.0).expand([PIXELS]).to_event(1))
        weights = numpyro.param("weights", jnp.asarray(DICTIONARY))
        with numpyro.plate("image", len(x)):
            level = numpyro.sample("level", dist.Normal(0.0, 1.0))
            z = numpyro.sample("z", dist.Poisson(jnp.asarray(RATE)).to_event(1))
            numpyro.sample("x", SquaredError(offset + level[:, None] + z @ weights).to_event(1), obs=x)

    def guide(x, nets):
        numpyro.sample("offset", dist.Normal(0.2, 0.3).expand([PIXELS]).to_event(1))
        with numpyro.plate("image", len(x)):
            numpyro.sample("z", Poisson(log_rate=x @ jnp.asarray(ENCODER[0])).to_event(1))
            numpyro.sample("level", dist.Normal(0.5 * x.mean(1), 0.8))

    params = {"weights": jnp.asarray(0.8 * DICTIONARY, jnp.float32)}
    found = refined((model, guide), params=params)
    offset = np.float64(held_globals(params, guide, None, X)["offset"])

    def cost(free, x):
        level, deviation = free[0], np.exp(free[1])
        mean, variance, kl = poisson(free[2:])
        error = np.sum((x - offset - level - mean @ (0.8 * DICTIONARY)) ** 2) + PIXELS * deviation**2
        spread = variance @ np.sum((0.8 * DICTIONARY) ** 2, axis=1)
        return error + spread + kl.sum() + (deviation**2 + level**2 - 1) / 2 - np.log(deviation)

    for image, x in enumerate(np.float64(X[:3])):
        best = minimised(cost, np.zeros(2 + UNITS), x)
        assert_allclose(found.after.free_energy[image], best.fun, rtol=1e-5)
        assert_allclose(found.after.mean[image], [best.x[0], *np.exp(best.x[2:])], atol=2e-3)
        assert_array_equal(found.after.zero[image, 0], 0)


# --- what it refuses ---


def bent(z):
    return SquaredError(jnp.maximum(z @ jnp.asarray(DICTIONARY), 0.0))


def binary(z):
    return dist.BernoulliLogits(z @ jnp.asarray(DICTIONARY))


class Other(dist.Normal):
    """A family of one's own that has all that the exact expectation asks for."""


PRIOR = Poisson(jnp.asarray(RATE))
LOG_RATES = counts(lambda u: Poisson(log_rate=u))
ZERO_INFLATED = dist.ZeroInflatedDistribution(dist.Poisson(jnp.asarray(RATE)), gate=jnp.full(UNITS, 0.3))


@pytest.mark.parametrize(
    ("program", "told"),
    [
        (program_of(PRIOR, LOG_RATES, bent), "the decoder is not affine, and refining needs the exact expectation"),
        (program_of(PRIOR, LOG_RATES, binary), "site 'x' is BernoulliLogits: the exact expectation needs a Gaussian"),
        (
            program_of(ZERO_INFLATED, LOG_RATES),
            "site 'z': its prior is ZeroInflatedProbs, and refining moves the parameters of NegativeBinomial, Normal, "
            "Poisson, RectifiedNormal only",
        ),
        (
            program_of(dist.Normal(jnp.asarray(LOC), 1.0), lambda one, two: Other(one, jnp.exp(two))),
            "site 'z': its posterior is Other, and refining moves",
        ),
    ],
)
def test_what_cannot_be_refined_is_named(program, told):
    with pytest.raises(ValueError, match=r"^(the decoder|site)") as error:
        refined(program)
    assert told in str(error.value)


def test_a_scale_is_refused():
    model, guide = FAMILIES["poisson"][0]
    with pytest.raises(ValueError, match=r"site '[xz]' is under a scale: refine the program without"):
        refined((scale(model, 2.0), scale(guide, 2.0)))

"""Closed-form KL divergences by quadrature, by sums over values, and by enumeration of events, in double precision."""

from itertools import pairwise, product

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
import scipy.integrate
import scipy.stats
from numpy.testing import assert_allclose
from numpyro.distributions import kl_divergence

from ppl_pvae.distributions import categorical_kl, has_closed_form, unit_kl

pytestmark = pytest.mark.usefixtures("float64")

PAIRS = [((0.3, 0.7), (-0.2, 1.1)), ((2.0, 0.2), (2.0, 0.9)), ((-1.0, 1.3), (0.5, 0.4))]  # (loc, scale) of q and p


def by_quadrature(q, p, points):
    """∫ q (log q − log p) between the far quantiles of q."""
    ends = q.ppf([1e-14, 1 - 1e-14])
    inside = sorted(x for x in points if ends[0] < x < ends[1])
    edges = [ends[0], *inside, ends[1]]
    return sum(
        scipy.integrate.quad(lambda z: q.pdf(z) * (q.logpdf(z) - p.logpdf(z)), a, b, epsabs=1e-12, limit=200)[0]
        for a, b in pairwise(edges)
    )


@pytest.mark.parametrize(("q", "p"), PAIRS)
def test_laplace_by_quadrature(q, p):
    """To 1e-8; the tails beyond the quantiles hold about 1e-12."""
    expected = by_quadrature(scipy.stats.laplace(*q), scipy.stats.laplace(*p), (q[0], p[0]))
    assert_allclose(kl_divergence(dist.Laplace(*q), dist.Laplace(*p)), expected, rtol=1e-8)


@pytest.mark.parametrize(("q", "p"), PAIRS)
def test_log_normal_by_quadrature(q, p):
    """To 1e-8, on the scale of the variable itself."""
    frozen = [scipy.stats.lognorm(scale, scale=np.exp(loc)) for loc, scale in (q, p)]
    expected = by_quadrature(*frozen, frozen[0].ppf([1e-6, 0.01, 0.5, 0.99, 1 - 1e-6]))
    assert_allclose(kl_divergence(dist.LogNormal(*q), dist.LogNormal(*p)), expected, rtol=1e-8)


def test_units_of_new_families_are_kept_apart():
    q, p = (dist.Laplace(jnp.array(loc), 1.0).to_event(1) for loc in ([[0.0, 1.0], [2.0, 3.0]], [0.0, 0.0]))
    assert has_closed_form(q, p)
    far = np.array([[0.0, 1.0], [2.0, 3.0]])
    assert_allclose(unit_kl(q, p), np.exp(-far) + far - 1, atol=1e-12)


LOGITS_Q, LOGITS_P = np.array([[0.3, -1.0, 2.0], [0.0, 0.0, 0.0]]), np.array([0.5, 0.5, -0.5])


def softmax(logits):
    return np.exp(logits - scipy.special.logsumexp(logits, axis=-1, keepdims=True))


FORMS = {
    "logits": (dist.CategoricalLogits, dist.MultinomialLogits, lambda logits: jnp.asarray(logits)),
    "probs": (dist.CategoricalProbs, dist.MultinomialProbs, lambda logits: jnp.asarray(softmax(logits))),
}


@pytest.mark.parametrize(("one", "other"), list(product(FORMS, repeat=2)))
def test_one_of_several_values_however_it_is_given(one, other):
    """Σ_k q_k (log q_k − log p_k) to 1e-12, of one value and of three events."""
    q, p = softmax(LOGITS_Q), softmax(LOGITS_P)
    expected = np.sum(q * np.log(q / p), axis=1)
    (categorical, multinomial, given), (prior, prior_events, prior_given) = FORMS[one], FORMS[other]
    assert has_closed_form(categorical(given(LOGITS_Q)), prior(prior_given(LOGITS_P)))
    assert_allclose(kl_divergence(categorical(given(LOGITS_Q)), prior(prior_given(LOGITS_P))), expected, rtol=1e-12)
    pair = multinomial(given(LOGITS_Q), total_count=3), prior_events(prior_given(LOGITS_P), total_count=3)
    assert_allclose(jax.jit(unit_kl)(*pair), 3 * expected, rtol=1e-12)


def test_several_events_by_enumeration():
    """All ways to share out three events among three units."""
    q, p = (scipy.stats.multinomial(3, softmax(logits)) for logits in (LOGITS_Q[0], LOGITS_P))
    ways = [way for way in product(range(4), repeat=3) if sum(way) == 3]
    expected = sum(q.pmf(way) * (q.logpmf(way) - p.logpmf(way)) for way in ways)
    pair = (dist.MultinomialLogits(jnp.asarray(logits), total_count=3) for logits in (LOGITS_Q[0], LOGITS_P))
    assert_allclose(kl_divergence(*pair), expected, rtol=1e-10)


def test_other_numbers_of_events_have_no_closed_form():
    """Known, an error; known only in a compiled step, NaN."""
    logits = jnp.asarray(LOGITS_P)
    with pytest.raises(
        ValueError, match=r"no closed form for two values of total_count; give model and guide the same"
    ):
        kl_divergence(dist.MultinomialLogits(logits, 2), dist.MultinomialProbs(jnp.ones(3) / 3, 3))

    def nats(events):
        return kl_divergence(dist.MultinomialLogits(logits, events), dist.MultinomialLogits(logits, 3))

    assert np.isnan(jax.jit(nats)(jnp.array(2)))
    assert_allclose(jax.jit(nats)(jnp.array(3)), 0.0, atol=1e-12)


def test_a_prior_with_other_values():
    """More of them cost nothing, fewer all the nats there are; slopes are finite where a value is impossible."""
    log_q, log_p = (np.log(softmax(logits)) for logits in (LOGITS_Q[1], np.array([0.1, 0.2, 0.3, 0.4])))
    expected = np.sum(np.exp(log_q) * (log_q - log_p[:3]))
    assert_allclose(categorical_kl(jnp.asarray(log_q), jnp.asarray(log_p)), expected, rtol=1e-12)
    assert categorical_kl(jnp.asarray(log_p), jnp.asarray(log_q)) == np.inf
    silent = jnp.array([0.0, -jnp.inf])
    value, slope = jax.value_and_grad(categorical_kl)(silent, jnp.log(jnp.array([0.5, 0.5])))
    assert_allclose(value, np.log(2.0), rtol=1e-12)
    assert np.isfinite(slope).all()

"""The density and both tails of the standard normal against SciPy's, with their derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from numpy.testing import assert_allclose

from ppl_pvae.distributions.normal_tails import log_tail, normal_tails

A = np.r_[np.linspace(-12, 12, 241), -30.0, 30.0]
NORMAL = scipy.stats.norm
tails = jax.jit(normal_tails)


@pytest.mark.parametrize(("x64", "rtol"), [(False, 3e-5), (True, 1e-12)])
def test_tails_are_those_of_scipy(x64, rtol):
    """Each to a relative error, the smaller tail too; float32 has less of an exponential's argument to go by."""
    with jax.enable_x64(x64):
        a = jnp.asarray(A)
        found = [np.asarray(each, np.float64) for each in tails(a)]
        exact = np.asarray(a, np.float64)
    for each, expected in zip(found, (NORMAL.pdf(exact), NORMAL.cdf(exact), NORMAL.sf(exact)), strict=True):
        assert_allclose(each, expected, rtol=rtol, atol=0 if x64 else 1e-37)
    assert_allclose(found[1] + found[2], 1.0, rtol=2e-7)


@pytest.mark.usefixtures("float64")
def test_derivatives_are_in_closed_form_and_can_be_taken_again():
    a = jnp.asarray(A)
    for at, (first, second) in enumerate([
        (lambda v: -v * NORMAL.pdf(v), lambda v: (v**2 - 1) * NORMAL.pdf(v)),
        (NORMAL.pdf, lambda v: -v * NORMAL.pdf(v)),
        (lambda v: -NORMAL.pdf(v), lambda v: v * NORMAL.pdf(v)),
    ]):  # fmt: skip
        slope = jax.grad(lambda v, at=at: normal_tails(v)[at])
        assert_allclose(jax.vmap(slope)(a), first(A), rtol=1e-12, atol=1e-300)
        assert_allclose(jax.vmap(jax.grad(slope))(a), second(A), rtol=1e-11, atol=1e-300)


def test_the_logarithm_of_a_tail_that_is_gone_is_finite_with_its_slope():
    gone = jnp.float32([0.0, 1e-30, 0.5, 1.0])
    assert np.isfinite(log_tail(gone)).all()
    assert np.isfinite(jax.vmap(jax.grad(log_tail))(gone)).all()
    assert_allclose(log_tail(gone)[1:], np.log([1e-30, 0.5, 1.0]), rtol=1e-6, atol=1e-7)

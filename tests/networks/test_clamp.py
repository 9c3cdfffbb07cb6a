"""The soft clamp against its formula."""

import jax
import jax.numpy as jnp
import numpy as np
from numpy.testing import assert_allclose

from ppl_pvae.networks import soft_clamp


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

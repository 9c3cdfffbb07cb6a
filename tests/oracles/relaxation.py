"""What relaxed and straight-through counts have for mean gradient: sums over lists, for any decoder, nothing drawn.

A soft count Σ_j g((1 − S_j)/τ) over the arrivals S_j of a process of rate λ is compound Poisson: with
ψ(ω) = ∫ (exp(iω g((1 − S)/τ)) − 1) dS its characteristic function is exp(λψ), or (1 − λψ/φ)^−φ for a negative binomial
one, whose rate is gamma-distributed. Its law on a lattice is the Fourier transform of that.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from tests.oracles.enumeration import CODES, TOP, encode, log_likelihood, log_posterior, log_prior

FINE = 8  # lattice points per count; a soft arrival between two of them is shared out, which keeps its mean
LONGEST = 20  # counts up to which a law is kept


def listed(params, x, beta, log_lik=log_likelihood):
    """The free energy: mean over images of Σ_n q(n|x)[−log p(x|n) + β(log q(n|x) − log p(n))]."""
    log_q = log_posterior(params, x)
    cost = -log_lik(params, x, jnp.asarray(CODES, x.dtype)) + beta * (log_q - log_prior(params))
    return jnp.mean(jnp.sum(jnp.exp(log_q) * cost, axis=1))


def relaxed(params, x, beta, temperature, indicator):
    """The same with the counts of the distortion softened, the KL as it is."""
    psi = jnp.fft.rfft(jnp.asarray(_arrivals(temperature, indicator))) - _arrivals(temperature, indicator).sum()
    rate = jnp.exp(encode(params, x))[..., None]
    if "log_concentration" in params:
        phi = jnp.exp(params["log_concentration"])[:, None]
        transform = jnp.exp(-phi * jnp.log(1 - rate * psi / phi))
    else:
        transform = jnp.exp(rate * psi)
    law = jnp.fft.irfft(transform, LONGEST * FINE)  # (image, unit, point)
    point = np.arange(LONGEST * FINE) / FINE
    z = jnp.asarray(np.stack(np.meshgrid(point, point, indexing="ij"), -1))
    soft = jnp.einsum("iab,ia,ib->i", -log_likelihood(params, x, z), law[:, 0], law[:, 1])
    return jnp.mean(soft) + listed(params, x, beta, lambda *args: jnp.zeros(()))


def _arrivals(temperature, indicator):
    """Measure on the lattice of what an arrival counts, over all times at which it counts at all."""
    node, weight = np.polynomial.legendre.leggauss(400)
    if indicator == "cubic":
        v = (node + 1) / 2
        value, mass = 3 * v**2 - 2 * v**3, temperature * weight
        value, mass = np.append(value, 1.0), np.append(mass, 1 - temperature)
    else:
        half = (1 + 30 * temperature) / 2
        value, mass = 1 / (1 + np.exp(-(1 - half * (node + 1)) / temperature)), half * weight
    below = np.floor(FINE * value).astype(int)
    share = FINE * value - below
    measure = np.zeros(LONGEST * FINE)
    np.add.at(measure, below, mass * (1 - share))
    np.add.at(measure, below + 1, mass * share)
    return measure


def straight_through(params, x, beta, ahead):
    """A function whose gradient is the mean gradient of whole counts with a derivative of their own.

    The mean cost of a count n ~ q changes by Σ_n (D(n + 1) − D(n)) dP(count > n). In place of that difference stands
    (1 − a)D′(n) + aD′(n + 1), a = `ahead`: 0 for the derivative of the rate; ½ − 3τ/16 for that of the cubic window,
    in which ∫ g′(u)(1 − τu) du over u > 0 of an arrival counts already.
    """
    held = lax.stop_gradient(params)
    codes = jnp.asarray(CODES, x.dtype)
    law = jnp.exp(log_posterior(params, x)).reshape(len(x), TOP, TOP)
    each = [law.sum(axis=2), law.sum(axis=1)]  # of unit 0 and 1, (image, count)

    def slope(z):
        """∂D/∂z of each image at each code, (image, code, unit)."""
        one = jax.grad(lambda z, x: -log_likelihood(held, x[None], z)[0])
        return jax.vmap(lambda x: jax.vmap(lambda z: one(z, x))(z))(x)

    total = -jnp.sum(lax.stop_gradient(law.reshape(len(x), -1)) * log_likelihood(params, x, codes), axis=1)
    for unit, other in ((0, 1), (1, 0)):
        survival = 1 - jnp.cumsum(each[unit], axis=1)
        step = (1 - ahead) * slope(codes)[..., unit] + ahead * slope(codes.at[:, unit].add(1))[..., unit]
        step = jnp.moveaxis(step.reshape(len(x), TOP, TOP), 1 + unit, 1)
        total = total + jnp.einsum("inm,im,in->i", step, lax.stop_gradient(each[other]), survival)
    return jnp.mean(total) + listed(params, x, beta, lambda *args: jnp.zeros(()))


def nearly_hard_gumbel(params, x, beta):
    """A function whose gradient is that of whole Gumbel counts of Poisson rates, in the limit of no temperature.

    Two counts m and k tie for the largest with density q(m)q(k), and a softmax between them has the mean slope
    (m − k)²/2 on either side. So D′(m) (k − m)²/2 stands for each where the gradient itself, Cov(D(n), n) in log λ,
    has half of (D(k) − D(m))(k − m): they are one for a quadratic D.
    """
    held = lax.stop_gradient(params)
    law = jnp.exp(log_posterior(held, x))  # (image, code)
    one = jax.grad(lambda z, x: -log_likelihood(held, x[None], z)[0])
    slopes = jax.vmap(lambda x: jax.vmap(lambda z: one(z, x))(jnp.asarray(CODES, x.dtype)))(x)
    rate = jnp.exp(encode(held, x))[:, None]
    width = ((CODES - rate) ** 2 + rate) / 2  # Σ_k q(k) (m − k)²/2, by unit
    pulled = jnp.sum(law[..., None] * width * slopes, axis=1)
    total = jnp.sum(pulled * encode(params, x), axis=1)
    total = total - jnp.sum(law * log_likelihood(params, x, jnp.asarray(CODES, x.dtype)), axis=1)
    return jnp.mean(total) + listed(params, x, beta, lambda *args: jnp.zeros(()))

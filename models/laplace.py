"""A code that is sparse by its prior and never silent: Laplace variables in place of counts.

TODO
"""

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist

from ppl_pvae.networks import soft_clamp


@dist.kl_divergence.register(dist.Laplace, dist.Laplace)
def laplace_kl(q, p):
    # KL = log(s/b) + (b e^(−|μ−m|/b) + |μ−m|)/s − 1, q of μ and b, p of m and s
    far = jnp.abs(q.loc - p.loc)
    return jnp.log(p.scale / q.scale) + (q.scale * jnp.exp(-far / q.scale) + far) / p.scale - 1


def model(x, nets):
    with numpyro.plate("image", len(x)):
        z = numpyro.sample("z", dist.Laplace(jnp.zeros(nets.units), 1.0).to_event(1))
        numpyro.sample("x", nets.observe(nets.decode(z)), obs=x)


def guide(x, nets):
    with numpyro.plate("image", len(x)):
        loc, log_scale = nets.encode(x, heads=2)
        numpyro.sample("z", dist.Laplace(loc, jnp.exp(soft_clamp(log_scale, 5.0))).to_event(1))

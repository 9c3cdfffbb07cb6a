"""One variable with as many values as there are units: what is a code worth in which one unit fires, once?

Of log 64 = 4.2 nats an image uses 3.5, which buy R² = .30 on planted images; 64 Poisson units buy .70 for 64 nats.
`python -m ppl_pvae.fit --program models/categorical.py --data synthetic --units 64 --steps 2000`
"""

import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist


@dist.kl_divergence.register(dist.MultinomialLogits, dist.MultinomialLogits)
def of_one_event(q, p):
    # KL = Σ_k q_k (log q_k − log p_k)
    log_q, log_p = jax.nn.log_softmax(q.logits), jax.nn.log_softmax(p.logits)
    return jnp.sum(jnp.exp(log_q) * (log_q - log_p), axis=-1)


def model(x, nets):
    logits = numpyro.param("prior_logits", jnp.zeros(nets.units))
    with numpyro.plate("image", len(x)):
        z = numpyro.sample("z", dist.MultinomialLogits(logits, total_count=1))
        numpyro.sample("x", nets.observe(nets.decode(z)), obs=x)


def guide(x, nets):
    with numpyro.plate("image", len(x)):
        numpyro.sample("z", dist.MultinomialLogits(nets.encode(x), total_count=1))

"""A prior made of posteriors (VampPrior): does a Gaussian code get cheaper where the prior mixes those of 50 images?

TODO
"""

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from jax import random

from ppl_pvae.models.gaussian import guide as guide
from ppl_pvae.models.gaussian import posterior_normal

IMAGES = 50


def model(x, nets):
    pseudo = numpyro.param("pseudo_images", lambda key: random.normal(key, (IMAGES, nets.pixels)))
    logits = numpyro.param("mixture_logits", jnp.zeros(IMAGES))
    each = dist.Normal(*posterior_normal(pseudo, nets)).to_event(1)
    with numpyro.plate("image", len(x)):
        z = numpyro.sample("z", dist.MixtureSameFamily(dist.Categorical(logits=logits), each))
        numpyro.sample("x", nets.observe(nets.decode(z)), obs=x)

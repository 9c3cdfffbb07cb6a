"""The control: a Gaussian VAE whose decoder sees the rectified sample, G_relu-VAE."""

from typing import Literal

import numpyro

from ppl_pvae.distributions import RectifiedNormal
from ppl_pvae.models.gaussian import learned_normal, posterior_normal
from ppl_pvae.networks import Nets

__all__ = ["guide", "model"]

Pays = Literal["latent", "code"]


def model(x, nets: Nets, prior=learned_normal, pays: Pays = "latent"):
    """h = max(z, 0), z ~ N(m, s²), x ~ observe(decode(h)); x is (image, pixel)."""
    loc, scale = prior(nets)
    with numpyro.plate("image", len(x)):
        z = numpyro.sample("z", RectifiedNormal(loc, scale, pays=pays).to_event(1))
        numpyro.sample("x", nets.observe(nets.decode(z)), obs=x)


def guide(x, nets: Nets, pays: Pays = "latent"):
    """h = max(z, 0), z ~ N(μ(x), σ(x)²); `pays` says whether the KL is of h ("code") or of z ("latent")."""
    with numpyro.plate("image", len(x)):
        loc, scale = posterior_normal(x, nets)
        numpyro.sample("z", RectifiedNormal(loc, scale, pays=pays).to_event(1))

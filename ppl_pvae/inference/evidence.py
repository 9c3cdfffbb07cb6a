"""The importance-weighted bound on log p(x) of each image, from exact draws of its code.

    log p(x) ≥ E log (1/S) Σ_s w_s,  w_s = p(x, z_s)/q(z_s|x),  z_s ~ q(z|x)

At one draw it is the negative of the negative ELBO; it grows with S on average, and goes to log p(x). β, the price of
activity, temperature and estimator are parts of how a program is fitted and have no place in a probability: p and q are
those of the program as it stands, constants of the likelihood included.

What is p and what is q: probabilities of counts; densities of continuous codes; and of a rectified code, which is 0
with a probability of its own, that probability at 0 and a density above it. The weight of a rectified code is therefore
that of h = max(z, 0), which the decoder sees, whichever of h and z the KL is paid for: x hangs on nothing else.

Global latents are held at one posterior draw g, the same for all images, as in everything that is read off a program:
the bound is one on log p(x|g), and no weight of g enters. Over draws of g, its mean is then a bound on the predictive
log E_q(g) p(x|g), image by image; the weights p(g)/q(g) would belong to all images together, and to no single one.
"""

from functools import lru_cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax import random
from jax.core import Tracer
from jaxtyping import Float

from ppl_pvae.distributions import RectifiedNormal, base_of
from ppl_pvae.inference.divergence import check_same_event
from ppl_pvae.inference.estimators import Hard, is_local
from ppl_pvae.inference.evaluation import held_globals
from ppl_pvae.inference.free_energy import check_plate, per_image, run_program

__all__ = ["Evidence", "check_unscaled", "importance_weighted"]

# Draws that are made at once, of whatever images: one compilation for all numbers of both. Mapping over the draws of an
# image would spare encoding it again, but makes the samplers take all their branches, and is no faster.
ROWS = 1000


class Evidence(NamedTuple):
    """What importance sampling says about log p(x), nats.

    `log_weights` are log p(x, z_s) − log q(z_s|x), in the precision of the program; `bound` is the logarithm of an
    image's mean weight.
    """

    bound: Float[np.ndarray, " image"]
    log_weights: Float[np.ndarray, "image draw"]


def importance_weighted(key: jax.Array, params, model, guide, nets, x, *, draws: int, plate: str = "image") -> Evidence:
    """Weigh exact draws of the code of each image (image, pixel).

    The draws are made a thousand at a time, of one image or of many, and nothing of them is kept but a number each:
    100 draws for 20,000 images are 8 MB.

    Raises
    ------
    ValueError
        A local site without a log-probability, or whose posterior and prior do not have probabilities of one kind; a
        site under a scale; a program that breaks the contract of latents and plates.

    Notes
    -----
    Source: Burda, Grosse & Salakhutdinov 2016 (arXiv:1509.00519), equation 8.
    """
    weigh, params = _compile(model, guide, nets, plate), held_globals(params, guide, nets, x, plate=plate)
    x, total = np.asarray(x), len(x) * draws
    blocks = []
    for block, start in enumerate(range(0, total, ROWS)):
        # Beyond the end the last image is repeated.
        row = np.minimum(np.arange(start, start + ROWS), total - 1)
        weights = weigh(random.fold_in(key, block), params, x[row // draws])
        blocks.append(np.asarray(weights)[: total - start])
    log_weights = np.concatenate(blocks).reshape(len(x), draws)
    # Without an array of the weights in double precision.
    return Evidence(np.logaddexp.reduce(log_weights, axis=1, dtype=np.float64) - np.log(draws), log_weights)


@lru_cache(maxsize=32)
def _compile(model, guide, nets, plate: str):
    @jax.jit
    def weigh(key, params, x):
        args = (x, nets)
        traces = run_program(key, params, model, guide, args, {}, estimator=Hard(), temperature=1.0, plate=plate)
        check_plate(traces, plate)
        # log w = log p(x|z) + Σ log p(z) − log q(z|x), over the local sites z
        log_weight = jnp.zeros(len(x))
        for name, site in traces.model.items():
            if site["type"] != "sample":
                continue
            if is_local(site, plate):
                check_unscaled(name, site)
                if not site["is_observed"]:
                    log_weight = log_weight - _log_posterior(name, traces.guide[name], site["fn"])
                log_weight = log_weight + per_image(_log_prob(name, site["fn"], site["value"]))
            elif site["is_observed"]:
                raise ValueError(f"site {name!r} is observed outside the plate {plate!r}: observe it inside.")
        return log_weight

    return weigh


def _log_posterior(name, guide_site, p):
    q = guide_site["fn"]
    check_unscaled(name, guide_site)
    check_same_event(name, q, p)
    kinds = [_kind_of_probability(name, each) for each in (q, p)]
    if kinds[0] != kinds[1]:
        raise ValueError(
            f"site {name!r}: {_family(q)} in the guide has {kinds[0]}, {_family(p)} in the model {kinds[1]}, and their "
            "ratio is no weight; choose a prior and a posterior of one kind."
        )
    return per_image(_log_prob(name, q, guide_site["value"]))


def _kind_of_probability(name, fn):
    base = base_of(fn)
    if isinstance(base, dist.Delta | dist.MaskedDistribution):
        raise ValueError(f"site {name!r}: {_family(fn)} has no probability to weigh a draw by; choose another family.")
    if isinstance(base, RectifiedNormal):
        return "a probability at 0 and a density above"
    return "probabilities" if base.support.is_discrete else "a density"


def _log_prob(name, fn, value):
    try:
        return fn.log_prob(value)
    except NotImplementedError:
        raise ValueError(
            f"site {name!r}: {_family(fn)} has no log_prob, without which a draw has no weight; give it one, or choose "
            "another family."
        ) from None


def check_unscaled(name, site):
    """Refuse a site whose probability is raised to a power.

    Raises
    ------
    ValueError
        If it is under a scale other than 1.
    """
    scale = site["scale"]
    if scale is not None and (isinstance(scale, Tracer) or np.any(np.asarray(scale) != 1)):
        raise ValueError(
            f"site {name!r} is under a scale, and a power of a probability is none: take the program "
            "without numpyro.handlers.scale and without subsampled plates."
        )


def _family(fn):
    return type(base_of(fn)).__name__

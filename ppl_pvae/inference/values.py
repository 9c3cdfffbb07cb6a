"""Mean and deviation of the normals behind a code of values, which its mean alone does not tell."""

from functools import lru_cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax import random
from numpyro.distributions.kl import kl_divergence

from ppl_pvae.distributions import RectifiedNormal, base_of
from ppl_pvae.inference.estimators import Exact, is_local
from ppl_pvae.inference.evaluation import BATCH, held_globals
from ppl_pvae.inference.free_energy import run_program

__all__ = ["Normals", "normals_of"]


class Normals(NamedTuple):
    """The normal of every unit for every image, (image, unit), and whether the decoder sees max(z, 0) of it.

    `kl` is what the program pays, `kl_sent` the KL of what the decoder sees: less where a rectified code pays for the
    normal behind it.
    """

    loc: np.ndarray
    scale: np.ndarray
    kl: np.ndarray
    kl_sent: np.ndarray
    rectified: bool


def normals_of(params, model, guide, nets, x, *, plate: str = "image") -> Normals | None:
    """Posterior of a Gaussian or rectified Gaussian code with one local site; None for any other code."""
    params = held_globals(params, guide, nets, x, plate=plate)
    families: list[type] = []

    def look(params, x):
        pairs = _pairs(params, model, guide, nets, x, plate)
        families.extend(type(base_of(q)) for q, _ in pairs)
        families.extend(type(base_of(p)) for _, p in pairs)

    jax.eval_shape(look, params, np.asarray(x[:2], np.float32))
    if len(families) != 2 or families[0] not in (dist.Normal, RectifiedNormal) or families[1] is not families[0]:
        return None
    read = _compile(model, guide, nets, plate)
    batches = [np.asarray(x[start : start + BATCH], np.float32) for start in range(0, len(x), BATCH)]
    parts = zip(*(read(params, batch) for batch in batches), strict=True)
    return Normals(*(np.concatenate(part) for part in parts), rectified=families[0] is RectifiedNormal)


def _pairs(params, model, guide, nets, x, plate):
    """(posterior, prior) of every local site."""
    traces = run_program(
        random.key(0), params, model, guide, (x, nets), {}, estimator=Exact(), temperature=1.0, plate=plate
    )
    sites = [(n, s) for n, s in traces.guide.items() if s["type"] == "sample" and not s["is_observed"]]
    return [(s["fn"], traces.model[n]["fn"]) for n, s in sites if is_local(s, plate)]


@lru_cache(maxsize=32)
def _compile(model, guide, nets, plate: str):
    @jax.jit
    def read(params, x):
        ((q, p),) = _pairs(params, model, guide, nets, x, plate)
        shape = q.batch_shape + q.event_shape
        q, p = base_of(q), base_of(p)
        paid = sent = kl_divergence(q, p)
        if isinstance(q, RectifiedNormal):
            sent = kl_divergence(*(RectifiedNormal(each.loc, each.scale, pays="code") for each in (q, p)))
        return tuple(jnp.broadcast_to(each, shape) for each in (q.loc, q.scale, paid, sent))

    return read

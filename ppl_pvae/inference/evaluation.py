"""What a trained program says about images: codes, costs and reconstructions as NumPy arrays.

Global latents are held at one posterior draw, the same for all images and for everything that is read.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import random
from numpyro.handlers import seed, substitute, trace

from ppl_pvae.distributions import base_of, mean_of
from ppl_pvae.inference.divergence import asked_of
from ppl_pvae.inference.estimators import Exact, Hard, LocalValues, is_local, is_relaxed
from ppl_pvae.inference.free_energy import FreeEnergy, run_program
from ppl_pvae.inference.spread import codes_like, jacobian, one_image
from ppl_pvae.inference.supports import is_count, is_nonnegative

__all__ = ["Code", "Readout", "code_of", "draw_codes", "encode", "held_globals", "linear_dictionary", "read_out"]

BATCH = 1000


class Readout(NamedTuple):
    """A program's answer to some images, units of all local sites side by side.

    `distortion` is expected under the posterior, in closed form where that holds and at the draw `z` elsewhere;
    `distortion_sampled`, `squared_error` and `reconstruction` are at the draw. `constant` is what the likelihood drops.
    """

    mean: np.ndarray  # (image, unit)
    z: np.ndarray  # (image, unit)
    kl: np.ndarray  # (image, unit), nats
    distortion: np.ndarray  # (image,), nats
    distortion_sampled: np.ndarray  # (image,), nats
    squared_error: np.ndarray  # (image,)
    reconstruction: np.ndarray  # (image, pixel)
    prior_mean: np.ndarray | None  # (unit,), where the prior is the same for all images
    global_kl: float  # nats, of the whole data set
    constant: float


class Code(NamedTuple):
    """What kind of code a program has: its local sites, their sizes, and what can be said of all units."""

    sites: tuple[str, ...]
    units: tuple[int, ...]
    is_count: bool
    is_nonnegative: bool
    relaxed: tuple[str, ...] = ()  # sites of counts that estimators give a gradient
    stuck: tuple[str, ...] = ()  # sites through whose samples no gradient passes
    whole: tuple[str, ...] = ()  # sites that ask for their KL at whole counts


def _units(values):
    return values.reshape(values.shape[0], -1)


def _by_unit(kl, z):
    """The KL of a site (image, unit); where it is known of all units together only, as many equal parts of it."""
    units = _units(z).shape[1]
    return _units(kl) if kl.size == z.size else jnp.tile(kl.reshape(-1, 1) / units, (1, units))


def _local(traces, plate):
    sites = traces.guide.items()
    return sorted(n for n, s in sites if s["type"] == "sample" and not s["is_observed"] and is_local(s, plate))


def _side_by_side(sites, traces, read):
    return jnp.concatenate(
        [_units(jnp.broadcast_to(read(n), jnp.shape(traces.guide[n]["value"]))) for n in sites], axis=1
    )


def _mean_if_any(fn):
    try:
        return mean_of(fn)
    except NotImplementedError:
        return jnp.full(fn.batch_shape + fn.event_shape, jnp.nan)


def held_globals(params, guide, nets, x, *, plate: str = "image") -> dict[str, Any]:
    """The parameters, and one posterior draw of each global latent beside them."""
    x = jnp.asarray(x[:2], jnp.float32)

    def draw(params, x):
        # Local sites are drawn, which every family can be; the keys of globals are the same whatever locals are given.
        drawn = LocalValues(seed(substitute(guide, params), random.key(0)), Hard(), 1.0, plate)
        sites = trace(drawn).get_trace(x, nets).items()
        return {n: s["value"] for n, s in sites if s["type"] == "sample" and not is_local(s, plate)}

    # Most programs have none, which an abstract run tells in no time.
    return dict(params) | (draw(params, x) if jax.eval_shape(draw, params, x) else {})


@lru_cache(maxsize=32)
def _compile(model, guide, nets, exact: bool, plate: str):
    @jax.jit
    def read(key, params, x):
        key_exact, key_hard = random.split(key)
        args = (x, nets)

        def run(key, estimator):
            return run_program(key, params, model, guide, args, {}, estimator=estimator, temperature=1.0, plate=plate)

        hard = run(key_hard, Hard())
        sampled = FreeEnergy(estimator=Hard(), plate=plate).parts_of(hard, params, model, *args)
        expected = sampled
        if exact:
            traces = run(key_exact, Exact())
            expected = FreeEnergy(estimator=Exact(), plate=plate).parts_of(traces, params, model, *args)
        sites = _local(hard, plate)
        seen = [s for s in hard.model.values() if s["type"] == "sample" and s["is_observed"]]
        error = sum(jnp.sum(jnp.square(_units(s["value"] - mean_of(s["fn"]))), axis=1) for s in seen)
        return {
            "mean": _side_by_side(sites, hard, lambda n: mean_of(hard.guide[n]["fn"])),
            "z": _side_by_side(sites, hard, lambda n: hard.guide[n]["value"]),
            "kl": jnp.concatenate([_by_unit(expected.local_kl[n], hard.guide[n]["value"]) for n in sites], axis=1),
            "distortion": expected.distortion,
            "distortion_sampled": sampled.distortion,
            "squared_error": error,
            "reconstruction": _units(jnp.broadcast_to(mean_of(seen[0]["fn"]), seen[0]["value"].shape)),
            "prior_mean": _side_by_side(sites, hard, lambda n: _mean_if_any(hard.model[n]["fn"]))[:2],
            "global_kl": sum(sampled.global_kl.values(), jnp.zeros(())),
            "constant": jnp.asarray(sampled.constant),
        }

    return read


def read_out(key: jax.Array, params, model, guide, nets, x, *, exact: bool, plate: str = "image") -> Readout:
    """Run the program on images (image, pixel), a batch at a time.

    `exact` says that the expected distortion has a closed form for the program (see `why_not_exact`).
    """
    read, params = _compile(model, guide, nets, exact, plate), held_globals(params, guide, nets, x, plate=plate)
    size = BATCH  # whatever the number of images: one compilation for all
    rows: dict[str, list] = {}
    for start in range(0, len(x), size):
        batch = np.asarray(x[start : start + size])
        padded = np.concatenate([batch, np.zeros((size - len(batch), *batch.shape[1:]), batch.dtype)])
        for name, values in read(random.fold_in(key, start), params, padded).items():
            values = np.asarray(values)
            per_image = len(values) == size if values.ndim else False
            rows.setdefault(name, []).append(values[: len(batch)] if per_image else values)
    scalars: dict[str, Any] = {name: float(rows.pop(name)[0]) for name in ("global_kl", "constant")}
    prior = rows.pop("prior_mean")[0]
    shared = prior[0] if np.array_equal(prior[0], prior[-1]) else None
    arrays: dict[str, Any] = {name: np.concatenate(parts) for name, parts in rows.items()}
    return Readout(**arrays, prior_mean=shared, **scalars)


@lru_cache(maxsize=32)
def _compile_mean(guide, nets, plate: str):
    @jax.jit
    def encode(params, x):
        # No draw is asked for, so that none is compiled; a guide with several sites is followed along its means.
        means = LocalValues(seed(substitute(guide, params), random.key(0)), Exact(), 1.0, plate)
        sites = trace(means).get_trace(x, nets)
        names = sorted(n for n, s in sites.items() if s["type"] == "sample" and is_local(s, plate))
        return jnp.concatenate([_units(sites[n]["value"]) for n in names], axis=1)

    return encode


def encode(params, guide, nets, x, *, plate: str = "image") -> np.ndarray:
    """E_q z of each image, (image, unit): the firing rates of a Poisson code."""
    batches = [np.asarray(x[start : start + BATCH], np.float32) for start in range(0, len(x), BATCH)]
    compiled, params = _compile_mean(guide, nets, plate), held_globals(params, guide, nets, x, plate=plate)
    return np.concatenate([np.asarray(compiled(params, batch)) for batch in batches])


def draw_codes(key: jax.Array, params, model, guide, nets, x, *, draws: int, exact: bool) -> np.ndarray:
    """Independent draws of the code of each image, (draw, image, unit)."""
    repeated = np.tile(np.asarray(x), (draws, 1))  # runs the code that reading out has compiled already
    return read_out(key, params, model, guide, nets, repeated, exact=exact).z.reshape(draws, len(x), -1)


def code_of(params, model, guide, nets, x, *, plate: str = "image") -> Code:
    """What kind of code the program has, read off an abstract run on images (image, pixel): nothing is computed."""
    seen: list[Code] = []

    def look(params, x):
        traces = run_program(
            random.key(0), params, model, guide, (x, nets), {}, estimator=Exact(), temperature=1.0, plate=plate
        )
        sites = _local(traces, plate)
        bases = {n: base_of(traces.guide[n]["fn"]) for n in sites}
        relaxed = tuple(n for n, base in bases.items() if is_relaxed(base))
        seen.append(
            Code(
                sites=tuple(sites),
                units=tuple(_units(traces.guide[n]["value"]).shape[1] for n in sites),
                is_count=all(map(is_count, bases.values())),
                is_nonnegative=all(map(is_nonnegative, bases.values())),
                relaxed=relaxed,
                stuck=tuple(n for n, base in bases.items() if n not in relaxed and not base.has_rsample),
                whole=tuple(n for n in sites if asked_of(traces.guide[n]) and bases[n].support.is_discrete),
            )
        )

    jax.eval_shape(look, params, x)
    return seen[0]


def linear_dictionary(key: jax.Array, params, model, guide, nets, x, *, plate: str = "image") -> np.ndarray:
    """What one unit of each code adds to the reconstruction, (unit, pixel); of an affine decoder."""

    @jax.jit
    def slopes(params, x):
        args = (x, nets)
        traces = run_program(key, params, model, guide, args, {}, estimator=Exact(), temperature=1.0, plate=plate)
        by_site = jacobian(one_image(traces, params, model, args, {}, plate), codes_like(traces, plate))
        first = next(iter(by_site.values()))
        return [first[name] for name in _local(traces, plate)]

    pixels, params = x.shape[1], held_globals(params, guide, nets, x, plate=plate)
    return np.concatenate([np.asarray(each).reshape(pixels, -1).T for each in slopes(params, x[:2])])

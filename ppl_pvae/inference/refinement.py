"""What amortisation costs: the posterior of each image refined by itself, from where the encoder puts it.

The model, prior and decoder, stays as it was trained. Of each image the free energy

    F = E_q[distortion] + β Σ_k KL_k + γ E Σ_k z_k

is minimised over the parameters of that image's own posterior, and what the encoder leaves on the table is the
difference: the amortisation gap. The expectation is the exact one, so that nothing is drawn. The posterior of a local
site takes the place of the guide's; the encoder, and whatever bounds the guide puts on it, has no part in it any more.

By coordinate descent (`inference/descent.py`), an iteration being a sweep over all units: a step of one unit has the
exact curvature ‖Φ_k‖², where steps of all units at once must allow for the overlap of all of Φ. At 512 units two or
three sweeps close as much of the gap as 25 steps of Adam in all units at the best of its rates, or as L-BFGS, and ten
leave a thousandth. Poisson counts have one minimum, their free energy being convex in the rates; of a rectified code it
is a minimum that lies downhill from the encoder's posterior, and need not be the lowest.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import random
from jax.core import Tracer
from jaxtyping import Array
from numpyro.primitives import Messenger

from ppl_pvae.distributions import base_of, has_closed_form
from ppl_pvae.inference.affinity import why_not_exact
from ppl_pvae.inference.descent import FAMILIES, Opened, Units, descend
from ppl_pvae.inference.estimators import Exact, Hard
from ppl_pvae.inference.evaluation import held_globals
from ppl_pvae.inference.free_energy import FreeEnergy, run_program
from ppl_pvae.inference.spread import codes_like, jacobian, one_image
from ppl_pvae.inference.supports import is_nonnegative

__all__ = ["CodeOf", "Refinement", "refine"]

BATCH = 200  # images whose descent ends together


class CodeOf(NamedTuple):
    """Some images under one posterior, units of all local sites side by side.

    `free_energy` is what is minimised, price on activity included where there is one; `distortion` and `coding_rate`
    are its terms. `zero` is the probability of z = 0; `z` is one exact draw, at which `distortion_sampled` is taken.
    """

    mean: np.ndarray  # (image, unit)
    zero: np.ndarray  # (image, unit)
    z: np.ndarray  # (image, unit)
    free_energy: np.ndarray  # (image,), nats
    distortion: np.ndarray  # (image,), nats, expected
    distortion_sampled: np.ndarray  # (image,), nats
    coding_rate: np.ndarray  # (image,), nats


class Refinement(NamedTuple):
    """Images as the encoder has them, and refined."""

    before: CodeOf
    after: CodeOf
    sweeps: int  # that were made of the images for which it took most


def refine(
    key: jax.Array, params, model, guide, nets, x, *, beta, spike_price=0.0, iterations: int = 50, plate: str = "image"
) -> Refinement:
    """Minimise the free energy of each image (image, pixel) over its own posterior.

    No image ends above where it started: one that the arithmetic of float32 leaves higher keeps the encoder's
    posterior. Global latents are held at one posterior draw, and their KL has no part in what is compared.

    Parameters
    ----------
    key
        Of the draws `z`, which are all that is random.
    beta, spike_price
        β and γ. A gap is one of amortisation only at those of the training.
    iterations
        Sweeps over all units at most. It ends earlier where no image can gain 1e-5 nats any more.

    Raises
    ------
    ValueError
        If the exact expectation does not hold for the program; if a local site has another posterior or prior than
        Poisson, negative binomial, normal or rectified normal, or stands under a scale.

    Notes
    -----
    Source: Cremer, Li & Duvenaud 2018 (arXiv:1801.03558), for the gap.
    """
    x = np.asarray(x, np.float32)
    params = held_globals(params, guide, nets, x, plate=plate)
    if problem := why_not_exact(random.key(0), params, model, guide, x, nets, plate=plate):
        raise ValueError(
            f"{problem}, and refining needs the exact expectation: a decoder affine in the code, a Gaussian "
            "likelihood, independent units and an exact KL."
        )
    compiled = _compile(model, guide, nets, plate)
    blocks, sweeps = [], 0
    for block, start in enumerate(range(0, len(x), BATCH)):
        # Beyond the end the last image is repeated.
        rows = np.minimum(np.arange(start, start + BATCH), len(x) - 1)
        codes, taken = compiled(random.fold_in(key, block), params, x[rows], beta, spike_price, iterations)
        blocks.append(jax.tree.map(lambda values, start=start: np.asarray(values)[: len(x) - start], codes))
        sweeps = max(sweeps, int(taken))
    before, after = jax.tree.map(lambda *parts: np.concatenate(parts), *blocks)
    return Refinement(CodeOf(**before), CodeOf(**after), sweeps)


class _OtherPosteriors(Messenger):
    """Handler that puts other distributions in the place of those that a guide samples from, by name of the site."""

    def __init__(self, fn, posteriors):
        self.posteriors = posteriors
        super().__init__(fn)

    def process_message(self, msg):
        if msg["type"] == "sample" and msg["name"] in self.posteriors:
            msg["fn"] = self.posteriors[msg["name"]]


@lru_cache(maxsize=32)
def _compile(model, guide, nets, plate: str):
    @jax.jit
    def refined(key, params, x, beta, price, iterations):
        args = (x, nets)

        def run(guide, estimator):
            traces = run_program(key, params, model, guide, args, {}, estimator=estimator, temperature=1.0, plate=plate)
            return traces, FreeEnergy(estimator=estimator, plate=plate).parts_of(traces, params, model, *args)

        def look(guide):
            (exact, expected), (hard, drawn) = run(guide, Exact()), run(guide, Hard())
            return exact, _code_of(hard, expected, drawn, beta, price, plate)

        traces, before = look(guide)
        slopes, residual = _linearised(traces, params, model, args, plate)
        opened = {name: _open(name, traces) for name in slopes}
        sites = {name: _units(opened[name], traces.guide[name]["value"], slopes[name]) for name in slopes}
        end = descend(sites, residual, beta, price, iterations)
        posteriors = {name: _put_back(name, traces, opened[name][0], end.moved[name]) for name in sites}
        _, after = look(_OtherPosteriors(guide, posteriors))
        is_lower = after["free_energy"] < before["free_energy"]
        after = jax.tree.map(lambda new, old: jnp.where(_along(is_lower, new), new, old), after, before)
        return (before, after), end.sweeps

    return refined


def _along(images, values):
    """Something of images, to go with values (image, …)."""
    return images.reshape(-1, *(1,) * (values.ndim - 1))


def _code_of(hard, expected, drawn, beta, price, plate) -> dict[str, Array]:
    """The fields of `CodeOf`, of one run with the expectation taken exactly and at a draw."""
    names = sorted(expected.local_kl)

    def side_by_side(read):
        whole = [jnp.broadcast_to(read(n), jnp.shape(hard.guide[n]["value"])) for n in names]
        return jnp.concatenate([each.reshape(len(each), -1) for each in whole], axis=1)

    return {
        "mean": side_by_side(lambda n: hard.guide[n]["fn"].mean),
        "zero": side_by_side(lambda n: _probability_of_zero(base_of(hard.guide[n]["fn"]))),
        "z": side_by_side(lambda n: hard.guide[n]["value"]),
        "free_energy": expected.distortion + beta * expected.coding_rate + price * expected.activity,
        "distortion": expected.distortion,
        "distortion_sampled": drawn.distortion,
        "coding_rate": expected.coding_rate,
    }


def _probability_of_zero(q):
    # Codes of both signs are continuous.
    return jnp.exp(q.log_prob(jnp.zeros(()))) if is_nonnegative(q) else jnp.zeros(())


def _open(name, traces) -> tuple[Opened, Opened]:
    """Posterior and prior of a local site, taken apart."""
    sites = [each[name] for each in traces]
    q, p = (base_of(site["fn"]) for site in sites)
    for family, room in ((q, "posterior"), (p, "prior")):
        if type(family) not in FAMILIES:
            raise ValueError(
                f"site {name!r}: its {room} is {type(family).__name__}, and refining moves the parameters of "
                f"{', '.join(sorted({each.__name__ for each in FAMILIES}))} only."
            )
    if not has_closed_form(q, p):
        raise ValueError(
            f"site {name!r}: refining needs a KL in closed form, and KL({type(q).__name__} || {type(p).__name__}) "
            "has none."
        )
    for site in sites:
        _check_unscaled(name, site)
    return FAMILIES[type(q)](q), FAMILIES[type(p)](p)


def _check_unscaled(name, site):
    scale = site["scale"]
    if scale is not None and (isinstance(scale, Tracer) or np.any(np.asarray(scale) != 1)):
        raise ValueError(f"site {name!r} is under a scale: refine the program without numpyro.handlers.scale.")


def _units(opened: tuple[Opened, Opened], value, slopes) -> Units:
    """A site with its units first: (unit, image)."""

    def units_first(arrays):
        return tuple(jnp.broadcast_to(each, jnp.shape(value)).reshape(len(value), -1).T for each in arrays)

    q, p = (each._replace(moved=units_first(each.moved), held=units_first(each.held)) for each in opened)
    return Units(q, p, slopes)


def _put_back(name, traces, opened: Opened, moved):
    """The posterior of a site, its parameters moved to where a descent ended."""
    site = traces.guide[name]
    shape = jnp.shape(site["value"])
    held = [jnp.broadcast_to(each, shape) for each in opened.held]
    return opened.make(*(each.T.reshape(shape) for each in moved), *held).to_event(site["fn"].event_dim)


def _linearised(traces, params, model, args, plate):
    """Φ/√(2σ²) of each local site (unit, pixel), and (x − x̂)/√(2σ²) at the means (pixel, image)."""
    reconstruct, codes = one_image(traces, params, model, args, {}, plate), codes_like(traces, plate)
    slopes, scales = jacobian(reconstruct, codes), reconstruct(codes).scale
    rows: dict[str, list[Any]] = {name: [] for name in codes}
    rests = []
    for observed, by_code in slopes.items():
        site = traces.model[observed]
        _check_unscaled(observed, site)
        weight = jnp.sqrt(0.5) / scales[observed].reshape(-1)
        rest = site["value"] - site["fn"].mean
        rests.append(rest.reshape(len(rest), -1).T * weight[:, None])
        for name, slope in by_code.items():
            rows[name].append(slope.reshape(len(weight), -1).T * weight)
    return {name: jnp.concatenate(parts, axis=1) for name, parts in rows.items()}, jnp.concatenate(rests)

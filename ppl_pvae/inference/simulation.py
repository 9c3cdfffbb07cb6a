"""Images that a trained program makes up: from its prior, and from its posterior on images that are given.

From the prior, z ~ p(z) and x ~ p(x|z): images whose code is known, for calibration and prior prediction. From the
posterior, z ~ q(z|x) and x′ ~ p(x′|z): replications of the images given, for posterior prediction. Draws are exact
(whole counts), whatever training relaxed; β has no place in them.

Global latents are held at one posterior draw, the same for prior and posterior: what is simulated is the program that
everything else is read off.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import random
from jax.extend.core import Literal
from jaxtyping import Float, Num
from numpyro.handlers import seed, substitute, trace, uncondition

from ppl_pvae.distributions import mean_of, variance_of
from ppl_pvae.inference.draws import Drawn, draw_of
from ppl_pvae.inference.estimators import Hard, is_local
from ppl_pvae.inference.evaluation import BATCH, held_globals
from ppl_pvae.inference.evidence import check_unscaled
from ppl_pvae.inference.free_energy import check_plate, run_program

__all__ = [
    "Prediction",
    "Simulation",
    "draw_posterior",
    "predict",
    "replicate",
    "replicate_and_predict",
    "simulate",
    "simulations",
]


class Simulation(NamedTuple):
    """Codes, the mean of the likelihood at each, and an image drawn from it; units of all local sites side by side."""

    z: Num[np.ndarray, "image unit"]
    mean: Float[np.ndarray, "image pixel"]
    x: Num[np.ndarray, "image pixel"]


class Prediction(NamedTuple):
    """Mean and variance of each pixel of a replicated image, noise of the likelihood included."""

    mean: Float[np.ndarray, "image pixel"]
    variance: Float[np.ndarray, "image pixel"]


def simulate(key: jax.Array, params, model, guide, nets, *, images: int, plate: str = "image") -> Simulation:
    """Draw codes from the prior and images from the likelihood, under the trained parameters.

    Raises
    ------
    ValueError
        A model that is no recipe for images: whose codes depend on the images that it is given, that observes something
        other than the images or several things, that has a site under a scale, or one that cannot be drawn from.
    """
    return next(simulations(key, params, model, guide, nets, images=images, replicates=1, plate=plate))


def simulations(
    key: jax.Array, params, model, guide, nets, *, images: int, replicates: int, plate: str = "image"
) -> Iterator[Simulation]:
    """Independent data sets of so many images each, one at a time; raises as `simulate` does."""
    blank = np.broadcast_to(np.zeros((), np.float32), (images, nets.pixels))  # what is given decides nothing but sizes
    params = held_globals(params, guide, nets, blank, plate=plate)
    _check_generative(params, model, nets, plate)
    draw = _compile_prior(model, nets, plate)
    for index in range(replicates):
        yield Simulation(*_in_batches(draw, random.fold_in(key, index), params, blank))


def draw_posterior(
    key: jax.Array, params, model, guide, nets, x, *, draws: int, plate: str = "image"
) -> Iterator[Simulation]:
    """Exact posterior draws of the codes of images (image, pixel), and an image replicated from each; one at a time.

    Raises
    ------
    ValueError
        A program that breaks the contract of latents and plates, or that observes something other than the images.
    """
    for z, mean, _, image in _posterior_rows(key, params, model, guide, nets, x, draws, plate):
        yield Simulation(z, mean, image)


def replicate(
    key: jax.Array, params, model, guide, nets, x, *, draws: int, plate: str = "image"
) -> Num[np.ndarray, "draw image pixel"]:
    """Posterior prediction: images drawn from the likelihood at exact posterior draws of the codes of images.

    All of them are in memory together; `draw_posterior` gives one at a time and `predict` their mean and variance.
    """
    drawn = draw_posterior(key, params, model, guide, nets, x, draws=draws, plate=plate)
    return np.stack([each.x for each in drawn])


def predict(key: jax.Array, params, model, guide, nets, x, *, draws: int, plate: str = "image") -> Prediction:
    """Mean and variance of the posterior prediction of images (image, pixel), no draw of which is kept.

    The likelihood's own mean and variance are averaged over draws of the code, so that its noise adds none:
    E x′ = E m(z), Var x′ = E v(z) + Var m(z).

    Raises
    ------
    ValueError
        Fewer than two draws; a likelihood whose variance is not known; and as `draw_posterior` does.
    """
    if draws < 2:
        raise ValueError(f"draws must be >= 2, got {draws}: of one the spread over codes cannot be told.")
    moments = _Moments()
    for _, mean, variance, _ in _posterior_rows(key, params, model, guide, nets, x, draws, plate):
        if variance is None:
            raise ValueError("the likelihood has no variance of its own; take that of replicated images (`replicate`).")
        moments.add(mean, variance)
    return moments.prediction()


def replicate_and_predict(
    key: jax.Array, params, model, guide, nets, x, *, draws: int, plate: str = "image"
) -> tuple[Num[np.ndarray, "draw image pixel"], Prediction | None]:
    """Both `replicate` and `predict`, of the same draws; no prediction where the likelihood's variance is not known.

    Raises
    ------
    ValueError
        As `draw_posterior` does.
    """
    moments, images, known = _Moments(), [], True
    for _, mean, variance, image in _posterior_rows(key, params, model, guide, nets, x, draws, plate):
        images.append(image)
        known = variance is not None
        if known:
            moments.add(mean, variance)
    return np.stack(images), moments.prediction() if known else None


class _Moments:
    """Means over draws, about the first one, so that nothing cancels where their spread is small."""

    def __init__(self):
        self.draws = 0
        self.first = self.total = self.square = self.inside = np.zeros(())

    def add(self, mean, variance) -> None:
        mean = mean.astype(np.float64)
        self.first = self.first if self.draws else mean
        self.total = self.total + (mean - self.first)
        self.square = self.square + (mean - self.first) ** 2
        self.inside = self.inside + variance.astype(np.float64)
        self.draws += 1

    def prediction(self) -> Prediction:
        between = np.maximum(self.square - self.total**2 / self.draws, 0.0) / (self.draws - 1)
        return Prediction(self.first + self.total / self.draws, self.inside / self.draws + between)


def _posterior_rows(key, params, model, guide, nets, x, draws, plate) -> Iterator[list[Any]]:
    """(z, mean, variance, x′) of all images, draw by draw."""
    x = np.asarray(x, np.float32)
    params = held_globals(params, guide, nets, x, plate=plate)
    draw = _compile_posterior(model, guide, nets, plate)
    for index in range(draws):
        yield _in_batches(draw, random.fold_in(key, index), params, x)


def _in_batches(draw, key, params, x) -> list[Any]:
    """What `draw` makes of images, a batch at a time and all of one size: beyond the end the last is repeated."""
    size, parts = min(BATCH, len(x)), []
    for start in range(0, len(x), size):
        rows = np.minimum(np.arange(start, start + size), len(x) - 1)
        made = draw(random.fold_in(key, start), params, x[rows])
        parts.append([None if each is None else np.asarray(each)[: len(x) - start] for each in made])
    return [None if each[0] is None else np.concatenate(each) for each in zip(*parts, strict=True)]


@lru_cache(maxsize=32)
def _compile_prior(model, nets, plate: str):
    @jax.jit
    def draw(key, params, x):
        sites = trace(Drawn(seed(substitute(uncondition(model), params), key))).get_trace(x, nets)
        latent = {n: s for n, s in sites.items() if s["type"] == "sample" and not s["infer"].get("was_observed")}
        (seen,) = (s for s in sites.values() if s["type"] == "sample" and s["infer"].get("was_observed"))
        return _code(latent, plate), _flat(_mean(seen), len(x)), _flat(seen["value"], len(x))

    return draw


@lru_cache(maxsize=32)
def _compile_posterior(model, guide, nets, plate: str):
    @jax.jit
    def draw(key, params, x):
        key_run, key_image = random.split(key)
        args = (x, nets)
        traces = run_program(key_run, params, model, guide, args, {}, estimator=Hard(), temperature=1.0, plate=plate)
        check_plate(traces, plate)
        seen = _observed(traces.model, plate)
        try:
            variance = jnp.broadcast_to(variance_of(seen["fn"]), seen["value"].shape)
        except NotImplementedError:
            variance = None
        return _code(traces.guide, plate), _mean(seen), variance, draw_of(seen["name"], key_image, seen["fn"])

    return draw


def _mean(seen):
    return jnp.broadcast_to(mean_of(seen["fn"]), jnp.shape(seen["value"]))


def _flat(values, images):
    return jnp.reshape(values, (images, -1))


def _code(sites, plate):
    """Latents inside the plate side by side, by name, (image, unit)."""
    names = sorted(n for n, s in sites.items() if s["type"] == "sample" and is_local(s, plate))
    return jnp.concatenate([_flat(sites[n]["value"], len(sites[n]["value"])) for n in names], axis=1)


def _observed(sites, plate):
    """The one site where a model observes images."""
    seen = {n: s for n, s in sites.items() if s["type"] == "sample" and s["is_observed"]}
    if len(seen) != 1 or not is_local(next(iter(seen.values())), plate):
        what = ", ".join(map(repr, seen)) or "nothing"
        raise ValueError(f"images are made at one observed site inside the plate {plate!r}; the model observes {what}.")
    return next(iter(seen.values()))


def _check_generative(params, model, nets, plate):
    """That codes and images come from the model alone, and images as it takes them; none is drawn for it."""

    @jax.jit
    def observed(params, x):
        sites = trace(Drawn(seed(substitute(model, params), random.key(0)))).get_trace(x, nets)
        for name, site in sites.items():
            if site["type"] == "sample" and is_local(site, plate):
                check_unscaled(name, site)
        return _observed(sites, plate)["value"]

    probe = np.random.default_rng(0).integers(0, 2, (2, nets.pixels)).astype(np.float32)
    if not np.array_equal(observed(params, probe), probe):
        raise ValueError("the model observes something other than the images themselves, so that it can make none.")
    program = jax.make_jaxpr(lambda x: _compile_prior(model, nets, plate)(random.key(0), params, x))(probe).jaxpr
    if _reaches(program, program.invars, program.outvars):
        raise ValueError("the model uses images for more than observing them, so that it can make none by itself.")


def _reaches(program, sources, ends) -> bool:
    """Whether values in a JAX program hang on others; a step that is a program is looked into."""
    reached = set(sources)
    for step in program.eqns:
        into = [each for each in step.invars if not isinstance(each, Literal) and each in reached]
        inner = step.params.get("jaxpr") if step.primitive.name in ("jit", "pjit") else None
        if into and inner is not None:
            given = [a for a, b in zip(inner.jaxpr.invars, step.invars, strict=True) if b in into]
            outs = zip(step.outvars, inner.jaxpr.outvars, strict=True)
            reached |= {out for out, end in outs if _reaches(inner.jaxpr, given, [end])}
        elif into:
            reached |= set(step.outvars)
    return any(not isinstance(each, Literal) and each in reached for each in ends)

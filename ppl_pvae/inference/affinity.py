"""Does the exact expectation hold for a program? Probed on the program itself, before training."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import random
from jaxtyping import Array

from ppl_pvae.distributions import base_of
from ppl_pvae.inference.divergence import divergence_method
from ppl_pvae.inference.estimators import is_local
from ppl_pvae.inference.free_energy import run_program
from ppl_pvae.inference.spread import NotGaussianError, codes_like, jacobian, one_image

__all__ = ["why_not_exact"]

TOLERANCE = 1e-4  # a linear decoder gives about 2e-7, one with a ReLU inside about 0.4
TINY = 1e-30


class _Measured(NamedTuple):
    """How far a program is from what the exact expectation assumes; every number 0 where it holds."""

    bend: Array  # of f(a + b) − f(a) − f(b) + f(0), relative
    turn: Array  # of the Jacobian between two random codes, relative
    scale: Array  # of the likelihood's scale between two random codes
    coupling: dict[str, Array]  # of each local site's parameters between two random codes


@dataclass(frozen=True)
class _AnyCode:
    """Gives local sites values that have nothing to do with the image, to see what moves with them."""

    name: str = "any code"
    exact: bool = False

    def draw(self, key, q, temperature):
        return random.uniform(key, q.batch_shape + q.event_shape)


def why_not_exact(key: jax.Array, params, model, guide, *args, plate: str = "image", **kwargs) -> str | None:
    """The reason why the expectation has no closed form for this program, or None where it has one.

    Asked: Gaussian likelihoods whose scale does not depend on the code; reconstructions affine in the codes, by
    f(a + b) − f(a) − f(b) + f(0) and by equal Jacobians at two random codes; a closed-form KL for every local site;
    and local sites whose posterior and prior do not depend on other local sites.
    """
    x, *rest = args
    problems: list[str] = []

    def run(key, params, x, estimator):
        return run_program(
            key, params, model, guide, (x, *rest), kwargs, estimator=estimator, temperature=1.0, plate=plate
        )

    @jax.jit
    def measure(key, params, x):
        key_one, key_two, key_codes = random.split(key, 3)
        traces = run(key_one, params, x, _AnyCode())
        latents = {n: s for n, s in traces.guide.items() if s["type"] == "sample" and not s["is_observed"]}
        local = [name for name, site in latents.items() if is_local(site, plate)]
        problems.extend(_without_closed_form(traces, local))
        reconstruct = one_image(traces, params, model, (x, *rest), kwargs, plate)
        held = dict(params) | {n: s["value"] for n, s in latents.items() if n not in local}
        other = run(key_two, held, x, _AnyCode())
        coupling = {f"{name!r} in the {room}": c for name in local for room, c in _coupling(name, traces, other)}
        return _Measured(*_affinity(key_codes, reconstruct, codes_like(traces, plate)), coupling)

    try:
        measured = measure(key, params, x[:2])
    except NotGaussianError as problem:
        return str(problem)
    problems += ["the decoder is not affine"] * bool(max(measured.bend, measured.turn) > TOLERANCE)
    problems += ["the scale of the likelihood depends on the code"] * bool(measured.scale > TOLERANCE)
    problems += [f"site {where} depends on another code" for where, c in measured.coupling.items() if c > TOLERANCE]
    return problems[0] if problems else None


def _without_closed_form(traces, local):
    for name in local:
        if divergence_method(name, traces.guide[name]["fn"], traces.model[name]["fn"]) != "closed form":
            yield f"site {name!r} has no closed-form KL"


def _affinity(key, reconstruct, zeros):
    a, b = (_random_like(k, zeros) for k in random.split(key))
    both, one, two, none = (reconstruct(codes) for codes in (jax.tree.map(jnp.add, a, b), a, b, zeros))
    bend = jax.tree.map(lambda ab, a, b, zero: ab - a - b + zero, both.loc, one.loc, two.loc, none.loc)
    slopes = [jacobian(reconstruct, codes) for codes in (a, b)]
    return (
        _largest(bend) / (_largest(both.loc) + TINY),
        _largest(_difference(*slopes)) / (_largest(slopes) + TINY),
        _largest(_difference(one.scale, two.scale)),
    )


def _coupling(name, traces, other):
    """How much a site's parameters move between two runs that differ in their codes: (room, relative change)."""
    for room in traces._fields:
        one, two = (base_of(getattr(each, room)[name]["fn"]) for each in (traces, other))
        yield room, _largest(_difference(one, two)) / (_largest(one) + TINY)


def _random_like(key, tree):
    leaves, structure = jax.tree.flatten(tree)
    keys = random.split(key, len(leaves))
    return jax.tree.unflatten(structure, [random.uniform(k, leaf.shape) for k, leaf in zip(keys, leaves, strict=True)])


def _difference(one, other):
    return jax.tree.map(jnp.subtract, one, other)


def _largest(tree):
    return jnp.max(jnp.stack([jnp.max(jnp.abs(leaf)) for leaf in jax.tree.leaves(tree)]))

"""Does the exact expectation hold for a program? Probed on the program itself, before training.

A probe sees only the points it is put to, so these are chosen to betray what training could meet: codes of all
magnitudes and, where the support has them, both signs (a rectifier is linear in positive codes); parameters moved off
their start (a weight that starts at zero hides what it multiplies); two images (a gain that depends on the image).
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ppl_pvae.distributions import base_of
from ppl_pvae.distributions.counted import counted, is_of_counts
from ppl_pvae.distributions.kl import SAME, disagreement, not_shared
from ppl_pvae.inference.divergence import asked_of, divergence_method
from ppl_pvae.inference.estimators import is_local
from ppl_pvae.inference.free_energy import run_program
from ppl_pvae.inference.moves import constraints_in, moved
from ppl_pvae.inference.spread import NotGaussianError, one_image
from ppl_pvae.inference.supports import is_nonnegative

__all__ = ["why_not_exact"]

TOLERANCE = 1e-4  # a linear decoder gives about 2e-7, one with a ReLU inside about 0.4
TINY = 1e-30
SMALL, LARGE = (0.1, 1.0), (10.0, 300.0)  # magnitudes of codes: between them a decoder could saturate
SPARSE = 16  # codes at which slopes are compared
MOVED = 0.1  # standard deviation of what is added to unconstrained parameters


class _Measured(NamedTuple):
    """How far a program is from what the exact expectation assumes; every number 0 where it holds."""

    bend: Array  # of f(a + b) − f(a) − f(b) + f(0) and f(b) − f(0) − J(a) b, relative
    turn: Array  # of the slope J b between many codes, relative
    gain: Array  # of that slope between two images, relative
    scale: Array  # of the likelihood's scale between two codes, relative
    noise: Array  # of the likelihood's scale between two images, relative
    coupling: dict[str, Array]  # of each latent site's parameters between two codes, relative


@dataclass(frozen=True)
class _AnyCode:
    """Gives local sites values that have nothing to do with the image, to see what moves with them."""

    range: tuple[float, float]
    side: float = 1.0
    name: str = "any code"
    exact: bool = False

    def draw(self, key, q, temperature):
        shape = q.batch_shape + q.event_shape
        # Drawn anew for each range: along one ray of codes a rectifier is linear too.
        low, high = (math.log(edge) for edge in self.range)
        size = np.exp(np.random.default_rng(int(self.range[1])).uniform(low, high, shape))
        # Signs alternate, and are opposite in two codes: every unit is seen on both sides of zero.
        signs = 1 if is_nonnegative(q) else (-1) ** np.arange(size.size).reshape(shape) * self.side
        return jnp.asarray(size * signs, jnp.float32)


def why_not_exact(key: jax.Array, params, model, guide, *args, plate: str = "image", **kwargs) -> str | None:
    """The reason why the expectation has no closed form for this program, or None where it has one.

    Asked: Gaussian likelihoods whose scale depends on neither code nor image; reconstructions affine in the codes, by
    their values at two codes, the sum of the two and none, and by their slopes at many codes and two images; for every
    local site an exact KL (a closed form, or a sum over counts) and independent units; and no latent site that depends
    on a local one.

    Raises
    ------
    ValueError
        If the KL of a site asks its posterior and its prior to share what they do not: no estimator holds then.
    """
    x, *rest = args
    problems: list[str] = []

    def run(key, params, x, estimator):
        return run_program(
            key, params, model, guide, (x, *rest), kwargs, estimator=estimator, temperature=1.0, plate=plate
        )

    @jax.jit
    def measure(key, params, x):
        one = run(key, params, x, _AnyCode(SMALL))
        latents = {n: s for n, s in one.guide.items() if s["type"] == "sample" and not s["is_observed"]}
        local = [name for name, site in latents.items() if is_local(site, plate)]
        problems.extend(_unfit_sites(one, local))
        held = dict(params) | {n: s["value"] for n, s in latents.items() if n not in local}
        two = run(key, held, x, _AnyCode(LARGE, side=-1.0))
        coupling = {f"{name!r} in the {room}": c for name in latents for room, c in _coupling(name, one, two)}
        first, last = (one_image(one, params, model, (x, *rest), kwargs, plate, image) for image in (0, len(x) - 1))
        a, b = ({n: traces.guide[n]["value"][:1] for n in local} for traces in (one, two))
        sparse = {n: _sparse_codes(one.guide[n]["fn"], a[n].shape) for n in local}
        return _Measured(*_affinity(first, last, a, b, sparse), coupling)

    rng = np.random.default_rng(0)
    within = _constraints(run, key, params, x[:2])
    elsewhere = moved(params, within, lambda shape: MOVED * rng.standard_normal(shape, np.float32))
    _check_shared(run, key, elsewhere, x[:2])
    try:
        measured = measure(key, elsewhere, x[:2])
    except NotGaussianError as problem:
        return str(problem).removesuffix(".")
    problems += ["the decoder is not affine"] * _moves(jnp.maximum(measured.bend, measured.turn))
    problems += ["the decoder depends on the image"] * _moves(measured.gain)
    problems += ["the scale of the likelihood depends on the code"] * _moves(measured.scale)
    problems += ["the scale of the likelihood depends on the image"] * _moves(measured.noise)
    problems += [f"site {where} depends on another code" for where, c in measured.coupling.items() if _moves(c)]
    return problems[0] if problems else None


def _moves(change) -> bool:
    return not change <= TOLERANCE  # NaN too: what overflows at such codes is not affine


def _check_shared(run, key, params, x):
    """Refuse sites that model and guide make of parameters of their own where the KL asks them to share one."""

    told: dict[str, str] = {}

    @jax.jit
    def look(key, params, x):
        traces = run(key, params, x, _AnyCode(SMALL))
        latents = {n: s for n, s in traces.guide.items() if s["type"] == "sample" and not s["is_observed"]}
        pairs = {name: (site["fn"], traces.model[name]["fn"]) for name, site in latents.items()}
        found = {name: disagreement(*pair) for name, pair in pairs.items()}
        told.update({name: not_shared(*pairs[name]) for name, apart in found.items() if apart is not None})
        return {name: apart for name, apart in found.items() if apart is not None}

    # Hardly a family asks for that, which an abstract run tells without compiling.
    asked = jax.eval_shape(look, key, params, x)
    for name, apart in look(key, params, x).items() if asked else ():
        if not apart <= SAME:
            raise ValueError(f"site {name!r}: {told[name]}")


def _constraints(run, key, params, x):
    """What each parameter must satisfy, by name, from an abstract run."""
    found = {}
    jax.eval_shape(lambda params, x: found.update(constraints_in(run(key, params, x, _AnyCode(SMALL)))), params, x)
    return found


def _unfit_sites(traces, local):
    for name in local:
        q, asked = traces.guide[name]["fn"], asked_of(traces.guide[name])
        if divergence_method(name, q, traces.model[name]["fn"], asked) not in ("closed form", "exact sum"):
            yield f"site {name!r} has no exact KL"
        if base_of(q).event_shape:
            yield f"the units of site {name!r} are not independent: its posterior is {type(base_of(q)).__name__}"


def _sparse_codes(q, shape):
    """Many codes of one image, half their units all but silent: where a rectifier stands depends on who fires."""
    rng = np.random.default_rng(0)
    size = np.exp(rng.uniform(math.log(SMALL[0]), math.log(LARGE[1]), (SPARSE, *shape)))
    signs = 1 if is_nonnegative(q) else rng.choice([-1, 1], size.shape)
    return jnp.asarray(size * signs * rng.choice([1e-4, 1], size.shape), jnp.float32)


def _affinity(first, last, a, b, sparse):
    def along(reconstruct, codes):
        return jax.jvp(reconstruct, (codes,), (b,))

    (one, slope), (two, _), (elsewhere, gained) = along(first, a), along(first, b), along(last, a)
    turned = jax.vmap(lambda codes: along(first, codes)[1].loc)(sparse)
    both, none = first(jax.tree.map(jnp.add, a, b)), first(jax.tree.map(jnp.zeros_like, a))
    bend = jax.tree.map(lambda ab, a, b, zero: ab - a - b + zero, both.loc, one.loc, two.loc, none.loc)
    miss = jax.tree.map(lambda b, zero, slope: b - zero - slope, two.loc, none.loc, slope.loc)
    return (
        jnp.maximum(_largest(bend), _largest(miss)) / (_largest(both.loc) + TINY),
        _change(slope.loc, turned),
        _change(slope.loc, gained.loc),
        _change(one.scale, two.scale),
        _change(one.scale, elsewhere.scale),
    )


def _coupling(name, one, two):
    """How much a site's distribution moves between two runs that differ in their codes: (room, relative change)."""
    for room in one._fields:
        yield room, _change(*(_character(base_of(getattr(traces, room)[name]["fn"])) for traces in (one, two)))


def _character(family):
    """What tells two distributions of a family apart: its parameters; for counts the first log-probabilities too,
    since a family of one's own need not declare what it is made of."""
    if not is_of_counts(family):
        return family
    log_prob, arrays, _ = counted(family, 4, len(family.batch_shape))
    first = log_prob(jnp.arange(4.0), *arrays)
    return family, jnp.where(first == -jnp.inf, 0.0, first)


def _change(one, other):
    """The largest change of a leaf, relative to that leaf."""
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return jnp.max(jnp.stack([jnp.zeros(())] + [_largest(a * 1.0 - b) / (_largest(a) + TINY) for a, b in pairs]))


def _largest(tree):
    return jnp.max(jnp.stack([jnp.max(jnp.abs(leaf)) for leaf in jax.tree.leaves(tree)]))

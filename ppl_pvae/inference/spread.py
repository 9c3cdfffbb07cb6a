"""The exact expectation of a squared error over independent units, without knowing the decoder.

For x̂ = b + zΦ and any posterior with independent units of mean m and variance v,
E‖x − x̂‖² = ‖x − b − mΦ‖² + Σ_k v_k‖Φ_k‖². The first term is the model run at m. Φ is one Jacobian of the model's own
reconstruction, for one image: at most as many vector products as an image has pixels, whatever the batch.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jax import random
from jaxtyping import Array
from numpyro.handlers import seed, substitute, trace

from ppl_pvae.distributions import SquaredError, base_of, follows, variance_of
from ppl_pvae.inference.estimators import is_local

__all__ = ["NotGaussianError", "Reconstruction", "codes_like", "expected_excess", "jacobian", "one_image"]


class NotGaussianError(ValueError):
    """An observed site for which the error at the mean code and the spread do not make up the expectation."""


class Reconstruction(NamedTuple):
    """What a model says of one image given its codes: mean and scale of each Gaussian observed site."""

    loc: dict[str, Array]
    scale: dict[str, Array]


def one_image(traces, params, model, args, kwargs, plate, image=0):
    """The model as a function from the codes of a single image, site by site, to its `Reconstruction`.

    Global latents are held at their values in `traces`; `image` says which image it is.

    Raises
    ------
    NotGaussianError
        If an observed site is not Gaussian.
    """
    fixed = dict(params) | {n: s["value"] for n, s in traces.guide.items() if s["type"] == "param"}
    fixed |= {n: s["value"] for n, s in _latents(traces.guide).items() if not is_local(s, plate)}
    x, *rest = args

    def reconstruct(codes):
        single = seed(substitute(model, fixed | codes), random.key(0))
        sites = trace(single).get_trace(x[image : image + 1], *rest, **kwargs)
        seen = {n: s["fn"] for n, s in sites.items() if s["type"] == "sample" and s["is_observed"]}
        for name, fn in seen.items():
            if not follows(base_of(fn), dist.Normal, SquaredError):
                family = type(base_of(fn)).__name__
                raise NotGaussianError(f"site {name!r} is {family}: the exact expectation needs a Gaussian likelihood.")
        return Reconstruction(
            {n: fn.mean for n, fn in seen.items()},
            {n: jnp.broadcast_to(jnp.sqrt(fn.variance), fn.batch_shape + fn.event_shape) for n, fn in seen.items()},
        )

    return reconstruct


def codes_like(traces, plate, fill=jnp.zeros):
    """Codes of a single image, one array (1, unit…) per local site."""
    local = {n: s for n, s in _latents(traces.guide).items() if is_local(s, plate)}
    return {name: fill((1, *jnp.shape(site["value"])[1:])) for name, site in local.items()}


def jacobian(reconstruct, codes):
    """Change of each observed site's mean with each code: dict of dicts of (1, pixel…, 1, unit…)."""

    def means(codes):
        return reconstruct(codes).loc

    known = _read_off(means, codes)
    if known is not None:
        return known
    inputs = sum(code.size for code in codes.values())
    outputs = sum(out.size for out in jax.tree.leaves(jax.eval_shape(means, codes)))
    return (jax.jacrev if outputs < inputs else jax.jacfwd)(means)(codes)


def _read_off(means, codes):
    """The same where the linearised model is a sum of products, code by matrix: these matrices; elsewhere None.

    A Jacobian of such a model is a product with the identity, for a seventh of the time of a step.
    """
    linear = jax.make_jaxpr(jax.linearize(means, codes)[1], return_shape=True)
    closed, out = linear(codes)
    constants = dict(zip(closed.jaxpr.constvars, closed.consts, strict=True))
    names = dict(zip(closed.jaxpr.invars, sorted(codes), strict=True))  # as JAX orders the leaves of a dict
    slopes: dict[Any, dict[str, Array]] = {}
    for step in closed.jaxpr.eqns:
        by_code = _product(step, names, constants) or _disjoint_sum(step, slopes)
        if by_code is None:
            return None
        slopes[step.outvars[0]] = by_code
    if not all(each in slopes and slopes[each].keys() == codes.keys() for each in closed.jaxpr.outvars):
        return None
    return {
        name: {code: matrix[None, :, None, :] for code, matrix in slopes[each].items()}
        for name, each in zip(sorted(out), closed.jaxpr.outvars, strict=True)
    }


def _product(step, names, constants):
    """The matrix (pixel, unit) by which this step of a computation multiplies a code, by name of the code; or None."""
    if step.primitive.name != "dot_general":
        return None
    code, other = step.invars
    (left, right), batch = step.params["dimension_numbers"]
    if code not in names or other not in constants or tuple(left) != (1,) or any(batch):
        return None
    matrix = constants[other]
    return {names[code]: jnp.moveaxis(matrix, right[0], 1)} if matrix.ndim == 2 and code.aval.ndim == 2 else None


def _disjoint_sum(step, slopes):
    """The slopes of a sum of two terms that share no code; or None."""
    if step.primitive.name not in ("add", "add_any") or not all(term in slopes for term in step.invars):
        return None
    one, other = (slopes[term] for term in step.invars)
    return None if one.keys() & other.keys() else one | other


def expected_excess(traces, params, model, args, kwargs, plate):
    """Σ_k v_k‖Φ_k‖²/(2σ²) of each image, nats: what the spread of the codes adds to the error at their means."""
    reconstruct = one_image(traces, params, model, args, kwargs, plate)
    codes = codes_like(traces, plate)
    if not codes:
        return 0.0
    slopes, scales = jacobian(reconstruct, codes), reconstruct(codes).scale
    total = 0.0
    for observed, by_code in slopes.items():
        site = traces.model[observed]
        weight = 1.0 if site["scale"] is None else site["scale"]
        precision = 0.5 / jnp.square(scales[observed]).reshape(-1, 1)
        for name, slope in by_code.items():
            flat = slope.reshape(precision.shape[0], -1)
            norms = jnp.sum(jnp.square(flat) * precision, axis=0)
            variance = jnp.broadcast_to(variance_of(traces.guide[name]["fn"]), jnp.shape(traces.guide[name]["value"]))
            total = total + weight * (variance.reshape(variance.shape[0], -1) @ norms)
    return total


def _latents(sites):
    return {n: s for n, s in sites.items() if s["type"] == "sample" and not s["is_observed"]}

"""Where training would begin: what is no number there is told with its site, before anything is trained or written."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ppl_pvae.distributions import base_of, is_users, total_of, without_mask
from ppl_pvae.distributions.count_totals import Total
from ppl_pvae.inference.divergence import asked_of, divergence_method
from ppl_pvae.inference.estimators import Exact, Hard
from ppl_pvae.inference.free_energy import FreeEnergy, run_program
from ppl_pvae.inference.moves import constraints_in, moved
from ppl_pvae.inference.supports import DEPENDENT, reach, wanted

__all__ = ["check_start"]

NOTHING = 1e-9  # share that a block of counts adds to a sum at its end
ROUNDING = 1e-3  # of a sum of probabilities in single precision


class _Argument(NamedTuple):
    """An argument of a distribution, and whether it has a value that the family cannot have: one such, or any."""

    outside: Array
    value: Array


class _Start(NamedTuple):
    """What a program says of some images: of each latent its nats and the (low, high) of posterior and prior."""

    arguments: dict[tuple[str, str, str], _Argument]  # by site, part of the program, argument
    nats: dict[str, Array]
    reach: dict[str, tuple[tuple[Any, Any], tuple[Any, Any]]]
    distortion: Array
    total: dict[str, Total]  # of the probabilities of a prior over counts that a user has written


class _Words(NamedTuple):
    """What a run says of its sites in words: what each argument must be, families, how KLs are taken; constraints."""

    must_be: dict[tuple[str, str, str], str]
    families: dict[tuple[str, str], str]
    method: dict[str, str]
    kinds: dict[str, tuple[bool, bool]]  # whether posterior and prior are of whole numbers
    observed: list[str]
    within: dict[str, Any]


def check_start(key: jax.Array, params, model, guide, x, *args, exact: bool, step: float, plate: str = "image") -> None:
    """Make sure that the free energy of these images is finite at `params` and made of probabilities, and that each
    distribution may have its arguments after a step of training too, by `step` in every free parameter, either way.

    `exact` says that the expectation has a closed form for the program.

    Raises
    ------
    ValueError
        For an argument that a family cannot have, a KL or a log-probability that is not finite, with its site.
    """
    estimator = Exact() if exact else Hard()
    words = _Words({}, {}, {}, {}, [], {})

    @jax.jit
    def look(key, params, x):
        traces = run_program(
            key, params, model, guide, (x, *args), {}, estimator=estimator, temperature=1.0, plate=plate
        )
        words.within.update(constraints_in(traces))
        arguments = _arguments(traces, words)
        reached = _reached(traces, words)
        parts = FreeEnergy(estimator=estimator, plate=plate).parts_of(traces, params, model, x, *args)
        return _Start(arguments, parts.local_kl | parts.global_kl, reached, parts.distortion, _totals(traces, words))

    # Image by image: for one at a time a sum over counts takes the path that is quick to compile.
    for start in (look(key, params, x[image : image + 1]) for image in range(len(x))):
        _check_arguments(start.arguments, words, "starts with")
        _check_totals(start, words)
        _check_nats(start, words)
        if not np.isfinite(start.distortion).all():
            name = words.observed[0]
            raise ValueError(
                f"site {name!r}: the log-probability of an image under {words.families[name, 'model']} is not finite "
                "at the start; choose a distribution that can have these values, or other data."
            )
    for side in (-step, step):
        after = moved(params, words.within, lambda shape, side=side: np.full(shape, side, np.float32))
        _check_arguments(look(key, after, x[:1]).arguments, words, "after a step of training may have")


def _arguments(traces, words):
    """What the distributions of all sites are made of, as far as each number has a range of its own."""
    found = {}
    for room, trace in (("guide", traces.guide), ("model", traces.model)):
        for name, site in trace.items():
            if site["type"] != "sample":
                continue
            family = base_of(site["fn"])
            words.families[name, room] = type(family).__name__
            if site["is_observed"]:
                words.observed.append(name)
            for argument, constraint in family.arg_constraints.items():
                value = vars(family).get(argument)
                if value is None or isinstance(constraint, DEPENDENT) or constraint.event_dim:
                    continue
                bad, where = jnp.ravel(~jnp.asarray(constraint(value))), (name, room, argument)
                words.must_be[where] = wanted(constraint)
                found[where] = _Argument(bad.any(), jnp.ravel(value)[jnp.argmax(bad)])
    return found


def _reached(traces, words):
    found = {}
    for name, site in traces.guide.items():
        if site["type"] == "sample":
            q, p = base_of(site["fn"]), base_of(traces.model[name]["fn"])
            words.method[name] = divergence_method(name, site["fn"], traces.model[name]["fn"], asked_of(site))
            words.kinds[name] = (bool(q.support.is_discrete), bool(p.support.is_discrete))
            found[name] = (reach(q), reach(p))
    return found


def _check_arguments(arguments, words, how):
    for (name, room, argument), found in arguments.items():
        if found.outside:
            what = {"guide": "the posterior", "model": "the prior"}[room] if name not in words.observed else "its"
            raise ValueError(
                f"site {name!r}: {what} {words.families[name, room]} {how} {argument} = {float(found.value):.4g}, and "
                f"it must be {words.must_be[name, room, argument]}; start inside, give its numpyro.param a constraint, "
                "or transform it."
            )


def _totals(traces, words):
    """What the probabilities of user's own priors add up to, where a KL is a sum over them."""
    priors = {name: without_mask(traces.model[name]["fn"]) for name, how in words.method.items() if how == "exact sum"}
    return {name: total_of(prior) for name, prior in priors.items() if is_users(prior)}


def _check_totals(start, words):
    for name, (totals, _, added) in start.total.items():
        # Where much is missing the sum is at its end if nothing is added any more, and has a long tail otherwise.
        missing = (totals < 0.99) & (added < NOTHING)
        wrong = (totals > 1 + ROUNDING) | missing
        if np.any(wrong):
            total = float(np.ravel(totals)[np.argmax(np.ravel(wrong))])
            raise ValueError(
                f"site {name!r}: the probabilities of {words.families[name, 'model']} add up to {total:.4g} and not "
                "to 1, so that nats would be no KL; mend its log_prob."
            )


def _check_nats(start, words):
    for name, nats in start.nats.items():
        (low, high), (lowest, highest) = (tuple(map(float, ends)) for ends in start.reach[name])
        beyond = low < lowest or high > highest
        if np.isfinite(nats).all() and not (beyond and words.method[name] == "Monte Carlo"):
            continue
        kl = f"site {name!r}: KL({words.families[name, 'guide']} || {words.families[name, 'model']})"
        if np.isnan(nats).any():
            raise ValueError(f"{kl} is not a number at the start; look at what the two are made of there.")
        whole, prior_whole = words.kinds[name]
        if prior_whole and not whole:
            why = "the posterior has values that are no whole numbers, the prior has counts"
        elif beyond:
            why = f"the posterior has values {_range(low, high)}, the prior {_range(lowest, highest)}"
        else:
            why = "the posterior has values to which the prior gives no probability"
        raise ValueError(f"{kl} is infinite: {why}; choose a prior that has all values of the posterior.")


def _range(low, high):
    if math.isinf(low):
        return "of both signs" if math.isinf(high) else f"up to {high:g}"
    return f"from {low:g} up" if math.isinf(high) else f"from {low:g} to {high:g}"

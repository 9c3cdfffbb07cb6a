"""What would be trained, and how: the text of --dry-run."""

import time

import jax
import numpy as np
from jax import random

from ppl_pvae.distributions import base_of
from ppl_pvae.inference import Exact, divergence_method, run_program
from ppl_pvae.inference.checkpoint import flatten
from ppl_pvae.inference.divergence import asked_of
from ppl_pvae.inference.estimators import is_local
from ppl_pvae.run.plan import Plan, initial_params

__all__ = ["describe_plan"]


def describe_plan(plan: Plan) -> str:
    """Sites with families and KL, estimator, sizes, and the expected time, from a few steps that are made for it."""
    settings, data = plan.settings, plan.dataset
    key, x = random.key(settings.seed), np.asarray(data.train[:2])
    params = initial_params(key, plan.program, plan.nets, x)
    arrays = flatten(params)
    reason = f" (exact does not hold: {plan.not_exact})" if plan.not_exact else ""
    seconds, steps = _seconds_per_step(plan), plan.recipe.steps
    return "\n".join(
        [
            f"program     {settings.program}, {settings.units} units, beta {settings.beta:g}",
            f"data        {data.name}: {len(data.train)} training, {len(data.validation)} validation, "
            f"{len(data.test)} test images of {data.train.shape[1]} pixels",
            *_sites(plan, params, x),
            *(f"parameter   {name}  {'×'.join(map(str, value.shape)) or 'scalar'}" for name, value in arrays.items()),
            f"estimator   {plan.estimator.name}{reason}",
            f"training    {steps} steps of {min(settings.batch_size, len(data.train))} images, "
            f"{settings.optimizer}, {sum(value.size for value in arrays.values()):,} parameters",
            f"time        about {seconds * steps:.0f} s ({1000 * seconds:.1f} ms a step, measured now)",
        ]
    )


def _sites(plan: Plan, params, x):
    """A line per sample site, from an abstract run: nothing is computed."""
    lines: list[str] = []

    def look(params, x):
        traces = run_program(
            random.key(0), params, *plan.program, (x, plan.nets), {}, estimator=Exact(), temperature=1.0, plate="image"
        )
        lines.extend(_line(name, site, traces.guide) for name, site in traces.model.items() if site["type"] == "sample")

    jax.eval_shape(look, params, x)
    return lines


def _line(name, site, guide):
    family, shape = type(base_of(site["fn"])).__name__, "×".join(map(str, site["fn"].event_shape)) or "scalar"
    if site["is_observed"]:
        return f"site {name:<6} observed, {family}, {shape}"
    q = guide[name]["fn"]
    reach = "local" if is_local(site, "image") else "global"
    return (
        f"site {name:<6} {reach}, {shape}: posterior {type(base_of(q)).__name__}, prior {family}, "
        f"KL {divergence_method(name, q, site['fn'], asked_of(guide[name]))}"
    )


def _seconds_per_step(plan: Plan) -> float:
    trainer = plan.trainer()
    list(trainer.advance_to(1))  # compiles
    begin = time.perf_counter()
    list(trainer.advance_to(11))
    return (time.perf_counter() - begin) / 10

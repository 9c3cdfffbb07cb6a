"""Training until it has arrived: n steps, twice as many, and again, until doubling changes nothing any more."""

import json
import math
import shutil
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jax import random

from ppl_pvae.analysis import Posterior, Verdict, compare
from ppl_pvae.analysis.bounds import BOUNDS_FILE, Bounds, bounds_of
from ppl_pvae.analysis.evidence import paired_difference
from ppl_pvae.config import differences, may_go_on, read_recipe, validate
from ppl_pvae.directory import read_summary
from ppl_pvae.errors import UserError
from ppl_pvae.inference import importance_weighted
from ppl_pvae.inference.checkpoint import load_arrays, restore, save_arrays
from ppl_pvae.models import BUILT_IN
from ppl_pvae.run.fitting import Fitted, fit_parameters
from ppl_pvae.run.outcome import describe_posterior, judge, summary_row
from ppl_pvae.run.outputs import check_same_data, write_config, write_json, write_params
from ppl_pvae.run.plan import Plan, parameter_template

__all__ = ["Stage", "arrive", "finished_summary", "remove_trainings", "train_stage"]

EVALUATIONS = 20  # of each training: the slopes at its end need a few, and each takes time
EVIDENCE_IMAGES, EVIDENCE_DRAWS = 300, 100


class Stage(NamedTuple):
    """One of the trainings: its metrics on training images, and how long it took."""

    plan: Plan
    folder: Path
    judged: Mapping[str, Any]
    seconds: float


def finished_summary(folder: Path, first_steps: int, max_doublings: int) -> dict[str, Any] | None:
    """What a directory says of a cell that needs no more training; None where there is some to do.

    A cell that has not converged is finished at the largest number of steps, and not when that is raised.
    """
    summary = read_summary(folder)
    if summary is None:
        return None
    return summary if summary["converged"] or summary["steps"] >= first_steps * 2**max_doublings else None


def arrive(plan: Plan, folder: Path, *, max_doublings: int, warm_start: bool) -> dict[str, Any]:
    """Train over the plan's steps, then over twice as many, until both agree by the doubling rule; write the last.

    The directory gets config.toml, metrics.jsonl, params.npz, evidence.npz (the bound of each image that evidence was
    asked of) and summary.json, which is written last. Trainings stand in directories of their own inside, steps-N, and
    are continued from their checkpoints; those that are not needed any more are removed.

    Parameters
    ----------
    plan
        The first training.
    folder
        Of the cell, which may hold some of the trainings already.
    max_doublings
        The longest training has the plan's steps times 2 to this power. Without any, convergence is not judged.
    warm_start
        Whether a longer training goes on from the end of the shorter one, along the second half of its own schedule,
        and not from the first step; never where the two are not known to end alike (`config.may_go_on`).

    Raises
    ------
    UserError
        If a training diverges, or the directory was begun with other images or another program.
    """
    folder.mkdir(parents=True, exist_ok=True)
    check_same_data(plan, folder)
    if (folder / "config.toml").is_file():
        _check_same_settings(plan, folder)
    else:
        write_config(folder, plan)
    goes_on = warm_start and may_go_on(plan.settings)
    stages = [train_stage(plan, folder, None)]
    verdict = None
    while len(stages) <= max_doublings and not (verdict and verdict.converged):
        longer = plan.with_steps(2 * stages[-1].plan.recipe.steps)
        stages.append(train_stage(longer, folder, stages[-1] if goes_on else None))
        verdict = compare(stages[-2].judged, stages[-1].judged)
    return _finish(folder, stages, verdict)


def _check_same_settings(plan: Plan, folder: Path) -> None:
    saved = read_recipe(folder / "config.toml")
    own = plan.settings.program not in BUILT_IN
    for name in differences(plan.settings, validate(saved, own_program=own)):
        if name not in ("steps", "evaluate_every", "program", "data"):  # paths may lead to them from elsewhere
            raise UserError(
                f"{folder} was begun with {name} = {getattr(saved, name)}, not {getattr(plan.settings, name)}; give "
                "another directory."
            )


def train_stage(plan: Plan, folder: Path, shorter: Stage | None) -> Stage:
    """One training in a directory inside, or what it left there.

    `shorter` is one that it goes on from, in the middle of its own schedule: β has risen by then and the learning rate
    is about to fall. None to begin at the first step.
    """
    inside, begin = folder / f"steps-{plan.recipe.steps}", time.perf_counter()
    half, plan = plan.recipe.steps // 2, _measured_less(plan)
    done = inside / "judged.json"
    if done.is_file():
        said = json.loads(done.read_text(encoding="utf-8"))
        return Stage(plan, inside, said["judged"], said["seconds"])
    inside.mkdir(parents=True, exist_ok=True)
    if shorter is not None and not any((inside / f"checkpoint{end}.npz").exists() for end in ("", "-previous")):
        shutil.copyfile(shorter.folder / "metrics.jsonl", inside / "metrics.jsonl")
        # Last: with it the training has begun.
        begun = load_arrays(shorter.folder / "checkpoint.npz") | {"step": np.asarray(half), "seconds": np.asarray(0.0)}
        save_arrays(inside / "checkpoint.npz", begun)
    fitted = fit_parameters(plan, inside, resume=True)
    write_params(inside, fitted.params)
    judged = {name: v if math.isfinite(v) else None for name, v in judge(plan, fitted.params).items()}
    seconds = round(fitted.earlier_seconds + time.perf_counter() - begin, 2)
    write_json(done, {"judged": judged, "seconds": seconds})
    return Stage(plan, inside, judged, seconds)


def _measured_less(plan: Plan) -> Plan:
    """The plan with evaluations as often as a cell of many needs them."""
    every = max(1, plan.recipe.steps // EVALUATIONS)
    return replace(plan, settings=replace(plan.settings, evaluate_every=max(plan.settings.evaluate_every, every)))


def _finish(folder: Path, stages: list[Stage], verdict: Verdict | None) -> dict[str, Any]:
    """The longest training as the run of the cell."""
    begin, (plan, inside, _, _) = time.perf_counter(), stages[-1]
    params = restore(parameter_template(plan.program, plan.nets), load_arrays(inside / "params.npz"))
    text = (inside / "metrics.jsonl").read_text(encoding="utf-8")
    fitted = Fitted(params, [json.loads(line) for line in text.splitlines()])
    posterior = describe_posterior(plan, params)
    summary = summary_row(plan, fitted, posterior)
    if verdict is not None:
        summary |= {"converged": verdict.converged, "doubling": verdict.as_dict()}
    told, bounds = _evidence(plan, params, posterior)
    summary |= told
    summary["seconds"] = round(sum(stage.seconds for stage in stages) + time.perf_counter() - begin, 2)
    (folder / "summary.json").unlink(missing_ok=True)  # of a shorter one: what follows is not its
    write_config(folder, plan)
    write_params(folder, params)
    shutil.copyfile(inside / "metrics.jsonl", folder / "metrics.jsonl")
    _keep(folder / BOUNDS_FILE, bounds)
    write_json(folder / "summary.json", summary)
    _remove(folder, stages, everything=summary["converged"] is not False)
    return summary


def _evidence(plan: Plan, params, posterior: Posterior) -> tuple[dict[str, float | None], Bounds | None]:
    """The importance-weighted bound on log p(x) of some test images, and each; nothing for a program that has none."""
    rows = np.unique(np.linspace(0, len(posterior.x) - 1, min(EVIDENCE_IMAGES, len(posterior.x))).astype(int))
    key = random.key(plan.settings.seed)
    try:
        weighed = importance_weighted(key, params, *plan.program, plan.nets, posterior.x[rows], draws=EVIDENCE_DRAWS)
    except ValueError:
        return {"log_evidence": None, "log_evidence_se": None}, None
    mean = paired_difference(weighed.bound, np.zeros(len(rows)), posterior.group[rows])
    found = {"log_evidence": mean.interval.estimate, "log_evidence_se": mean.standard_error}
    bounds = bounds_of(rows, posterior.group[rows], weighed.bound, posterior.x[rows])
    return {name: value if math.isfinite(value) else None for name, value in found.items()}, bounds


def _keep(path: Path, bounds: Bounds | None) -> None:
    """The bounds in their file, and none of an earlier training where there are none."""
    if bounds is None:
        path.unlink(missing_ok=True)
    else:
        save_arrays(path, bounds.arrays())


def remove_trainings(folder: Path) -> None:
    """Remove the trainings in a directory, each at once by its name and then file by file."""
    for training in (*folder.glob("steps-*"), *folder.glob("removed-*")):
        gone = training.with_name(f"removed-{training.name.removeprefix('removed-')}")
        training.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)


def _remove(folder: Path, stages: list[Stage], *, everything: bool) -> None:
    """Remove what no later training will go on from: everything, or all but the longest one and the judgements."""
    if everything:
        remove_trainings(folder)
        return
    for stage in stages[:-1]:
        for path in stage.folder.iterdir():
            if path.name != "judged.json":
                path.unlink()

"""Training and opening runs: the one place that ties program, data, inference and analysis together."""

import os
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from ppl_pvae.analysis import Verdict, compare
from ppl_pvae.config import (
    OWN_PROGRAM,
    Settings,
    about_guess,
    about_trade,
    from_mapping,
    is_program_file,
    read_program_file,
    validate,
)
from ppl_pvae.data import Dataset, from_array, load
from ppl_pvae.directory import check_directory, check_same
from ppl_pvae.errors import UserError, warn_caller
from ppl_pvae.models import BUILT_IN, Program, as_program
from ppl_pvae.run.arrival import arrive, finished_summary, remove_trainings
from ppl_pvae.run.description import describe_plan
from ppl_pvae.run.finish import finish
from ppl_pvae.run.fitting import fit_parameters
from ppl_pvae.run.imported import import_run
from ppl_pvae.run.outcome import describe_posterior, judge, summary_row
from ppl_pvae.run.outputs import check_same_data, open_run, write_config, write_params
from ppl_pvae.run.path import PATH_FILE, follow
from ppl_pvae.run.plan import Plan, make_plan
from ppl_pvae.run.program_files import program_file_of, program_in
from ppl_pvae.run.record import Run
from ppl_pvae.run.telling import telling_where

__all__ = [
    "Run",
    "check_fit",
    "describe",
    "fit_to_directory",
    "fit_until_converged",
    "follow_beta",
    "import_run",
    "open_run",
    "train",
]


def train(program, x=None, *, out=None, resume=False, check_convergence=False, progress=False, **settings) -> Run:
    """Fit a program to images.

    Parameters
    ----------
    program
        Name of a built-in program; path of a .py file that defines model and guide, which is run; or (model, guide),
        two functions of (x, nets).
    x
        Images (image, pixel) or (image, y, x); or what --data takes: a name or a path. None for the data that the
        program file names, or else natural patches.
    out
        Directory to write the run to, as the command does; None keeps it in memory.
    resume
        Continue from the checkpoint in `out`.
    check_convergence
        Train a second time with twice the steps, and judge by the doubling rule.
    progress
        Show a progress bar.
    **settings
        Any setting of the command: `units=64, beta=0.4, steps=2000`.

    Raises
    ------
    UserError
        For input that cannot be: the message says what to do.
    """
    if "data" in settings:
        raise UserError("data is given already, as x; leave it out.")
    program = os.fspath(program) if isinstance(program, os.PathLike) else program
    own, label, file = None, program, None
    if isinstance(program, str) and is_program_file(program):
        file = read_program_file(program)
        own, x = program_in(file), file.data if x is None else x
    elif not isinstance(program, str):
        own, label = as_program(program), OWN_PROGRAM
    x = os.fspath(x) if isinstance(x, os.PathLike) else x
    named = {"data": x if x is None or isinstance(x, str) else "array"}
    chosen = validate(from_mapping({"program": label, **named, **settings}), own_program=own is not None)
    folder = None if out is None else Path(out)
    if folder is not None:
        check_directory(folder, resume=resume)
    data = _load(chosen) if x is None or isinstance(x, str) else from_array(x, seed=chosen.data_seed)
    plan = make_plan(chosen, data, own, file)
    if folder is not None:
        check_same(plan.settings, folder, own_program=own is not None)
        check_same_data(plan, folder)
        if finished := _finished(folder, own, resume=resume, check_convergence=check_convergence):
            return finished
    _remark(plan)
    with _answering_for(plan):
        return _fit(plan, folder, resume=resume, check_convergence=check_convergence, progress=progress)


def fit_to_directory(settings: Settings, out: Path, *, resume: bool, check_convergence: bool, progress: bool) -> Run:
    """What the command does once its flags are understood: fit, and leave a run directory behind.

    Raises
    ------
    UserError
        If data, program and settings do not fit together, or training diverges.
    """
    if finished := _finished(out, None, resume=resume, check_convergence=check_convergence):
        return finished
    plan = _plan(settings, out)
    check_same_data(plan, out)
    _remark(plan)
    with _answering_for(plan):
        return _fit(plan, out, resume=resume, check_convergence=check_convergence, progress=progress)


def fit_until_converged(
    settings: Settings, out: Path, dataset: Dataset, *, max_doublings: int, warm_start: bool
) -> dict[str, Any]:
    """A cell of a sweep: train over more and more steps until the doubling rule holds; its summary, also if finished.

    The directory is a run, but for posterior and pictures, which `open_run` and the analyze command make anew.

    Raises
    ------
    UserError
        If data, program and settings do not fit together, or training diverges.
    """
    assert settings.steps is not None, "the cells of a grid have steps"
    if (done := finished_summary(out, settings.steps, max_doublings)) is not None:
        if done["converged"] is not False:
            remove_trainings(out)  # that an end in the middle of that left behind
        return done
    plan = _plan(settings, out, dataset)
    with _answering_for(plan):
        return arrive(plan, out, max_doublings=max_doublings, warm_start=warm_start)


def follow_beta(settings: Settings, betas: Sequence[float], out: Path, dataset: Dataset) -> Path:
    """One code along β, each fit going on from the one before: a file with its dictionaries, made if it is not there.

    Raises
    ------
    UserError
        If data, program and settings do not fit together, or training diverges.
    """
    if (out / PATH_FILE).is_file():
        return out / PATH_FILE
    plan = _plan(settings, None, dataset)
    with _answering_for(plan):
        return follow(plan, betas, out)


def check_fit(settings: Settings, dataset: Dataset) -> None:
    """Make sure that there is something to train: run the program and plan its fit; nothing is trained or written.

    Raises
    ------
    UserError
        If data, program and settings do not fit together.
    """
    _plan(settings, None, dataset)


def describe(settings: Settings) -> str:
    """What would be trained, and how: load the data, trace the program, time a few steps; nothing is written.

    Raises
    ------
    UserError
        If data, program and settings do not fit together.
    """
    plan = _plan(settings, None)
    _remark(plan)
    with _answering_for(plan):
        return describe_plan(plan)


def _plan(settings: Settings, folder: Path | None, dataset: Dataset | None = None) -> Plan:
    data = _load(settings) if dataset is None else dataset
    if not is_program_file(settings.program):
        return make_plan(settings, data)
    file = program_file_of(settings, folder)
    return make_plan(settings, data, program_in(file), file)


def _remark(plan: Plan) -> None:
    """Warn of what can be fitted and hardly be meant."""
    data = plan.dataset
    for remark in (about_trade([plan.settings]), about_guess([plan.settings], data.name, data.guessed_shape)):
        if remark:
            warn_caller(remark)


def _answering_for(plan: Plan):
    """What a program of the user's own raises after all is told as what it raised at first; ours is a bug of ours."""
    name = plan.settings.program
    return nullcontext() if name in BUILT_IN else telling_where(name, plan.program)


def _finished(folder: Path, program: Program | None, *, resume, check_convergence) -> Run | None:
    """The run that is there, if it is finished and nothing more is asked of it."""
    if not resume or not (folder / "summary.json").is_file():
        return None
    run = open_run(folder, program)
    return None if check_convergence and run.summary["converged"] is None else run


def _load(settings: Settings) -> Dataset:
    return load(settings.data or "natural", patch_size=settings.patch_size, seed=settings.data_seed)


def _fit(plan: Plan, folder: Path | None, *, resume, check_convergence, progress) -> Run:
    begin = time.perf_counter()
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        write_config(folder, plan)
    fitted = fit_parameters(plan, folder, resume=resume, progress=progress)
    posterior = describe_posterior(plan, fitted.params)
    summary = summary_row(plan, fitted, posterior)
    verdict = None
    if check_convergence:
        verdict = _double(plan, summary, folder, resume=resume, progress=progress)
        summary |= {"converged": verdict.converged, "doubling": verdict.as_dict()}
    return finish(plan, fitted, posterior, summary, folder, begin=begin, verdict=verdict)


def _double(plan: Plan, summary: dict[str, Any], folder: Path | None, *, resume, progress) -> Verdict:
    """Train again over twice the steps, in a directory of its own, and compare on training images."""
    longer = plan.with_steps(2 * plan.recipe.steps)
    inside = folder / "doubled" if folder else None
    if inside:
        inside.mkdir(exist_ok=True)
        write_config(inside, longer)
    fitted = fit_parameters(longer, inside, resume=resume, progress=progress)
    if inside:
        write_params(inside, fitted.params)
    return compare(summary["train"], judge(longer, fitted.params))

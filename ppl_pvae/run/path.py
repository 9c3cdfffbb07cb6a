"""One code along β: each fit goes on from the one before, so that a unit stays the same unit."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ppl_pvae.inference.checkpoint import load_arrays, restore, save_arrays
from ppl_pvae.run.arrival import Stage, train_stage
from ppl_pvae.run.outcome import describe_posterior
from ppl_pvae.run.plan import Plan, parameter_template

__all__ = ["PATH_FILE", "follow"]

PATH_FILE = "path.npz"


def follow(plan: Plan, betas: Sequence[float], folder: Path) -> Path:
    """Fit the plan's program at one β after the other; a file with what becomes of its dictionary.

    The first is trained over the plan's steps, each later one goes on from it along the second half of a schedule of
    twice as many. Stopped, it goes on from the last checkpoint.

    Parameters
    ----------
    plan
        A program with a linear decoder.
    betas
        In the order in which to go.
    folder
        Of the path.

    Returns
    -------
    Path
        An `.npz` with `beta` (beta,), `dictionary` (beta, unit, pixel), `use` (beta, unit), mean activity per image,
        `free_energy` (beta,) on training images, and `shape`, (y, x) of an image, empty where it is not known.
    """
    stages: list[Stage] = []
    for at, beta in enumerate(betas):
        there = replace(plan, settings=replace(plan.settings, beta=beta))
        longer = there if at == 0 else there.with_steps(2 * plan.recipe.steps)
        stages.append(train_stage(longer, folder / f"b{beta:g}", stages[-1] if stages else None))
    found = [_dictionary(stage) for stage in stages]
    arrays = {
        "beta": np.array(betas),
        "dictionary": np.stack([each[0] for each in found]),
        "use": np.stack([each[1] for each in found]),
        "shape": np.array(plan.dataset.shape or ()),
        "free_energy": np.array([stage.judged["free_energy"] for stage in stages]),
    }
    save_arrays(folder / PATH_FILE, arrays)
    for stage in stages:
        shutil.rmtree(stage.folder.parent, ignore_errors=True)
    return folder / PATH_FILE


def _dictionary(stage: Stage) -> tuple[np.ndarray, np.ndarray]:
    params = restore(parameter_template(stage.plan.program, stage.plan.nets), load_arrays(stage.folder / "params.npz"))
    posterior = describe_posterior(stage.plan, params)
    assert posterior.dictionary is not None, "a linear decoder has a dictionary"
    return posterior.dictionary, posterior.use

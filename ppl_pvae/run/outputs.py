"""The files of a run directory: what is written when, and how they are read again."""

import inspect
import json
import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ppl_pvae import __version__
from ppl_pvae.analysis import Posterior, datatree, open_tree
from ppl_pvae.config import Settings, is_program_file, read_about, read_recipe, to_toml, validate
from ppl_pvae.data import digest, load
from ppl_pvae.errors import UserError
from ppl_pvae.inference.checkpoint import flatten, load_arrays, restore, save_arrays
from ppl_pvae.models import BUILT_IN, Program, as_program
from ppl_pvae.run.outcome import describe_posterior, describe_prediction
from ppl_pvae.run.plan import Plan, build_nets, build_program, make_plan, parameter_template
from ppl_pvae.run.program_files import program_in, stored_file
from ppl_pvae.run.record import Run

__all__ = ["check_same_data", "open_run", "versions", "write_config", "write_json", "write_params", "write_pictures"]

_VERSIONED = ("numpyro", "jax", "jaxlib", "optax", "equinox", "numpy")
# What there is to say of parameters that were not trained here: no setting of a training.
_OF_IMPORTED = ("program", "data", "units", "beta", "seed", "encoder", "decoder", "encoder_bias", "decoder_bias")
_OF_IMPORTED += ("likelihood", "noise", "prior", "ceiling", "largest_log_gain", "patch_size", "data_seed")


def versions() -> dict[str, str]:
    """Versions of Python and of what the numbers depend on."""
    return {"ppl_pvae": __version__, "python": platform.python_version()} | {name: version(name) for name in _VERSIONED}


def program_text(plan: Plan) -> str:
    """The source of the file in which the model is written, or nothing where there is no file (a notebook)."""
    if plan.text is not None:
        return plan.text
    model = inspect.unwrap(getattr(plan.program.model, "func", plan.program.model))
    try:
        return inspect.getsource(inspect.getmodule(model) or model)
    except (OSError, TypeError):
        return ""


def write_config(folder: Path, plan: Plan) -> None:
    """config.toml: every setting, and in its table `about` the versions, the data and the program's text."""
    about = {
        "pixels": plan.nets.pixels,
        **({"image_shape": list(plan.nets.shape)} if plan.nets.shape else {}),
        "data": plan.dataset.name,
        "data_digest": digest(plan.dataset),
        **({"imported": plan.imported} if plan.imported else {}),
        "versions": versions(),
        "program_text": program_text(plan),
    }
    _write_text(folder / "config.toml", to_toml(plan.settings, about, only=_told(plan)))


def _told(plan: Plan) -> list[str]:
    """The names of the settings that say something about the run."""
    return [name for name in asdict(plan.settings) if not plan.imported or name in _OF_IMPORTED]


def check_same_data(plan: Plan, folder: Path) -> None:
    """Make sure that a run which is to be continued, if there is one, keeps its images and its program.

    Raises
    ------
    UserError
        If the training images, or the text of a program of one's own, are not those that the run was started with, or
        its parameters were imported.
    """
    path = folder / "config.toml"
    if not path.is_file():
        return
    about = read_about(path)
    if "imported" in about:
        raise UserError(
            f"{folder} holds {about['imported']}, imported and not trained: there is nothing to continue; give --out "
            "another directory."
        )
    if about.get("data_digest") != digest(plan.dataset):
        raise UserError(f"{folder} was started with other images; give them again, or give --out another directory.")
    text = program_text(plan)
    if plan.settings.program not in BUILT_IN and about.get("program_text") != text:
        raise UserError(f"{folder} was started with another program; give it again, or give --out another directory.")


def write_params(folder: Path, params: Mapping[str, Any]) -> None:
    """params.npz: names and arrays, readable without this package."""
    save_arrays(folder / "params.npz", flatten(params))


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """A JSON file, written beside and renamed."""
    _write_text(path, json.dumps(values, indent=2, allow_nan=False) + "\n")


def write_pictures(
    folder: Path, plan: Plan, posterior: Posterior, history, summary: Mapping[str, Any], verdict
) -> None:
    """figures/*.png and report.html; matplotlib is imported here and nowhere earlier."""
    from ppl_pvae.analysis.plots import write_figures
    from ppl_pvae.analysis.report import write_report

    figures = write_figures(folder / "figures", posterior, history, summary, plan.dataset.pictures)
    write_report(
        folder / "report.html",
        posterior=posterior,
        summary=summary,
        figures=figures,
        settings={name: getattr(plan.settings, name) for name in _told(plan)},
        versions=versions(),
        data_info=plan.dataset.info,
        verdict=verdict,
    )


def _write_text(path, text):
    beside = path.with_name(path.name + ".part")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def open_run(path: str | Path, program: Program | tuple | None = None) -> Run:
    """Open the directory of a finished run. A program that came from a file is run again, from the text kept with it.

    Parameters
    ----------
    path
        A run directory.
    program
        (model, guide), needed where the run was trained with functions of the caller's own.

    Raises
    ------
    UserError
        If the path is no run directory, the run is not finished, or its program is not at hand.
    """
    folder = Path(path)
    if not (folder / "config.toml").is_file():
        raise UserError(f"{folder} is no run directory: it has no config.toml; give the directory that a fit wrote.")
    if not (folder / "summary.json").is_file():
        raise UserError(f"{folder} holds a run that is not finished; finish it with --resume.")
    settings = read_recipe(folder / "config.toml")
    program = _program_of(settings, program, folder)
    settings = validate(settings, own_program=settings.program not in BUILT_IN)
    arrays = load_arrays(folder / "params.npz")
    nets = build_nets(settings, *_image_size(folder))
    params = restore(parameter_template(program, nets), arrays)
    kept = (folder / "posterior.nc").is_file()
    return Run(
        settings=settings,
        program=program,
        nets=nets,
        params=params,
        summary=_read(folder / "summary.json", json.loads),
        history=_read(folder / "metrics.jsonl", lambda text: [json.loads(line) for line in text.splitlines()]),
        tree=open_tree(folder / "posterior.nc") if kept else _tree_again(settings, program, params, folder),
        path=folder,
    )


def _tree_again(settings: Settings, program: Program, params, folder: Path):
    """The posterior of a cell of a sweep, which keeps none: a hundred times the size of the parameters that make it."""
    own = None if settings.program in BUILT_IN else program
    file = stored_file(settings, folder) if is_program_file(settings.program) else None
    data = load(settings.data or "natural", patch_size=settings.patch_size, seed=settings.data_seed)
    plan = make_plan(settings, data, own, file)
    check_same_data(plan, folder)
    about = {"program": settings.program, "data": data.name}
    return datatree(describe_posterior(plan, params), about, describe_prediction(plan, params))


def _read(path: Path, parse: Callable[[str], Any]) -> Any:
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path}: {error}; it is damaged, fit anew in another directory.") from None


def _program_of(settings: Settings, program, folder):
    if program is not None:
        return as_program(program)
    if is_program_file(settings.program) and (file := stored_file(settings, folder)):
        return program_in(file)
    if settings.program not in BUILT_IN:
        raise UserError(f"{folder} was trained with functions of your own; give open_run(path, (model, guide)).")
    return build_program(settings)


def _image_size(folder):
    """Pixels of an image, and its (y, x) where that is known."""
    about = read_about(folder / "config.toml")
    shape = about.get("image_shape")
    return about["pixels"], None if shape is None else (shape[0], shape[1])

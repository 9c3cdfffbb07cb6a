"""Fit one program to one data set: `python -m ppl_pvae.fit`.

JAX is imported only after the flags are understood, so that --help and complaints come at once.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

import tyro

from ppl_pvae.command import answer, read_flags
from ppl_pvae.config import OWN_PROGRAM, Settings, read_recipe, validate, with_its_data
from ppl_pvae.directory import check_directory, check_same, default_directory
from ppl_pvae.errors import UserError

__all__ = ["Command", "main", "parse"]


@dataclass(frozen=True)
class Command:
    """Fit a program to data and leave a run directory: settings, metrics, parameters, posterior, figures, report.

    Without flags: the Poisson VAE on natural image patches. What is said here wins over a recipe (--config).
    """

    out: Path | None = None
    """Directory of the run; runs/PROGRAM-DATA-K...-b...-s... unless said otherwise."""
    config: Path | None = None
    """Recipe: a TOML file of settings, for example the config.toml of another run."""
    check_convergence: tyro.conf.FlagCreatePairsOff[bool] = False
    """Train again with twice the steps and say whether the fit has converged."""
    resume: tyro.conf.FlagCreatePairsOff[bool] = False
    """Continue from the last checkpoint in the directory, or start where there is none."""
    dry_run: tyro.conf.FlagCreatePairsOff[bool] = False
    """Say what would be trained, and how, and write nothing."""
    settings: tyro.conf.OmitArgPrefixes[Settings] = field(default_factory=Settings)


def parse(arguments: Sequence[str]) -> tuple[Command, Path]:
    """The command with validated settings, and the directory for the run, which can be written to.

    Raises
    ------
    UserError
        For anything in the arguments, the recipe or the directory that cannot be.
    """
    command = _read_flags(arguments, Settings())
    if command.config is not None:
        command = _read_flags(arguments, read_recipe(command.config))
    chosen = with_its_data(command.settings)
    saved = (command.out or default_directory(chosen, resume=True)) / "config.toml"
    if command.resume and _is_file(saved):
        recipe = read_recipe(saved)
        if recipe.program == OWN_PROGRAM:
            raise UserError(f"{saved.parent} was trained with functions of your own; resume it with ppl_pvae.train.")
        chosen = chosen if command.config else _read_flags(arguments, recipe).settings
    settings = validate(chosen)
    out = command.out or default_directory(settings, resume=command.resume)
    check_directory(out, resume=command.resume)
    check_same(settings, out)
    return Command(out, command.config, command.check_convergence, command.resume, command.dry_run, settings), out


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long: said where the directory is checked
        return False


def _read_flags(arguments: Sequence[str], settings: Settings) -> Command:
    """The flags, over the given settings."""
    names = [one.name for one in (*fields(Command), *fields(Settings)) if one.name != "settings"]
    flags = ["--" + name.replace("_", "-") for name in names] + ["--no-encoder-bias"]
    return read_flags(Command, "python -m ppl_pvae.fit", arguments, Command(settings=settings), flags)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 if it went well, 2 if the input has to be mended, 130 if it was interrupted."""
    return answer(_run, arguments, "the same command with --out and --resume goes on from the last checkpoint")


def _run(arguments: Sequence[str]) -> int:
    command, out = parse(arguments)
    from ppl_pvae.run import describe, fit_to_directory

    if command.dry_run:
        print(describe(command.settings))
        return 0
    run = fit_to_directory(
        command.settings, out, resume=command.resume, check_convergence=command.check_convergence, progress=True
    )
    print(run.table())
    print(f"results: {out} (open {out / 'report.html'})")
    return 0


if __name__ == "__main__":
    sys.exit(main())

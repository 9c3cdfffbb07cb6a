"""Analyse the posterior of one run, or compare several: `python -m ppl_pvae.analyze RUN [RUN ...]`."""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

import tyro
from tyro.constructors import PrimitiveConstructorSpec

from ppl_pvae.command import answer, read_flags
from ppl_pvae.directory import check_writable, free_directory
from ppl_pvae.errors import UserError

__all__ = ["Command", "main", "parse"]

_BUDGET = "two numbers: ATP per spike and ATP per second at rest"


def _two_numbers(words: list[str]) -> tuple[float, float]:
    spike, rest = (float(word) for word in words)
    return spike, rest


# Told to tyro outright: with None as the default it would take as many words as follow, runs among them.
_TwoNumbers = Annotated[
    tuple[float, float] | None,
    PrimitiveConstructorSpec(
        nargs=2,
        metavar="SPIKE REST",
        instance_from_str=_two_numbers,
        is_instance=lambda value: value is None or isinstance(value, tuple),
        str_from_instance=lambda value: ["None"] if value is None else [f"{each:g}" for each in value],
    ),
]


@dataclass(frozen=True)
class Command:
    """Rates, information, energy and how far to trust them: tables, figures and a report, of one run or several."""

    runs: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Directories of finished runs; several are compared with the first."""
    data: str | None = None
    """Other data, whose test images are analysed: what --data of the fit takes."""
    full: tyro.conf.FlagCreatePairsOff[bool] = False
    """Also what takes minutes: refinement of every posterior, calibration, predictive checks, more draws."""
    match_distortion: float | None = None
    """Compare programs with several runs at this distortion, nats; the middle of the range they share unless given."""
    window: float = 0.1
    """Seconds in which an image's spikes are counted, for hertz and for what rest costs."""
    budget: _TwoNumbers = None
    """ATP for a spike and ATP per second of one unit at rest: an energy budget beside the published ones."""
    out: Path | None = None
    """Directory to write to; RUN/analysis for one run, RUN/analysis-DATA on other data, runs/comparison for several,
    numbered if taken."""


def parse(arguments: Sequence[str]) -> tuple[Command, Path]:
    """The command, and the directory it writes to.

    Raises
    ------
    UserError
        For anything in the arguments or the directory that cannot be.
    """
    flags = ["--" + one.name.replace("_", "-") for one in fields(Command) if one.name != "runs"]
    command = read_flags(Command, "python -m ppl_pvae.analyze", arguments, Command(), flags, {"--budget": _BUDGET})
    if not command.runs:
        raise UserError("name at least one run: the directory that a fit wrote; see --help.")
    for path in command.runs:
        if not (path / "config.toml").is_file():
            raise UserError(f"{path} is no run directory: it has no config.toml; give the directory that a fit wrote.")
    _check_distortion(command)
    _check_budget(command)
    out = command.out or _default_directory(command.runs, command.data)
    check_writable(out)
    if command.out is not None and (out / "config.toml").exists():
        raise UserError(f"{out} has a run; give --out another directory.")
    return command, out


def _check_distortion(command: Command) -> None:
    wanted = command.match_distortion
    if wanted is None:
        return
    if len(command.runs) < 2:
        raise UserError(
            "--match-distortion compares programs with several runs each; name those runs, or leave it out."
        )
    if not 0 < wanted < math.inf:
        raise UserError(f"match_distortion must be > 0 and finite, got {wanted}.")


def _check_budget(command: Command) -> None:
    if not 0 < command.window < math.inf:
        raise UserError(f"window must be > 0 and finite, in seconds, got {command.window}.")
    if command.budget is None:
        return
    spike, rest = command.budget
    if not (0 < spike < math.inf and 0 <= rest < math.inf):
        raise UserError(f"--budget takes ATP per spike, > 0, and ATP per second at rest, >= 0; got {spike} and {rest}.")
    if not math.isfinite(rest * command.window / spike):
        raise UserError(f"--budget {spike} {rest}: rest costs more spikes than can be reckoned with; mend the numbers.")


def _default_directory(runs: Sequence[Path], data: str | None) -> Path:
    if len(runs) == 1:
        return runs[0] / ("analysis" if data is None else f"analysis-{Path(data).stem}")
    return free_directory(Path("runs") / "comparison")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 if it went well, 2 if the input has to be mended, 130 if it was interrupted."""
    return answer(_run, arguments, "the same command starts anew; runs are never changed")


def _run(arguments: Sequence[str]) -> int:
    command, out = parse(arguments)
    from ppl_pvae.analysis.energy import budgets_with
    from ppl_pvae.run.analysing import analyse_to_directory

    analyse_to_directory(
        command.runs,
        out,
        data=command.data,
        full=command.full,
        distortion=command.match_distortion,
        budgets=budgets_with(command.window, command.budget),
        progress=True,
    )
    print(f"results: {out} (open {out / 'report.html'})")
    return 0


if __name__ == "__main__":
    sys.exit(main())

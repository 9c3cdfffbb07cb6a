"""Fit a grid of programs, β, sizes and seeds, and say what was found: `python -m ppl_pvae.sweep`."""

import ast
import inspect
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, make_dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

import tyro

from ppl_pvae.command import answer, read_flags
from ppl_pvae.config import CONTINUED, PLURALS, Grid, Settings, check_grid, from_mapping, over, read_grid
from ppl_pvae.directory import free_directory
from ppl_pvae.errors import UserError

__all__ = ["Command", "Lists", "main", "parse"]


def _lists() -> type:
    """A dataclass of lists, one of each setting, with the settings' own docstrings as help."""
    plural = {setting: name for name, setting in PLURALS.items()}
    said = _docstrings(Settings)
    made = []
    for name, kind in _kinds().items():
        about = tyro.conf.arg(help=said[name])
        made.append((plural.get(name, name), _tuple_of(kind, about), field(default=())))
    return make_dataclass("Lists", made, frozen=True)


def _kinds() -> dict[str, Any]:
    """The type of each setting where it is not None."""
    hints = get_type_hints(Settings)
    return {one.name: (get_args(hints[one.name]) or (hints[one.name],))[0] for one in fields(Settings)}


def _tuple_of(kind: Any, about: Any) -> Any:
    return Annotated[tuple[kind, ...], about]  # pyright: ignore[reportInvalidTypeForm]


def _docstrings(cls: type) -> dict[str, str]:
    """What stands under each field of a class."""
    body = ast.parse(inspect.getsource(cls)).body[0].body  # pyright: ignore[reportAttributeAccessIssue]
    said = {}
    for at, node in enumerate(body[:-1]):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            said[node.target.id] = " ".join(ast.literal_eval(body[at + 1].value).split())
    return said


Lists: Any = _lists()
"""Several values for each setting."""

_SWITCHES = tuple("--" + name.replace("_", "-") for name, kind in _kinds().items() if kind is bool)
"""Flags of settings that are true or false."""


@dataclass(frozen=True)
class Command:
    """Fit all combinations of lists of settings, each until twice the steps change nothing; a table, figures, findings.

    Every setting takes several values. Stopped at any moment, the same command with --resume goes on.
    """

    out: Path | None = None
    """Directory of the sweep; runs/sweep, numbered if taken, unless said otherwise."""
    config: Path | None = None
    """Recipe: a TOML file of lists of settings, with tables [[grid]] where combinations differ."""
    workers: int | None = None
    """Processes on this machine; one per core unless said otherwise, none with --cluster."""
    cluster: str | None = None
    """Address of a Dask scheduler whose workers fit the cells."""
    shard: str | None = None
    """Part i/n of the cells, for job arrays: each job names its part, and all the same directory."""
    max_doublings: int | None = None
    """How often the steps of a cell are doubled at most; 4 unless said otherwise, 0 for no judgement of convergence."""
    warm_start: bool | None = None
    """Whether a longer training goes on from the shorter one; true unless said otherwise."""
    match_distortion: float | None = None
    """Compare programs at this distortion, nats; the middle of what they share unless given."""
    path_units: int | None = None
    """Follow the dictionary of a Poisson code of so many units along β, each fit going on from the one before."""
    resume: tyro.conf.FlagCreatePairsOff[bool] = False
    """Go on with what the directory holds; its own grid where none is given."""
    dry_run: tyro.conf.FlagCreatePairsOff[bool] = False
    """Say which cells would be fitted, and what time and disk they take; write nothing."""
    lists: tyro.conf.OmitArgPrefixes[Lists] = field(default_factory=Lists)  # pyright: ignore[reportInvalidTypeForm]
    """Settings of the cells: one or several values each."""


def parse(arguments: Sequence[str]) -> tuple[Command, Grid | None, Path]:
    """The command, its grid (None for that of the directory), and the directory.

    Raises
    ------
    UserError
        For anything in the arguments or the recipe that cannot be.
    """
    names = [one.name for one in (*fields(Command), *fields(Lists)) if one.name != "lists"]
    flags = ["--" + name.replace("_", "-") for name in names]
    arguments = _spelt_out(arguments)
    written = [{"true": "True", "false": "False"}.get(each, each) for each in arguments]
    _check_values(arguments)
    command = read_flags(Command, "python -m ppl_pvae.sweep", written, Command(), flags)
    if command.workers is not None and command.workers < 1:
        raise UserError(f"workers must be >= 1, got {command.workers}; leave it out for one per core.")
    if command.workers is not None and command.cluster is not None:
        raise UserError("--workers are processes here, --cluster has workers of its own: give one of the two.")
    part_of(command.shard)
    chosen = {PLURALS.get(name, name): values for name, values in asdict(command.lists).items() if values}
    for name, values in chosen.items():
        for value in values:
            from_mapping({name: value})
    again = command.resume or command.shard is not None
    usual = Path("runs") / "sweep"
    out = command.out or (usual if again else free_directory(usual))
    if command.config is None and not chosen:
        if not again:
            raise UserError("say what to fit: a recipe with --config, or lists such as --betas 0.1 1 --units 32 64.")
        return command, None, out
    grid = over(read_grid(command.config) if command.config else Grid(({},)), chosen)
    return command, _with_options(grid, command), out


def _spelt_out(arguments: Sequence[str]) -> list[str]:
    """The arguments with `--no-encoder-bias`, as a fit takes it, as the list that a sweep takes."""
    short = {f"--no-{flag.removeprefix('--')}": flag for flag in _SWITCHES}
    return [word for each in arguments for word in ((short[each], "false") if each in short else (each,))]


def _check_values(arguments: Sequence[str]) -> None:
    """Make sure that every list has a value: an empty one would be left out, and its default fitted.

    Raises
    ------
    UserError
        For the first flag without any, and for anything but true or false where one of these is asked for.
    """
    lists = {"--" + one.name.replace("_", "-") for one in fields(Lists)}
    for argument, following in pairwise([*arguments, "--"]):
        flag = argument.replace("_", "-")
        if flag in lists and following.startswith("--"):
            ones = "true, false or both" if flag in _SWITCHES else "one or several"
            raise UserError(f"{flag} has no value; give {ones}, or leave it out for its default.")
        if flag == "--warm-start" and following.lower() not in ("true", "false"):
            raise UserError(f"warm_start must be true or false, got {following!r}.")


def _with_options(grid: Grid, command: Command) -> Grid:
    said = {name: getattr(command, name) for name in CONTINUED if getattr(command, name) is not None}
    return check_grid(replace(grid, **said, said=grid.said | set(said)))


def part_of(shard: str | None) -> tuple[int, int] | None:
    """i and n of "i/n", 1 <= i <= n; None where nothing is said.

    Raises
    ------
    UserError
        For anything else.
    """
    if shard is None:
        return None
    at, _, count = shard.partition("/")
    if not (at.isdecimal() and count.isdecimal() and 1 <= int(at) <= int(count)):
        raise UserError(f"shard must be i/n with 1 <= i <= n, got {shard!r}; the second of four jobs is 2/4.")
    return int(at), int(count)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 if all cells are there, 1 if some failed, 2 for bad input, 130 if it was interrupted."""
    return answer(_run, arguments, "the same command with --out and --resume goes on with the cells that are left")


def _run(arguments: Sequence[str]) -> int:
    command, grid, out = parse(arguments)
    from ppl_pvae.sweeps import REPORT, check_path, describe_sweep, open_sweep, run_sweep

    sweep = open_sweep(grid, out, resume=command.resume or command.shard is not None)
    if grid is None:
        sweep = open_sweep(_with_options(sweep.grid, command), out, resume=True)
    check_path(sweep)
    where = {"workers": command.workers, "cluster": command.cluster, "shard": part_of(command.shard)}
    if command.dry_run:
        print(describe_sweep(sweep, **where))
        return 0
    failed = run_sweep(sweep, **where)
    whole = REPORT not in failed
    print(f"results: {out} (open {out / 'report.html'})" if whole else f"results: {out}, without a report")
    if cells := [name for name in failed if name != REPORT]:
        told = "sweep.csv and above" if whole else "above"
        print(f"{len(cells)} failed, see {told}; --resume tries them again", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""A grid of fits: from lists of settings, in a recipe or as flags, to the settings of each cell."""

import hashlib
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import tomli_w

from ppl_pvae.config.program_files import is_program_file, with_its_data
from ppl_pvae.config.programs import PROGRAMS, UNKNOWN
from ppl_pvae.config.recipes import read_toml
from ppl_pvae.config.settings import Settings, differences, from_mapping
from ppl_pvae.config.training import ENOUGH, steps_for
from ppl_pvae.config.validation import validate
from ppl_pvae.errors import UserError
from ppl_pvae.names import nearest

__all__ = [
    "CONTINUED",
    "PLURALS",
    "Block",
    "Cell",
    "Grid",
    "cells_of",
    "check_grid",
    "grid_to_toml",
    "is_followed_along",
    "over",
    "read_grid",
    "start_steps",
]

PLURALS: Mapping[str, str] = {"programs": "program", "betas": "beta", "seeds": "seed"}
"""Names of lists in recipes and flags, and the settings that they are of; any other list has its setting's name."""

Block = Mapping[str, tuple[Any, ...]]
"""Values of settings, of which all combinations are fitted."""

OF_THE_COMMAND = ("out", "config", "workers", "cluster", "shard", "resume", "dry_run")
"""What recipes do not say: it is another thing each time that one is run."""

CONTINUED = ("max_doublings", "warm_start", "match_distortion", "path_units")
"""Options that are flags too, and stay when a sweep that goes on does not repeat them."""

LONGEST_NAME = 120
MOST_DOUBLINGS = 20
_NAMES = tuple(field.name for field in fields(Settings))


@dataclass(frozen=True)
class Cell:
    """One fit of a grid: what its directory is called, and its settings, validated."""

    name: str
    settings: Settings


@dataclass(frozen=True)
class Grid:
    """What is fitted: the combinations in each block, all blocks together.

    Parameters
    ----------
    blocks
        Lists of values by setting.
    max_doublings
        How often the steps of a cell may be doubled.
    warm_start
        Whether longer trainings go on from shorter ones.
    match_distortion
        Distortion at which programs are compared, nats; None for the middle of what they share.
    merge
        Whether a cell that several blocks have is fitted once, and not refused.
    path_units
        Number of units of the Poisson code whose dictionary is followed along β; None for none.
    said
        Names of options that were asked for though they are the default; the others that are may be taken over.
    """

    blocks: tuple[Block, ...]
    max_doublings: int = 4
    warm_start: bool = True
    match_distortion: float | None = None
    merge: bool = False
    path_units: int | None = None
    said: frozenset[str] = field(default=frozenset(), compare=False)

    def with_options_of(self, other: "Grid") -> "Grid":
        """With what another grid says of how cells are trained and compared, and its own where that says nothing."""
        told = [name for name in CONTINUED if name in other.said or getattr(other, name) != getattr(Grid, name)]
        return replace(self, said=self.said | set(told), **{name: getattr(other, name) for name in told})


_OPTIONS: Mapping[str, type] = {
    "max_doublings": int,
    "warm_start": bool,
    "match_distortion": float,
    "merge": bool,
    "path_units": int,
}


def start_steps(units: int, *, counts: bool) -> int:
    """Steps of the first training of a cell: half of what suits it, since the second has all of them.

    Counts of a small code settle slowly; other codes do so at any size as fast as those of many units.
    """
    return 50 * max(1, round(steps_for(units if counts else ENOUGH) / 100))


def read_grid(path: Path) -> Grid:
    """The grid in a TOML recipe.

    Keys are settings, each with a value or a list of them, or one of the lists programs, betas and seeds. Tables
    [[grid]] are blocks of their own, each over what stands at the top; all combinations within a block are fitted.

    Raises
    ------
    UserError
        If the file is not there, is no TOML, has a key that means nothing, or sets nothing.
    """
    content = read_toml(path)
    options: dict[str, Any] = {name: _option(path, name, content.pop(name)) for name in _OPTIONS if name in content}
    tables = content.pop("grid", None)
    if tables is not None and not (isinstance(tables, list) and all(isinstance(each, dict) for each in tables)):
        raise UserError(f"in the recipe {path}: grid must be tables, [[grid]], got {tables!r}.")
    common = _block(path, content)
    blocks = [common] if tables is None else [{**common, **_block(path, table)} for table in tables]
    if not blocks:
        raise UserError(f"in the recipe {path}: grid is empty; give at least one table [[grid]], or none at all.")
    if not all(blocks):
        where = "it" if tables is None else "a table [[grid]]"
        raise UserError(f"in the recipe {path}: {where} sets nothing; say what to fit, such as betas = [0.1, 1].")
    try:
        return check_grid(Grid(tuple(blocks), **options, said=frozenset(options)))
    except UserError as error:
        raise UserError(f"in the recipe {path}: {error}") from None


def check_grid(grid: Grid) -> Grid:
    """The grid, if what is said of it as a whole can be.

    Raises
    ------
    UserError
        For an option out of its range, or a path along β of a size that no value in the grid has.
    """
    if not 0 <= grid.max_doublings <= MOST_DOUBLINGS:
        raise UserError(f"max_doublings must be from 0 to {MOST_DOUBLINGS}, got {grid.max_doublings}; 4 are usual.")
    if grid.match_distortion is not None and not 0 <= grid.match_distortion < float("inf"):
        raise UserError(
            f"match_distortion must be >= 0 and finite, got {grid.match_distortion}; it is in nats per image."
        )
    sizes = dict.fromkeys(units for block in grid.blocks for units in block.get("units", (Settings().units,)))
    if grid.path_units is not None and grid.path_units not in sizes:
        told = ", ".join(map(str, sizes))
        raise UserError(f"path_units must be a number of units in the grid ({told}), got {grid.path_units}.")
    return grid


def _option(path: Path, name: str, value: Any) -> Any:
    kind = _OPTIONS[name]
    value = float(value) if kind is float and isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise UserError(f"in the recipe {path}: {name} must be of type {kind.__name__}, got {value!r}.")
    return value


def _block(path: Path, table: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    block: dict[str, tuple[Any, ...]] = {}
    known = [*PLURALS, *_NAMES, *_OPTIONS, "grid"]
    for key, value in table.items():
        if key in _OPTIONS:  # those at the top were taken out before
            raise UserError(f"in the recipe {path}: {key} holds for the whole sweep; put it above the tables [[grid]].")
        if key not in PLURALS and key not in _NAMES:
            raise UserError(f"in the recipe {path}: {_unknown_key(key, known)}")
        name = PLURALS.get(key, key)
        if name in block:
            raise UserError(f"in the recipe {path}: {key} and {name} say the same; give one of them.")
        values = tuple(value) if isinstance(value, list) else (value,)
        if any(isinstance(each, (list, dict)) for each in values):
            raise UserError(f"in the recipe {path}: {key} must be a value or a list of values, got {value!r}.")
        if not values:
            raise UserError(f"in the recipe {path}: {key} is empty, so that there is nothing to fit; give it a value.")
        block[name] = values
    return block


def _unknown_key(key: str, known: Sequence[str]) -> str:
    if key in OF_THE_COMMAND:
        return f"{key} says how a sweep is run, not what it is; give --{key.replace('_', '-')} with the command."
    near = nearest(key, known)
    return f"unknown key {key!r}; " + (
        f"did you mean {near!r}?" if near else "python -m ppl_pvae.sweep --help has all."
    )


def over(grid: Grid, lists: Mapping[str, Sequence[Any]]) -> Grid:
    """The grid with lists of values, by setting, in place of its own.

    Values that blocks have are picked: each keeps its own among them, so that no cell appears that the recipe lacks,
    and a block without any goes. Values that no block has come beside those that are picked, or, where none is, in
    place of what every block has. Blocks that differed in one of these may have cells in common now, which are fitted
    once. A path along β goes with the cells that it followed.

    Raises
    ------
    UserError
        If the grid had a cell twice before that, or nothing is left of it.
    """
    cells_of(grid)
    chosen = {name: tuple(values) for name, values in lists.items() if values}
    if not chosen:
        return grid
    there = {name: {value for block in grid.blocks for value in _own(block, name) or ()} for name in chosen}
    blocks = []
    for block in grid.blocks:
        picked = {name: _picked(_own(block, name), values, there[name]) for name, values in chosen.items()}
        if all(picked.values()):
            blocks.append({**block, **picked})
    if not blocks:
        told = ", ".join(f"{name} = {', '.join(map(str, values))}" for name, values in chosen.items())
        raise UserError(f"no table [[grid]] of the recipe has {told} together; ask for them one by one.")
    left = replace(grid, blocks=tuple(blocks), merge=len(blocks) > 1)
    if grid.path_units is None:
        return left
    follows = any(is_followed_along(cell.settings, grid.path_units) for cell in cells_of(left))
    return left if follows else replace(left, path_units=None, said=left.said - {"path_units"})


def is_followed_along(settings: Settings, units: int | None) -> bool:
    """Whether a cell is one of a path along β of so many units: a Poisson code with a dictionary, and no price."""
    plain = settings.program == "poisson" and settings.decoder == "linear" and not settings.spike_price
    return plain and settings.units == units


def _own(block: Block, name: str) -> tuple[Any, ...] | None:
    """Values of a setting in a block, its default where it says none; None where that depends on the program."""
    usual = getattr(Settings(), name)
    return block.get(name, None if usual is None else (usual,))


def _picked(own: tuple[Any, ...] | None, wanted: tuple[Any, ...], there: set[Any]) -> tuple[Any, ...]:
    if own is None or not there & set(wanted):
        return wanted
    picked = tuple(value for value in wanted if value in own or value not in there)
    return picked if set(picked) & set(own) else ()


def cells_of(grid: Grid) -> list[Cell]:
    """Every cell of the grid, those that share a compilation side by side, the dearest first.

    A setting that is left open has its default, but for `steps`: half of it, to be doubled.

    Raises
    ------
    UserError
        For settings that cannot be, and for a cell that is there twice.
    """
    found: dict[str, Cell] = {}
    for block in grid.blocks:
        inside = set()
        for values in itertools.product(*block.values()):
            cell = _cell(dict(zip(block, values, strict=True)), together=block.get("program", ()))
            if cell.name in found and found[cell.name].settings != cell.settings:
                raise _one_name(found[cell.name], cell)
            if cell.name in inside or (cell.name in found and not grid.merge):
                raise UserError(f"the grid has the cell {cell.name} twice; name each value, and each block, once.")
            inside.add(cell.name)
            found[cell.name] = cell
    order = {name: at for at, name in enumerate(dict.fromkeys(_kind(cell) for cell in found.values()))}
    return sorted(found.values(), key=lambda c: (-c.settings.units, order[_kind(c)], c.settings.beta, c.settings.seed))


def _one_name(first: Cell, second: Cell) -> UserError:
    """The error for two cells that differ, and would stand in one directory."""
    one, other = first.settings, second.settings
    if one.program != other.program and Path(one.program).resolve() == Path(other.program).resolve():
        return UserError(f"the programs {one.program} and {other.program} are one file; name it once.")
    if one.program != other.program:
        return UserError(
            f"the programs {one.program} and {other.program} share a name, by which cells are called: both would have "
            f"the cell {first.name}; rename one of the files."
        )
    return UserError(
        f"two cells of the grid would both be called {first.name}, which differ in "
        f"{', '.join(differences(other, one))}; give them in two sweeps."
    )


def _cell(values: dict[str, Any], together: Sequence[str]) -> Cell:
    try:
        settings = with_its_data(from_mapping(values))
        validated = validate(settings)
        if settings.steps is None:
            validated = replace(validated, steps=_start_steps(validated))
    except UserError as error:
        told = ", ".join(f"{name} = {value}" for name, value in values.items())
        apart = (
            " Programs that take different settings go in tables [[grid]] of their own." if len(together) > 1 else ""
        )
        raise UserError(f"the cell {told} of the grid cannot be: {error}{apart}") from None
    return Cell(_name(validated), validated)


def _start_steps(settings: Settings) -> int:
    return start_steps(settings.units, counts=PROGRAMS.get(settings.program, UNKNOWN).is_count)


def _kind(cell: Cell) -> str:
    """What cells have in common that differ in numbers only which one compilation serves."""
    same = replace(cell.settings, beta=0.0, seed=0, spike_price=0.0, steps=1, learning_rate=1.0, anneal=0.0)
    return repr(same)


def _name(settings: Settings) -> str:
    """The program, K, β, the seed, and whatever is not as the program has it by default."""
    program = Path(settings.program).stem if is_program_file(settings.program) else settings.program
    usual = _usual(settings.program, settings.units)
    said = ("program", "units", "beta", "seed")
    other = [
        _word(name, getattr(settings, name))
        for name in _NAMES
        if name not in said and getattr(settings, name) != getattr(usual, name)
    ]
    parts = [program, *other, f"K{settings.units}", f"b{settings.beta:g}", f"s{settings.seed}"]
    name = "-".join(re.sub(r"[^\w.+-]+", "_", part) for part in parts)
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[: LONGEST_NAME - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


@lru_cache(maxsize=1024)
def _usual(program: str, units: int) -> Settings:
    usual = validate(with_its_data(Settings(program=program, units=units)))
    return replace(usual, steps=_start_steps(usual))


def _word(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return name if value else f"no_{name}"
    if name in ("prior", "pays"):
        return {"prior": f"{value}_prior", "pays": f"pays_{value}"}[name]
    return f"{name}_{Path(value).stem if name == 'data' else value}"


def grid_to_toml(grid: Grid) -> str:
    """The grid as a recipe."""
    options = {name: getattr(grid, name) for name in _OPTIONS if getattr(grid, name) is not None}
    return tomli_w.dumps(options | {"grid": [_plural(block) for block in grid.blocks]})


def _plural(block: Block) -> dict[str, Any]:
    names = {setting: plural for plural, setting in PLURALS.items()}
    return {names.get(name, name): list(_plain(values)) for name, values in block.items()}


def _plain(values: Iterable[Any]) -> Iterable[Any]:
    return (value for value in values if value is not None)

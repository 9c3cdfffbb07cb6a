"""The program files of a grid: each is run once, and one fit of it is planned, before anything is written."""

from collections.abc import Iterable
from concurrent.futures import Executor

from ppl_pvae.config import Cell, Settings, is_program_file, read_program_file
from ppl_pvae.errors import UserError
from ppl_pvae.sweeps.local import LocalExecutor
from ppl_pvae.sweeps.task import check_cell

__all__ = ["check_programs"]


def check_programs(cells: Iterable[Cell]) -> None:
    """Make sure that every program file of the cells can be fitted, with the settings of the first cell that has it.

    A worker does it, as one does it for the cell: JAX and what the programs leave behind go with its process.

    Raises
    ------
    UserError
        For the first file that cannot be read, fails when it is run, or does not keep the contract of a program.
    """
    first: dict[str, Settings] = {}
    for cell in cells:
        if is_program_file(cell.settings.program):
            first.setdefault(cell.settings.program, cell.settings)
    for name in first:
        read_program_file(name)  # what is no Python is told at once
    if not first:
        return
    with LocalExecutor(1) as where:
        try:
            for name, settings in first.items():
                _check(name, settings, where)
        except BaseException:
            where.shutdown(wait=False)  # Ctrl-C waits for no program
            raise


def _check(name: str, settings: Settings, where: Executor) -> None:
    try:
        where.submit(check_cell, settings).result()
    except ChildProcessError as problem:
        raise UserError(f"the program {name} cannot be tried: {problem}") from None

"""Programs in files of one's own, as far as they can be read without running them."""

import ast
import tokenize
from dataclasses import replace
from typing import NamedTuple

from ppl_pvae.config.settings import Settings
from ppl_pvae.errors import UserError

__all__ = ["DATA", "ProgramFile", "is_program_file", "parse_program_file", "read_program_file", "with_its_data"]

DATA = "DATA"  # the name by which a file says what it is fitted to


class ProgramFile(NamedTuple):
    """The text of a program, where it came from, and the data that it names (None where it names none)."""

    path: str
    text: str
    data: str | None


def is_program_file(name: str) -> bool:
    """Whether a program is named by the path of a file."""
    return name.endswith(".py")


def with_its_data(settings: Settings) -> Settings:
    """The settings with the data that a program file names, where none were given; the file is read and not run.

    Raises
    ------
    UserError
        If the program is a file that cannot be read.
    """
    if settings.data is not None or not is_program_file(settings.program):
        return settings
    return replace(settings, data=read_program_file(settings.program).data)


def read_program_file(path: str) -> ProgramFile:
    """The text in a file, as Python reads it, which is parsed and not run.

    Raises
    ------
    UserError
        If there is no such file, it is no text or no Python, or its DATA is no text.
    """
    try:
        with tokenize.open(path) as file:  # a mark of byte order and a declared encoding are seen to
            text = file.read()
    except (UnicodeDecodeError, SyntaxError):
        raise UserError(f"cannot read the program {path}: it is no text.") from None
    except OSError as error:
        raise UserError(f"cannot read the program {path}: {error.strerror}.") from None
    return parse_program_file(path, text)


def parse_program_file(path: str, text: str) -> ProgramFile:
    """A text that came from a file, with the data that it names; it is not run.

    Raises
    ------
    UserError
        If it is no Python, or its DATA is no text.
    """
    try:
        lines = ast.parse(text).body
    except (SyntaxError, ValueError) as error:
        where = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        raise UserError(f"the program {path}{where} is no valid Python: {reason}.") from None
    return ProgramFile(path, text, _data_named_in(path, lines))


def _data_named_in(path, lines):
    for line in lines:
        targets = line.targets if isinstance(line, ast.Assign) else [getattr(line, "target", None)]
        if isinstance(line, ast.Assign | ast.AnnAssign) and any(getattr(each, "id", None) == DATA for each in targets):
            if isinstance(line.value, ast.Constant) and isinstance(line.value.value, str):
                return line.value.value
            raise UserError(
                f"the program {path}, line {line.lineno}: {DATA} must be a name or path as --data takes it, in quotes."
            )
    return None

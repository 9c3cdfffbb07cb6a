"""Running a file that holds a program. It is code: only a file that the user names, or a run that it left, is run."""

import linecache
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from types import ModuleType

from ppl_pvae.config import DATA, ProgramFile, Settings, parse_program_file, read_about, read_program_file
from ppl_pvae.errors import UserError
from ppl_pvae.models import Program, unfit_signature
from ppl_pvae.run.telling import telling_where

__all__ = ["program_file_of", "program_in", "stored_file"]


def program_file_of(settings: Settings, folder: Path | None) -> ProgramFile:
    """The file that the settings name; where it is gone, the text that the run in the folder keeps.

    Raises
    ------
    UserError
        If there is neither.
    """
    kept = stored_file(settings, folder) if folder else None
    return kept if kept and not Path(settings.program).is_file() else read_program_file(settings.program)


def stored_file(settings: Settings, folder: Path) -> ProgramFile | None:
    """The text that a run keeps of its program file, None where there is no run."""
    text = read_about(folder / "config.toml").get("program_text") if (folder / "config.toml").is_file() else None
    return None if text is None else parse_program_file(f"{settings.program} (as {folder} keeps it)", text)


@lru_cache(maxsize=32)
def program_in(file: ProgramFile) -> Program:
    """`model` and `guide` of the file; the same objects for the same text, so that their compilation is shared.

    Raises
    ------
    UserError
        If the file fails when it is run, has no model or guide, or names other data than can be read off its text.
    """
    # Tracebacks and inspect show the text that was run, whatever has become of the file.
    linecache.cache[file.path] = (len(file.text), None, file.text.splitlines(keepends=True), file.path)
    module = ModuleType(f"ppl_pvae_program_{abs(hash(file)):x}")
    module.__file__ = file.path
    sys.modules[module.__name__] = module  # where dataclasses and pickle look for what a file defines
    with telling_where(file.path):
        exec(compile(file.text, file.path, "exec"), module.__dict__)
    # The data are chosen before the file is run, by its text: what that does not show would be ignored.
    if (named := getattr(module, DATA, None)) != file.data:
        raise UserError(
            f"the program {file.path} has {DATA} = {named!r} when it is run, which its text does not show; write "
            f'{DATA} = "..." once, on a line that is not indented.'
        )
    return Program(*(_function(module, name, file.path) for name in ("model", "guide")))


def _function(module, name: str, path: str) -> Callable:
    found = getattr(module, name, None)
    if not callable(found):
        problem = "has none" if found is None else f"has a {type(found).__name__}"
        raise UserError(f"the program {path} needs a function {name}(x, nets) and {problem}; define one.")
    if problem := unfit_signature(name, found):
        raise UserError(f"the program {path}: {problem}")
    return found

"""Running a file that holds a program. It is code: only a file that the user names, or a run that it left, is run."""

import linecache
import sys
import textwrap
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import ModuleType

from ppl_pvae.config import ProgramFile, Settings, read_about, read_program_file
from ppl_pvae.errors import UserError
from ppl_pvae.models import Program

__all__ = ["program_file_of", "program_in", "stored_file", "telling_where"]


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
    return None if text is None else ProgramFile(f"{settings.program} (as {folder} keeps it)", text, None)


PACKAGE = Path(__file__).parents[1]
# What is usually meant by a complaint of JAX or NumPyro.
HINTS = {
    "Incompatible shapes for broadcasting": "put units and pixels into the event of that site with .to_event(1)",
    "dot_general requires": "x is (image, pixel), a code (image, unit): give the product matching shapes",
}


@lru_cache(maxsize=32)
def program_in(file: ProgramFile) -> Program:
    """`model` and `guide` of the file; the same objects for the same text, so that their compilation is shared.

    Raises
    ------
    UserError
        If the file fails when it is run, or has no model or guide.
    """
    # Tracebacks and inspect show the text that was run, whatever has become of the file.
    linecache.cache[file.path] = (len(file.text), None, file.text.splitlines(keepends=True), file.path)
    module = ModuleType(f"ppl_pvae_program_{abs(hash(file)):x}")
    module.__file__ = file.path
    sys.modules[module.__name__] = module  # where dataclasses and pickle look for what a file defines
    with telling_where(file.path):
        exec(compile(file.text, file.path, "exec"), module.__dict__)
    return Program(*(_function(module, name, file.path) for name in ("model", "guide")))


def _function(module, name: str, path: str) -> Callable:
    found = getattr(module, name, None)
    if not callable(found):
        problem = "has none" if found is None else f"has a {type(found).__name__}"
        raise UserError(f"the program {path} needs a function {name}(x, nets) and {problem}; define one.")
    return found


@contextmanager
def telling_where(path: str) -> Iterator[None]:
    """Whatever goes wrong in the code of this file becomes one line that says where, and what to look at.

    Raises
    ------
    UserError
        For any exception that passed through the file; others pass as they are.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # somebody else's code: anything may come out of it
        frames = traceback.extract_tb(error.__traceback__)
        theirs = [frame for frame in frames if frame.filename == path]
        if not theirs:
            raise
        where = f"the program {path}, line {theirs[-1].lineno}"
        words = " ".join(str(error).strip().splitlines()[:1])
        if isinstance(error, ValueError) and Path(frames[-1].filename).is_relative_to(PACKAGE):
            raise UserError(f"{where}: {words}") from error  # a complaint of ours, with its remedy
        line = textwrap.shorten(theirs[-1].line or "", 60, placeholder=" ...")
        hint = next((hint for sign, hint in HINTS.items() if sign in words), "mend that line")
        raise UserError(f"{where}: {type(error).__name__}: {words}\n  {line} ({hint})") from error

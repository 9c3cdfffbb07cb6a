"""What the commands share: flags read by tyro, complaints in one line, and exit codes."""

import contextlib
import io
import re
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import tyro

from ppl_pvae.errors import UserError
from ppl_pvae.names import nearest

__all__ = ["answer", "read_flags"]

C = TypeVar("C")


def read_flags(
    command: type[C],
    name: str,
    arguments: Sequence[str],
    default: C,
    flags: Sequence[str],
    takes: Mapping[str, str] | None = None,
) -> C:
    """The flags of a command over its defaults; what tyro would say in a box of several lines is said in one.

    Parameters
    ----------
    command
        Dataclass whose fields are flags.
    name
        As it is typed, `python -m ppl_pvae.fit`.
    arguments
        What was typed after it.
    default
        The command without flags.
    flags
        All flags, of which the nearest is named where one is unknown.
    takes
        What flags of several values take, "two numbers: ...", by flag: said where a value is missing or of another
        kind.

    Raises
    ------
    UserError
        For an unknown flag, a word that belongs to none, or a value of the wrong kind.
    """
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            read, unknown = tyro.cli(
                command, prog=name, args=list(arguments), default=default, return_unknown_args=True
            )
    except SystemExit as stop:
        if not stop.code:
            raise
        said = _first_words(complaint.getvalue())
        about = re.match(r"(?:Error parsing |Missing value for argument ')(--[\w-]+)", said)
        if about and (wanted := (takes or {}).get(about[1])):
            said = f"{about[1]} takes {wanted}"
        raise UserError(f"{_in_our_words(said)}; see --help.") from None
    if unknown:
        raise _unknown_argument(unknown[0], [*flags, "--help"])
    return read


def _first_words(box: str) -> str:
    """The first paragraph in a box that tyro has drawn, in lines or, where the terminal has none, in dashes."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", box)
    lines = [line.strip("│ ").strip() for line in plain.splitlines()[1:]]
    paragraphs = re.split(r"(?m)^[─╰╯-]*$", "\n".join(lines))
    return " ".join(next(filter(str.strip, paragraphs)).split()).rstrip(".")


def _in_our_words(words: str) -> str:
    """What tyro says of a value of the wrong kind, without its jargon; anything else as it is."""
    no_number = re.fullmatch(r"Error parsing --([\w-]+): (.*)(?:: | from \[)('[^']*')\]?", words)
    if no_number:
        kind = "a whole number" if re.search(r"int\(\)|\bINT\b", no_number[2]) else "a number"
        return f"{no_number[1].replace('-', '_')} must be {kind}, got {no_number[3]}"
    no_list = re.fullmatch(r"Error parsing --([\w-]+): Could not find valid parse for arguments: \[(.*)\]", words)
    if no_list:
        return f"{no_list[1].replace('-', '_')} cannot be {no_list[2]}: there is a value of another kind"
    return words


def _unknown_argument(argument: str, flags: Sequence[str]) -> UserError:
    """The error for a flag that does not exist, with the nearest one, or for a word that belongs to no flag."""
    if not argument.startswith("-"):
        return UserError(f"{argument!r} belongs to no flag; see --help.")
    flag = argument.split("=")[0]
    near = nearest(flag.replace("_", "-").lower(), flags, likeness=0.0)
    return UserError(f"unknown flag {flag!r}; did you mean {near!r}? See --help.")


def answer(run: Callable[[Sequence[str]], int], arguments: Sequence[str] | None, if_interrupted: str) -> int:
    """Exit code of a command: its own, 2 if the input has to be mended, 130 if it was interrupted.

    Parameters
    ----------
    run
        What the command does with its arguments.
    arguments
        Those, or None for what was typed.
    if_interrupted
        How to go on after Ctrl-C.
    """
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        try:
            return run(sys.argv[1:] if arguments is None else arguments)
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            print(f"error: {where}{error.strerror or error}; can it be read and written?", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print(f"interrupted; {if_interrupted}", file=sys.stderr)
            return 130


def _show_warning(message, category, filename, lineno, file=None, line=None):
    print(f"warning: {message}", file=sys.stderr)

"""What goes wrong in a program of the user's own becomes a line or two that say where, and what to look at."""

import inspect
import textwrap
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpyro
import numpyro.distributions as dist

from ppl_pvae.distributions import base_of
from ppl_pvae.distributions.counted import is_of_counts
from ppl_pvae.errors import UserError
from ppl_pvae.models import Program

__all__ = ["telling_where"]

PACKAGE = Path(__file__).parents[1]
ROOMS = tuple(PACKAGE / name for name in ("models", "networks"))  # what a program of one's own is built of
LONGEST = 240  # letters of somebody else's message

# What is usually meant by a complaint of Python, JAX or NumPyro.
HINTS = {
    "Incompatible shapes for broadcasting": "put units and pixels into the event of that site with .to_event(1)",
    "reinterpreted_batch_ndims": "that site has no axis of units: give what belongs to units the shape (nets.units,)",
    "incompatible shapes for broadcasting": "give what belongs to units the shape (nets.units,), to pixels "
    "(nets.pixels,)",
    "dot_general requires": "x is (image, pixel), a code (image, unit): give the product matching shapes",
    "NoneType": "a function gives nothing there: let it return its value",
    "object is not callable": "a function is called for there: of nets, where it is a prior rate",
    "got invalid": "out of its range: give its numpyro.param a constraint, or start further inside",
}
# The words of JAX change, the kinds of its exceptions do not.
WANTS_A_VALUE = (jax.errors.ConcretizationTypeError, jax.errors.NonConcreteBooleanIndexError)


@contextmanager
def telling_where(name: str, program: Program | None = None) -> Iterator[None]:
    """Whatever a program raises is told with its name, the line or function, the site, and what is usually meant.

    Parameters
    ----------
    name
        The path of its file, or what it is called.
    program
        Where it has been made already.

    Raises
    ------
    UserError
        For any exception but those of the file system that did not come out of the program's own lines.
    """
    try:
        yield
    except UserError:
        raise
    except (Exception, SystemExit) as error:  # somebody else's code: anything may come out of it
        steps = [_Step(*pair) for pair in _pairs(error.__traceback__)]
        own = {name} | ({path for each in program for path in _files(each)} if program else set())
        theirs = [step for step in steps if step.text.filename in own]
        if not theirs and isinstance(error, OSError | MemoryError):
            raise
        raise UserError(_told(name, error, steps, theirs)) from error


class _Step(NamedTuple):
    """A call on the way to an exception: what a traceback shows of it, and its frame."""

    text: traceback.FrameSummary
    frame: Any


def _pairs(trace):
    return zip(traceback.extract_tb(trace), (frame for frame, _ in traceback.walk_tb(trace)), strict=True)


def _files(function: Any) -> Iterator[str]:
    """The files in which a function is written, and those that a partial is given."""
    if isinstance(function, partial):
        for each in (function.func, *function.args, *function.keywords.values()):
            yield from _files(each)
        return
    code = getattr(inspect.unwrap(function), "__code__", None) if callable(function) else None
    code = code or getattr(type(function).__call__, "__code__", None) if callable(function) else None
    if code and not Path(code.co_filename).is_relative_to(PACKAGE):
        yield code.co_filename


def _told(name, error, steps, theirs):
    words = " ".join(str(error).strip().splitlines()[:1])
    ours = isinstance(error, ValueError) and Path(steps[-1].text.filename).is_relative_to(PACKAGE)
    through = theirs or [step for step in steps if any(Path(step.text.filename).is_relative_to(r) for r in ROOMS)]
    where = _where(name, through[-1].text if through else None)
    if ours and not isinstance(error, UnicodeError):  # a complaint of ours, with its remedy
        return f"{where}: {words}"
    site, words = _site(steps), textwrap.shorten(words, LONGEST, placeholder=" ...")
    where += f", site {site!r}" if site and f"{site!r}" not in words else ""
    if isinstance(error, SystemExit):
        return f"{where}: it ends Python ({_called(error, words)}); a program defines functions and no more."
    line = textwrap.shorten((through[-1].text.line or "") if through else "", 60, placeholder=" ...")
    hint = _hint(error, words, steps[-1], is_theirs=steps[-1] in theirs)
    return f"{where}: {_called(error, words)}\n  {line or 'no line of the program'} ({hint})"


def _called(error, words):
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def _where(name, text):
    if text is None:
        return f"program {name!r}"
    if text.filename == name:
        return f"the program {name}, line {text.lineno}"
    if Path(text.filename).is_relative_to(PACKAGE):
        return f"program {name!r}, in {Path(text.filename).stem}.{text.name}"
    return f"program {name!r}, line {text.lineno} in {text.name}"


def _site(steps):
    """The name of the site that was being made, if any."""
    making = {numpyro.sample.__code__, numpyro.param.__code__}
    return next((s.frame.f_locals.get("name") for s in reversed(steps) if s.frame.f_code in making), None)


def _hint(error, words, last, *, is_theirs):
    if isinstance(error, ModuleNotFoundError):
        return (
            f"a program is one file, whose text a run keeps: what it needs of {error.name} must be in it or installed"
        )
    if isinstance(error, WANTS_A_VALUE):
        return (
            "what depends on x or on parameters is not known when the program is traced: choose between values with "
            "jax.numpy.where"
        )
    if "not supported by this class" in words and _is_of_counts(last.frame.f_locals.get("base_dist")):
        return "NumPyro truncates no counts: write a distribution of your own, as in models/truncated.py"
    usual = next((hint for sign, hint in HINTS.items() if sign in words), "mend that line")
    return usual if words else _said_by_its_place(error, last, usual, is_theirs=is_theirs)


def _is_of_counts(base):
    return isinstance(base, dist.Distribution) and is_of_counts(base_of(base))


def _said_by_its_place(error, last, usual, *, is_theirs):
    """Of an exception without words: NumPyro raises it in the place of a method that a class does not have."""
    name, owner = last.text.name, last.frame.f_locals.get("self")
    owner = None if owner is None else type(owner).__name__
    if isinstance(error, NotImplementedError) and name.isidentifier() and not name.startswith("__"):
        return f"{owner} has no {name}: give the class that method" if owner else f"{name} is not written: write it"
    return usual if is_theirs else f"it comes out of {f'{owner}.{name}' if owner else name}"

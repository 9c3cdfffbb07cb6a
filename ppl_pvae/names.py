"""What to say about a name that does not exist."""

import difflib
from collections.abc import Iterable

from ppl_pvae.errors import UserError

__all__ = ["nearest", "unknown_name"]


def nearest(name: str, names: Iterable[str], *, likeness: float = 0.5) -> str | None:
    """The name most like the one given, or None where nothing is as like it as asked (0 for anything, 1 for equal)."""
    return next(iter(difflib.get_close_matches(name, list(names), n=1, cutoff=likeness)), None)


def unknown_name(kind: str, name: str, names: Iterable[str]) -> UserError:
    """The error for a name that does not exist: the nearest one, and all that there are.

    Parameters
    ----------
    kind
        What was named, for example "program".
    name
        What was asked for.
    names
        What exists.
    """
    names = list(names)
    near = nearest(name, names)
    what_to_do = f"did you mean {near!r}? Available" if near else "available"
    return UserError(f"unknown {kind} {name!r}; {what_to_do}: {', '.join(names)}.")

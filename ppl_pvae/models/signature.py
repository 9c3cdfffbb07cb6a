"""Whether a function can be called as a program is, with (x, nets)."""

import inspect
from collections.abc import Callable
from functools import partial

from ppl_pvae.names import nearest

__all__ = ["unfit_signature"]


def unfit_signature(role: str, function: Callable) -> str | None:
    """What keeps `function` from being a model or a guide, which `role` says; None where (x, nets) fits."""
    if isinstance(function, partial):
        name, taken = _called(function.func), _keywords(function.func)
        unknown = [] if taken is None else sorted(function.keywords.keys() - taken)
        if unknown:
            near = nearest(unknown[0], taken or ())
            meant = f"did you mean {near!r}?" if near else "leave it out."
            return f"{role} gives {name} a keyword {unknown[0]!r} that it does not take; {meant}"
    try:
        signature = inspect.signature(function)
    except ValueError:  # written in C: nothing is known until it is called
        return None
    try:
        signature.bind(None, None)
    except TypeError:
        return (
            f"{role} is called as {role}(x, nets), and takes {signature}; let it take these two, and no more without a "
            "default."
        )
    return None


def _called(function):
    return f"{function.__module__.split('.')[-1]}.{getattr(function, '__name__', type(function).__name__)}"


def _keywords(function) -> set[str] | None:
    """The names that a function takes by keyword; None where it takes any, or nobody knows."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:
        return None
    if any(each.kind is each.VAR_KEYWORD for each in parameters):
        return None
    return {each.name for each in parameters if each.kind not in (each.POSITIONAL_ONLY, each.VAR_POSITIONAL)}

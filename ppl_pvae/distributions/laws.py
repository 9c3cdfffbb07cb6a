"""Whose law a family follows: what a subclass inherits may be that of another.

A class that derives from a family and has a `log_prob` of its own is another family, whatever else it inherits: closed
forms, mean, variance and draws of its parent are not its own. Nor are they those of a wrapper round it: a mixture, an
inflated or a masked family is what it is made of.
"""

from collections.abc import Iterator

import numpyro.distributions as dist

__all__ = ["follows", "has_own", "is_users"]

# Families of these packages are right as a whole, whichever of their classes says what.
TRUSTED = ("numpyro.", "ppl_pvae.")


def follows(distribution: dist.Distribution, *laws: type) -> bool:
    """Whether a family has the log-probability of one of these classes and is of it; all follow the base class."""
    given = None if _is_changed(distribution) else type(distribution).log_prob
    return any(isinstance(distribution, law) and (law is dist.Distribution or given is law.log_prob) for law in laws)


def is_users(distribution: dist.Distribution) -> bool:
    """Whether its log-probability, or that of anything it is made of, is by neither NumPyro nor this package."""
    own = not _law_of(type(distribution)).__module__.startswith(TRUSTED)
    return own or _is_changed(distribution) or any(map(is_users, _parts(distribution)))


def has_own(distribution: dist.Distribution, name: str) -> bool:
    """Whether a family's `mean`, `variance` or `sample` goes with its log-probability.

    No where the base class's stands, which says nothing; where a user's class inherits it from one that goes by another
    log-probability; and where it is no for anything that the family is made of.
    """
    family = type(distribution)
    said = next(each for each in family.__mro__ if name in vars(each))
    if said is dist.Distribution or not all(has_own(part, name) for part in _parts(distribution)):
        return False
    # By what it was said: nothing where it is a mixin's, or that of a base without a law.
    by = next((each for each in said.__mro__ if "log_prob" in vars(each)), dist.Distribution)
    law = _law_of(family)
    return not _is_changed(distribution) and (law.__module__.startswith(TRUSTED) or by in (law, dist.Distribution))


def _law_of(family: type) -> type:
    """The class that a family has its log-probability from."""
    return next(each for each in family.__mro__ if "log_prob" in vars(each))


def _is_changed(distribution) -> bool:
    """Whether one distribution was given a log-probability that its class has not."""
    return "log_prob" in vars(distribution)


def _parts(distribution) -> Iterator[dist.Distribution]:
    """What a wrapper is made of."""
    for name in ("base_dist", "component_distribution", "component_distributions"):
        inner = getattr(distribution, name, None)
        several = inner if isinstance(inner, list | tuple) else [inner]
        yield from (each for each in several if isinstance(each, dist.Distribution))

"""Whose law a family follows: what a subclass inherits may be that of another.

A class that derives from a family and has a `log_prob` of its own is another family, whatever else it inherits: closed
forms, mean, variance and draws of its parent are not its own.
"""

import numpyro.distributions as dist

__all__ = ["follows", "has_own", "is_users"]

# Families of these packages are right as a whole, whichever of their classes says what.
TRUSTED = ("numpyro.", "ppl_pvae.")


def follows(family: type, law: type) -> bool:
    """Whether a family has the log-probability of another, itself or one that it derives from; all follow the base."""
    return issubclass(family, law) and (law is dist.Distribution or family.log_prob is law.log_prob)


def is_users(family: type) -> bool:
    """Whether a family's log-probability is by neither NumPyro nor this package."""
    return not _law_of(family).__module__.startswith(TRUSTED)


def _law_of(family: type) -> type:
    """The class that a family has its log-probability from."""
    return next(each for each in family.__mro__ if "log_prob" in vars(each))


def has_own(distribution: dist.Distribution, name: str) -> bool:
    """Whether a bare family's `mean`, `variance` or `sample` goes with its log-probability.

    No where the base class's stands, which says nothing, and where a user's class has a log-probability of its own and
    inherits this from above it.
    """
    family = type(distribution)
    said = next(each for each in family.__mro__ if name in vars(each))
    if said is dist.Distribution:
        return False
    return not is_users(family) or issubclass(said, _law_of(family))

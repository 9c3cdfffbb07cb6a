"""The type checker that the tests put round every annotated function of the package."""

from beartype import BeartypeConf, beartype

__all__ = ["check"]

# A whole number will do for a number.
check = beartype(conf=BeartypeConf(is_pep484_tower=True))

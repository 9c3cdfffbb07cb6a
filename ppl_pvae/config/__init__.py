"""The settings of a fit: their defaults, what they may be, and their TOML form."""

from ppl_pvae.config.programs import OWN_PROGRAM, PROGRAMS
from ppl_pvae.config.recipes import read_recipe, to_toml
from ppl_pvae.config.settings import Settings, differences, from_mapping
from ppl_pvae.config.validation import validate, with_training_defaults

__all__ = [
    "OWN_PROGRAM",
    "PROGRAMS",
    "Settings",
    "differences",
    "from_mapping",
    "read_recipe",
    "to_toml",
    "validate",
    "with_training_defaults",
]

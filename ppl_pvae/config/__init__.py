"""The settings of a fit: their defaults, what they may be, and their TOML form."""

from ppl_pvae.config.program_files import DATA, ProgramFile, is_program_file, parse_program_file, read_program_file
from ppl_pvae.config.programs import OWN_PROGRAM, PROGRAMS
from ppl_pvae.config.recipes import read_about, read_recipe, to_toml
from ppl_pvae.config.settings import Settings, differences, from_mapping
from ppl_pvae.config.validation import validate, with_training_defaults

__all__ = [
    "DATA",
    "OWN_PROGRAM",
    "PROGRAMS",
    "ProgramFile",
    "Settings",
    "differences",
    "from_mapping",
    "is_program_file",
    "parse_program_file",
    "read_about",
    "read_program_file",
    "read_recipe",
    "to_toml",
    "validate",
    "with_training_defaults",
]

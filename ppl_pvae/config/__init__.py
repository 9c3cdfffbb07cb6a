"""The settings of a fit: their defaults, what they may be, and their TOML form."""

from ppl_pvae.config.grid import (
    CONTINUED,
    PLURALS,
    Cell,
    Grid,
    cells_of,
    check_grid,
    grid_to_toml,
    is_followed_along,
    over,
    read_grid,
)
from ppl_pvae.config.program_files import (
    DATA,
    ProgramFile,
    is_program_file,
    parse_program_file,
    read_program_file,
    with_its_data,
)
from ppl_pvae.config.programs import OWN_PROGRAM, PROGRAMS
from ppl_pvae.config.recipes import read_about, read_recipe, to_toml
from ppl_pvae.config.remarks import about_guess, about_trade
from ppl_pvae.config.settings import Settings, differences, from_mapping
from ppl_pvae.config.training import may_go_on
from ppl_pvae.config.validation import check_options, validate, with_training_defaults

__all__ = [
    "CONTINUED",
    "Cell",
    "DATA",
    "Grid",
    "OWN_PROGRAM",
    "PLURALS",
    "PROGRAMS",
    "ProgramFile",
    "Settings",
    "about_guess",
    "about_trade",
    "cells_of",
    "check_grid",
    "check_options",
    "differences",
    "from_mapping",
    "grid_to_toml",
    "is_followed_along",
    "is_program_file",
    "may_go_on",
    "over",
    "parse_program_file",
    "read_about",
    "read_grid",
    "read_program_file",
    "read_recipe",
    "to_toml",
    "validate",
    "with_its_data",
    "with_training_defaults",
]

"""From settings as they were given to settings that can be fitted."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ppl_pvae.config.program_files import is_program_file
from ppl_pvae.config.programs import OF_COUNTS, OF_ESTIMATORS, OF_RATES, PROGRAMS, UNKNOWN, Program
from ppl_pvae.config.ranges import CHOICES, LARGEST, RANGES
from ppl_pvae.config.settings import Settings, typed
from ppl_pvae.config.training import (
    START_CONCENTRATION,
    learning_rate_for,
    steps_for,
    training_for,
    weight_scale_for,
)
from ppl_pvae.errors import UserError
from ppl_pvae.names import unknown_name

__all__ = ["check_options", "validate", "with_training_defaults"]


def validate(settings: Settings, *, own_program: bool = False) -> Settings:
    """The same settings, each of them possible, and those left open filled in with what suits program and size.

    Parameters
    ----------
    own_program
        True where model and guide are the caller's own functions, so that `program` is a label and no built-in name.
        A program in a file is known by its name.

    Raises
    ------
    UserError
        For the first setting that is out of its range, unknown, or without meaning for the program.
    """
    values = {name: typed(name, value) for name, value in dataclasses.asdict(settings).items()}
    for name, (holds, expected, remedy) in RANGES.items():
        if values[name] is not None and not holds(values[name]):
            raise UserError(f"{name} must be {expected}, got {values[name]}; {remedy}.")
    for name, largest in LARGEST.items():
        if values[name] is not None and values[name] > largest:
            raise UserError(f"{name} must be <= {largest:g}, got {values[name]:g}; no machine can do more.")
    for name, choices in CHOICES.items():
        if values[name] is not None and values[name] not in choices:
            raise unknown_name(name, values[name], choices)
    if values["log_rate_from"] > values["log_rate_to"]:
        raise UserError(
            f"log_rate_from must be <= log_rate_to, got {values['log_rate_from']} and {values['log_rate_to']}; "
            "swap them."
        )
    own_program = own_program or is_program_file(values["program"])
    if not own_program and values["program"] not in PROGRAMS:
        if Path(values["program"]).suffix:
            raise UserError(
                f"the program {values['program']!r} is no built-in one; a file that holds one must end in .py."
            )
        raise unknown_name("program", values["program"], PROGRAMS)
    return _fill(Settings(**values), UNKNOWN if own_program else PROGRAMS[values["program"]])


def _fill(settings: Settings, program: Program) -> Settings:
    """Refuse what the program would ignore; give what was left open its default."""
    for name in ("prior", "pays", "dispersion"):
        value, choices = getattr(settings, name), getattr(program, name)
        if value is not None and not choices:
            users = ", ".join(other for other, its in PROGRAMS.items() if getattr(its, name))
            raise UserError(
                f"{name} means nothing to the program {settings.program!r}; leave it out (it is for: {users})."
            )
        if value is None and choices:
            settings = dataclasses.replace(settings, **{name: choices[0]})
    if settings.concentration is not None and not program.dispersion:
        raise UserError(f"concentration means nothing to the program {settings.program!r}; leave it out.")
    if program.dispersion:
        settings = _where_open(settings, {"concentration": START_CONCENTRATION})
    if settings.estimator not in program.estimator:
        raise UserError(
            f"the estimator {settings.estimator!r} is for counts, and {settings.program!r} has none; use exact, with a "
            "linear decoder and the gaussian likelihood, or auto, which takes the sample's own gradient with others."
        )
    meaningless = (() if program.is_count else OF_COUNTS) + (() if program.has_rates else OF_RATES)
    for name in meaningless:
        if getattr(settings, name) != getattr(Settings, name):
            raise UserError(f"{name} means nothing to the program {settings.program!r}; leave it out.")
    _check_networks(settings)
    _check_estimator(settings, program)
    if settings.spike_price and not program.is_nonnegative:
        raise UserError(f"spike_price needs a code that is never negative, and {settings.program!r} is; use 0.")
    if program.has_rates:
        if settings.prior == "fixed" and settings.coordinates == "spread":
            raise UserError("coordinates = spread means nothing to a fixed prior: its rates stay; leave it out.")
        settings = _where_open(settings, {"coordinates": "plain" if settings.prior == "fixed" else "spread"})
    networks = settings.encoder, settings.decoder
    usual = {
        "steps": steps_for(settings.units),
        "learning_rate": learning_rate_for(*networks),
        "weight_scale": weight_scale_for(*networks),
        "data": "natural",
    }
    settings = _where_open(settings, usual)
    # What a program of one's own codes with is known only when it has run.
    return settings if program is UNKNOWN else with_training_defaults(settings, counts=program.is_count)


def with_training_defaults(settings: Settings, *, counts: bool) -> Settings:
    """The settings with what was left open about training filled in, for a code of counts or another."""
    return _where_open(settings, training_for(settings.units, settings.decoder, counts=counts)._asdict())


def _where_open(settings: Settings, values: Mapping[str, Any]) -> Settings:
    return dataclasses.replace(settings, **{n: v for n, v in values.items() if getattr(settings, n) is None})


def _check_networks(settings: Settings) -> None:
    """Refuse what the networks and the likelihood would ignore."""
    if settings.encoder == settings.decoder == "linear":
        for name in ("width", "depth"):
            if getattr(settings, name) != getattr(Settings, name):
                raise UserError(
                    f"{name} means nothing to linear networks; leave it out, or use an mlp or conv network."
                )
    if settings.likelihood != "gaussian":
        if settings.noise != Settings.noise:
            raise UserError(f"noise means nothing to the likelihood {settings.likelihood!r}; leave it out.")
        if settings.decoder_bias:
            raise UserError(
                f"decoder_bias means nothing to the likelihood {settings.likelihood!r}, which always has one; leave it "
                "out."
            )


def _check_estimator(settings: Settings, program: Program) -> None:
    """Refuse what the estimator would ignore, and temperatures at which it is not defined."""
    # What auto comes to for a program of one's own is known only when it has run.
    if settings.estimator != "auto" or program is not UNKNOWN:
        check_options(settings, _estimator_of(settings))
    cubic = settings.indicator == "cubic" and settings.estimator in ("auto", "arrival-time")
    for name in ("temperature", "temperature_from"):
        if cubic and getattr(settings, name) > 1:
            raise UserError(
                f"{name} must be <= 1 with the cubic indicator, got {getattr(settings, name)}; "
                "a wider window would start before time 0."
            )


def _estimator_of(settings: Settings) -> str:
    """The estimator, and in place of "auto" the one that it comes to for a built-in program of counts."""
    if settings.estimator != "auto":
        return settings.estimator
    return "exact" if settings.decoder == "linear" and settings.likelihood == "gaussian" else "arrival-time"


def check_options(settings: Settings, estimator: str) -> None:
    """Refuse what an estimator would ignore.

    Parameters
    ----------
    settings
        Whose options are looked at.
    estimator
        The one that is used: theirs, or what "auto" comes to.

    Raises
    ------
    UserError
        For the first option that differs from its default and means nothing to the estimator.
    """
    for name, estimators in OF_ESTIMATORS.items():
        usual = getattr(Settings, name)
        if getattr(settings, name) != usual and estimator not in estimators:
            chosen = "" if estimator == settings.estimator else ", which auto comes to here"
            raise UserError(
                f"{name} means nothing to the estimator {estimator!r}{chosen}; leave it at {usual} "
                f"(it is for: {', '.join(estimators)})."
            )

"""Which settings a program of one's own makes use of: a flag that would go nowhere is refused."""

from dataclasses import fields

import jax
from jax import random

from ppl_pvae.config import Settings
from ppl_pvae.errors import UserError
from ppl_pvae.inference import Hard, run_program
from ppl_pvae.models import Program
from ppl_pvae.networks import Nets

__all__ = ["check_used", "fields_read"]

# Settings that reach a program through a field of `Nets`.
OF_NETS = {name: name for name in ("encoder", "decoder", "encoder_bias", "decoder_bias", "weight_scale", "units")}
OF_NETS |= {"width": "width", "depth": "depth", "likelihood": "likelihood", "noise": "likelihood"}


def fields_read(params, program: Program, nets: Nets, x) -> set[str]:
    """The fields of `nets` that model and guide look at, by themselves or through its methods; nothing is computed."""
    names, seen = {field.name for field in fields(Nets)}, set()

    class Watched(Nets):
        def __getattribute__(self, name):
            if name in names:
                seen.add(name)
            return super().__getattribute__(name)

    watched = Watched(**vars(nets))

    def look(params, x):
        run_program(random.key(0), params, *program, (x, watched), {}, estimator=Hard(), temperature=1.0, plate="image")

    jax.eval_shape(look, params, x)
    return seen


def check_used(settings: Settings, seen: set[str]) -> None:
    """Make sure that whatever was set for the networks reaches the program.

    Raises
    ------
    UserError
        For the first setting that differs from its default and is in no field that was read.
    """
    for name, field in OF_NETS.items():
        if getattr(settings, name) != getattr(Settings, name) and field not in seen:
            raise UserError(
                f"{name} means nothing to the program {settings.program!r}, which does not use it; leave it out."
            )

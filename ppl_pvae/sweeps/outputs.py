"""What a sweep leaves behind when its cells are done."""

from ppl_pvae.sweeps.whole import Sweep

__all__ = ["write_outputs"]


def write_outputs(sweep: Sweep, rows) -> None:
    pass

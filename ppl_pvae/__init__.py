"""Poisson variational autoencoders as NumPyro programs: what information costs in spikes."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ppl_pvae.distributions.soft_poisson import soft_poisson
    from ppl_pvae.run import import_run, open_run, train

__all__ = ["__version__", "import_run", "open_run", "soft_poisson", "train"]

__version__ = "0.1.0"

# Looked up when first used: importing JAX takes seconds, and a command must answer --help at once. No name here may be
# `fit`, which would turn `python -m ppl_pvae.fit` into a RuntimeWarning.
_HOME = {
    "import_run": "ppl_pvae.run",
    "open_run": "ppl_pvae.run",
    "soft_poisson": "ppl_pvae.distributions.soft_poisson",
    "train": "ppl_pvae.run",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'ppl_pvae' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)

"""The result of a fit, for reading in a notebook."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import xarray as xr

from ppl_pvae.config import Settings
from ppl_pvae.errors import UserError
from ppl_pvae.inference.evaluation import encode
from ppl_pvae.models import Program
from ppl_pvae.networks import Nets

__all__ = ["Run"]

_TABLE = (
    ("free_energy", "free energy", "nats per image"),
    ("silent_free_energy", "  of silence", "nats per image"),
    ("train_free_energy", "  on training images", "nats per image"),
    ("distortion", "distortion", "nats per image"),
    ("coding_rate", "coding rate", "nats per image"),
    ("spikes_per_image", "activity", "per image"),
    ("firing_rate", "", "per unit"),
    ("nats_per_spike", "nats per spike", ""),
    ("information", "information", "nats per image, summed over units"),
    ("bits_per_spike", "bits per spike", "of information"),
    ("zeros", "zeros", "share"),
    ("r2", "R²", "pooled"),
    ("active_units", "active units", "share"),
    ("rate_mismatch", "largest |log r − log E λ|", ""),
)


@dataclass(frozen=True)
class Run:
    """A trained program with what it says about the test images.

    Attributes
    ----------
    summary
        One row: the keys of `summary.json`.
    tree
        Posterior on the test images, an xarray DataTree with ArviZ groups.
    params
        Trained parameters by name: `Predictive(run.guide, params=run.params, num_samples=100)` is plain NumPyro.
    history
        The lines of `metrics.jsonl`.
    path
        The run directory, None for a run that lives in memory.
    """

    settings: Settings
    program: Program
    nets: Nets
    params: Mapping[str, Any]
    summary: Mapping[str, Any]
    history: Sequence[Mapping[str, Any]]
    tree: xr.DataTree
    path: Path | None = None

    @property
    def model(self) -> Callable:
        """The model, a function of (x, nets), nets given already."""
        return _with_nets(self.program.model, self.nets)

    @property
    def guide(self) -> Callable:
        """The guide, a function of (x, nets), nets given already."""
        return _with_nets(self.program.guide, self.nets)

    def encode(self, x) -> xr.DataArray:
        """E_q z of new images (image, pixel): expected counts, rectified or signed means, dims (image, unit).

        Raises
        ------
        UserError
            If the images have another number of pixels than those of the training.
        """
        x = np.asarray(x, dtype=np.float32)
        x = x.reshape(len(x), -1) if x.ndim == 3 else x
        if x.ndim != 2 or x.shape[1] != self.nets.pixels or not len(x):
            raise UserError(
                f"expected images of shape (image, {self.nets.pixels}), got {x.shape}; preprocess them alike."
            )
        rates = encode(self.params, self.program.guide, self.nets, x)
        return xr.DataArray(rates, dims=("image", "unit"), name="rate")

    def table(self) -> str:
        """The summary in words and numbers, a line each."""
        rows = [(label, self.summary[key], unit) for key, label, unit in _TABLE if self.summary.get(key) is not None]
        lines = [f"{label:<26} {value:>12.4g}  {unit}".rstrip() for label, value, unit in rows]
        verdict = {True: "converged", False: "NOT converged", None: "not checked (--check-convergence)"}
        lines.append(f"{'convergence':<26} {verdict[self.summary['converged']]}")
        return "\n".join(lines)


def _with_nets(program, nets):
    def run(x, nets=nets):
        return program(jnp.asarray(x), nets)

    return run

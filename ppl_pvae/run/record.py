"""The result of a fit, for reading in a notebook."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import xarray as xr
from jax import random

from ppl_pvae.analysis.convergence import NOT_CHECKED, NOT_CONVERGED, NOT_KNOWN, standing
from ppl_pvae.analysis.energy import BUDGETS, Budget
from ppl_pvae.analysis.evidence import pareto_k
from ppl_pvae.analysis.study import Study
from ppl_pvae.config import Settings
from ppl_pvae.errors import UserError
from ppl_pvae.inference.evaluation import encode
from ppl_pvae.inference.evidence import importance_weighted
from ppl_pvae.inference.observed import check_observed
from ppl_pvae.inference.refinement import refine
from ppl_pvae.models import BUILT_IN, Program
from ppl_pvae.networks import LIKELIHOODS, Nets
from ppl_pvae.run.checking import calibrate, check
from ppl_pvae.run.refined import as_dataset

__all__ = ["Run"]

_TABLE = (
    ("free_energy", "free energy", "nats per image"),
    ("silent_free_energy", "  of silence", "nats per image"),
    ("dense_free_energy", "  of a dense code", "nats per image"),
    ("train_free_energy", "  on training images", "nats per image"),
    ("objective", "  as training relaxed it", "nats per image"),
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
    ("planted_correlation", "planted elements", "correlation of matched units"),
    ("least_planted_correlation", "  the worst of them", ""),
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
        x = self._images(x)
        rates = encode(self.params, self.program.guide, self.nets, x)
        return xr.DataArray(rates, dims=("image", "unit"), name="rate")

    def log_evidence(self, x, draws: int = 100, seed: int = 0) -> xr.DataArray:
        """A lower bound on log p(x) of each of some images (image, pixel), nats, dims (image).

        The logarithm of the mean of p(x, z)/q(z|x) over exact draws of the code: on average above the negative of the
        negative ELBO, the higher the more draws, and log p(x) in the limit. Constants of the likelihood are included,
        β and every relaxation are not, so that programs can be compared by it, image by image, on images that none was
        trained on. Latents of the whole data set are held at one posterior draw. Under the Bernoulli likelihood log p
        is that of binary pixels, and for others a cross entropy.

        Parameters
        ----------
        draws
            S, codes drawn for each image, >= 1. How many are enough is seen by taking ten times as many, or by the k̂
            of `evidence`.
        seed
            Of the draws.

        Raises
        ------
        UserError
            If the images have another number of pixels than those of the training or no probability under the
            likelihood, or the program has a site whose draws cannot be weighed.

        Notes
        -----
        Source: Burda, Grosse & Salakhutdinov 2016 (arXiv:1509.00519), equation 8.
        """
        attrs = {"long_name": "importance-weighted bound on log p(x)", "units": "nat", "draws": int(draws)}
        bound = self._weigh(x, draws, seed).bound
        return xr.DataArray(bound, dims=("image",), name="log_evidence", attrs=attrs)

    def evidence(self, x, draws: int = 100, seed: int = 0) -> xr.Dataset:
        """`log_evidence` of each image with `pareto_k`, the k̂ of its weights, dims (image).

        Where k̂ is above 0.7 the mean of the weights is dominated by codes that were not drawn, and the bound is far
        below log p(x). Parameters and errors are those of `log_evidence`, but for `draws`, >= 25.
        """
        if draws < 25:
            raise UserError(f"draws must be >= 25 for k̂, got {draws}; log_evidence takes fewer.")
        weighed = self._weigh(x, draws, seed)
        about = {"units": "nat", "long_name": "importance-weighted bound on log p(x)"}
        return xr.Dataset(
            {
                "log_evidence": ("image", weighed.bound, about),
                "pareto_k": ("image", pareto_k(weighed.log_weights), {"long_name": "k̂ of the importance weights"}),
            },
            attrs={"draws": int(draws)},
        )

    def _weigh(self, x, draws, seed):
        if draws < 1:
            raise UserError(f"draws must be >= 1, got {draws}.")
        x = self._observable(x)
        try:
            return importance_weighted(random.key(seed), self.params, *self.program, self.nets, x, draws=int(draws))
        except ValueError as problem:
            raise UserError(f"program {self.settings.program!r}: {problem}") from None

    def refine(self, x, iterations: int = 50, seed: int = 0) -> xr.Dataset:
        """The codes of some images (image, pixel), each refined by itself: what amortisation costs, dims (image, unit).

        From where the encoder puts it, the posterior of each image is moved to lower that image's own free energy, at
        the β and the price on activity of the training, prior and decoder unchanged. Every variable is there twice:
        `rate`, `zeros` (the probability that a unit is 0), `z` (one draw of the code), `free_energy`, `distortion`
        (expected), `distortion_sampled` (at that draw) and `coding_rate`, each as NAME_before and NAME_after. The
        amortisation gap is free_energy_before − free_energy_after, never negative. Latents of the whole data set are
        held at one posterior draw, and their KL is left out.

        Parameters
        ----------
        iterations
            Sweeps over all units at most, >= 1; fewer are made where no image can gain 1e-5 nats any more. The
            attribute `sweeps` says how many were.
        seed
            Of the draws.

        Raises
        ------
        UserError
            If the images have another number of pixels than those of the training, or the program has no exact
            expectation (affine decoder, Gaussian likelihood) or a code of another family than Poisson, negative
            binomial, normal or rectified normal.

        Notes
        -----
        Source: Cremer, Li & Duvenaud 2018 (arXiv:1801.03558).
        """
        if iterations < 1:
            raise UserError(f"iterations must be >= 1, got {iterations}.")
        x, settings = self._images(x), self.settings
        asked: dict[str, Any] = {"beta": settings.beta, "spike_price": settings.spike_price}
        asked["iterations"] = int(iterations)
        try:
            refined = refine(random.key(seed), self.params, *self.program, self.nets, x, **asked)
        except ValueError as problem:
            raise UserError(f"program {self.settings.program!r}: {problem}") from None
        return as_dataset(refined, **asked)

    def study(
        self, name: str | None = None, *, data=None, full: bool = False, budgets: tuple[Budget, ...] = BUDGETS
    ) -> Study:
        """Everything that `python -m ppl_pvae.analyze` works out about one run, as a record.

        Parameters
        ----------
        name
            What the run is called in tables and legends; the name of its directory, or of its program, unless said.
        data
            Other data, whose test images are analysed: what --data of the fit takes, or an array; None for those of
            the run.
        full
            More images and draws for the evidence, refinement, calibration and predictive checks.
        budgets
            What energy is reckoned with, for counts: `ppl_pvae.analysis.energy`.

        Raises
        ------
        UserError
            If the other data do not fit.
        """
        from ppl_pvae.run.studying import study  # which reads runs, and so imports this module

        name = name or (self.path.resolve().name if self.path else self.settings.program)
        return study(self, name, data=data, full=full, budgets=budgets)

    def _images(self, x):
        """Images as (image, pixel)."""
        x = np.asarray(x, dtype=np.float32)
        x = x.reshape(len(x), -1) if x.ndim == 3 else x
        if x.ndim != 2 or x.shape[1] != self.nets.pixels or not len(x):
            raise UserError(
                f"expected images of shape (image, {self.nets.pixels}), got {x.shape}; preprocess them alike."
            )
        return x

    def _observable(self, x):
        """The same, each of which has a probability under the likelihood."""
        x = self._images(x)
        if problem := LIKELIHOODS[self.nets.likelihood].unfit(x):
            raise UserError(f"likelihood = {self.nets.likelihood} gives these images no probability: {problem}.")
        if self.settings.program not in BUILT_IN:
            try:
                check_observed(self.params, *self.program, {"given": x}, self.nets)
            except ValueError as problem:
                raise UserError(f"program {self.settings.program!r}: {problem}") from None
        return x

    def table(self) -> str:
        """The summary in words and numbers, a line each."""
        rows = [(label, self.summary[key], unit) for key, label, unit in _TABLE if self.summary.get(key) is not None]
        lines = [f"{label:<26} {value:>12.4g}  {unit}".rstrip() for label, value, unit in rows]
        more = {
            NOT_CONVERGED: "NOT converged",
            NOT_CHECKED: f"{NOT_CHECKED} (--check-convergence)",
            NOT_KNOWN: f"{NOT_KNOWN} (trained elsewhere)",
        }
        stands = standing(self.summary)
        lines.append(f"{'convergence':<26} {more.get(stands, stands)}")
        return "\n".join(lines)

    def calibrate(self, images: int = 1000, draws: int = 99, seed: int = 0) -> xr.Dataset:
        """Simulation-based calibration: is the guide's posterior the one that the model implies?

        Codes are drawn from the prior, images from the likelihood, and each code is ranked among posterior draws for
        its image. Ranks are uniform if the posterior is exact; that of a guide is not where its family, its encoder or
        a β other than 1 keeps it from being so. The images are the program's own: whether yours look like them is what
        `check` asks.

        Parameters
        ----------
        images
            Images to simulate, >= 20.
        draws
            L, posterior draws for each; L + 1 a multiple of 20 makes bins of equal width.
        seed
            Of everything drawn.

        Returns
        -------
        xr.Dataset
            `rank` (image, unit), 0 to L; by unit `p_value` (chi-square), `shift` of the mean rank, `spread` (above 1:
            the posterior is too narrow) and `tied` (near 1: ranks say little); attribute `p_value`, all units together
            (Bonferroni). `analysis.plots.calibration(judge_ranks(rank, L))` draws it.

        Raises
        ------
        UserError
            If there are too few images or draws, or the program makes no images by itself.

        Notes
        -----
        Source: Talts et al. 2018 (arXiv:1804.06788).
        """
        return calibrate(self.params, self.program, self.nets, images=images, draws=draws, seed=seed)

    def check(self, x, replicates: int = 99, seed: int = 0, prediction: str = "prior") -> xr.Dataset:
        """Predictive checks: statistics of images (image, pixel) and of their codes beside what the program makes.

        Images stand beside data sets of as many images from the prior or, with `prediction="posterior"`, made again
        from the codes of the images themselves; codes, one posterior draw an image, beside codes from the prior.

        Returns
        -------
        xr.Dataset
            By statistic `observed`, `replicated` (statistic, replicate) and the two-sided `p_value`, never below
            2/(replicates + 1); `of` says whether the statistic is one of images or codes.

        Raises
        ------
        UserError
            If the images have another number of pixels than those of the training or no probability under the
            likelihood, there are no replicates, or the program makes no images by itself.
        """
        x, shape, wanted = self._observable(x), self.nets.shape, {"replicates": replicates, "seed": seed}
        return check(self.params, self.program, self.nets, x, shape, **wanted, prediction=prediction)


def _with_nets(program, nets):
    def run(x, nets=nets):
        return program(jnp.asarray(x), nets)

    return run

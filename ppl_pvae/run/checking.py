"""Calibration and predictive checks of a trained program, labelled."""

from functools import partial

import numpy as np
import xarray as xr
from jax import random

from ppl_pvae.analysis.calibration import FEWEST, judge_ranks, rank_among
from ppl_pvae.analysis.predictive import Check, code_checks, pixel_checks
from ppl_pvae.errors import UserError
from ppl_pvae.inference.simulation import draw_posterior, simulate, simulations
from ppl_pvae.models import Program
from ppl_pvae.networks import Nets

__all__ = ["calibrate", "check"]

PREDICTIONS = ("prior", "posterior")


def calibrate(params, program: Program, nets: Nets, *, images: int, draws: int, seed: int) -> xr.Dataset:
    """Ranks of simulated codes among posterior draws, and whether they are uniform; what `Run.calibrate` returns.

    Raises
    ------
    UserError
        If there are too few images or draws, or the program makes no images by itself.
    """
    if images < FEWEST:
        raise UserError(f"images must be >= {FEWEST}, got {images}: fewer ranks say nothing about their distribution.")
    if draws < 1:
        raise UserError(f"draws must be >= 1, got {draws}.")
    key_simulate, key_draw = random.split(random.key(seed))
    try:
        made = simulate(key_simulate, params, *program, nets, images=images)
        posterior = draw_posterior(key_draw, params, *program, nets, made.x, draws=draws)
        found = rank_among(made.z, (each.z for each in posterior), seed=seed)
    except ValueError as problem:
        raise UserError(f"no calibration: {problem}") from None
    judged = judge_ranks(found.ranks, found.draws)
    return xr.Dataset(
        {
            "rank": _labelled(("image", "unit"), judged.ranks, f"rank of the code among {draws} posterior draws", "1"),
            "tied": _labelled(("unit",), found.tied, "share of posterior draws equal to the code", "1"),
            "p_value": _labelled(("unit",), judged.p_values, "chi-square test of uniform ranks", "1"),
            "shift": _labelled(("unit",), judged.shift, "mean rank as a share of the draws, less one half", "1"),
            "spread": _labelled(("unit",), judged.spread, "variance of ranks over that of uniform ones", "1"),
        },
        attrs={"p_value": judged.p_value, "combined": "Bonferroni", "draws": draws, "bins": judged.bins, "seed": seed},
    )


def check(
    params,
    program: Program,
    nets: Nets,
    x,
    shape: tuple[int, int] | None,
    *,
    replicates: int,
    seed: int,
    prediction: str,
) -> xr.Dataset:
    """Statistics of images and codes beside those of replicated ones; what `Run.check` returns.

    Raises
    ------
    UserError
        If there are no replicates, the prediction is none that there is, or the program makes no images by itself.
    """
    if replicates < 1:
        raise UserError(f"replicates must be >= 1, got {replicates}; 39 are the fewest that can say p = .05.")
    if prediction not in PREDICTIONS:
        raise UserError(f"prediction must be one of {', '.join(PREDICTIONS)}, got {prediction!r}.")
    key_code, key_prior, key_posterior = random.split(random.key(seed), 3)
    prior = partial(simulations, key_prior, params, *program, nets, images=len(x), replicates=replicates)
    posterior = partial(draw_posterior, params=params, model=program.model, guide=program.guide, nets=nets, x=x)
    try:
        own = next(posterior(key_code, draws=1))
        # The prior's data sets are made again for the images: they are cheap, and too large to keep.
        made = prior()
        again = prior() if prediction == "prior" else posterior(key_posterior, draws=replicates)
        codes = code_checks(own.z, (each.z for each in made))
        pixels = pixel_checks(x, (each.x for each in again), shape)
    except ValueError as problem:
        raise UserError(f"no predictive check: {problem}") from None
    attrs = {"prediction": prediction, "images": len(x), "replicates": replicates, "seed": seed}
    of = ["image"] * len(pixels) + ["code"] * len(codes)
    return _table((*pixels, *codes), of).assign_attrs(attrs)


def _table(checks: tuple[Check, ...], of: list[str]) -> xr.Dataset:
    replicated = np.stack([each.replicated for each in checks])
    observed, p_values = ([getattr(each, name) for each in checks] for name in ("observed", "p_value"))
    return xr.Dataset(
        {
            "observed": _labelled(("statistic",), observed, "statistic of the data", "that of the statistic"),
            "replicated": _labelled(
                ("statistic", "replicate"), replicated, "statistic of replicated data sets", "that of the statistic"
            ),
            "p_value": _labelled(("statistic",), p_values, "two-sided predictive p-value", "1"),
        },
        coords={"statistic": [each.name for each in checks], "of": ("statistic", of)},
    )


def _labelled(dims, values, name, units) -> xr.DataArray:
    return xr.DataArray(values, dims=dims, attrs={"long_name": name, "units": units})

"""One run analysed: what is read off its posterior, and what has to be asked of its program."""

import os
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import xarray as xr

from ppl_pvae.analysis import posterior_of, summarise
from ppl_pvae.analysis.comparison import APART
from ppl_pvae.analysis.energy import BUDGETS, Budget
from ppl_pvae.analysis.gabor import fit_gabors
from ppl_pvae.analysis.information import UnitBill
from ppl_pvae.analysis.population import (
    Bounds,
    gaussian_log_probability,
    poisson_log_probability,
    population_bounds,
    rectified_log_probability,
)
from ppl_pvae.analysis.record import Posterior
from ppl_pvae.analysis.study import ImageEvidence, Study
from ppl_pvae.analysis.tuning import half_contrast, make_gratings, preferred_responses, tuning
from ppl_pvae.analysis.uncertainty import metric_intervals
from ppl_pvae.analysis.value_information import gaussian_information, rectified_information
from ppl_pvae.data import from_array, load
from ppl_pvae.errors import UserError
from ppl_pvae.inference.values import Normals, normals_of
from ppl_pvae.models import BUILT_IN
from ppl_pvae.run.outcome import describe_posterior
from ppl_pvae.run.plan import make_plan
from ppl_pvae.run.record import Run

__all__ = ["posterior_on", "row_on", "study"]

OF_ITS_IMAGES = ("log_evidence", "log_evidence_se")
"""What the row of a sweep's cell has besides the numbers of `summarise`."""
CONTRASTS = np.array([0.0, 0.125, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0])
"""Amplitudes of the gratings shown, in pixel values; units are tuned at 1."""
REFINED_IMAGES = 1000
CHECKED_IMAGES = 2000
BILL_IMAGES = 2000
"""Images for the information of values, whose quadrature is dear, and for the bounds of whole codes."""


def posterior_on(run: Run, data) -> Posterior:
    """What a trained program says about the test images of other data.

    The KL of latents of the whole data set stays divided by the images that the program was trained on.

    Parameters
    ----------
    run
        A finished run.
    data
        What --data of the fit takes, or an array (image, pixel) or (image, y, x).

    Raises
    ------
    UserError
        If the data do not exist or their images are not of the size that the program was trained on.
    """
    settings = replace(run.settings, data=_name_of(data))
    if isinstance(data, (str, os.PathLike)):
        dataset = load(data, patch_size=settings.patch_size, seed=settings.data_seed)
    else:
        dataset = from_array(data, seed=settings.data_seed)
    if dataset.test.shape[1] != run.nets.pixels:
        raise UserError(
            f"{settings.data} has images of {dataset.test.shape[1]} pixels and {run.path or 'the run'} was trained on "
            f"{run.nets.pixels}; give data of that size."
        )
    own = None if settings.program in BUILT_IN else run.program
    posterior = describe_posterior(make_plan(settings, dataset, own), run.params)
    trained = float(run.tree.attrs["global_kl"])
    objective = posterior.objective - posterior.global_kl + trained
    return replace(posterior, global_kl=trained, objective=objective)


def _name_of(data) -> str:
    return os.fspath(data) if isinstance(data, (str, os.PathLike)) else "array"


def study(run: Run, name: str, *, data=None, full: bool = False, budgets: tuple[Budget, ...] = BUDGETS) -> Study:
    """Analyse one run.

    Parameters
    ----------
    run
        A finished run.
    name
        What it is called in tables.
    data
        Other data, whose test images are analysed: a name or path, or an array; None for those of the run.
    full
        More images and draws for the evidence, refinement of every image's own posterior, calibration on data drawn
        from the program, posterior predictive checks.
    budgets
        What energy is reckoned with, for counts.

    Raises
    ------
    UserError
        If the other data do not fit.
    """
    posterior = posterior_of(run.tree) if data is None else posterior_on(run, data)
    beta, summary = run.settings.beta, row_on(run, posterior, data)
    intervals = metric_intervals(posterior, beta)
    # What a row of `summary.json` leaves out.
    more = {key: intervals[key].estimate for key in ("coding_rate_bits", "fano_factor") if key in intervals}
    summary |= {key: value for key, value in more.items() if np.isfinite(value)}
    normals = normals_of(run.params, *run.program, run.nets, _some(posterior.x, BILL_IMAGES))
    bill = posterior.unit_bill if normals is None else _value_bill(normals)
    notes: list[str] = []
    if bill is None:
        notes.append("No bill: information per unit is worked out for Poisson, Gaussian and rectified Gaussian codes.")
    evidence = _evidence(run, posterior, notes, images=1000 if full else 500, draws=1000 if full else 200)
    longer = _what_takes_longer(run, posterior, notes) if full else {}
    return Study(
        name=name,
        summary=summary,
        posterior=posterior,
        intervals=intervals,
        bill=bill,
        bill_images=len(posterior.x) if normals is None else len(normals.loc),
        unsent=0.0 if normals is None else float((normals.kl - normals.kl_sent).sum(axis=1).mean()),
        population=_population(posterior, normals),
        **_looks(run, posterior, notes),
        evidence=evidence,
        **longer,
        notes=tuple(notes),
        budgets=budgets,
    )


def row_on(run: Run, posterior: Posterior, data) -> dict[str, Any]:
    """The row of a run with the settings that tell runs apart; on other data nothing is left that its own images said.

    What its row says of the training stays.
    """
    settings = asdict(run.settings) | {"trained_on": run.settings.data}
    row = {**run.summary, **{name: settings[name] for name in APART}}
    if data is None:
        return row
    own = {name: value for name, value in row.items() if name not in OF_ITS_IMAGES}
    return own | summarise(posterior, run.settings.beta) | {"data": _name_of(data)}


def _some(x: np.ndarray, images: int) -> np.ndarray:
    return x[_rows(len(x), images)]


def _rows(size: int, images: int) -> np.ndarray:
    """Evenly spaced indices, so that every photograph is among them."""
    return np.unique(np.linspace(0, size - 1, min(images, size)).astype(int))


def _value_bill(normals: Normals) -> UnitBill:
    """Nats paid and delivered by units with values; what no prior could mend is not told apart."""
    information = rectified_information if normals.rectified else gaussian_information
    got, paid = information(normals.loc, normals.scale), normals.kl.mean(axis=0, dtype=np.float64)
    return UnitBill(paid=paid, delivered=got, mismatch=paid - got, shape=np.full_like(paid, np.nan))


def _population(p: Posterior, normals: Normals | None) -> Bounds | None:
    rows = _rows(len(p.x), BILL_IMAGES)
    z = p.z[rows]
    if normals is not None:
        density: Any = rectified_log_probability if normals.rectified else gaussian_log_probability
        return population_bounds(lambda part: density(z[part], normals.loc, normals.scale), np.arange(len(rows)))
    if p.unit_bill is None:
        return None
    rates = p.mean[rows]
    return population_bounds(lambda part: poisson_log_probability(z[part], rates), np.arange(len(rows)))


def _evidence(run: Run, p: Posterior, notes: list[str], *, images: int, draws: int) -> ImageEvidence | None:
    rows = _rows(len(p.x), images)
    try:
        weighed = run.evidence(p.x[rows], draws=draws)
    except UserError as problem:
        notes.append(f"No evidence: {problem}")
        return None
    return ImageEvidence(rows, weighed["log_evidence"].values, weighed["pareto_k"].values, draws)


def _what_takes_longer(run: Run, p: Posterior, notes: list[str]) -> dict[str, Any]:
    """Refinement, calibration and predictive checks; a note for each that does not hold."""
    rows, checked = _rows(len(p.x), REFINED_IMAGES), _some(p.x, CHECKED_IMAGES)
    asked = {
        "refinement": lambda: run.refine(p.x[rows]).assign_coords(image=rows),
        "calibration": lambda: run.calibrate(images=1000, draws=99),
        "checks": lambda: run.check(checked),
        "posterior_checks": lambda: _of_images(run.check(checked, prediction="posterior")),
    }
    found = {}
    for name, ask in asked.items():
        try:
            found[name] = ask()
        except UserError as problem:
            notes.append(f"No {name.replace('_', ' ')}: {problem}")
    return found


def _of_images(found: xr.Dataset) -> xr.Dataset:
    """Without the statistics of codes, which are compared with the prior's whatever images are."""
    return found.isel(statistic=found["of"].values == "image")


def _looks(run: Run, p: Posterior, notes: list[str]) -> dict[str, Any]:
    """Gabor functions of the dictionary, and the tuning of every unit to gratings."""
    if p.shape is None:
        notes.append("No gratings and no Gabor functions: the height and width of an image are not known.")
        return dict.fromkeys(("gabors", "tuning", "half_contrast"))
    gabors = None if p.dictionary is None else fit_gabors(p.dictionary.reshape(-1, *p.shape))
    if not p.is_nonnegative:
        notes.append("No tuning: a code with both signs has no rate.")
        return {"gabors": gabors, "tuning": None, "half_contrast": None}
    shown = make_gratings(p.shape)
    tuned = tuning(run.encode(shown.images).values, shown)
    curve = [preferred_responses(run.encode(contrast * shown.images).values, shown, tuned) for contrast in CONTRASTS]
    return {"gabors": gabors, "tuning": tuned, "half_contrast": half_contrast(np.stack(curve), CONTRASTS)}

"""Tables of docs/results.md beside the published ones in docs/published/, seeds averaged."""

import csv
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from table_cells import CELLS, amount, beta, family, marked, share, tenths
from tables import markdown

from ppl_pvae.analysis.sweeps.families import Curve

__all__ = ["beside_published", "published_at_one", "published_codes"]

PUBLISHED = Path(__file__).parents[1] / "docs" / "published"
UNITS = 512
"""Size of the published codes whose sparseness is told."""

_BESIDE = (
    ("distortion_sampled", "distortion", tenths),
    ("coding_rate", "coding_rate", amount),
    ("active_units", "active_units", share),
)
_ZOO = {True: ("poisson", "exact"), False: ("gaussian-relu", "mc")}
_MODELS = {True: "poisson+amort", False: "gaussian+relu+amort"}


def _lines(name: str, **wanted: str) -> list[dict[str, str]]:
    with (PUBLISHED / name).open(encoding="utf-8") as file:
        return [line for line in csv.DictReader(file) if all(line[key] == value for key, value in wanted.items())]


def _mean(lines: Sequence[Mapping[str, str]], key: str, **at: float) -> float | None:
    values = [float(line[key]) for line in lines if all(float(line[name]) == value for name, value in at.items())]
    return statistics.fmean(values) if values else None


def beside_published(curves: Sequence[Curve]) -> str:
    """The P-VAE beside the published linear one on van Hateren's patches, where both have the same β and K."""
    lines = _lines("pvae_van_hateren_by_beta.csv", enc_type="lin", dec_type="lin")
    rows = []
    for curve, point in ((each, point) for each in curves for point in each.points):
        at = {"latents": curve.units, "beta": point.beta}
        if _mean(lines, "distortion", **at) is not None:
            cells = [f"{curve.units:,}", marked(beta(point.beta), point)]
            for ours, theirs, how in _BESIDE:
                cells += [how(point.mean(ours)), how(_mean(lines, theirs, **at))]
            rows.append(cells)
    heads = ("distortion at a draw", "published", "nats", "published", "active units", "published")
    return markdown(("K", "β", *heads), rows)


def published_codes(curves: Sequence[Curve]) -> str:
    """Sparseness and R² (averaged over images, as published) of the P-VAE and the published control, K = 512, by β."""
    lifetimes, rows = _lines("pvae_lifetime_by_beta.csv"), []
    for curve in (curve for curve in curves if curve.units == UNITS):
        lines = _lines("rate_distortion_iterative.csv", str_model=_MODELS[curve.is_count])
        for point in curve.points:
            zeros, r2 = (_mean(lines, key, kl_beta=point.beta) for key in ("%-zeros", "r2"))
            lifetime = _mean(lifetimes, "lifetime", beta=point.beta) if curve.is_count else None
            if zeros is not None or lifetime is not None:
                told = (("zeros", zeros), ("lifetime_sparseness", lifetime), ("r2_per_image", r2))
                cells = [each for key, theirs in told for each in (share(point.mean(key)), share(theirs))]
                rows.append([family(curve.family.label), marked(beta(point.beta), point), *cells])
    heads = ("zeros", "published", "lifetime", "published", "R² of an image", "published")
    return markdown((f"K = {UNITS}", "β", *heads), rows)


def published_at_one(curves: Sequence[Curve]) -> str:
    """Linear codes at β = 1, K = 512, beside the published ones on van Hateren's and on CIFAR's patches."""
    names = ("free_energy", "distortion", "coding_rate", "active_units")
    rows = []
    for curve in (curve for curve in curves if curve.units == UNITS):
        (point,) = (point for point in curve.points if point.beta == 1)
        own = [CELLS[name](point) for name in ("free energy", "distortion", "nats", "active units")]
        rows.append([family(curve.family.label), "ours", *own])
        kind, method = _ZOO[curve.is_count]
        for dataset, patches in (("van_hateren", "van Hateren"), ("cifar16", "CIFAR")):
            lines = _lines("vae_zoo_beta1.csv", type=kind, method=method, dataset=dataset, enc_type="lin")
            means = [_mean(lines, name) for name in names]
            cells = [tenths(means[0]), tenths(means[1]), amount(means[2]), share(means[3])]
            rows.append(["", f"published, {patches}", *cells])
    return markdown((f"K = {UNITS}, β = 1", "patches", "free energy", "distortion", "nats", "active units"), rows)

"""The tables of docs/results.md that are read off the sweeps, made anew from what is in docs/sweep.

    python benchmarks/sweep_tables.py           print them
    python benchmarks/sweep_tables.py --write   put them where docs/results.md has a line <!-- table NAME -->

A star stands where a cell has not converged within the doublings that it was given. Points are means over seeds.
"""

import argparse
import csv
import json
import math
import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from table_cells import CELLS, amount, beta, fold, label, marked, share, tenths
from tables import markdown

from ppl_pvae.analysis.sweeps import read_sweep
from ppl_pvae.analysis.sweeps.families import Curve, Point, beta_curves
from ppl_pvae.analysis.sweeps.trends import exponents

__all__ = ["filled", "made", "places"]

DOCS = Path(__file__).parents[1] / "docs"
RESULTS, SWEEP = DOCS / "results.md", DOCS / "sweep"
PUBLISHED = DOCS / "published" / "pvae_van_hateren_by_beta.csv"
LARGE = 1000
"""More units than this were fitted at three β alone."""

SPARSE = 0.8
"""A code with so many zeros is called sparse here, and one with as few as it then has counts dense."""

_COUNTS = ("spikes per image", "zeros", "lifetime", "R²", "active units", "information", "bits per spike", "log p(x) ≥")
_OTHERS = ("activity per image", "zeros", "lifetime", "R²", "active units", "log p(x) ≥")
_PAID = ("free energy", "distortion", "nats")
_LARGE = ("distortion", "nats", "activity per image", "zeros", "R²", "active units", "bits per spike", "log p(x) ≥")


def over_beta(curve: Curve, columns: Sequence[str]) -> str:
    """One code: a row a β."""
    rows = ([marked(beta(point.beta), point), *(CELLS[name](point) for name in columns)] for point in curve.points)
    return markdown(("β", *columns), rows)


def by_units(curves: Sequence[Curve], column: str) -> str:
    """One family: a row for each number of units, a column for each β."""
    betas = sorted({point.beta for curve in curves for point in curve.points})
    rows = []
    for curve in sorted(curves, key=lambda curve: curve.units):
        cells = {point.beta: marked(CELLS[column](point), point) for point in curve.points}
        rows.append([f"{curve.units:,}", *(cells.get(value, "") for value in betas)])
    return markdown((f"{column}: K", *(f"β = {beta(value)}" for value in betas)), rows)


def ends(curves: Sequence[Curve]) -> str:
    """All families at one number of units: how far β, from its smallest to its largest, takes them."""
    rows = []
    for curve in curves:
        first, last = curve.points[0], curve.points[-1]
        change = fold(first.mean("spikes_per_image"), last.mean("spikes_per_image"))
        both = [f"{CELLS[name](first)} → {CELLS[name](last)}" for name in ("zeros", "R²")]
        unsure = sum(not point.converged for point in curve.points)
        rows.append([label(curve), both[0], change, both[1], CELLS["active units"](last), str(unsure or "")])
    heads = ("zeros", "activity changes", "R²", "active units at β = 8", "β not converged")
    return markdown((f"K = {curves[0].units}, β from .01 to 8", *heads), rows)


def of_all(curves: Sequence[Curve], head: str, cell: Callable[[Curve], str]) -> str:
    """All families: a row each, a column for each number of units."""
    units = sorted({curve.units for curve in curves})
    rows: dict[str, dict[int, str]] = {}
    for curve in curves:
        rows.setdefault(label(curve), {})[curve.units] = cell(curve)
    lines = [[name, *(found.get(k, "") for k in units)] for name, found in rows.items()]
    return markdown((head, *(f"K = {k:,}" for k in units)), lines)


def _converged(curve: Curve) -> str:
    return f"{sum(row.get('converged') is True for row in curve.rows)} of {len(curve.rows)}"


def _elasticity(curve: Curve) -> str:
    found = exponents(curve.points)
    # Of a code whose activity stays where it is, nats by activity are a division by next to nothing.
    both = [share(found.elasticity)] if curve.is_count else []
    return ", ".join([*both, share(found.activity_exponent)])


def by_density(curves: Sequence[Curve]) -> str:
    """d log nats / d log spikes of the P-VAE: over all β, and over those at which its code is sparse or dense."""
    rows = []
    for curve in curves:
        cells = [f"{curve.units:,}"]
        for asked in (lambda zeros: True, lambda zeros: zeros >= SPARSE, lambda zeros: zeros < 1 - SPARSE):
            there = [point for point in curve.points if asked(point.mean("zeros"))]
            told = share(exponents(there).elasticity) if len(there) > 2 else ""
            cells.append(f"{told} ({len(there)})" if told else "")
        rows.append(cells)
    return markdown(("nats by spikes: K", "all β", f"zeros ≥ {share(SPARSE)}", f"zeros < {share(1 - SPARSE)}"), rows)


def seeds(curves: Sequence[Curve]) -> str:
    """The largest standard deviation over seeds at any β: of free energy and activity in percent."""
    rows = [
        [label(curve), str(curve.units), *(_widest(curve, *spread) for spread in _SPREADS)]
        for curve in curves
        if any(len(point.rows) > 1 for point in curve.points)
    ]
    heads = ("free energy, %", "activity, %", "zeros", "R²")
    return markdown(("standard deviation over seeds, largest over β", "K", *heads), rows)


def _percent(point: Point, key: str) -> float | None:
    values = [value for value in point.values(key) if value > 0]
    return 100 * statistics.stdev(math.log(value) for value in values) if len(values) > 1 else None


_SPREADS = (
    ("free_energy", _percent, "{:.1f}"),
    ("spikes_per_image", _percent, "{:.1f}"),
    ("zeros", Point.spread, "{:.3f}"),
    ("r2", Point.spread, "{:.3f}"),
)


def _widest(curve: Curve, key: str, spread_of: Callable[[Point, str], float | None], shape: str) -> str:
    spreads = [(spread, point) for point in curve.points if (spread := spread_of(point, key)) is not None]
    spread, point = max(spreads, key=lambda each: each[0])
    shown = shape.format(spread).removeprefix("0" if spread_of is not _percent else "")
    return f"{shown} (β = {marked(beta(point.beta), point)})" if float(shown) else shown


def beside_published(curves: Sequence[Curve]) -> str:
    """The P-VAE beside the published linear one on van Hateren's patches, where both have the same β and K."""
    with PUBLISHED.open(encoding="utf-8") as file:
        lines = [line for line in csv.DictReader(file) if (line["enc_type"], line["dec_type"]) == ("lin", "lin")]
    rows = []
    for curve, point in ((each, point) for each in curves for point in each.points):
        same = [line for line in lines if (int(line["latents"]), float(line["beta"])) == (curve.units, point.beta)]
        if same:
            cells = [f"{curve.units:,}", marked(beta(point.beta), point)]
            for ours, theirs, how in _BESIDE:
                cells += [how(point.mean(ours)), how(statistics.fmean(float(line[theirs]) for line in same))]
            rows.append(cells)
    heads = ("distortion at a draw", "published", "nats", "published", "active units", "published")
    return markdown(("K", "β", *heads), rows)


_BESIDE = (
    ("distortion_sampled", "distortion", tenths),
    ("coding_rate", "coding_rate", amount),
    ("active_units", "active_units", share),
)


def large(curves: Sequence[Curve]) -> str:
    """More units than a thousand: a row a cell."""
    rows = [
        [label(curve), f"{curve.units:,}", marked(beta(point.beta), point), *(CELLS[name](point) for name in _LARGE)]
        for curve in curves
        for point in curve.points
    ]
    return markdown(("", "K", "β", *_LARGE), rows)


def matched(found: Mapping[str, Any], units: int) -> str:
    """What each family pays at one distortion, from the findings of a sweep; a star: read off 20 nats apart or more."""
    rows = []
    for curve in (curve for curve in found["curves"] if curve["units"] == units):
        name = curve["family"].replace("pays ", "").replace("rectified, ", "").replace(" prior", "")
        evidence, error = curve["log_evidence"], curve["log_evidence_se"]
        bound = f"{tenths(evidence)} ± {error:.1f}"
        beside = curve["evidence_difference"]
        gap = f"{tenths(beside['difference'])} ± {beside['standard_error']:.1f}" if beside else ""
        paired = "" if beside is None else "yes" if beside["paired"] else "no"
        activity = amount(curve["spikes_per_image"]) if curve["is_count"] else ""
        star = "*" if curve["wide"] else ""
        between = " to ".join(beta(value) for value in curve["between"])
        rows.append([name + star, activity, amount(curve["coding_rate"]), bound, gap, paired, between])
    heads = ("spikes", "nats", "log p(x) ≥", "less that of Poisson", "paired", "between β")
    return markdown((f"distortion {tenths(found['distortion'])}, K = {units}", *heads), rows)


def over_units(found: Mapping[str, Any]) -> str:
    """What the P-VAE pays at one distortion, a row for each number of units; a star: not all cells have converged."""
    rows = [
        [f"{each['units']:,}{'' if each['converged'] else '*'}"]
        + [amount(each[key]) for key in ("spikes_per_image", "coding_rate")]
        + [f"{tenths(each['log_evidence'])} ± {each['log_evidence_se']:.1f}"]
        for each in found["curves"]
        if each["family"] == "Poisson"
    ]
    return markdown((f"distortion {tenths(found['distortion'])}: K", "spikes", "nats", "log p(x) ≥"), rows)


def claims(found: Mapping[str, Any]) -> str:
    """Each claim, its verdict, and how many of the cells that it rests on have not converged."""
    rows = [
        [claim["claim"].rstrip("."), f"**{claim['verdict']}**", f"{claim['unconverged']} of {claim['cells']}"]
        for claim in found.values()
    ]
    return markdown(("claim", "verdict", "cells not converged"), rows)


def _is_poisson(curve: Curve) -> bool:
    return curve.family.is_pvae and curve.family.encoder_bias is True


def made(folder: Path = SWEEP) -> dict[str, str]:
    """Every table by the name that docs/results.md has for it."""
    curves = beta_curves([row for name in ("sweep.csv", "large.csv") for row in read_sweep(folder / name)])
    small = [curve for curve in curves if curve.units < LARGE]
    poisson = [curve for curve in curves if _is_poisson(curve)]
    control = [curve for curve in curves if curve.family.is_published_control]
    found = json.loads((folder / "findings.json").read_text("utf-8"))
    counts, controls = ({curve.units: curve for curve in own} for own in (poisson, control))
    return {
        "converged": of_all(curves, "converged", _converged),
        "zeros-poisson": by_units(poisson, "zeros"),
        "spikes-poisson": by_units(poisson, "spikes per image"),
        "zeros-control": by_units(control, "zeros"),
        "r2-control": by_units(control, "R²"),
        "exponents": of_all(small, "nats by spikes, activity by nats", _elasticity),
        "by-density": by_density([curve for curve in poisson if curve.units < LARGE]),
        "poisson-64": over_beta(counts[64], (*_PAID, *_COUNTS)),
        "poisson-512": over_beta(counts[512], (*_PAID, *_COUNTS)),
        "control-512": over_beta(controls[512], (*_PAID, *_OTHERS)),
        "ends-64": ends([curve for curve in curves if curve.units == 64]),
        "ends-512": ends([curve for curve in curves if curve.units == 512]),
        "seeds": seeds(small),
        "published": beside_published(poisson),
        "large": large([curve for curve in curves if curve.units > LARGE]),
        "matched-64": matched(found["matched"], 64),
        "matched-512": matched(found["matched"], 512),
        "over-units": over_units(found["matched"]),
        "claims": claims(found["claims"]),
    }


_PLACE = re.compile(r"(<!-- table ([\w-]+) -->\n\n)(?:(?:\|.*\n)+\n)?")


def places(text: str) -> list[str]:
    """Names of the tables that a text has a place for."""
    return [name for _, name in _PLACE.findall(text)]


def filled(text: str, tables: Mapping[str, str]) -> str:
    """A text with its tables made anew."""
    return _PLACE.sub(lambda found: f"{found[1]}{tables[found[2]]}\n", text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="into docs/results.md")
    parser.add_argument("--folder", type=Path, default=SWEEP, help="another than docs/sweep")
    args = parser.parse_args()
    tables = made(args.folder)
    if args.write:
        RESULTS.write_text(filled(RESULTS.read_text(encoding="utf-8"), tables), encoding="utf-8")
    else:
        print("\n".join(f"{name}\n\n{table}" for name, table in tables.items()))


if __name__ == "__main__":
    main()

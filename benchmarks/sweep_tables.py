"""The tables of docs/results.md and docs/results/ that are read off the sweeps, made anew from what is in docs/sweep.

    python benchmarks/sweep_tables.py           print them
    python benchmarks/sweep_tables.py --write   put them where these pages have a line <!-- table NAME -->

Points are means over seeds. A star stands where any cell that a number rests on has not converged within the doublings
that it was given, † where it is read off between cells whose distortions are more than 20 nats apart.
"""

import argparse
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from matched_tables import best, best_ahead, evidence, matched, over_distortions, over_units, ranked
from published_tables import beside_published, published_at_one, published_codes
from table_cells import CELLS, beta, family, family_by_units, fold, marked, share, tenths
from tables import markdown
from verdict_tables import claims, verdicts

from ppl_pvae.analysis.bounds import Bounds, read_table
from ppl_pvae.analysis.sweeps import budget_points, findings, match_distortion, read_sweep
from ppl_pvae.analysis.sweeps.families import Curve, Point, Row, beta_curves
from ppl_pvae.analysis.sweeps.operating import best_of_any_code
from ppl_pvae.analysis.sweeps.trends import exponents

__all__ = ["DOCS", "PAGES", "all_tables", "by_density", "fill_places", "places", "spread_of_seeds"]

DOCS = Path(__file__).parents[1] / "docs"
PAGES, SWEEP = (DOCS / "results.md", *sorted((DOCS / "results").glob("*.md"))), DOCS / "sweep"
MANY = 1000
"""More units than this were fitted at three β alone."""
SPARSE = 0.8
"""A code with so many zeros is called sparse here, and one with as few as it then has counts dense."""
EXAMPLES_AT = (110, 150)
"""Distortions at which the worked examples are ranked, nats: dense codes and sparse ones."""
PAIRED, AHEAD_AT = (192, 256, 384), (80, 100, 110, 120, 128, 135, 150)
"""Units at which all codes kept their bounds image by image, and distortions at which these are compared, nats."""
ENOUGH = 3
"""Points of which a slope is told."""

_COUNTS = ("spikes per image", "zeros", "lifetime", "R²", "active units", "information", "bits per spike", "log p(x) ≥")
_OTHERS = ("activity per image", "zeros", "lifetime", "R²", "active units", "log p(x) ≥")
_PAID = ("free energy", "… training", "distortion", "nats")
_MANY = (
    "free energy",
    "… training",
    "distortion",
    "nats",
    "activity per image",
    "zeros",
    "R²",
    "active units",
    "bits per spike",
    "log p(x) ≥",
)


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


def ends(curves: Sequence[Curve], units: int) -> str:
    """All families at one number of units: how far β, from its smallest to its largest, takes them."""
    rows = []
    for curve in (curve for curve in curves if curve.units == units):
        first, last = curve.points[0], curve.points[-1]
        activity = [value for point in curve.points if (value := point.mean("spikes_per_image")) is not None]
        change = fold(min(activity, default=None), max(activity, default=None))
        both = [f"{CELLS[name](first)} → {CELLS[name](last)}" for name in ("zeros", "R²", "active units")]
        unsure = sum(not point.converged for point in curve.points)
        rows.append([family(curve.family.label), both[0], change, *both[1:], str(unsure or "")])
    heads = ("zeros", "activity, largest over smallest", "R²", "active units", "β not converged")
    return markdown((f"K = {units:,}, smallest to largest β", *heads), rows)


def of_all(curves: Sequence[Curve], head: str, cell: Callable[[Curve], str]) -> str:
    """All families: a row each, a column for each number of units."""
    return family_by_units(((curve.family.label, curve.units, cell(curve)) for curve in curves), head)


def _converged(curve: Curve) -> str:
    return f"{sum(row.get('converged') is True for row in curve.rows)} of {len(curve.rows)}"


def _elasticity(curve: Curve) -> str:
    found = exponents(curve.points)
    # Of a code whose activity stays where it is, nats by activity are a division by next to nothing.
    both = [share(found.elasticity)] if curve.is_count else []
    return ", ".join([*both, share(found.activity_exponent)])


def by_density(curves: Sequence[Curve]) -> str:
    """d log nats / d log spikes of the P-VAE: over all β, and over those at which its code is sparse or dense."""
    asked = (lambda zeros: True, lambda zeros: zeros >= SPARSE, lambda zeros: zeros < 1 - SPARSE)
    rows = []
    for curve in curves:
        known = [(point, zeros) for point in curve.points if (zeros := point.mean("zeros")) is not None]
        found = [exponents([point for point, zeros in known if holds(zeros)]) for holds in asked]
        rows.append([f"{curve.units:,}"])
        rows[-1] += [f"{share(each.elasticity)} ({each.points})" if each.points >= ENOUGH else "" for each in found]
    return markdown(("nats by spikes: K", "all β", f"zeros ≥ {share(SPARSE)}", f"zeros < {share(1 - SPARSE)}"), rows)


def spread_of_seeds(curves: Sequence[Curve]) -> str:
    """The largest standard deviation over seeds at any β where all have converged; of amounts in percent."""
    spreads = (
        ("free_energy", _percent, tenths),
        ("spikes_per_image", _percent, tenths),
        ("zeros", Point.spread, lambda value: f"{value:.3f}".removeprefix("0")),
        ("r2", Point.spread, lambda value: f"{value:.3f}".removeprefix("0")),
    )
    rows = [
        [family(curve.family.label), f"{curve.units:,}", *(_widest(curve, *spread) for spread in spreads)]
        for curve in curves
        if any(len(point.rows) > 1 for point in curve.points)
    ]
    heads = ("free energy, %", "activity, %", "zeros", "R²")
    return markdown(("standard deviation over seeds, largest over converged β", "K", *heads), rows)


def _percent(point: Point, key: str) -> float | None:
    spread, mean = point.spread(key), point.mean(key)
    return 100 * spread / abs(mean) if spread is not None and mean else None


def _widest(
    curve: Curve, key: str, spread_of: Callable[[Point, str], float | None], told: Callable[[float], str]
) -> str:
    settled = [point for point in curve.points if point.converged]
    spreads = [(spread, point) for point in settled if (spread := spread_of(point, key)) is not None]
    if not spreads:
        return ""
    spread, point = max(spreads, key=lambda each: each[0])
    return f"{told(spread)} (β = {beta(point.beta)})" if told(spread).strip(".0") else told(spread)


def many_units(curves: Sequence[Curve]) -> str:
    """More units than a thousand: a row a cell."""
    rows = [
        [family(curve.family.label), f"{curve.units:,}", marked(beta(point.beta), point)]
        + [CELLS[name](point) for name in _MANY]
        for curve in curves
        for point in curve.points
    ]
    return markdown(("", "K", "β", *_MANY), rows)


def _is_plain(curve: Curve) -> bool:
    """Whether a curve is of the P-VAE as it is by default."""
    return curve.family.is_pvae and curve.family.encoder_bias is True and not curve.family.others


def all_tables(folder: Path = SWEEP) -> dict[str, str]:
    """Every table by the name that its place in the pages has.

    Parameters
    ----------
    folder
        With `sweep.csv` and `findings.json`, of more than a thousand units `large.csv`, of the rectified Gaussian that
        is relative to its prior `relative.csv`, and of the worked examples `examples.csv` and the bounds on the
        evidence of their images, `examples.npz`.
    """
    rows = [row for name in ("sweep.csv", "large.csv") for row in read_sweep(folder / name)]
    curves = beta_curves(rows)
    few, many = [c for c in curves if c.units <= MANY], [c for c in curves if c.units > MANY]
    poisson = [curve for curve in curves if _is_plain(curve)]
    control = [curve for curve in curves if curve.family.is_published_control]
    counts, controls = ({curve.units: curve for curve in own} for own in (poisson, control))
    found, bounds = json.loads((folder / "findings.json").read_text("utf-8")), read_table(folder / "evidence.npz")
    return {
        "converged": of_all(curves, "converged", _converged),
        "claims": claims(found["claims"]),
        "verdicts": verdicts(found["claims"]),
        "by-density": by_density([curve for curve in few if _is_plain(curve)]),
        "operating": operating(rows),
        "exponents": of_all(curves, "nats by spikes, activity by nats", _elasticity),
        "zeros-poisson": by_units(poisson, "zeros"),
        "spikes-poisson": by_units(poisson, "spikes per image"),
        "zeros-control": by_units(control, "zeros"),
        "r2-control": by_units(control, "R²"),
        "evidence": evidence(found["matched"]),
        "best-evidence": best(found["best_evidence"]),
        "best-ahead": best_ahead(found["best_evidence"]),
        "over-units": over_units(found["matched"], poisson[0].family.label),
        "seeds": spread_of_seeds(few),
        "poisson-64": over_beta(counts[64], (*_PAID, *_COUNTS)),
        "poisson-512": over_beta(counts[512], (*_PAID, *_COUNTS)),
        "control-512": over_beta(controls[512], (*_PAID, *_OTHERS)),
        "ends-64": ends(curves, 64),
        "ends-512": ends(curves, 512),
        "published": beside_published(poisson),
        "published-codes": published_codes(poisson + control),
        "published-at-one": published_at_one(poisson + control),
        **{f"examples-{at:g}": _examples(folder, at) for at in EXAMPLES_AT},
        **{
            f"relative-{curve.units}": over_beta(curve, (*_PAID, *_OTHERS))
            for curve in beta_curves(read_sweep(folder / "relative.csv"))
        },
        "matched-64": matched(found["matched"], 64),
        "matched-128": matched(found["matched"], 128),
        "matched-192": matched(found["matched"], 192),
        **{f"ahead-{units}": over_distortions(_at_distortions(rows, bounds, units), units) for units in PAIRED},
        "matched-512": matched(found["matched"], 512),
        "many-units": many_units(many),
        "many-claims": claims(findings(read_sweep(folder / "large.csv"))["claims"]),
    }


def operating(rows: Sequence[Row]) -> str:
    """The best cell of the P-VAE at each budget, a binary unit's best, and the best code of counts of any family."""

    def thousandths(value: float | None) -> str:
        return "" if value is None else f"{value:.3f}".removeprefix("0")

    lines = []
    for point, code in zip(budget_points(rows), best_of_any_code(rows), strict=True):
        price = f", γ = {code.spike_price:g}" if code.spike_price else ""
        line = [point.budget or "", thousandths(point.ratio), f"{point.units:,}", beta(point.beta)]
        line += [share(point.nats_per_cost), thousandths(point.probability), thousandths(point.predicted)]
        any_code = f"{family(code.family)}, K = {code.units:,}, β = {beta(code.beta)}{price}"
        lines.append([*line, ", ".join(point.edges), f"{share(code.nats_per_cost)} ({any_code})"])
    heads = ("rest, in spikes", "best K", "best β", "nats for a spike's cost", "P(spike)", "Levy & Baxter")
    return markdown(("budget", *heads, "at an edge", "any code of counts"), lines)


def _at_distortions(rows: Sequence[Row], bounds: Mapping[str, Bounds], units: int) -> list[Mapping[str, Any]]:
    of_one_size = [row for row in rows if row["units"] == units]
    return [match_distortion(of_one_size, distortion, bounds).as_dict() for distortion in AHEAD_AT]


def _examples(folder: Path, distortion: float) -> str:
    bounds = read_table(folder / "examples.npz")
    return ranked(match_distortion(read_sweep(folder / "examples.csv"), distortion, bounds).as_dict())


_PLACE = re.compile(r"<!-- table ([\w-]+) -->\n+(?:(?:\|.*\n)+(?:\n+|\Z))?")


def places(text: str) -> list[str]:
    """Names of the tables that a text has a place for."""
    return _PLACE.findall(text)


def fill_places(text: str, tables: Mapping[str, str]) -> str:
    """A text with its tables made anew, a blank line before and after each."""
    return _PLACE.sub(lambda found: f"<!-- table {found[1]} -->\n\n{tables[found[1]]}\n", text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="into docs/results.md and docs/results/")
    args, tables = parser.parse_args(), all_tables()
    if args.write:
        for page in PAGES:
            page.write_text(fill_places(page.read_text(encoding="utf-8"), tables), encoding="utf-8")
    else:
        print("\n".join(f"{name}\n\n{table}" for name, table in tables.items()))


if __name__ == "__main__":
    main()

"""What a sweep found: each claim with a verdict, a reason in words and the numbers behind it, ready for JSON."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ppl_pvae.analysis.sweeps import controls
from ppl_pvae.analysis.sweeps.apart import seeds_apart
from ppl_pvae.analysis.sweeps.claims import (
    PARTLY_PROPORTIONAL,
    PROPORTIONAL,
    proportion,
    sparsity,
    trade,
)
from ppl_pvae.analysis.sweeps.collapse import GONE, collapses
from ppl_pvae.analysis.sweeps.curves import curve_records
from ppl_pvae.analysis.sweeps.dense import AT_THE_LIMIT, beside_dense, said_of_dense
from ppl_pvae.analysis.sweeps.families import Family, Row, beta_curves, fitted, price_curves, sort_by_family
from ppl_pvae.analysis.sweeps.operating import best_of_any_code, budget_points, operating_points
from ppl_pvae.analysis.sweeps.pattern import pattern
from ppl_pvae.analysis.sweeps.price import SAME_CURVE, price
from ppl_pvae.analysis.sweeps.trends import COUPLED, RELATIVE_TOLERANCE, SHARE_TOLERANCE, UNCOUPLED
from ppl_pvae.analysis.sweeps.verdicts import name_of, with_missing

__all__ = ["findings"]

_TOLERANCES = {
    "step_of_a_share": SHARE_TOLERANCE,
    "step_of_an_amount": RELATIVE_TOLERANCE,
    "proportional": PROPORTIONAL,
    "partly_proportional": PARTLY_PROPORTIONAL,
    "coupled": COUPLED,
    "uncoupled": UNCOUPLED,
    "unchanged_share": controls.UNCHANGED_SHARE,
    "unchanged_ratio": controls.UNCHANGED_RATIO,
    "collapsed": GONE,
    "same_curve": SAME_CURVE,
    "at_the_limit": AT_THE_LIMIT,
}


def findings(rows: Sequence[Row], missing: Sequence[str] = ()) -> dict[str, Any]:
    """Judge the claims by the table of a sweep.

    A verdict is `holds`, `holds in part`, `fails` or `not asked`. Points are means over seeds. Cells that are not known
    to have converged are used, counted and named, and what rests on one of them holds in part at most.

    Parameters
    ----------
    rows
        As `read_sweep` gives them.
    missing
        Names of cells of the grid that have no row yet: while there are any, nothing holds more than in part.

    Returns
    -------
    dict
        `cells`, `converged`, `not_converged`, `not_checked` (numbers of cells), `missing`, `failed` and `unconverged`
        (with their names), `apart` (converged cells that another seed shows not to be at the end), `families`,
        `tolerances`, and `claims` by name: `proportion`, `trade`, `coupling`, `sparsity`, `pattern`, `unchanged`,
        `price`; each has `claim`, `verdict`, `reason`, `cells`, `unconverged`, `unconverged_cells`, `failed_cells` and
        its numbers by family and units, with a verdict of their own, held back where their own cells have not
        converged; `curves`, ranges, steps the wrong way and exponents of every family at each number of units;
        `collapse`, what every family has left at each β; `dense`, codes beside the limit of dense ones; `operating`,
        the best cell of the P-VAE at each of `ratios` of rest to spike and at those of `budgets`, and there the best
        of `any_code` of counts. Numbers are finite or None.
    """
    done, families, curves = fitted(rows), sort_by_family(rows), beta_curves(rows)
    claims = {name: with_missing(claim, len(missing)) for name, claim in _claims(rows, families).items()}
    verdicts = [row.get("converged") for row in done]
    found = {
        "cells": len(rows),
        "missing": list(missing),
        "converged": verdicts.count(True),
        "not_converged": verdicts.count(False),
        "not_checked": len(verdicts) - verdicts.count(True) - verdicts.count(False),
        "failed": [{"cell": name_of(row), "error": str(row["error"])} for row in rows if row.get("error")],
        "unconverged": [_unsure(row) for row in done if row.get("converged") is not True],
        "apart": seeds_apart(curves),
        "families": [family.label for family in families],
        "units": sorted({row["units"] for row in rows if row.get("units") is not None}),
        "betas": sorted({row["beta"] for row in rows if row.get("beta") is not None}),
        "seeds": sorted({row["seed"] for row in rows if row.get("seed") is not None}),
        "tolerances": _TOLERANCES,
        "claims": claims,
        "curves": curve_records(curves),
        "collapse": collapses(curves),
        "dense": {"lines": said_of_dense(curves), "curves": beside_dense(curves)},
        "operating": {
            "budgets": [asdict(point) for point in budget_points(rows)],
            "ratios": [asdict(point) for point in operating_points(rows)],
            "any_code": [asdict(code) for code in best_of_any_code(rows)],
        },
    }
    return _plain(found)


def _claims(rows: Sequence[Row], families: Mapping[Family, list[Row]]) -> dict[str, Any]:
    def failed(asked: Callable[[Family], bool], *, priced: bool = False) -> list[Row]:
        there = [row for family, members in families.items() if asked(family) for row in members if row.get("error")]
        return [row for row in there if ((row.get("spike_price") or 0) > 0) == priced]

    curves = beta_curves(rows)
    mine, control = failed(lambda family: family.is_pvae), failed(lambda family: family.is_rectified)
    return {
        "proportion": proportion(curves, mine),
        "trade": trade(curves, mine),
        "coupling": controls.coupling(curves, control),
        "sparsity": sparsity(curves, mine),
        "pattern": pattern(curves, failed(lambda family: True)),
        "unchanged": controls.unchanged(curves, control),
        "price": price(curves, price_curves(rows), failed(lambda family: family.is_poisson, priced=True)),
    }


def _unsure(row: Row) -> dict[str, Any]:
    keys = ("converged", "free_energy_change", "log_rate_change", "zeros_change")
    return {"cell": name_of(row), **{key: row.get(key) for key in keys}}


def _plain(value: Any) -> Any:
    """The same for JSON: lists, plain numbers, and None for what is not finite."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value

"""Seeds that ended apart: where the doubling rule has passed a fit that another seed shows not to be the end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ppl_pvae.analysis.convergence import FREE_ENERGY_LIMIT, LOG_RATE_LIMIT, SILENT_SPIKES, ZEROS_LIMIT
from ppl_pvae.analysis.sweeps.families import Curve, Row, number_of

__all__ = ["seeds_apart"]

_KEY = "train_free_energy"


def seeds_apart(curves: Sequence[Curve]) -> list[dict[str, Any]]:
    """Converged cells that lie further from the best of their seeds than a last doubling may move them.

    The doubling rule sees one training. On a plateau it passes a code that goes on falling later, and where codes of
    different activity are as good as each other it passes one of them: seeds of the same settings tell.

    Parameters
    ----------
    curves
        Of all families, over β.

    Returns
    -------
    list
        Of each such cell its name, `family`, `units`, `beta`, `seed`, the seed with the lowest free energy of training
        images (`best_seed`, converged or not), and by how much it exceeds that: `free_energy` (relative), `log_rate`
        (None where both are silent) and `zeros`.
    """
    found = []
    for curve in curves:
        for point in curve.points:
            known = sorted((row for row in point.rows if number_of(row, _KEY) is not None), key=lambda row: row[_KEY])
            for row in known[1:]:
                away = _away(row, known[0]) if row.get("converged") else None
                if away is not None:
                    where = {"family": curve.family.label, "units": curve.units, "beta": point.beta}
                    seeds = {"seed": row.get("seed"), "best_seed": known[0].get("seed")}
                    found.append({"cell": row.get("cell"), **where, **seeds, **away})
    return found


def _away(row: Row, best: Row) -> dict[str, float | None] | None:
    """By how much a cell exceeds another; None where by no more than the doubling rule allows."""
    free_energy = (row[_KEY] - best[_KEY]) / abs(best[_KEY]) if best[_KEY] else 0.0
    shares, counts = ([number_of(each, key) or 0.0 for each in (row, best)] for key in ("zeros", "spikes_per_image"))
    more, rate = shares[0] - shares[1], None
    if max(counts) >= SILENT_SPIKES:
        one, other = (max(count, SILENT_SPIKES / 10) for count in counts)
        rate = math.log(one / other)
    same = free_energy <= FREE_ENERGY_LIMIT and abs(rate or 0.0) <= LOG_RATE_LIMIT and abs(more) <= ZEROS_LIMIT
    return None if same else {"free_energy": free_energy, "log_rate": rate, "zeros": more}

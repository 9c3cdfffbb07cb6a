"""Operating points in the report of a sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from ppl_pvae.analysis import page, words
from ppl_pvae.analysis.sweeps.families import Row
from ppl_pvae.analysis.sweeps.operating import Operating, best_of_any_code, budget_points, operating_points

__all__ = ["operating_table"]


def operating_table(rows: Sequence[Row], figures: Mapping[str, Path]) -> str:
    """Figure, table and note in HTML; empty where no converged cell of the P-VAE says what it carries."""
    points = budget_points(rows)
    if not points:
        return ""
    head = ("budget", "rest, in spikes", "best β", "best K", "nats for a spike's energy", "P(spike)", "Levy & Baxter",
            "at the edge of the grid")  # fmt: skip
    table = page.table([head, *(_operating_row(point) for point in points)], ("", *("value",) * 6, "grey"))
    grid = operating_points(rows)
    inside = sum(not point.edges for point in grid)
    note = (
        f"Best among the converged cells of the P-VAE. At {inside} of {len(grid)} ratios of rest to spike the best "
        "lies inside the grid; elsewhere it may lie beyond. Information is summed over units, so that what two say "
        "counts twice, which flatters many units. Levy & Baxter's probability is that of a binary unit without noise."
        f"{_any_code(rows)}"
    )
    picture = page.figure(figures, "operating", "The cell with most information for its energy, whatever rest costs "
                          "beside a spike; dotted: the best is at the edge of the grid.", "wide")  # fmt: skip
    return f'{picture}{table}<p class="note">{escape(note)}</p>'


def _any_code(rows: Sequence[Row]) -> str:
    best = best_of_any_code(rows)
    told = "; ".join(
        f"{code.budget}: {words.number(code.nats_per_cost)} nats ({code.family}, K = {code.units}, β = {code.beta:g}"
        + (f", price {code.spike_price:g})" if code.spike_price else ")")
        for code in best
    )
    return f" The best of all codes of counts, of any prior, encoder and price on spikes: {told}." if told else ""


def _operating_row(point: Operating) -> tuple[str, ...]:
    return (
        point.budget or "–",
        words.number(point.ratio),
        f"{point.beta:g}",
        str(point.units),
        words.number(point.nats_per_cost),
        words.number(point.probability),
        words.number(point.predicted),
        ", ".join(point.edges) or "no",
    )

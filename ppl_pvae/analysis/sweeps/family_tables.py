"""Tables of the report that ask every family the same: the pattern over β at each number of units, and collapse."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from ppl_pvae.analysis import page, words
from ppl_pvae.analysis.sweeps.phrases import SHORT

__all__ = ["collapse_html", "pattern_html"]

_HOW = (
    "First to last β, seed means; beside it how many steps between neighbouring β go the pattern's way and how many "
    "the other way, each by more than the tolerance, and the largest of these: a difference of a share, a factor of an "
    "amount. A family shows the pattern where all four end further on and none goes back."
)
_GONE = (
    "R² and active units at the largest β, and the β at which both are below the tolerance named “collapsed”, whatever "
    "the family."
)


def pattern_html(claim: Mapping[str, Any]) -> str:
    """A table for each number of units: what each family does over β, and whether it shows the pattern."""
    curves = claim["curves"]
    if not curves:
        return ""
    parts = []
    for units in sorted({each["units"] for each in curves}):
        own = [each for each in curves if each["units"] == units]
        metrics = [trend["metric"] for trend in own[0]["trends"]]
        head = ("program variant", *(SHORT[metric] for metric in metrics), "pattern")
        rows = [head, *(_row(each) for each in own)]
        parts.append(f"<h3>K = {units}</h3>{page.table(rows, ('', *('value',) * len(metrics), 'grey'))}")
    return f'{"".join(parts)}<p class="note">{escape(_HOW)}</p>'


def _row(each: Mapping[str, Any]) -> tuple[str, ...]:
    open_points = each["unconverged_points"]
    trust = f"; {open_points} of {len(each['betas'])} β not converged" if open_points else ""
    return (each["family"], *map(_trend, each["trends"]), f"{each['verdict']}{trust}")


def _trend(trend: Mapping[str, Any]) -> str:
    ends = f"{words.number(trend['first'])} to {words.number(trend['last'])}"
    steps = f"{trend['steps_as_said']} of {trend['steps']} on"
    if not trend["violations"]:
        return f"{ends}  {steps}, 0 back"
    size, (near, far) = trend["largest"], trend["largest_at"]
    told = f"{size:.2g}" if trend["scale"] == "difference" else f"{math.exp(size):.3g}-fold"
    return f"{ends}  {steps}, {trend['violations']} back: {told} at {near:g} to {far:g}"


def collapse_html(collapse: Sequence[Mapping[str, Any]]) -> str:
    """Every family at each number of units: what is left of its code at the largest β, and where it has collapsed."""
    if not collapse:
        return ""
    head = ("program variant", "K", "largest β", "zeros", "R²", "active units", "collapsed at β")
    rows = [
        (
            each["family"],
            str(each["units"]),
            f"{each['betas'][-1]:g}",
            *(words.number(each[name][-1]) for name in ("zeros", "r2", "active_units")),
            ", ".join(f"{beta:g}" for beta in each["collapsed_at"]) or "none",
        )
        for each in collapse
    ]
    table = page.table([head, *rows], ("", *("value",) * 5, "grey"))
    return f'{table}<p class="note">{escape(_GONE)}</p>'

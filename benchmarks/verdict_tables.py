"""Tables of what becomes of the claims, from `claims` of the findings of a sweep."""

from collections.abc import Mapping
from typing import Any

from table_cells import family, family_by_units
from tables import markdown

from ppl_pvae.analysis.sweeps.verdicts import FAILS, HOLDS, IN_PART

__all__ = ["claims", "verdicts"]

WORDS = {HOLDS: "holds", IN_PART: "in part", FAILS: "fails"}
SAID = {
    "proportion": "nats follow spikes",
    "trade": "spikes follow nats",
    "sparsity": "sparser and quieter",
    "coupling": "not coupled",
    "unchanged": "stays as it is",
}
"""The claims that are asked of each code, in few words."""


def claims(found: Mapping[str, Any]) -> str:
    """Each claim, its verdict, and how many of the cells that it rests on have not converged."""
    rows = [
        [claim["claim"].rstrip("."), f"**{claim['verdict']}**", f"{claim['unconverged']} of {claim['cells']}"]
        for claim in found.values()
    ]
    return markdown(("claim", "verdict", "cells not converged"), rows)


def verdicts(found: Mapping[str, Any]) -> str:
    """Each claim for each code that it is about and each number of units.

    A star stands where it would hold if all cells were known to have converged; beside what is asked of every step of β
    stands how many go the wrong way, and the largest in standard deviations over seeds where several were fitted.
    """
    cells = [
        (f"{said}: {family(curve['family'])}", curve["units"], _verdict(curve))
        for name, said in SAID.items()
        for curve in found[name]["curves"]
        if curve["verdict"] in WORDS
    ]
    return family_by_units(cells, "claim: code")


def _verdict(curve: Mapping[str, Any]) -> str:
    wrong = [trend for trend in curve.get("trends", ()) if trend["violations"]]
    spreads = [trend["largest_in_spreads"] for trend in wrong if trend["largest_in_spreads"] is not None]
    told = [f"{sum(trend['violations'] for trend in wrong)} back"] if wrong else []
    told += [f"{max(spreads):.0f} s.d."] if spreads else []
    return WORDS[curve["verdict"]] + ("*" if curve["capped"] else "") + (f" ({', '.join(told)})" if told else "")

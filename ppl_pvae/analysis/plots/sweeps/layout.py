"""Where the panels of a figure stand: metrics and kinds of families in rows, numbers of units side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ppl_pvae.analysis.sweeps.families import Curve, Family

__all__ = ["MOST_COLUMNS", "MOST_TOGETHER", "Place", "in_rows", "is_leftmost", "kind_of", "kinds_of", "places_of"]

MOST_COLUMNS = 4
"""Panels side by side."""
MOST_TOGETHER = 5
"""Families in one panel; more are sorted by their kind."""
_OTHERS, _RECTIFIED, _NO_BIAS = "not rectified", "rectified", "rectified, no bias"  # in the order of the rows


class Place(NamedTuple):
    """One panel: what it shows, of which kind of families ("" for all) and number of units, and where it stands."""

    name: str
    kind: str
    units: int
    row: int
    column: int

    @property
    def where(self) -> tuple[int, int]:
        """Row and column."""
        return self.row, self.column

    @property
    def title(self) -> str:
        """What of it the axes do not say."""
        return f"K = {self.units}" + (f", {self.kind}" if self.kind else "")

    def has(self, curve: Curve) -> bool:
        """Whether a curve belongs here."""
        return curve.units == self.units and self.kind in ("", kind_of(curve.family))


def kind_of(family: Family) -> str:
    """The kind that a family is sorted by where there are many."""
    if not family.is_rectified:
        return _OTHERS
    return _NO_BIAS if family.encoder_bias is False else _RECTIFIED


def kinds_of(families: Iterable[Family]) -> list[str]:
    """The kinds that have panels of their own; a single "" for few families, which share theirs."""
    families = list(families)
    there = {kind_of(family) for family in families}
    few = len(families) <= MOST_TOGETHER
    return [""] if few else [kind for kind in (_OTHERS, _RECTIFIED, _NO_BIAS) if kind in there]


def in_rows(panels: int) -> list[tuple[int, int]]:
    """Row and column of each of some panels, in rows of at most four.

    Rows differ by no more than one panel and the longest are the last, so that no column ends above its axis.
    """
    rows = -(-panels // MOST_COLUMNS)
    lengths = [(panels + row) // rows for row in range(rows)]
    return [(row, column) for row, length in enumerate(lengths) for column in range(length)]


def places_of(names: Sequence[str], curves: Sequence[Curve]) -> list[Place]:
    """A panel for each name, kind and number of units that has curves.

    Names and kinds have rows of their own and numbers of units a column each, in rows of at most four. A single name
    of a single kind, and several at one number of units, run over rows of four; kinds at one number of units stand
    side by side.
    """
    kinds, units = kinds_of(dict.fromkeys(curve.family for curve in curves)), sorted({c.units for c in curves})
    runs_on = len(kinds) == 1 and (len(names) == 1 or len(units) == 1)
    if runs_on or len(units) == 1:
        whole = [(name, kind, count) for name in names for kind in kinds for count in units]
        there = in_rows(len(whole)) if runs_on else [divmod(at, len(kinds)) for at in range(len(whole))]
        places = [Place(*each, *where) for each, where in zip(whole, there, strict=True)]
    else:
        there = in_rows(len(units))
        high, places = 1 + there[-1][0], []
        for block, (name, kind) in enumerate((name, kind) for name in names for kind in kinds):
            for count, (row, column) in zip(units, there, strict=True):
                places.append(Place(name, kind, count, block * high + row, column))
    return [place for place in places if any(place.has(curve) for curve in curves)]


def is_leftmost(place: Place, places: Sequence[Place]) -> bool:
    """Whether no panel of the same name stands to the left."""
    beside = (other for other in places if (other.name, other.row) == (place.name, place.row))
    return all(other.column >= place.column for other in beside)

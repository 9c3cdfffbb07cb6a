"""Families of a sweep: what is fitted, apart from units, β, price and seed; and their curves over β."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import PurePath
from typing import Any

from ppl_pvae.analysis.sweeps.rows import DEFAULTS, SETTINGS

__all__ = ["Curve", "Family", "Point", "beta_curves", "fitted", "number_of", "price_curves", "sort_by_family"]

Row = Mapping[str, Any]

_BASE = ("program", "prior", "pays", "encoder_bias")
# Along these a family has its curves, or they say how long and how carefully it was looked at.
_ALONG = ("units", "beta", "spike_price", "seed", "steps", "evaluate_every", "checkpoint_every")
# What makes another experiment wherever it differs, and not only between cells that agree in units and β.
_APART = ("data", "likelihood", "encoder", "decoder")
_NAMES = {"poisson": "Poisson", "negative-binomial": "negative binomial", "gaussian": "Gaussian"}


@dataclass(frozen=True)
class Family:
    """A variant of a program: cells of one family differ in units, β, price and seed alone.

    Parameters
    ----------
    program
        Built-in name, or path of a file.
    prior, pays, encoder_bias
        As the settings of these names; None where they mean nothing to the program.
    others
        Name and value of every other setting that the grid varies within the program, where it is not the default.
    """

    program: str
    prior: str | None
    pays: str | None
    encoder_bias: bool | None
    others: tuple[tuple[str, Any], ...] = ()

    @property
    def is_poisson(self) -> bool:
        """Whether it is the P-VAE, with whatever prior and encoder."""
        return self.program == "poisson"

    @property
    def is_pvae(self) -> bool:
        """Whether it is the P-VAE that claims are about, with rates that are learned; others are controls.

        However it was trained and on whatever data: a claim has to hold for all of them.
        """
        return self.is_poisson and self.prior != "fixed"

    @property
    def is_rectified(self) -> bool:
        """Whether it is a rectified Gaussian."""
        return self.program == "rectified-gaussian"

    @property
    def is_published_control(self) -> bool:
        """Whether it is the control as published: fixed prior, pays for its latent, encoder without bias."""
        rest = (self.prior, self.pays, self.encoder_bias)
        return self.is_rectified and rest == ("fixed", "latent", False)

    @property
    def label(self) -> str:
        """The family in words, as legends and tables show it."""
        if self.is_rectified:
            parts = ["rectified", f"{self.prior} prior" if self.prior else "", f"pays {self.pays}" if self.pays else ""]
        else:
            name = _NAMES.get(self.program) or PurePath(self.program).stem
            parts = [name, "fixed prior" if self.prior == "fixed" else ""]
        parts += ["no bias" if self.encoder_bias is False else ""]
        parts += [f"{name.replace('_', ' ')} {_short(value)}" for name, value in self.others]
        control = " (published control)" if self.is_published_control and not self.others else ""
        return ", ".join(part for part in parts if part) + control

    @property
    def order(self) -> tuple[Any, ...]:
        """By what families are sorted: counts first, the published control ahead of the other rectified Gaussians."""
        kinds = [self.is_poisson, self.program == "negative-binomial", not self.is_rectified and self.program in _NAMES]
        rank = 0 if kinds[0] else 1 if kinds[1] else 5 if kinds[2] else 2
        rank = 3 if self.is_published_control else 4 if self.is_rectified else rank
        return rank, self.prior == "fixed", self.encoder_bias is False, self.label


def _short(value: Any) -> str:
    if value is None:
        return "as by default"
    return f"{value:g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Point:
    """The cells of a family that differ in their seed alone.

    Parameters
    ----------
    units, beta, price
        Their settings; `price` is that of a spike.
    rows
        One a seed.
    """

    units: int
    beta: float
    price: float
    rows: tuple[Row, ...]

    def values(self, key: str) -> list[float]:
        """What is known of a metric, one number a seed."""
        return [value for row in self.rows if (value := number_of(row, key)) is not None]

    def mean(self, key: str) -> float | None:
        """Mean over seeds; None where no seed has the number."""
        values = self.values(key)
        return statistics.fmean(values) if values else None

    def spread(self, key: str) -> float | None:
        """Standard deviation over seeds; None where fewer than two have the number."""
        values = self.values(key)
        return statistics.stdev(values) if len(values) > 1 else None

    @property
    def converged(self) -> bool:
        """Whether all its seeds are known to have converged."""
        return all(row.get("converged") is True for row in self.rows)


@dataclass(frozen=True)
class Curve:
    """The points of one family at one number of units, by rising β (and by rising price)."""

    family: Family
    units: int
    points: tuple[Point, ...]

    @property
    def comparable(self) -> tuple[Any, ...]:
        """What it has to share with another curve for their nats, distortion and evidence to be of the same images."""
        return (self.units, *self.images)

    @property
    def images(self) -> tuple[Any, ...]:
        """What its images are, and how what is decoded is measured against them."""
        row = self.points[0].rows[0]
        return tuple(row.get(name) for name in ("data", "patch_size", "likelihood"))

    @property
    def rows(self) -> list[Row]:
        """All cells of the curve."""
        return [row for point in self.points for row in point.rows]

    @property
    def is_count(self) -> bool:
        """Whether its activity is a number of spikes."""
        counted = any(number_of(row, key) is not None for row in self.rows for key in ("nats_per_spike", "information"))
        return self.family.program in ("poisson", "negative-binomial") or counted


def number_of(row: Row, key: str) -> float | None:
    """A finite number of a row, or None."""
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    return float(value) if math.isfinite(value) else None


def fitted(rows: Iterable[Row]) -> list[Row]:
    """The cells that did not end in an error."""
    return [row for row in rows if not row.get("error")]


def sort_by_family(rows: Sequence[Row]) -> dict[Family, list[Row]]:
    """Cells by their family, in a stable order; those that ended in an error are sorted as well.

    Data, likelihood and networks always tell families apart. Another setting does only where cells that agree in
    units, β and price disagree in it: what a default makes of the number of units does not. Cells that have the default
    stay in the family without a name for it, so that one cell of another kind leaves the others where they are. What
    the default is that a program chooses by itself is not in the table: it is taken to be what most cells of that many
    units have, and where two values are as frequent both are named.
    """
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row.get(name) for name in _BASE), []).append(row)
    found: dict[Family, list[Row]] = {}
    for base, members in groups.items():
        done = fitted(members)
        varied = [(name, _usual(name, members)) for name in _varied(done)]
        for row in members:
            units = row.get("units")
            others = [(name, row.get(name)) for name, usual in varied if row.get(name) not in usual[units]]
            found.setdefault(Family(*base, others=tuple(others)), []).append(row)
    return dict(sorted(found.items(), key=lambda item: item[0].order))


def _varied(rows: Sequence[Row]) -> list[str]:
    alike: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        alike.setdefault((row.get("units"), row.get("beta"), row.get("spike_price") or 0.0), []).append(row)
    names = [name for name in SETTINGS if name not in (*_BASE, *_ALONG)]
    return [
        name
        for name in names
        if any(len({row.get(name) for row in group}) > 1 for group in ([rows] if name in _APART else alike.values()))
    ]


def _usual(name: str, rows: Sequence[Row]) -> dict[Any, tuple[Any, ...]]:
    """The values of a setting that go without saying, by the number of units; of cells in error where all are."""
    usual: dict[Any, tuple[Any, ...]] = {}
    for units in {row.get("units") for row in rows}:
        own = [row for row in rows if row.get("units") == units]
        values = [row.get(name) for row in fitted(own) or own]
        usual[units] = (DEFAULTS[name], None) if name in DEFAULTS else _commonest(values)
    return usual


def _commonest(values: Sequence[Any]) -> tuple[Any, ...]:
    """What was left open, or the value that is there most often; nothing where two are as frequent."""
    if None in values:
        return (None,)
    (first, most), *others = Counter(values).most_common(2)
    return () if others and others[0][1] == most else (first,)


def beta_curves(rows: Sequence[Row]) -> list[Curve]:
    """Each family at each number of units over β, of cells without a price on spikes and without an error."""
    return _curves(rows, priced=False)


def price_curves(rows: Sequence[Row]) -> list[Curve]:
    """The same of the cells that have a price on spikes, by β and price."""
    return _curves(rows, priced=True)


def _longest(rows: Sequence[Row]) -> tuple[Row, ...]:
    """One row a seed: the same fit trained for fewer steps is no other seed."""
    found: dict[Any, Row] = {}
    for row in rows:
        other = found.get(row.get("seed"))
        if other is None or (number_of(row, "steps") or 0) > (number_of(other, "steps") or 0):
            found[row.get("seed")] = row
    return tuple(found.values())


def _curves(rows: Sequence[Row], *, priced: bool) -> list[Curve]:
    curves = []
    for family, members in sort_by_family(rows).items():
        points: dict[tuple[int, float, float], list[Row]] = {}
        for row in fitted(members):
            price, units, beta = number_of(row, "spike_price") or 0.0, row.get("units"), number_of(row, "beta")
            if (price > 0) == priced and units is not None and beta is not None:
                points.setdefault((units, beta, price), []).append(row)
        made = [Point(*place, _longest(points[place])) for place in sorted(points)]
        for units in dict.fromkeys(point.units for point in made):
            curves.append(Curve(family, units, tuple(point for point in made if point.units == units)))
    return curves

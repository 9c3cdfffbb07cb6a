"""How numbers of a sweep stand in the cells of the tables of docs/results.md and docs/results/."""

from collections.abc import Callable, Iterable

from tables import markdown

from ppl_pvae.analysis.sweeps.families import Point

__all__ = ["CELLS", "amount", "beta", "family", "family_by_units", "fold", "marked", "plus_minus", "share", "tenths"]


def share(value: float | None) -> str:
    """Two decimals, three next to one, no zero before the point."""
    if value is None:
        return ""
    return _plain(value, 3 if 0.985 <= round(value, 3) < 1 else 2)


def tenths(value: float | None) -> str:
    """One decimal, whatever the size."""
    return "" if value is None else _plain(value, 1)


def amount(value: float | None) -> str:
    """Whole numbers from a hundred up, one decimal from one up, two below."""
    if value is None:
        return ""
    return _plain(value, 0 if abs(value) >= 99.95 else 1 if abs(value) >= 0.995 else 2)


def plus_minus(value: float | None, error: float | None, digits: int) -> str:
    """A number with its standard error, where that is known."""
    if value is None:
        return ""
    return _plain(value, digits) + ("" if error is None else f" ± {_plain(error, digits)}")


def fold(first: float | None, last: float | None) -> str:
    """How many times as large the larger of two amounts is."""
    if first is None or last is None:
        return ""
    small, large = sorted((first, last))
    if small <= 0:
        return "to nothing" if large > 0 else ""
    ratio = large / small
    return f"{_plain(ratio, 0 if ratio >= 9.95 else 1)}-fold"


def beta(value: float) -> str:
    """A β without the zero before its point."""
    return f"{value:g}".removeprefix("0") or "0"


def marked(text: str, point: Point) -> str:
    """With a star where the point is not known to have converged."""
    return text if point.converged or not text else f"{text}*"


def family(label: str) -> str:
    """A family's label in the words of the text: (prior, what it pays for) of a rectified Gaussian."""
    return label.replace("pays ", "").replace("rectified, ", "").replace(" prior", "").replace("_", " ")


def family_by_units(cells: Iterable[tuple[str, int, str]], head: str) -> str:
    """A row a family, a column for each number of units, from cells with the label and the number of theirs."""
    rows: dict[str, dict[int, str]] = {}
    for label, units, cell in cells:
        rows.setdefault(family(label), {})[units] = cell
    columns = sorted({units for found in rows.values() for units in found})
    lines = [[name, *(found.get(units, "") for units in columns)] for name, found in rows.items()]
    return markdown((head, *(f"K = {units:,}" for units in columns)), lines)


def _plain(value: float, digits: int) -> str:
    text = f"{abs(value):,.{digits}f}"
    text = text[1:] if text.startswith("0.") else text
    return f"−{text}" if value < 0 and text.strip(".0") else text


def _bits(point: Point) -> str:
    value = point.mean("bits_per_spike")
    return "" if value is None else _plain(value, 2 if round(value, 3) >= 0.1 else 3)


def _of(key: str, how: Callable[[float | None], str]) -> Callable[[Point], str]:
    return lambda point: how(point.mean(key))


CELLS: dict[str, Callable[[Point], str]] = {
    "free energy": _of("free_energy", tenths),
    "… training": _of("train_free_energy", tenths),
    "distortion": _of("distortion", tenths),
    "nats": _of("coding_rate", amount),
    "spikes per image": _of("spikes_per_image", amount),
    "activity per image": _of("spikes_per_image", amount),
    "zeros": _of("zeros", share),
    "lifetime": _of("lifetime_sparseness", share),
    "R²": _of("r2", share),
    "active units": _of("active_units", share),
    "information": _of("information", amount),
    "bits per spike": _bits,
    "log p(x) ≥": lambda point: plus_minus(point.mean("log_evidence"), point.mean("log_evidence_se"), 0),
}
"""Heads of columns, and what stands below them: means over seeds, and standard errors over photographs."""

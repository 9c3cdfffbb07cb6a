"""How numbers of a sweep stand in the cells of the tables of docs/results.md."""

from collections.abc import Callable

from ppl_pvae.analysis.sweeps.families import Curve, Point

__all__ = ["CELLS", "amount", "beta", "fold", "label", "marked", "share", "tenths"]


def share(value: float | None) -> str:
    """Two decimals, three next to one, no zero before the point."""
    if value is None:
        return ""
    digits = 3 if 0.985 < value < 1 else 2
    text = f"{abs(value):.{digits}f}"
    text = text[1:] if text.startswith("0") else text
    return f"−{text}" if value < 0 and float(text) else text


def tenths(value: float | None) -> str:
    """One decimal, whatever the size."""
    return "" if value is None else f"{value:,.1f}".replace("-", "−")


def amount(value: float | None) -> str:
    """Whole numbers from a hundred up, one decimal from one up, two below."""
    if value is None:
        return ""
    if abs(value) >= 100:
        return f"{value:,.0f}".replace("-", "−")
    return tenths(value) if abs(value) >= 0.995 else share(value)


def fold(first: float | None, last: float | None) -> str:
    """How many times as large the larger of two is."""
    if not first or not last:
        return ""
    ratio = max(first / last, last / first)
    return f"{ratio:,.0f}-fold" if ratio >= 10 else f"{ratio:.1f}-fold"


def beta(value: float) -> str:
    """A β without the zero before its point."""
    return f"{value:g}".removeprefix("0") if value < 1 else f"{value:g}"


def marked(text: str, point: Point) -> str:
    """With a star where the point is not known to have converged."""
    return text if point.converged or not text else f"{text}*"


def label(curve: Curve) -> str:
    """The family, in the words of the text: (prior, what it pays for) of a rectified Gaussian."""
    return curve.family.label.replace("pays ", "").replace("rectified, ", "").replace(" prior", "")


def _bits(point: Point) -> str:
    value = point.mean("bits_per_spike")
    if value is None:
        return ""
    return f"{value:.2f}".removeprefix("0") if value >= 0.1 else f"{value:.3f}".removeprefix("0")


def _evidence(point: Point) -> str:
    value, error = point.mean("log_evidence"), point.mean("log_evidence_se")
    return "" if value is None or error is None else f"{value:,.0f} ± {error:.0f}".replace("-", "−")


def _of(key: str, how: Callable[[float | None], str]) -> Callable[[Point], str]:
    return lambda point: how(point.mean(key))


CELLS: dict[str, Callable[[Point], str]] = {
    "free energy": _of("free_energy", tenths),
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
    "log p(x) ≥": _evidence,
}
"""Heads of columns, and what stands below them: means over seeds, and standard errors over photographs."""

"""Codes beside the limit of dense ones, which is known in closed form: where they are such codes, and where better."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ppl_pvae.analysis.sweeps.families import Curve, Point
from ppl_pvae.analysis.sweeps.phrases import about, curve_name

__all__ = ["AT_THE_LIMIT", "beside_dense", "excess_of", "has_limit", "said_of_dense"]

AT_THE_LIMIT = 0.03
"""A free energy is at the limit that is nearer than this share of what the limit gains over silence."""
FEW_ZEROS = 0.5
"""A Poisson code that is at the limit by having many spikes has fewer zeros than this."""
_KEY = "dense_free_energy"


def has_limit(curve: Curve) -> bool:
    """Whether the limit of any point of a curve is known."""
    return any(excess_of(point) is not None for point in curve.points)


def excess_of(point: Point) -> float | None:
    """Free energy less that of the limit, nats per image, in the mean over seeds; None where that has none."""
    free_energy, limit = point.mean("free_energy"), point.mean(_KEY)
    return None if free_energy is None or limit is None else free_energy - limit


def beside_dense(curves: Sequence[Curve]) -> list[dict[str, Any]]:
    """Every code that has such a limit: Poisson, Gaussian, and rectified with a learned prior.

    Parameters
    ----------
    curves
        Of all families, over β.

    Returns
    -------
    list
        Whose each is, and by β `limit` (its free energy), `excess` (of the code's own over it), `zeros` and
        `spikes_per_image`; `at_the_limit`, the β at which the free energy is within 3% of what the limit gains over
        silence, and fewer than half of the counts, where it is one of counts, are zeros.
    """
    return [
        about(curve)
        | {"limit": [point.mean(_KEY) for point in curve.points]}
        | {"excess": [excess_of(point) for point in curve.points]}
        | {name: [point.mean(name) for point in curve.points] for name in ("zeros", "spikes_per_image")}
        | {"at_the_limit": [point.beta for point in _near(curve)]}
        for curve in curves
        if has_limit(curve)
    ]


def said_of_dense(curves: Sequence[Curve]) -> list[str]:
    """Where each code lies, in a sentence each."""
    return [_said(curve) for curve in curves if has_limit(curve)]


def _near(curve: Curve) -> list[Point]:
    return [point for point in curve.points if _is_near(point, is_count=curve.is_count)]


def _is_near(point: Point, *, is_count: bool) -> bool:
    excess, limit = excess_of(point), point.mean(_KEY)
    silent, zeros = point.mean("silent_free_energy"), point.mean("zeros")
    if excess is None or limit is None or silent is None or zeros is None:
        return False
    # Of other codes zeros are the idle units, which a linear code has where directions are not worth sending.
    return abs(excess) <= AT_THE_LIMIT * (silent - limit) and (zeros < FEW_ZEROS or not is_count)


def _said(curve: Curve) -> str:
    near, pieces = _near(curve), []
    known = [(point, excess) for point in curve.points if (excess := excess_of(point)) is not None]
    far = [(point, excess) for point, excess in known if point not in near]
    if near:
        spikes = [value for point in near if (value := point.mean("spikes_per_image")) is not None]
        told = f", with {_range(spikes, 0)} spikes per image" if spikes and curve.is_count else ""
        pieces.append(f"at its limit for β = {_betas(near)}{told}")
    for word, sign in (("below", -1), ("above", 1)):
        there = [(point, sign * excess) for point, excess in far if sign * excess > 0]
        if there:
            nats = _range([distance for _, distance in there], 1)
            pieces.append(f"{nats} nats {word} it for β = {_betas([point for point, _ in there])}")
    unsure = [point for point, _ in known if not point.converged]
    caveat = f" (not known to have converged: β = {_betas(unsure)})" if unsure else ""
    return f"{curve_name(curve)}: {'; '.join(pieces)}{caveat}."


def _betas(points: Sequence[Point]) -> str:
    return ", ".join(f"{point.beta:g}" for point in points)


def _range(values: Sequence[float], digits: int) -> str:
    ends = [f"{value:,.{digits}f}" for value in (min(values), max(values))]
    return ends[0] if ends[0] == ends[1] else " to ".join(ends)

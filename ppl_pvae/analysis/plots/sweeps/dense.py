"""Free energies beside the limit of dense codes, marks filled by how sparse a code is."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ppl_pvae.analysis.plots.style import INK, VERMILLION, styled
from ppl_pvae.analysis.plots.sweeps.layout import in_rows
from ppl_pvae.analysis.plots.sweeps.look import SILENCE, beta_axis, panels
from ppl_pvae.analysis.sweeps.dense import excess_of, has_limit
from ppl_pvae.analysis.sweeps.families import Curve, Family, Point

__all__ = ["beside_dense"]

_LINES = ("-", (0, (2, 1.2)), (0, (5, 1.2, 1, 1.2)), (0, (1, 1.2)))
_MARKS = ("o", "s", "D", "^", "v", "P", "X")  # as many as do not divide by the number of lines
COLOURS = "viridis"


@styled
def beside_dense(curves: Sequence[Curve]) -> Figure | None:
    """Free energy less that of the dense limit against β, a panel for each number of units, counts and others apart.

    Parameters
    ----------
    curves
        Over β; those that have such a limit are shown.

    Returns
    -------
    Figure or None
        None where no curve has one.
    """
    shown = [curve for curve in curves if has_limit(curve)]
    if not shown:
        return None
    families = list(dict.fromkeys(curve.family for curve in shown))
    places = _places(shown)
    fig, axes = panels(list(places.values()), height=1.75, legend_lines=2)
    shades = Normalize(0, 1)
    betas = [point.beta for curve in shown for point in curve.points]
    for ((is_count, units), place), ax in zip(places.items(), axes, strict=True):
        own = [curve for curve in shown if (curve.is_count, curve.units) == (is_count, units)]
        _panel(ax, own, families, betas, shades)
        _same_limits(ax, [curve for curve in shown if curve.is_count == is_count])
        ax.set_title(f"K = {units}, {'counts' if is_count else 'others'}")
        ax.set_ylabel("free energy less the\nlimit's, nats per image" if place[1] == 0 else "")
        ax.tick_params(axis="y", labelleft=place[1] == 0)
    fig.colorbar(ScalarMappable(shades, COLOURS), ax=fig.axes, label="zeros, share", pad=0.01, aspect=30)
    fig.legend(handles=_handles(shown, families), loc="outside upper left", ncols=2 if fig.get_figwidth() > 5 else 1,
               handlelength=3)  # fmt: skip
    return fig


def _places(curves: Sequence[Curve]) -> dict[tuple[bool, int], tuple[int, int]]:
    """Row and column of a panel for counts and for others at each number of units; counts come first."""
    found, row = {}, 0
    for is_count in (True, False):
        units = sorted({curve.units for curve in curves if curve.is_count == is_count})
        there = in_rows(len(units))
        found |= {(is_count, k): (row + down, column) for k, (down, column) in zip(units, there, strict=True)}
        row += 1 + there[-1][0] if there else 0
    return found


def _panel(ax: Axes, curves: Sequence[Curve], families: Sequence[Family], betas: Sequence[float], shades) -> None:
    place = beta_axis(ax, betas)
    ax.axhline(0, color=INK, linewidth=0.8)
    silent = _silence(curves)
    ax.plot([place(beta) for beta, _ in silent], [y for _, y in silent], **SILENCE)
    for curve in curves:
        there = [(p, y, p.mean("zeros")) for p in curve.points if (y := excess_of(p)) is not None]
        kind = families.index(curve.family)
        x, y = [place(point.beta) for point, _, _ in there], [excess for _, excess, _ in there]
        ax.plot(x, y, color=INK, linewidth=0.7, linestyle=_LINES[kind % len(_LINES)], zorder=2)
        ax.scatter(x, y, c=[zeros if zeros is not None else 0.0 for *_, zeros in there], norm=shades, cmap=COLOURS,
                   marker=_MARKS[kind % len(_MARKS)], s=22, zorder=3,
                   linewidths=[0.6 if point.converged else 1.4 for point, _, _ in there],
                   edgecolors=[INK if point.converged else VERMILLION for point, _, _ in there])  # fmt: skip


def _silence(curves: Sequence[Curve]) -> list[tuple[float, float]]:
    """β and what silence has over the limit, by rising β."""
    found: dict[float, float] = {}
    for point in (point for curve in curves for point in curve.points):
        silent, limit = point.mean("silent_free_energy"), point.mean("dense_free_energy")
        if silent is not None and limit is not None:
            found[point.beta] = silent - limit
    return sorted(found.items())


def _same_limits(ax: Axes, curves: Sequence[Curve]) -> None:
    """The same scale in all panels of a kind: the codes' own, and not that of silence, which is far away at small β."""
    values = [y for curve in curves for point in curve.points if (y := excess_of(point)) is not None]
    low, high = min(*values, 0.0), max(*values, 0.0)
    room = 0.08 * (high - low) or 1.0
    ax.set_ylim(low - room, high + room)


def _handles(curves: Sequence[Curve], families) -> list[Line2D]:
    named = [
        Line2D([], [], color=INK, linewidth=0.7, linestyle=_LINES[at % len(_LINES)], marker=_MARKS[at % len(_MARKS)],
               markersize=4.2, markerfacecolor="white", label=family.label)
        for at, family in enumerate(families)
    ]  # fmt: skip
    named.append(Line2D([], [], color=INK, linewidth=0.8, label="0: the limit of dense codes"))
    named.append(Line2D([], [], **{**SILENCE, "label": "sending nothing"}))
    if not all(_settled(point) for curve in curves for point in curve.points):
        named.append(Line2D([], [], color=VERMILLION, marker="o", markersize=4.2, markerfacecolor="white",
                            linestyle="none", label="orange edge: not known to have converged"))  # fmt: skip
    return named


def _settled(point: Point) -> bool:
    return point.converged or excess_of(point) is None

"""All figures of a sweep at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from ppl_pvae.analysis.energy import ATTWELL_LAUGHLIN, bits_per_atp
from ppl_pvae.analysis.plots.sweeps.best import best
from ppl_pvae.analysis.plots.sweeps.coupling import coupling
from ppl_pvae.analysis.plots.sweeps.dense import beside_dense
from ppl_pvae.analysis.plots.sweeps.evidence import evidence
from ppl_pvae.analysis.plots.sweeps.layout import MOST_COLUMNS
from ppl_pvae.analysis.plots.sweeps.maps import maps
from ppl_pvae.analysis.plots.sweeps.over_beta import over_beta
from ppl_pvae.analysis.plots.sweeps.planes import PLANES, planes
from ppl_pvae.analysis.plots.sweeps.priced import priced
from ppl_pvae.analysis.sweeps.families import Row, beta_curves, number_of, price_curves
from ppl_pvae.analysis.sweeps.operating import operating_points
from ppl_pvae.analysis.sweeps.panels import THEMES

__all__ = ["draw_sweep"]


def draw_sweep(rows: Sequence[Row]) -> dict[str, Figure]:
    """Every figure that makes sense for the table of a sweep, by name.

    Parameters
    ----------
    rows
        As `read_sweep` gives them; cells in error are passed over.

    Returns
    -------
    dict
        `sparsity`, `activity`, `fidelity`, `prices` and `planes` with up to four numbers of units, or else each of
        their metrics and planes by itself under its own name; `coupling`, `maps` (several β and units), `evidence`
        (several families with bounds on log p(x)), `dense` (codes whose dense limit is known), `operating` (converged
        cells of the P-VAE with their information), `price` (cells with a price on spikes). What there is nothing of is
        not there.
    """
    rows = [_with_energy(row) for row in rows]
    curves = beta_curves(rows)
    few = len({curve.units for curve in curves}) <= MOST_COLUMNS
    figures: dict[str, Figure | None] = {}
    for name, theme in THEMES.items():
        figures |= {name: over_beta(curves, theme.keys)} if few else {k: over_beta(curves, [k]) for k in theme.keys}
    figures |= {"planes": planes(curves)} if few else {name: planes(curves, [name]) for name in PLANES}
    figures |= {
        "coupling": coupling(curves),
        "maps": maps(curves),
        "evidence": evidence(curves),
        "dense": beside_dense(curves),
        "operating": best(operating_points(rows)),
        "price": priced(curves, price_curves(rows)),
    }
    return {name: fig for name, fig in figures.items() if fig is not None}


def _with_energy(row: Row) -> Mapping[str, Any]:
    """The row with bits per 10⁹ ATP, where it says how much information it carries."""
    nats, spikes = number_of(row, "information"), number_of(row, "spikes_per_image")
    if nats is None or spikes is None or not row.get("units"):
        return row
    return {**row, "bits_per_giga_atp": float(1e9 * bits_per_atp(nats, spikes, row["units"], ATTWELL_LAUGHLIN))}

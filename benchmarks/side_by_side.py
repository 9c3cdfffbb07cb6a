"""Draw docs/side_by_side.png: what β does to the Poisson code, its published control, and two fairer ones.

    python benchmarks/side_by_side.py

From docs/sweep/sweep.csv and relative.csv, means over seeds, test images. Hollow: not all seeds have converged.
"""

from collections.abc import Callable
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ppl_pvae.analysis.sweeps import read_sweep
from ppl_pvae.analysis.sweeps.families import Curve, beta_curves

DOCS = Path(__file__).parents[1] / "docs"
SIZES = (64, 512)
PANELS = (("zeros", "zeros, share"), ("spikes_per_image", "activity per image"), ("r2", "R², pooled"))

Line = tuple[str, str, str, Callable[[Curve], bool]]
LINES: tuple[Line, ...] = (
    ("Poisson (P-VAE)", "#0072b2", "o", lambda c: c.family.label == "Poisson"),
    ("rectified: published control, μ = Wx, prior fixed", "#d55e00", "D", lambda c: c.family.is_published_control),
    (
        "rectified: μ = Wx + b, prior learned, pays for what is sent",
        "#8c510a",
        "s",
        lambda c: c.family.label == "rectified, learned prior, pays code",
    ),
    (
        "rectified: μ = Wx + m, m the learned prior's, pays for what is sent",
        "#009e73",
        "^",
        lambda c: c.family.label.startswith("relative"),
    ),
)
"""Label, colour, marker, and which curves of the tables each line is."""


def draw(curves: list[Curve]) -> Figure:
    """A column for each number of units, a row for each quantity."""
    figure = Figure(figsize=(7.2, 7.4), layout="constrained")
    axes = figure.subplots(len(PANELS), len(SIZES), sharex=True, sharey="row")
    for column, units in enumerate(SIZES):
        for row, (name, label) in enumerate(PANELS):
            axis = axes[row, column]
            for said, colour, marker, is_this in LINES:
                for curve in (curve for curve in curves if curve.units == units and is_this(curve)):
                    x, y = [point.beta for point in curve.points], [point.mean(name) for point in curve.points]
                    axis.plot(x, y, color=colour, lw=1.2, label=said, marker=marker, ms=5)
                    left = [at for at, point in enumerate(curve.points) if not point.converged]
                    hollow = {"ls": "", "marker": marker, "ms": 5, "mfc": "white", "mec": colour}
                    axis.plot([x[at] for at in left], [y[at] for at in left], **hollow)
            axis.set(xscale="log", yscale="log" if name == "spikes_per_image" else "linear")
            axis.spines[["top", "right"]].set_visible(False)
            if not column:
                axis.set_ylabel(label)
            if not row:
                axis.set_title(f"K = {units}", fontsize=10)
            if row == len(PANELS) - 1:
                axis.set_xlabel("β")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", frameon=False, fontsize=9)
    return figure


def main() -> None:
    rows = [row for name in ("sweep.csv", "relative.csv") for row in read_sweep(DOCS / "sweep" / name)]
    figure = draw(beta_curves(rows))
    FigureCanvasAgg(figure)
    figure.savefig(DOCS / "side_by_side.png", dpi=150)


if __name__ == "__main__":
    main()

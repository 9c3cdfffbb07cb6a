"""Draw docs/beta.png from the finished cells of benchmarks/convergence.csv: what β does to converged codes.

    python benchmarks/beta_figure.py

Hollow markers are fits that doubling the steps still moved. Everything is measured on training images.
"""

import csv
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

HERE = Path(__file__).parent
PANELS = (
    ("spikes_per_image", "spikes per image"),
    ("zeros", "share of zeros"),
    ("free_energy", "free energy, nats per image"),
)
COLOURS = {"512": "#0072b2", "64": "#e69f00", "32": "#009e73"}


def main() -> None:
    with (HERE / "convergence.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["part"] == "grid" and row["program"] == "poisson"]
    figure = Figure(figsize=(9, 2.9), layout="constrained")
    for axis, (name, label) in zip(figure.subplots(1, 3), PANELS, strict=True):
        for units, colour in COLOURS.items():
            line = sorted(
                (float(row["beta"]), float(row[name]), row["converged"]) for row in rows if row["units"] == units
            )
            if not line:
                continue
            axis.plot([x for x, _, _ in line], [y for _, y, _ in line], color=colour, lw=1.2, label=f"K = {units}")
            for x, y, converged in line:
                fill = colour if converged == "True" else "white"
                axis.plot(x, y, "o", ms=5, mfc=fill, mec=colour)
        axis.set(xscale="log", xlabel="β", title=label)
        axis.title.set_fontsize(10)
        axis.spines[["top", "right"]].set_visible(False)
        if name == "spikes_per_image":
            axis.set_yscale("log")
            axis.legend(frameon=False, fontsize=8)
        if name == "free_energy":
            silence = float(rows[0]["silence"])
            axis.axhline(silence, color="0.4", ls="--", lw=1)
            axis.annotate(
                "silence", (0.01, silence), xytext=(0, 3), textcoords="offset points", fontsize=8, color="0.4"
            )
    FigureCanvasAgg(figure)
    figure.savefig(HERE.parent / "docs" / "beta.png", dpi=150)


if __name__ == "__main__":
    main()

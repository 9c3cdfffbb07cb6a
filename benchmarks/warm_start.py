"""Do trainings that go on from shorter ones end where trainings from the first step do?

    python benchmarks/warm_start.py    a table of the cells that both tables have; nothing is fitted

`docs/sweep/sweep.csv` is of trainings that went on (beta at most 1, or one that does not rise), and
`benchmarks/convergence.csv` of trainings from the first step. Cells are alike in program, size, beta, seed and steps.
"""

import csv
import math
from collections.abc import Iterator
from pathlib import Path

from tables import markdown

from ppl_pvae.analysis.sweeps import read_sweep

HERE = Path(__file__).parent
SWEEP, ANEW = HERE.parent / "docs" / "sweep" / "sweep.csv", HERE / "convergence.csv"
SAME = ("program", "prior", "pays", "encoder_bias", "units", "beta", "seed", "steps")
DEAR = 1.0  # above it counts are trained anew in a sweep too
HEADS = ("cell", "steps", "train F, anew", "went on", "Δ log activity", "Δ zeros")


def pairs() -> Iterator[tuple[dict, dict]]:
    """Rows of the sweep, each with one that was trained anew."""
    with ANEW.open(newline="", encoding="utf-8") as file:
        anew = {tuple(_text(row[name]) for name in SAME): row for row in csv.DictReader(file) if _usual(row)}
    for row in read_sweep(SWEEP):
        label = tuple(_text(row[name]) for name in SAME)
        if label in anew and not row["spike_price"] and (row["program"] != "poisson" or row["beta"] <= DEAR):
            yield row, anew[label]


def _usual(row):
    """The cells of another start are there too."""
    return float(row["log_rate_from"]) == -1.5


def _text(value):
    """One text for what two files write as 1, 1.0 or True."""
    try:
        return f"{float(value):g}" if not isinstance(value, bool) else str(value)
    except (TypeError, ValueError):
        return value or ""


def main() -> None:
    rows = [
        (
            row["cell"],
            str(row["steps"]),
            f"{float(other['free_energy']):.2f}",
            f"{row['train_free_energy']:.2f}",
            f"{math.log(row['spikes_per_image'] / float(other['spikes_per_image'])):+.3f}",
            f"{row['zeros'] - float(other['zeros']):+.4f}",
        )
        for row, other in pairs()
    ]
    print(markdown(HEADS, rows))


if __name__ == "__main__":
    main()

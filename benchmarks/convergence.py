"""Does training arrive? Every claim about it, cell by cell, into one table that can be stopped and continued.

    python benchmarks/convergence.py                  all parts (hours on two cores); finished cells are kept
    python benchmarks/convergence.py --parts grid     one part of: arrival, small-beta, start, grid, programs
    python benchmarks/convergence.py --dry-run        the cells that are still to do

Each cell is one call of `ppl_pvae.train` and one line of benchmarks/convergence.csv. Every number but `test` is
measured on training images.
"""

import argparse
import csv
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ppl_pvae

TABLE = Path(__file__).with_suffix(".csv")
SETTINGS = ("program", "units", "beta", "seed", "steps", "prior", "pays", "encoder_bias", "log_rate_from")
COLUMNS = (
    "part",
    *SETTINGS,
    "free_energy",
    "test",
    "silence",
    "spikes_per_image",
    "firing_rate",
    "zeros",
    "rate_mismatch",
    "converged",
    "free_energy_change",
    "log_rate_change",
    "zeros_change",
    "seconds",
)
UNITS, BETAS = (32, 64, 512, 2048), (0.01, 0.4, 1.0, 4.0)
CONTROL = {"prior": "fixed", "pays": "latent", "encoder_bias": False}
FOUR = [{"prior": prior, "pays": pays} for prior in ("learned", "fixed") for pays in ("latent", "code")]


def cells() -> Iterator[dict[str, Any]]:
    """What is asked, as settings; `check` asks for a second training over twice the steps."""
    for seed in range(3):
        for steps in (1500, 12_000):
            yield {"part": "arrival", "units": 512, "beta": 1.0, "seed": seed, "steps": steps}
        for steps in (4000, 32_000):
            yield {"part": "small-beta", "units": 256, "beta": 0.01, "seed": seed, "steps": steps}
        for start in (-5.0, -1.0):
            low_high = {"log_rate_from": start, "log_rate_to": start}
            yield {"part": "start", "units": 64, "beta": 1.0, "seed": seed, "steps": 6000, **low_high}
    for units in UNITS:
        for beta in BETAS:
            yield {"part": "grid", "units": units, "beta": beta, "check": units < 2048}
    for units, steps in ((64, 6000), (512, 3000)):
        for beta in (0.1, 0.4, 1.0, 4.0):
            size = {"part": "programs", "units": units, "beta": beta, "steps": steps, "check": True}
            yield size
            for variant in (*FOUR, CONTROL):
                yield {**size, "program": "rectified-gaussian", **variant}


def label(cell: dict[str, Any]) -> str:
    """What tells a cell from all others."""
    return " ".join(f"{name}={value}" for name, value in sorted(cell.items()) if name != "check")


def run(cell: dict[str, Any]) -> dict[str, Any]:
    """Train one cell and read off its line of the table."""
    settings = {name: value for name, value in cell.items() if name not in ("part", "check", "program")}
    often = {"evaluate_every": 10**6}
    begin = time.perf_counter()
    fitted = ppl_pvae.train(
        cell.get("program", "poisson"), "natural", check_convergence=cell.get("check", False), **often, **settings
    )
    row, on_training = fitted.summary, fitted.summary["train"]
    doubling = row.get("doubling", {})
    return {
        "part": cell["part"],
        **{name: getattr(fitted.settings, name) for name in SETTINGS},
        **{name: on_training[name] for name in ("free_energy", "spikes_per_image", "firing_rate", "zeros")},
        "test": row["free_energy"],
        "silence": row["silent_free_energy"],
        "rate_mismatch": row["rate_mismatch"],
        "converged": row["converged"],
        **{name: doubling.get(name) for name in ("free_energy_change", "log_rate_change", "zeros_change")},
        "seconds": round(time.perf_counter() - begin, 1),
    }


def _shown(value):
    return f"{value:.5g}" if isinstance(value, float) else "" if value is None else str(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=("arrival", "small-beta", "start", "grid", "programs"))
    parser.add_argument("--out", type=Path, default=TABLE)
    parser.add_argument("--dry-run", action="store_true")
    chosen = parser.parse_args()
    done = set()
    if chosen.out.exists():
        with chosen.out.open(newline="", encoding="utf-8") as file:
            done = {line["cell"] for line in csv.DictReader(file)}
    for cell in cells():
        if label(cell) in done or (chosen.parts and cell["part"] not in chosen.parts):
            continue
        print(label(cell), flush=True)
        if chosen.dry_run:
            continue
        line = {name: _shown(value) for name, value in run(cell).items()}
        new = not chosen.out.exists()
        with chosen.out.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, ("cell", *COLUMNS))
            if new:
                writer.writeheader()
            writer.writerow({"cell": label(cell), **line})
        print("  ", {name: value for name, value in line.items() if name not in SETTINGS}, flush=True)


if __name__ == "__main__":
    main()

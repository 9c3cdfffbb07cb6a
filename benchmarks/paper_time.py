"""What the published grid takes here: steps timed at each size, steps that cells needed, and their product.

    python benchmarks/paper_time.py              a table and its sum; a minute or two on two quiet cores
    python benchmarks/paper_time.py --steps 10   coarser

Every core times the training steps of one cell a program and number of units of `inference/paper.toml` at β = 1, all
cores at once, as the workers of a sweep run. How many steps a cell needs until it has converged is read off
`docs/sweep/sweep.csv` and `large.csv`, by program and β, at as many units or the nearest number that is there, in
multiples of the steps that it begins with; trainings that begin anew at each doubling are counted in full, and a cell
that has not converged as one that is doubled as often as the recipe allows. Beside its steps a cell has evaluations,
its read-out and the bound on its evidence, for which the sweep's own estimate stands.
"""

import argparse
import csv
import math
import multiprocessing
import os
import statistics
import time
from functools import cache
from pathlib import Path

from tables import markdown

from ppl_pvae.analysis.sweeps import read_sweep
from ppl_pvae.config import Cell, cells_of, may_go_on, read_grid
from ppl_pvae.sweeps.estimate import BESIDE_STEPS

HERE = Path(__file__).parents[1]
RECIPE, SWEEP = HERE / "inference" / "paper.toml", HERE / "docs" / "sweep"
TABLES = {SWEEP / "sweep.csv": SWEEP / "sweep.toml", SWEEP / "large.csv": HERE / "inference" / "large.toml"}
"""Cells that were fitted, and the recipe of each table."""
HOURS = HERE / "docs" / "published" / "sweep_run_hours.csv"
HEADS = ("program", "K", "ms a step", "steps of all β", "hours of a core")


def trained(cell: Cell, rows: list[dict]) -> float:
    """Steps of all trainings of a cell, by what the one nearest in size needed."""
    s = cell.settings
    assert s.steps is not None, "the cells of a grid have steps"
    same = ("program", "prior", "pays", "encoder_bias", "beta")
    alike = [row for row in rows if all(row[name] == getattr(s, name) for name in same) and not row["spike_price"]]
    known, cap = first_steps(), longest_training()
    nearest = min((row["units"] for row in alike), key=lambda units: abs(math.log(units / s.units)))
    there = [row for row in alike if row["units"] == nearest]
    longest = statistics.fmean(row["steps"] / known[row["cell"]] if row["converged"] else cap for row in there)
    return s.steps * (longest if may_go_on(s) else 2 * longest - 1)


@cache
def first_steps() -> dict[str, int]:
    """The steps that cells of the tables begin with, by their names."""
    cells = [cell for recipe in TABLES.values() for cell in cells_of(read_grid(recipe))]
    return {cell.name: cell.settings.steps for cell in cells if cell.settings.steps is not None}


@cache
def longest_training() -> int:
    """Steps of the last training that the recipe allows, in multiples of those that a cell begins with."""
    return 2 ** read_grid(RECIPE).max_doublings


def published_hours() -> float:
    """GPU-hours of the published grid by the logs of its authors; a run without a time is left out."""
    with HOURS.open(encoding="utf-8") as file:
        return sum(float(line["gpu_hours"]) for line in csv.DictReader(file) if line["gpu_hours"])


def step_times(core: int, cells: list[Cell], steps: int) -> list[float]:
    """Milliseconds a step of each cell on one core, the median of five stretches."""
    os.sched_setaffinity(0, {core})
    from ppl_pvae.data import load
    from ppl_pvae.run import make_plan

    data, found = load("natural", patch_size=16, seed=0), []
    for cell in cells:
        trainer, times = make_plan(cell.settings, data).trainer(), []
        for stretch in range(6):
            begin = time.perf_counter()
            for _ in trainer.advance_to((stretch + 1) * steps):
                pass
            times.append(1000 * (time.perf_counter() - begin) / steps)
        found.append(statistics.median(times[1:]))  # the first compiles
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=30)
    steps = parser.parse_args().steps
    cells = cells_of(read_grid(RECIPE))
    rows = [row for table in TABLES for row in read_sweep(table) if not row["error"]]
    timed = [cell for cell in cells if cell.settings.beta == 1]
    cores = sorted(os.sched_getaffinity(0))
    with multiprocessing.get_context("spawn").Pool(len(cores)) as pool:
        by_core = pool.starmap(step_times, [(core, timed, steps) for core in cores], chunksize=1)
    lines, total = [], 0.0
    for cell, *milliseconds in zip(timed, *by_core, strict=True):
        s = cell.settings
        beside = [each for each in cells if (each.settings.program, each.settings.units) == (s.program, s.units)]
        needed, ms = sum(trained(each, rows) for each in beside), statistics.fmean(milliseconds)
        hours = (needed * ms / 1000 + len(beside) * BESIDE_STEPS) / 3600
        total += hours
        lines.append((s.program, str(s.units), f"{ms:.1f}", f"{needed:,.0f}", f"{hours:.2f}"))
    print(markdown(HEADS, lines))
    print(f"{total:.1f} hours of a core, {total / len(cores):.1f} on {len(cores)}")
    print(f"published: {published_hours():.0f} hours of a GPU")


if __name__ == "__main__":
    main()

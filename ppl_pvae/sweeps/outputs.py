"""What a sweep leaves behind beside its cells: evidence image by image, findings, figures, the report."""

import json
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import filelock
import numpy as np

from ppl_pvae.analysis.bounds import BOUNDS_FILE, Bounds, read_bounds, read_table, write_table
from ppl_pvae.analysis.sweeps import best_evidence, findings, match_distortion, write_sweep_report
from ppl_pvae.analysis.sweeps.families import number_of
from ppl_pvae.config import about_trade, grid_to_toml
from ppl_pvae.errors import UserError
from ppl_pvae.sweeps.path import is_followed, keeps_figure, path_cells, path_figure, path_task
from ppl_pvae.sweeps.task import PATH_FILE
from ppl_pvae.sweeps.whole import Sweep

__all__ = ["bounds_of_rows", "write_outputs"]


def write_outputs(sweep: Sweep, problems: Mapping[str, str]) -> None:
    """The table as it is now, and evidence.npz, findings.json, figures/*.png and report.html from it and its cells.

    One process at a time: whoever comes last has seen every cell.
    """
    with filelock.FileLock(sweep.out / ".outputs.lock"):
        _write(sweep, sweep.update(problems))


def _write(sweep: Sweep, rows: Sequence[Mapping[str, Any]]) -> None:
    from ppl_pvae.analysis.plots import save_figures
    from ppl_pvae.analysis.plots.sweeps import draw_sweep

    there = {row["cell"] for row in rows}
    found = findings(rows, missing=[cell.name for cell in sweep.cells if cell.name not in there])
    bounds = bounds_of_rows(sweep.out, rows)
    matches = match_distortion(rows, sweep.grid.match_distortion, bounds)
    best = best_evidence(rows, bounds)
    drawn = draw_sweep(rows)
    if (atoms := _atoms(sweep, rows)) is not None:
        drawn["atoms"] = atoms
    figures = save_figures(sweep.out / "figures", drawn)
    if keeps_figure(sweep):
        figures["atoms"] = path_figure(sweep)
    settings = tomllib.loads(grid_to_toml(sweep.grid))
    write_sweep_report(sweep.out / "report.html", rows, found, figures, matches, best, settings)
    if bounds:
        write_table(sweep.out / BOUNDS_FILE, bounds)
    beside = sweep.out / "findings.json.part"
    remark = about_trade(cell.settings for cell in sweep.cells)
    more = {
        "matched": matches.as_dict(),
        "best_evidence": [asdict(each) for each in best],
        "remarks": [remark] if remark else [],
    }
    text = json.dumps(found | more, indent=2, allow_nan=False)
    beside.write_text(text + "\n", encoding="utf-8")
    beside.replace(sweep.out / "findings.json")


def bounds_of_rows(out: Path, rows: Sequence[Mapping[str, Any]]) -> dict[str, Bounds]:
    """Evidence image by image, by cell: from its directory or, where that is gone, from what the sweep has kept of it.

    Those of another training than a row tells of are left out: a cell that is trained further has the next file before
    its row, and one that was fitted anew since may be gone again.
    """
    kept, found = read_table(out / BOUNDS_FILE), {}
    for row in rows:
        name, mean = row["cell"], row.get("log_evidence")
        for bounds in (_of_cell(out / "cells" / name), kept.get(name)):
            if mean is not None and bounds is not None and np.isclose(bounds.bound.mean(), mean):
                found.setdefault(name, bounds)
    return found


def _of_cell(folder: Path) -> Bounds | None:
    try:
        return read_bounds(folder)
    except UserError as damaged:  # of one cell: the others can be compared all the same
        print(f"warning: {damaged}", file=sys.stderr)
        return None


def _atoms(sweep: Sweep, rows: Sequence[Mapping[str, Any]]):
    """The figure of the path along β, with what the cells of the table came to; None where there is no path."""
    from ppl_pvae.analysis.plots.sweeps import Solution, atoms_along_beta

    task = path_task(sweep)
    if task is None or not is_followed(task):
        return None
    with np.load(task.folder / PATH_FILE) as file:
        path = {name: file[name] for name in file.files}
    shape = tuple(path["shape"].tolist())
    if len(shape) != 2:
        return None
    betas = path["beta"].tolist()
    names = {cell.name: beta for beta, cell in path_cells(sweep).items()}
    alone = {
        names[row["cell"]]: Solution(number_of(row, "train_free_energy"), number_of(row, "spikes_per_image"))
        for row in rows
        if row["cell"] in names and not row["error"]
    }
    dictionaries, use, free_energy = (
        dict(zip(betas, path[name], strict=True)) for name in ("dictionary", "use", "free_energy")
    )
    return atoms_along_beta(dictionaries, use, shape, free_energy=free_energy, alone=alone)

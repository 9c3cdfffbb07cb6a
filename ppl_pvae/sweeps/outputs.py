"""What a sweep leaves behind beside its cells: findings, figures, the report."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

import filelock
import numpy as np

from ppl_pvae.analysis.sweeps import findings, match_distortion, write_sweep_report
from ppl_pvae.config import about_trade, grid_to_toml
from ppl_pvae.sweeps.whole import Sweep

__all__ = ["PATH_FILE", "write_outputs"]

PATH_FILE = "path.npz"


def write_outputs(sweep: Sweep, problems: Mapping[str, str]) -> None:
    """The table as it is now, and findings.json, figures/*.png and report.html from it.

    One process at a time: whoever comes last has seen every cell.
    """
    with filelock.FileLock(sweep.out / ".outputs.lock"):
        _write(sweep, sweep.update(problems))


def _write(sweep: Sweep, rows: Sequence[Mapping[str, Any]]) -> None:
    from ppl_pvae.analysis.plots import save_figures
    from ppl_pvae.analysis.plots.sweeps import atoms_along_beta, draw_sweep

    there = {row["cell"] for row in rows}
    found = findings(rows, missing=[cell.name for cell in sweep.cells if cell.name not in there])
    matches = match_distortion(rows, sweep.grid.match_distortion)
    drawn = draw_sweep(rows)
    if (path := _path(sweep)) is not None:
        drawn["atoms"] = atoms_along_beta(*path)
    figures = save_figures(sweep.out / "figures", drawn)
    settings = tomllib.loads(grid_to_toml(sweep.grid))
    write_sweep_report(sweep.out / "report.html", rows, found, figures, matches, settings)
    beside = sweep.out / "findings.json.part"
    remark = about_trade(cell.settings for cell in sweep.cells)
    more = {"matched": matches.as_dict(), "remarks": [remark] if remark else []}
    text = json.dumps(found | more, indent=2, allow_nan=False)
    beside.write_text(text + "\n", encoding="utf-8")
    beside.replace(sweep.out / "findings.json")


def _path(sweep: Sweep):
    """Dictionaries and use by β, and the shape of an atom; None where there is no path."""
    task = sweep.path_task()
    if task is None or not (task.folder / PATH_FILE).is_file():
        return None
    with np.load(task.folder / PATH_FILE) as file:
        betas = file["beta"].tolist()
        dictionaries, use = (
            dict(zip(betas, file["dictionary"], strict=True)),
            dict(zip(betas, file["use"], strict=True)),
        )
        shape = tuple(file["shape"].tolist())
    return (dictionaries, use, shape) if len(shape) == 2 else None

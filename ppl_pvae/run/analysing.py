"""The directory that a posterior analysis leaves behind, of one run or of several."""

import csv
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ppl_pvae.analysis.comparison import check_same_images, differences_of, match_distortion
from ppl_pvae.analysis.energy import BUDGETS, Budget
from ppl_pvae.analysis.study import Study, comparison_columns, study_as_json, unit_columns
from ppl_pvae.errors import UserError
from ppl_pvae.run.outputs import open_run, write_json
from ppl_pvae.run.studying import study

__all__ = ["analyse_to_directory", "names_of"]


def names_of(paths: Sequence[Path]) -> list[str]:
    """What runs are called in tables: the names of their directories, with their parents' where two are alike."""
    depth, most = 1, max(len(path.resolve().parts) for path in paths)
    while True:
        names = ["/".join(path.resolve().parts[-depth:]) for path in paths]
        if len(set(names)) == len(names):
            return names
        if depth > most:
            twice = next(name for name in names if names.count(name) > 1)
            raise UserError(f"{twice} is given twice; name each run once.")
        depth += 1


def analyse_to_directory(
    paths: Sequence[Path],
    out: Path,
    *,
    data: str | None,
    full: bool,
    distortion: float | None,
    budgets: tuple[Budget, ...] = BUDGETS,
    progress: bool,
) -> list[Study]:
    """Analyse finished runs and write what was found: for each its numbers, units, images, figures and page.

    Of one run everything stands in `out`; of several each has a directory of its own in there, beside the comparison.

    Raises
    ------
    UserError
        If a path is no finished run, the data do not fit, or the runs were not tested on the same images. Everything
        is opened and checked before anything is written.
    """
    names, runs = names_of(paths), [open_run(path) for path in paths]
    if data is None:
        check_same_images(
            {name: np.asarray(run.tree["observed_data"]["x"]) for name, run in zip(names, runs, strict=True)}
        )
    studies = []
    for name, run in zip(names, runs, strict=True):
        if progress:
            print(f"analysing {name} ...", file=sys.stderr, flush=True)
        studies.append(study(run, name, data=data, full=full, budgets=budgets))
        check_same_images({each.name: each.posterior.x for each in studies})
    out.mkdir(parents=True, exist_ok=True)
    if len(studies) == 1:
        _write_study(out, studies[0])
    else:
        for each in studies:
            _write_study(out / each.name.replace("/", "-"), each)
        _write_comparison(out, studies, distortion)
    return studies


def _write_study(folder: Path, said: Study) -> None:
    from ppl_pvae.analysis.plots import draw_study, save_figures
    from ppl_pvae.analysis.study_report import write_study_report

    folder.mkdir(parents=True, exist_ok=True)
    units = unit_columns(said)
    _write_csv(folder / "units.csv", {"unit": np.arange(len(said.posterior.use)), **units})
    if said.evidence is not None:
        e = said.evidence
        where = {"image": e.image, "photograph": said.posterior.group[e.image]}
        _write_csv(folder / "images.csv", {**where, "log_evidence": e.log_evidence, "pareto_k": e.pareto_k})
    figures = save_figures(folder / "figures", draw_study(said))
    write_study_report(folder / "report.html", said, figures)
    write_json(folder / "analysis.json", study_as_json(said))


def _write_comparison(folder: Path, studies: list[Study], distortion: float | None) -> None:
    from ppl_pvae.analysis.plots import draw_comparison, save_figures
    from ppl_pvae.analysis.study_report import write_comparison_report

    pairs, matches = differences_of(studies), match_distortion(studies, distortion)
    figures = save_figures(folder / "figures", draw_comparison(studies, pairs, matches))
    write_comparison_report(folder / "report.html", studies, pairs, matches, figures)
    rows = [
        {"name": s.name, **{k: v for k, v in s.summary.items() if not isinstance(v, dict)}, **comparison_columns(s)}
        for s in studies
    ]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    _write_csv(folder / "comparison.csv", {key: np.array([row.get(key) for row in rows], object) for key in columns})
    write_json(
        folder / "comparison.json",
        {
            "runs": [s.name for s in studies],
            "log_evidence": [
                {
                    "run": pair.name,
                    "beside": pair.beside,
                    "difference": pair.difference.interval.estimate,
                    "standard_error": _number(pair.difference.standard_error),
                    "low": _number(pair.difference.interval.low),
                    "high": _number(pair.difference.interval.high),
                    "images": pair.difference.images,
                }
                for pair in pairs
            ],
            "matched": [
                {"program": m.program, "distortion": m.distortion, **m.paid, "between": list(m.between)}
                for m in matches
            ],
        },
    )


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _write_csv(path: Path, columns: dict[str, np.ndarray]) -> None:
    beside = path.with_name(path.name + ".part")
    with beside.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*(column.tolist() for column in columns.values()), strict=True))
    os.replace(beside, path)

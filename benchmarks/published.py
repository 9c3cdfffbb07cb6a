"""Does our training find what the published recipe finds, given 100,000 steps? Three cells, chosen before looking.

    python benchmarks/published.py                    all three (hours on two cores); finished ones are kept
    python benchmarks/published.py --units 64         one of them
    python benchmarks/published.py --markdown         the finished ones as a table

`published` is the initialisation, schedule and parameterisation of `inference/published.toml` with the exact objective,
over 100,000 steps in place of its 240,000; `ours` is a cell of a sweep: our defaults, doubled until they have
converged. Free energies are of the same training and test images.
"""

import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tables import Table, markdown, table_parser

import ppl_pvae
from ppl_pvae.config import Grid, cells_of, read_recipe
from ppl_pvae.data import load
from ppl_pvae.run import fit_until_converged

TABLE = Path(__file__).with_suffix(".csv")
RECIPE = Path(__file__).parents[1] / "inference" / "published.toml"
STEPS = 100_000
CELLS = ((64, 0.01), (512, 1.0), (128, 2.0))  # units, beta
COLUMNS = ("units", "beta", "who", "steps", "train", "test", "spikes_per_image", "zeros", "converged", "seconds")


def cells(units: list[int]) -> Iterator[tuple[int, float, str]]:
    for size, beta in CELLS:
        if not units or size in units:
            yield from ((size, beta, who) for who in ("ours", "published"))


def label(cell: tuple[int, float, str]) -> str:
    return "K={} beta={} {}".format(*cell)


def run(cell: tuple[int, float, str]) -> dict[str, Any]:
    units, beta, who = cell
    begin = time.perf_counter()
    summary = _published(units, beta) if who == "published" else _ours(units, beta)
    return {
        "units": units,
        "beta": beta,
        "who": who,
        "train": summary["train_free_energy"],
        "test": summary["free_energy"],
        **{name: summary[name] for name in ("steps", "spikes_per_image", "zeros", "converged")},
        "seconds": round(time.perf_counter() - begin, 1),
    }


def _published(units: int, beta: float) -> dict[str, Any]:
    recipe = replace(read_recipe(RECIPE), units=units, beta=beta, steps=STEPS, evaluate_every=STEPS)
    of_the_draw = ("program", "data", "estimator", "indicator", "temperature", "temperature_from")
    settings = {name: v for name, v in asdict(recipe).items() if v is not None and name not in of_the_draw}
    return dict(ppl_pvae.train("poisson", "natural", estimator="exact", **settings).summary)


def _ours(units: int, beta: float) -> dict[str, Any]:
    (cell,) = cells_of(Grid(({"units": (units,), "beta": (beta,)},)))
    with tempfile.TemporaryDirectory() as folder:
        data = load("natural", patch_size=16, seed=0)
        return fit_until_converged(cell.settings, Path(folder), data, max_doublings=4, warm_start=True)


def main() -> None:
    parser = table_parser(__doc__, TABLE)
    parser.add_argument("--units", type=int, nargs="+", default=[])
    chosen = parser.parse_args()
    table = Table(chosen.out, COLUMNS)
    if chosen.markdown:
        print(markdown(COLUMNS, ([line[name] for name in COLUMNS] for line in table.lines())))
        return
    table.fill(cells(chosen.units), label, run, chosen.dry_run)


if __name__ == "__main__":
    main()

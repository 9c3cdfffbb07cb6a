"""How good are the gradient estimators, and what do they cost? Two tables that can be stopped and continued.

    python benchmarks/estimators.py                     their gradients against the exact one (10 minutes on a core)
    python benchmarks/estimators.py train --encoder linear --decoder linear --settings units=64
                                                        fits with each, at equal steps and at equal time
    python benchmarks/estimators.py [train] --dry-run   the cells that are still to do
    python benchmarks/estimators.py [train] --markdown  the finished cells, as in benchmarks/estimators.md
    python benchmarks/estimators.py --figure            draws docs/estimators.png from the finished cells

Gradients: a linear P-VAE of 64 units is trained to natural patches with its prior rates held at 0.1, 1, 10 and 100
spikes; `estimator_gradients.py` says what is measured there. Writes benchmarks/estimators.csv, a line for each part of
the parameters. Fits: `estimator_training.py`; writes benchmarks/estimator_training.csv.
"""

import argparse
import ast
from pathlib import Path
from typing import Any

import estimator_figure
import estimator_gradients as gradients
import estimator_training as training
from tables import Table

from ppl_pvae.data import load

HERE = Path(__file__).parent


def measure_gradients(table: Table, dry_run: bool) -> None:
    done, data, problem = table.done(), None, None
    for rate in gradients.RATES:
        left = [cell for cell in gradients.cells((rate,)) if gradients.label(cell) not in done]
        if left and not dry_run:
            data = data or load("natural", patch_size=16, seed=0)
            problem, mean_rate = gradients.trained_at(rate, data)
        for cell in left:
            print(gradients.label(cell), flush=True)
            if not dry_run:
                rows = [{**row, "mean_rate": mean_rate} for row in gradients.measure(cell, problem)]
                table.add(gradients.label(cell), rows)


def train(table: Table, study: training.Study, dry_run: bool) -> None:
    plans = None
    for cell in study.cells():
        if study.label(cell) in table.done():
            continue
        print(study.label(cell), flush=True)
        if not dry_run:
            plans = plans or training.Plans(study)
            row = training.run(cell, study, plans, table.lines())
            table.add(study.label(cell), [row])
            print("  ", {name: row.get(name) for name in ("steps", "seconds", "validation", "test")}, flush=True)


def named(text: str) -> tuple[str, Any]:
    """A setting as NAME=VALUE, the value a Python literal or a plain text."""
    name, _, value = text.partition("=")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("gradients", "train"), default="gradients")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--figure", action="store_true")
    parser.add_argument("--out", type=Path, help="the table, instead of the one in benchmarks/")
    fits = parser.add_argument_group("train")
    fits.add_argument("--encoder", default="linear")
    fits.add_argument("--decoder", default="linear")
    fits.add_argument("--settings", nargs="*", type=named, default=[], metavar="NAME=VALUE", help="of ppl_pvae.train")
    fits.add_argument("--seeds", type=int, default=3, help="how many")
    fits.add_argument("--estimators", nargs="+", choices=training.NAMES, help="all that hold, by default")
    chosen = parser.parse_args()
    if chosen.what == "gradients":
        table = Table(chosen.out or HERE / "estimators.csv", gradients.COLUMNS)
        if chosen.markdown:
            print(gradients.as_markdown(table.lines()))
        elif chosen.figure:
            estimator_figure.draw(table.lines()).savefig(HERE.parent / "docs" / "estimators.png", dpi=200)
        else:
            measure_gradients(table, chosen.dry_run)
        return
    table = Table(chosen.out or HERE / "estimator_training.csv", training.COLUMNS)
    if chosen.markdown:
        print(training.as_markdown(table.lines()))
        return
    settings = {"encoder": chosen.encoder, "decoder": chosen.decoder, **dict(chosen.settings)}
    holding = training.NAMES if chosen.decoder == "linear" else training.NAMES[:-1]  # the exact one, where it is affine
    train(table, training.Study(settings, range(chosen.seeds), chosen.estimators or holding), chosen.dry_run)


if __name__ == "__main__":
    main()

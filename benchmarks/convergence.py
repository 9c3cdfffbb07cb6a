"""Does training arrive? Every claim about it, cell by cell, into one table that can be stopped and continued.

    python benchmarks/convergence.py                  all parts (hours on two cores); finished cells are kept
    python benchmarks/convergence.py --parts grid     only that part (see PARTS)
    python benchmarks/convergence.py --dry-run        the cells that are still to do
    python benchmarks/convergence.py --markdown       the finished cells as the tables of convergence.md

Each cell is one call of `ppl_pvae.train` and one line of benchmarks/convergence.csv. Every number but `test` is
measured on training images.
"""

import time
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tables import Table, table_parser
from tables import markdown as as_table

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
CONTROL = {"prior": "fixed", "pays": "latent", "encoder_bias": False}
FOUR = [{"prior": prior, "pays": pays} for prior in ("learned", "fixed") for pays in ("latent", "code")]
PARTS = ("arrival", "start", "small-beta", "grid", "programs-64", "programs-512", "grid-2048")


def cells() -> Iterator[dict[str, Any]]:
    """What is asked, as settings, steps by default those of K; `check` asks for a second training of twice as many."""
    one = {"part": "arrival", "units": 512, "beta": 1.0}
    yield from ({**one, "seed": seed, "steps": 1500} for seed in range(3))
    yield {**one, "seed": 0, "steps": 12_000}
    for start in (-5.0, -1.0):
        at = {"log_rate_from": start, "log_rate_to": start}
        yield from ({"part": "start", "units": 64, "beta": 1.0, "seed": seed, **at} for seed in range(3))
    small = {"part": "small-beta", "units": 256, "beta": 0.01}
    yield from ({**small, "seed": seed, "steps": 4000} for seed in range(3))
    yield {**small, "seed": 0, "steps": 32_000}
    for units in (512, 64, 32):
        size = {"part": "grid", "units": units, "check": True}
        yield from ({**size, "beta": beta} for beta in (4.0, 1.0, 0.4, 0.01))
    yield from programs(64, (4.0, 1.0, 0.4, 0.1))
    yield from programs(512, (1.0, 0.4, 4.0), LONGER)
    yield from ({"part": "grid-2048", "units": 2048, "beta": beta, "steps": 1000} for beta in (4.0, 1.0, 0.4, 0.01))


# Steps until the doubling rule holds at K = 512, where 2,500 do not suffice or fewer do: (prior, pays, bias, beta).
LONGER = {
    ("learned", "latent", True, 4.0): 8000,
    ("learned", "code", True, 4.0): 16_000,
    ("fixed", "latent", True, 4.0): 1000,
    ("fixed", "latent", False, 4.0): 1000,
    ("fixed", "code", True, 1.0): 5000,
    ("fixed", "latent", True, 0.4): 5000,
    ("fixed", "code", True, 0.4): 10_000,
    **{("learned", pays, True, 1.0): 4000 for pays in ("latent", "code")},
    **{("learned", pays, True, 0.4): 8000 for pays in ("latent", "code")},
}


def programs(units, betas, longer=types.MappingProxyType({})):
    """The four rectified Gaussians with encoder bias, and the published control; the Poisson VAE is in "grid"."""
    for beta in betas:
        size = {"part": f"programs-{units}", "units": units, "beta": beta, "check": True}
        if beta == 0.1:  # which "grid" has not
            yield size
        for variant in (CONTROL, *reversed(FOUR)):
            steps = longer.get((variant["prior"], variant["pays"], variant.get("encoder_bias", True), beta), 2500)
            yield {**size, "steps": steps, "program": "rectified-gaussian", **variant}


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


_HEADS = {
    "units": "K",
    "beta": "β",
    "seed": "seed",
    "program": "program",
    "prior": "prior",
    "pays": "pays",
    "encoder_bias": "bias",
    "log_rate_from": "log r from",
    "steps": "steps",
    "free_energy": "train F",
    "test": "test F",
    "spikes_per_image": "activity per image",
    "firing_rate": "per unit",
    "zeros": "zeros",
    "converged": "converged",
    "free_energy_change": "ΔF",
    "log_rate_change": "Δ log rate",
    "zeros_change": "Δ zeros",
}


def markdown(lines: list[dict[str, str]]) -> str:
    """The finished cells, a table for each part; columns that say the same in every row of a part are left out."""
    tables = []
    for part in PARTS:
        rows = [line for line in lines if line["part"] == part]
        measured = list(_HEADS)[list(_HEADS).index("steps") :]
        shown = [n for n in _HEADS if any(r[n] for r in rows) and (n in measured or len({r[n] for r in rows}) > 1)]
        if rows:
            table = as_table([_HEADS[name] for name in shown], [[row[name] for name in shown] for row in rows])
            tables.append(f"### {part}\n\n{table}")
    return "\n".join(tables)


def main() -> None:
    parser = table_parser(__doc__, TABLE)
    parser.add_argument("--parts", nargs="+", choices=PARTS)
    chosen = parser.parse_args()
    table = Table(chosen.out, COLUMNS)
    if chosen.markdown:
        print(markdown(table.lines()))
        return
    wanted = (cell for cell in cells() if not chosen.parts or cell["part"] in chosen.parts)
    table.fill(wanted, label, run, chosen.dry_run)


if __name__ == "__main__":
    main()

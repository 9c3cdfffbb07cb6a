"""Does the coding rate follow the prior firing rate? The prior is held at six rates, and all else is trained at each.

    python benchmarks/intervention.py                   18 cells with a check of convergence; finished cells are kept
    python benchmarks/intervention.py --dry-run         the cells that are still to do
    python benchmarks/intervention.py --markdown        the finished cells and their slopes, as tables
    python benchmarks/intervention.py --draw            only draw docs/intervention.png from the finished cells
    python benchmarks/intervention.py --codes latent --rates 0.003 --steps 8000    one of them, trained longer

The Poisson KL of unit k is r_k f(gain_k), f(y) = 1 - y + y log y: proportional to the prior rate at held gains, by
identity, so that a regression on learned rates finds only how gains differ between units. Here r is set, for all units
alike, and encoder and decoder answer as they will. A slope d log nats / d log r of 1 says that the code pays in
proportion to the prior rate, 0 that gains and weights make up for it. The same is asked of the rectified Gaussian,
whose normal prior of unit deviation is moved so that E max(z, 0) is the same six rates; its posterior starts at the
prior, as that of the Poisson code does.

Each cell is one call of `ppl_pvae.train` and one line of benchmarks/intervention.csv, measured on test images but for
`train_free_energy` and the check of convergence, which doubles the steps. Slopes are least squares in logarithms, with
95% intervals over photographs, resampled for all six cells together; where a cell was trained more than once, of the
longest training. Idle units fire at the prior rate and pay nothing: `active_units` says how many do not. The
information of rectified codes is that of every fifth image.
"""

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpyro.handlers import seed, substitute, trace
from scipy.optimize import brentq
from scipy.stats import norm
from tables import Table, table_parser
from tables import markdown as as_table

import ppl_pvae
from ppl_pvae.analysis.elasticity import elasticity
from ppl_pvae.analysis.value_information import rectified_information
from ppl_pvae.distributions import RectifiedNormal, base_of
from ppl_pvae.models import rectified_gaussian
from ppl_pvae.models.gaussian import posterior_normal
from ppl_pvae.run import Run

TABLE = Path(__file__).with_suffix(".csv")
FIGURE = TABLE.parents[1] / "docs" / "intervention.png"
RATES = (0.003, 0.012, 0.05, 0.19, 0.75, 3.0)
CODES = {"poisson": "Poisson", "latent": "rectified Gaussian, pays latent", "code": "rectified Gaussian, pays code"}
COLOURS = {"poisson": "#0072b2", "latent": "#e69f00", "code": "#009e73"}
SUMMARY = ("free_energy", "distortion", "coding_rate", "spikes_per_image", "zeros", "active_units", "information")
SLOPES = {"coding_rate": "nats", "spikes_per_image": "activity"}
HEADS = {"coding_rate": "nats per image", "spikes_per_image": "activity per image", "train_free_energy": "train F"}
COLUMNS = (
    *("code", "prior_rate", "prior_loc", "units", "beta", "seed", "steps"),
    *SUMMARY,
    *("silence", "train_free_energy", "converged", "free_energy_change", "log_rate_change", "zeros_change", "seconds"),
    *(f"{name}_by_photograph" for name in SLOPES),
)


def cells(codes=tuple(CODES), rates=RATES, units: int = 512, beta: float = 1.0, **more) -> Iterator[dict[str, Any]]:
    """What is asked: every code at every prior rate."""
    for code in codes:
        yield from ({"code": code, "prior_rate": r, "units": units, "beta": beta, **more} for r in rates)


def label(cell: dict[str, Any]) -> str:
    """What tells a cell from all others."""
    return " ".join(f"{name}={value}" for name, value in sorted(cell.items()) if value is not None)


def prior_loc(rate: float) -> float:
    """The mean m of z ~ N(m, 1) for which E max(z, 0) = φ(m) + mΦ(m) is the rate."""
    return float(brentq(lambda m: norm.pdf(m) + m * norm.cdf(m) - rate, -20.0, rate + 1.0, xtol=1e-12))


def held_normal(nets, loc):
    """Prior mean and deviation of each unit: one mean, and 1."""
    return jnp.full((nets.units,), loc), jnp.ones(nets.units)


def guide_from(x, nets, loc, pays):
    """h = max(z, 0), z ~ N(m + μ(x), σ(x)²), which is the prior where the encoder says nothing."""
    with numpyro.plate("image", len(x)):
        shift, scale = posterior_normal(x, nets)
        numpyro.sample("z", RectifiedNormal(loc + shift, scale, pays=pays).to_event(1))


def rectified(rate: float, pays: str):
    """Model and guide of a rectified Gaussian whose prior is held where E max(z, 0) is the rate."""
    loc = prior_loc(rate)
    model = partial(rectified_gaussian.model, prior=partial(held_normal, loc=loc), pays=pays)
    return model, partial(guide_from, loc=loc, pays=pays)


def fit(cell: dict[str, Any], data, check: bool) -> Run:
    """The run of a cell; `data` is what `train` takes."""
    settings = {n: v for n, v in cell.items() if n not in ("code", "prior_rate") and v is not None}
    settings |= {"evaluate_every": 10**6}
    if cell["code"] == "poisson":
        log_r = float(np.log(cell["prior_rate"]))
        at = {"prior": "fixed", "log_rate_from": log_r, "log_rate_to": log_r}
        return ppl_pvae.train("poisson", data, check_convergence=check, **at, **settings)
    return ppl_pvae.train(rectified(cell["prior_rate"], cell["code"]), data, check_convergence=check, **settings)


def run(cell: dict[str, Any], data="natural", check: bool = True) -> dict[str, Any]:
    """Train one cell and read off its line of the table."""
    begin = time.perf_counter()
    fitted = fit(cell, data, check)
    row, doubling = fitted.summary, fitted.summary.get("doubling", {})
    by_photograph = {f"{name}_by_photograph": values for name, values in photographs(fitted).items()}
    found = {
        **{name: cell[name] for name in ("code", "prior_rate")},
        "prior_loc": None if cell["code"] == "poisson" else prior_loc(cell["prior_rate"]),
        **{name: getattr(fitted.settings, name) for name in ("units", "beta", "seed", "steps")},
        **{name: row[name] for name in SUMMARY},
        "silence": row["silent_free_energy"],
        **{name: row[name] for name in ("train_free_energy", "converged")},
        **{name: doubling.get(name) for name in ("free_energy_change", "log_rate_change", "zeros_change")},
        **{name: " ".join(f"{value:.7g}" for value in values) for name, values in by_photograph.items()},
    }
    if cell["code"] != "poisson":
        found["information"] = delivered(fitted)
    return found | {"seconds": round(time.perf_counter() - begin, 1)}


def photographs(fitted) -> dict[str, np.ndarray]:
    """Mean nats and mean activity of the test images of each photograph, which all give as many."""
    nats = np.asarray(fitted.tree["sample_stats"]["kl"], np.float64).sum(axis=1)
    activity = np.asarray(fitted.tree["posterior"]["rate"], np.float64).sum(axis=1)
    _, group = np.unique(np.asarray(fitted.tree["constant_data"]["photograph"]), return_inverse=True)
    images = np.bincount(group)
    assert images.min() == images.max(), "photographs with unequal numbers of test images have to be weighted"
    return {"coding_rate": np.bincount(group, nats) / images, "spikes_per_image": np.bincount(group, activity) / images}


def delivered(fitted) -> float | None:
    """Information of a rectified code, nats per image summed over units; None where it is too narrow to be summed."""
    x = np.asarray(fitted.tree["observed_data"]["x"])[::5]
    sites = trace(substitute(seed(fitted.guide, jax.random.key(0)), fitted.params)).get_trace(x)
    normal = base_of(sites["z"]["fn"])
    total = float(rectified_information(np.asarray(normal.loc), np.asarray(normal.scale)).sum())
    return total if np.isfinite(total) else None


def curves(lines: list[dict[str, str]], units: int, beta: float) -> dict[str, list[dict[str, str]]]:
    """The finished cells of each code, by prior rate; of several trainings the longest, of codes those with two."""
    wanted = (line for line in lines if int(line["units"]) == units and float(line["beta"]) == beta)
    longest: dict[str, dict[float, dict[str, str]]] = {code: {} for code in CODES}
    for line in sorted(wanted, key=lambda line: int(line["steps"])):
        longest[line["code"]][float(line["prior_rate"])] = line
    return {code: [rows[rate] for rate in sorted(rows)] for code, rows in longest.items() if len(rows) > 1}


def slopes(rows: list[dict[str, str]], name: str):
    """The slope over all cells of a code, and those between neighbours, of nats or of activity."""
    x = np.array([float(row["prior_rate"]) for row in rows])
    values = np.array([row[f"{name}_by_photograph"].split() for row in rows], float).T
    group = np.arange(len(values))
    between = [elasticity(x[i : i + 2], values[:, i : i + 2], group) for i in range(len(x) - 1)]
    return elasticity(x, values, group), between


def in_words(found) -> str:
    """An interval as text."""
    return f"{found.estimate:.2f} [{found.low:.2f}, {found.high:.2f}]"


def markdown(lines: list[dict[str, str]], units: int, beta: float) -> str:
    """The finished cells, and the slopes over all and between neighbours."""
    by_code = curves(lines, units, beta)
    shown = ("prior_rate", *SUMMARY, "train_free_energy", "converged")
    rows = [(CODES[code], *(row[name] for name in shown)) for code, rows in by_code.items() for row in rows]
    tables = [as_table(("code", *(HEADS.get(name, name.replace("_", " ")) for name in shown)), rows)]
    found = []
    for code, rows in by_code.items():
        for name, word in SLOPES.items():
            over_all, between = slopes(rows, name)
            low, high = rows[0]["prior_rate"], rows[-1]["prior_rate"]
            found.append((CODES[code], word, f"{low} to {high}", in_words(over_all)))
            pairs = zip(rows, rows[1:], between, strict=False)
            found += [(CODES[code], word, f"{a['prior_rate']} to {b['prior_rate']}", in_words(s)) for a, b, s in pairs]
    tables.append(as_table(("code", "of", "prior rate", "slope"), found))
    return "\n".join(tables)


def draw(lines: list[dict[str, str]], path: Path, units: int, beta: float) -> None:
    """Nats and activity against the prior rate, both axes logarithmic; hollow where twice the steps moved them."""
    figure = Figure(figsize=(8.5, 3.8), layout="constrained")
    by_code = curves(lines, units, beta)
    for axis, (name, word) in zip(figure.subplots(1, 2), SLOPES.items(), strict=True):
        axis.set(xscale="log", yscale="log", xlabel="prior rate, held, per unit", title=f"{word} per image")
        for code, rows in by_code.items():
            x, y = (np.array([float(row[n]) for row in rows]) for n in ("prior_rate", name))
            words = f"{CODES[code]}: slope {in_words(slopes(rows, name)[0])}"
            axis.plot(x, y, color=COLOURS[code], lw=1.2, label=words)
            for at, height, row in zip(x, y, rows, strict=True):
                fill = "white" if row["converged"] == "False" else COLOURS[code]
                axis.plot(at, height, "o", ms=5, mec=COLOURS[code], mfc=fill)
        every = [(float(row["prior_rate"]), float(row[name])) for rows in by_code.values() for row in rows]
        rate, height = np.exp(np.log(every).mean(axis=0))
        ends = np.array([min(every)[0], max(every)[0]])
        axis.plot(ends, height * ends / rate, color="0.6", ls=":", lw=1, label="slope 1")
        axis.title.set_fontsize(10)
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False, fontsize=7, loc="upper left", bbox_to_anchor=(0, -0.2))
    FigureCanvasAgg(figure)
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = table_parser(__doc__, TABLE)
    parser.add_argument("--codes", nargs="+", choices=CODES, default=list(CODES))
    parser.add_argument("--rates", nargs="+", type=float, default=RATES, help="expected activity of a unit")
    parser.add_argument("--units", type=int, default=512)
    parser.add_argument("--beta", type=float, default=1.0)
    parser.add_argument("--steps", type=int, help="by default those of K")
    parser.add_argument("--check-convergence", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--figure", type=Path, default=FIGURE)
    parser.add_argument("--draw", action="store_true")
    chosen = parser.parse_args()
    table, which = Table(chosen.out, COLUMNS), (chosen.units, chosen.beta)
    if chosen.markdown:
        print(markdown(table.lines(), *which))
        return
    if not chosen.draw:
        wanted = cells(chosen.codes, chosen.rates, *which, steps=chosen.steps)
        table.fill(wanted, label, partial(run, check=chosen.check_convergence), chosen.dry_run)
    if not chosen.dry_run and curves(table.lines(), *which):
        draw(table.lines(), chosen.figure, *which)


if __name__ == "__main__":
    main()

"""What a training step costs: estimators, bare matrix products, the direct forms, the sampler. One table, one run.

    python benchmarks/step_time.py                           K = 64, 512, 2048; some minutes on two cores
    python benchmarks/step_time.py --units 512 --rounds 9
    pip install -e ".[bench]"                                adds the rows of PyTorch

Time per step goes through NumPyro's SVI, inside one jitted loop as training does. All cells are timed in turn, round
after round, and medians are given: other work on the machine hits all of them alike. Rates are log-normal (σ = 1)
with the largest one as given, and stay so: the learning rate is zero. `memory_mb` is what the compiled program
allocates beside its inputs (PyTorch: growth of the process). Writes benchmarks/step_time.csv.
"""

import argparse
import csv
import gc
import importlib.util
import os
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
from direct_forms import DirectArrivalTime, TorchStep, arrivals_needed
from numpyro.handlers import substitute
from numpyro.infer import SVI

from ppl_pvae.distributions import Poisson, poisson_counts
from ppl_pvae.distributions.arrival_steps import STEPS
from ppl_pvae.distributions.arrival_window import window_sums
from ppl_pvae.distributions.poisson_sampler import counts_of_rates
from ppl_pvae.distributions.random_words import cipher_keys
from ppl_pvae.distributions.soft_poisson import soft_poisson_from_log
from ppl_pvae.inference.coordinates import Coordinates
from ppl_pvae.inference.estimators import ArrivalTime, Exact
from ppl_pvae.inference.free_energy import FreeEnergy
from ppl_pvae.inference.optimizers import build_optimizer
from ppl_pvae.models import COORDINATES
from ppl_pvae.networks import Nets, soft_clamp

TABLE = Path(__file__).with_suffix(".csv")
PIXELS, BATCH = 256, 1000
COLUMNS = ("units", "largest_rate", "what", "arrivals", "ms", "spread_ms", "ratio", "ratio_to", "memory_mb", "note")
SHAPE = (16, 16)
CLAMP = 20.0
AGAINST = {
    "exact": "matrix products",
    "arrival-time": "exact",
    "direct JAX": "arrival-time",
    "direct PyTorch": "arrival-time",
    "counts": "counts by jax.random.poisson",
    "conv arrival-time": "conv networks",
    "step without a draw": "arrival-time",
    "the draw and its derivative": "arrival-time",
    "its two Poisson draws": "arrival-time",
    "its arrivals in the window": "arrival-time",
}


@dataclass
class Cell:
    """One row: `run(n)` does n steps and returns when they are done."""

    units: int
    largest_rate: float | None
    what: str
    run: Callable[[int], None] | None
    arrivals: int | None = None
    memory_mb: float | None = None
    note: str = ""
    steps: int = 1
    times: list[float] = field(default_factory=list)


def model(x, nets, level):
    log_r = numpyro.param("log_prior_rate", jnp.zeros(nets.units))
    with numpyro.plate("image", len(x)):
        z = numpyro.sample("z", Poisson(log_rate=log_r + level).to_event(1))
        numpyro.sample("x", nets.observe(nets.decode(z)), obs=x)


def guide(x, nets, level):
    # As the built-in guide: one soft clamp, at a ceiling that each unit learns, out of the way of all rates here.
    log_r = numpyro.param("log_prior_rate", jnp.zeros(nets.units)) + level
    ceiling = numpyro.param("log_largest_gain", jnp.full(nets.units, CLAMP))
    with numpyro.plate("image", len(x)):
        log_gain = soft_clamp(nets.encode(x), jnp.minimum(ceiling, CLAMP - log_r))
        numpyro.sample("z", Poisson(log_rate=log_r + log_gain).to_event(1))


@dataclass(frozen=True)
class MeanCode:
    """No draw: the code at its mean, for what the networks of a step cost by themselves."""

    name: str = "mean"
    exact: bool = False

    def draw(self, key, q, temperature):
        return q.mean


class Problem:
    """Images, weights and the level that gives the rates a largest value, for one number of units."""

    def __init__(self, units: int, networks: str = "linear"):
        key_x, self.key = jax.random.split(jax.random.key(units))
        self.x = jax.random.normal(key_x, (BATCH, PIXELS))
        one = Nets(units, PIXELS, encoder=networks, decoder=networks, shape=SHAPE, weight_scale=1.0)
        # The scale of the encoder's last weights is that of its answers: log-gains of variance 1.
        self.nets = replace(one, weight_scale=1 / float(jnp.std(self._log_gain(one))))
        self.log_gain = self._log_gain(self.nets)

    def _log_gain(self, nets):
        svi = self.svi(MeanCode())
        self.params = svi.get_params(svi.init(self.key, self.x, nets, jnp.zeros(())))
        return jax.jit(substitute(nets.encode, self.params))(self.x)

    def svi(self, estimator) -> SVI:
        # As in training by default; its learning rate starts at 0.
        coordinates = Coordinates(*COORDINATES["poisson"])
        optimizer = build_optimizer("adam", prior_speed=30.0, clip_norm=500.0, coordinates=coordinates)
        return SVI(model, guide, optimizer, FreeEnergy(estimator=estimator))

    def level(self, largest_rate: float) -> jax.Array:
        return jnp.log(largest_rate) - jnp.max(self.log_gain)

    def trainer(self, estimator, temperature: float) -> tuple[Callable, float]:
        """A function of (level, steps), and the megabytes that it allocates."""
        svi = self.svi(estimator)
        state = svi.init(self.key, self.x, self.nets, jnp.zeros(()))

        def steps(state, x, level, count):
            def body(_, carry):
                state, loss = svi.update(carry[0], x, self.nets, level, temperature=temperature, images=80_000)
                return state, carry[1] + loss

            return jax.lax.fori_loop(0, count, body, (state, jnp.zeros(())))

        compiled = jax.jit(steps).lower(state, self.x, jnp.zeros(()), jnp.int32(1)).compile()

        def run(level, count):
            _, loss = compiled(state, self.x, level, jnp.int32(count))
            if not np.isfinite(loss):
                raise FloatingPointError(f"free energy {loss} with {estimator}")

        return run, compiled.memory_analysis().temp_size_in_bytes / 1e6

    def products(self) -> tuple[Callable, float]:
        """The five matrix products of a step, x W, z Φ and three of the gradient, and nothing else."""
        encoder, decoder = self.params["encoder"].weight, self.params["decoder"].weight

        def steps(x, encoder, decoder, count):
            def body(_, carry):
                encoder, decoder = carry
                z = x @ encoder
                out = z @ decoder
                slope_decoder = z.T @ out
                slope_encoder = x.T @ (out @ decoder.T)
                # All products are used, and each step waits for the one before.
                return encoder + 1e-30 * slope_encoder, decoder + 1e-30 * slope_decoder

            return jax.lax.fori_loop(0, count, body, (encoder, decoder))

        compiled = jax.jit(steps).lower(self.x, encoder, decoder, jnp.int32(1)).compile()

        def run(count):
            jax.block_until_ready(compiled(self.x, encoder, decoder, jnp.int32(count)))

        return run, compiled.memory_analysis().temp_size_in_bytes / 1e6


def training_cells(units: int, rates: list[float], temperature: float, limit_gb: float, direct: bool) -> list[Cell]:
    problem = Problem(units)
    run, memory = problem.products()
    cells = [Cell(units, None, "matrix products", run, memory_mb=memory)]
    for what, estimator in (("exact", Exact()), ("arrival-time", ArrivalTime())):
        run, memory = problem.trainer(estimator, temperature)
        for rate in rates:
            at = problem.level(rate)
            cells.append(Cell(units, rate, what, lambda n, run=run, at=at: run(at, n), memory_mb=memory))
    if not direct:
        return cells
    for rate in rates:
        cells += [
            direct_jax(problem, rate, temperature, limit_gb),
            direct_torch(problem, rate, temperature, limit_gb),
        ]
    return cells


def convolution_cells(units: int, rates: list[float], temperature: float) -> list[Cell]:
    """The same with residual convolutional networks, where nothing is exact: networks alone, and with counts."""
    problem, cells = Problem(units, "conv"), []
    run, memory = problem.trainer(MeanCode(), temperature)
    at = problem.level(rates[0])
    cells.append(Cell(units, None, "conv networks", lambda n, run=run, at=at: run(at, n), memory_mb=memory))
    run, memory = problem.trainer(ArrivalTime(), temperature)
    for rate in rates:
        at = problem.level(rate)
        cells.append(Cell(units, rate, "conv arrival-time", lambda n, run=run, at=at: run(at, n), memory_mb=memory))
    return cells


def predicted_gb(arrivals: int, units: int) -> float:
    """Memory of a direct form: about six arrays (arrival, image, unit) live at once."""
    return 6 * 4e-9 * arrivals * BATCH * units


def direct_jax(problem: Problem, rate: float, temperature: float, limit_gb: float) -> Cell:
    arrivals, units = arrivals_needed(rate, temperature), problem.nets.units
    cell = Cell(units, rate, "direct JAX", None, arrivals)
    if predicted_gb(arrivals, units) > limit_gb:
        cell.note = f"skipped: {predicted_gb(arrivals, units):.1f} GB predicted"
        return cell
    run, cell.memory_mb = problem.trainer(DirectArrivalTime(arrivals), temperature)
    at = problem.level(rate)
    cell.run = lambda n: run(at, n)
    return cell


def direct_torch(problem: Problem, rate: float, temperature: float, limit_gb: float) -> Cell:
    arrivals, units = arrivals_needed(rate, temperature), problem.nets.units
    cell = Cell(units, rate, "direct PyTorch", None, arrivals)
    if importlib.util.find_spec("torch") is None:
        cell.note = "skipped: torch is not installed"
    elif predicted_gb(arrivals, units) > limit_gb:
        cell.note = f"skipped: {predicted_gb(arrivals, units):.1f} GB predicted"
    else:
        weights = (np.asarray(problem.params[name].weight) for name in ("encoder", "decoder"))
        step = TorchStep(np.asarray(problem.x), *weights, float(problem.level(rate))).step
        with _Growth() as growth:
            step(arrivals, temperature)
        cell.memory_mb = growth.megabytes

        def run(count):
            for _ in range(count):
                step(arrivals, temperature)

        cell.run = run
    return cell


def profile_cells(units: int, rates: list[float], temperature: float) -> list[Cell]:
    """Where the time of an arrival-time step goes: the step without a draw, the draw alone, and its two halves."""
    problem, cells = Problem(units), []
    run, memory = problem.trainer(MeanCode(), temperature)
    for rate in rates:
        at = problem.level(rate)
        cells.append(Cell(units, rate, "step without a draw", lambda n, run=run, at=at: run(at, n), memory_mb=memory))
    first, last = STEPS["cubic"].window(jnp.float32(temperature))

    def draw(key, rate):
        return jax.vjp(lambda log: soft_poisson_from_log(key, log, temperature), jnp.log(rate))[1](rate)

    def counts(key, rate):
        return counts_of_rates(cipher_keys(key, 2), (rate * first, rate * (last - first)))

    for rate in rates:
        value = jnp.exp(problem.log_gain + problem.level(rate))
        arrivals = jax.jit(counts)(problem.key, value)[1]
        for what, function, given in (
            ("the draw and its derivative", draw, value),
            ("its two Poisson draws", counts, value),
            ("its arrivals in the window", _window(temperature), arrivals),
        ):
            compiled = jax.jit(function)

            def run(count, compiled=compiled, given=given):
                for _ in range(count):
                    jax.block_until_ready(compiled(problem.key, given))

            run(1)
            cells.append(Cell(units, rate, what, run))
    return cells


def _window(temperature):
    def sums(key, arrivals):
        return window_sums(cipher_keys(key, 1)[0], arrivals, jnp.float32(temperature), STEPS["cubic"])

    return sums


def sampler_cells(units: int, rates: list[float]) -> list[Cell]:
    """Counts at the same log-normal rates, by this package and by JAX."""
    problem, cells = Problem(units), []
    for what, sample in (("counts", poisson_counts), ("counts by jax.random.poisson", jax.random.poisson)):
        sampler = jax.jit(lambda key, rate, sample=sample: sample(key, rate))
        for rate in rates:
            value = jnp.exp(problem.log_gain + problem.level(rate))
            memory = sampler.lower(problem.key, value).compile().memory_analysis().temp_size_in_bytes / 1e6

            def run(count, sampler=sampler, value=value):
                for _ in range(count):
                    jax.block_until_ready(sampler(problem.key, value))

            cells.append(Cell(units, rate, what, run, memory_mb=memory))
    return cells


class _Growth:
    """Largest growth of this process's memory inside a with-block, sampled every millisecond."""

    megabytes = 0.0

    def __enter__(self):
        gc.collect()
        self.start, self.done = _resident(), threading.Event()
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()

    def _watch(self):
        while not self.done.wait(0.001):
            self.megabytes = max(self.megabytes, (_resident() - self.start) / 1e6)


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def measure(cells: list[Cell], rounds: int, budget: float) -> None:
    """Time every cell once in each round; a slow one (more than `budget` s a step) in the first round only."""
    ready = [cell for cell in cells if cell.run]
    once = {id(cell): _seconds(cell, 1) for cell in ready}  # everything is compiled already
    for cell in ready:
        if once[id(cell)] < budget:
            once[id(cell)] = _seconds(cell, 1)
        cell.steps = int(np.clip(budget / 4 / once[id(cell)], 1, 40))
    for number in range(rounds):
        for cell in ready:
            if number == 0 or once[id(cell)] < budget:
                cell.times.append(_seconds(cell, cell.steps) / cell.steps)


def _seconds(cell: Cell, steps: int) -> float:
    start = time.perf_counter()
    cell.run(steps)
    return time.perf_counter() - start


def row_of(cell: Cell, cells: list[Cell]) -> dict:
    """A row of the table: the median, half the distance of the quartiles, and the ratio to what it is held against."""
    row = {"units": cell.units, "largest_rate": cell.largest_rate, "what": cell.what, "arrivals": cell.arrivals}
    row |= {"memory_mb": None if cell.memory_mb is None else round(cell.memory_mb), "note": cell.note}
    if not cell.times:
        return row
    quartiles = np.percentile(cell.times, [25, 75])
    row |= {"ms": round(1e3 * statistics.median(cell.times), 2), "spread_ms": round(500 * np.ptp(quartiles), 2)}
    if cell.what not in AGAINST:
        return row
    against = AGAINST[cell.what]
    other = next(
        c for c in cells if c.what == against and c.units == cell.units and c.largest_rate in (None, cell.largest_rate)
    )
    # The median over rounds of the ratio within a round: what slows the machine for a while slows both.
    ratio = statistics.median(a / b for a, b in zip(cell.times, other.times, strict=False))
    return row | {"ratio": round(ratio, 3), "ratio_to": against}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--units", type=int, nargs="+", default=[64, 512, 2048])
    parser.add_argument("--rates", type=float, nargs="+", default=[2.0, 20.0, 200.0], help="largest rates")
    parser.add_argument("--temperature", type=float, default=0.05)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument(
        "--budget", type=float, default=1.0, help="seconds a step above which a cell is timed once only"
    )
    parser.add_argument("--direct-up-to", type=int, default=512, help="largest K of the direct forms")
    parser.add_argument("--memory-gb", type=float, default=5.0, help="cells predicted to need more are skipped")
    parser.add_argument("--out", type=Path, default=TABLE)
    settings = parser.parse_args()

    rows = []
    for units in settings.units:
        direct = units <= settings.direct_up_to
        cells = training_cells(units, settings.rates, settings.temperature, settings.memory_gb, direct)
        cells += convolution_cells(units, settings.rates, settings.temperature) if direct else []
        if units == 512:
            cells += profile_cells(units, settings.rates, settings.temperature)
            cells += sampler_cells(units, settings.rates)
        measure(cells, settings.rounds, settings.budget)
        for cell in cells:
            row = row_of(cell, cells)
            rows.append(row)
            shown = ("" if row.get(name) is None else str(row[name]) for name in COLUMNS)
            print("  ".join(f"{text:>{width}}" for text, width in zip(shown, WIDTHS, strict=True)), flush=True)
    with settings.out.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


WIDTHS = (5, 6, 28, 4, 10, 8, 7, 28, 7, 0)

if __name__ == "__main__":
    main()

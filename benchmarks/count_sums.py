"""What a KL by exact summation costs against the closed form: whole training steps. One table, one run.

    python benchmarks/count_sums.py                             all cases, batch 1000, 256 pixels
    taskset -c 0 python benchmarks/count_sums.py                on one core
    python benchmarks/count_sums.py --cases sparse-512          one of them; two minutes on two cores

The exact estimator and NumPyro's SVI, inside one jitted loop as training does, at rates as trained Poisson VAEs have
them. Sparse: a few units near 1 and the others far below, as at K = 512 and β = 1, soft-clamped at 30. Dense: every
unit often, 11 to 12 spikes each as 64 units have at β = 1, and 9 with 512 units, which is as dense as a code gets where
spikes are nearly free; soft-clamped at 200. All steps are timed in turn, round after round; medians are given, and the
median over rounds of the ratio within a round. The learning rate is zero. Priors: that of the closed form; the same
under a class of its own; zero-inflated; geometric. The row of full shape is the general sum, which a prior of shape
(image, unit) takes; it is left out of dense cases. Writes benchmarks/count_sums.csv.
"""

import argparse
import csv
import statistics
import time
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import optax
from jax.scipy.special import gammaln
from numpyro.infer import SVI

from ppl_pvae.distributions import Poisson
from ppl_pvae.inference import Exact, FreeEnergy
from ppl_pvae.networks import Nets, soft_clamp

TABLE = Path(__file__).with_suffix(".csv")
PIXELS, BATCH = 256, 1000
RARELY = (-6.0, 1.0)  # mean and deviation of log r of units that do not spike often
COLUMNS = ("case", "units", "prior", "ms", "spread_ms", "ratio", "compile_s", "mean_rate", "above_1.5", "largest_rate")


class Case(NamedTuple):
    """Units, what share of them spikes often, mean and deviation of log r of these, deviation of an image's log-gains,
    and the largest rate."""

    units: int
    share: float
    log_rate: tuple[float, float]
    gain: float
    largest: float


CASES = {
    "sparse-64": Case(64, 0.035, (-0.3, 0.5), 1.2, 30.0),
    "sparse-512": Case(512, 0.035, (-0.3, 0.5), 1.2, 30.0),
    "dense-64": Case(64, 1.0, (2.35, 0.5), 0.4, 200.0),
    "dense-512": Case(512, 1.0, (1.93, 0.7), 0.5, 200.0),
}


class Unknown(dist.Distribution):
    """A Poisson that nobody knows for one."""

    support = dist.constraints.nonnegative_integer

    def __init__(self, log_rate):
        self.log_rate = log_rate
        super().__init__(jnp.shape(log_rate))

    def log_prob(self, n):
        return n * self.log_rate - jnp.exp(self.log_rate) - gammaln(n + 1.0)


PRIORS = {
    "closed form": lambda log_r, x: Poisson(log_rate=log_r),
    "unknown Poisson": lambda log_r, x: Unknown(log_r),
    "zero-inflated": lambda log_r, x: dist.ZeroInflatedPoisson(0.3, jnp.exp(log_r)),
    "geometric": lambda log_r, x: dist.GeometricLogits(-log_r),
    "full shape": lambda log_r, x: Unknown(log_r + 0 * x[:, :1]),
}


class Steps:
    """Training steps under one prior."""

    def __init__(self, prior, nets, log_r, x, largest):
        def model(x, nets):
            r = numpyro.param("log_prior_rate", log_r)
            with numpyro.plate("image", len(x)):
                z = numpyro.sample("z", prior(r, x).to_event(1))
                numpyro.sample("x", nets.observe(nets.decode(z)), obs=x)

        def guide(x, nets):
            r = numpyro.param("log_prior_rate", log_r)
            with numpyro.plate("image", len(x)):
                log_rate = r + soft_clamp(nets.encode(x), np.log(largest) - r)
                numpyro.sample("z", Poisson(log_rate=log_rate).to_event(1))

        svi = SVI(model, guide, optax.adam(0.0), FreeEnergy(estimator=Exact()))
        state, self.x = svi.init(jax.random.key(0), x, nets), x
        self.params = svi.get_params(state)

        def steps(state, x, count):
            def body(_, carry):
                state, loss = svi.update(carry[0], x, nets)
                return state, carry[1] + loss

            return jax.lax.fori_loop(0, count, body, (state, jnp.zeros(())))

        start = time.perf_counter()
        self.compiled, self.state = jax.jit(steps).lower(state, x, jnp.int32(1)).compile(), state
        self.compile_seconds, self.times = time.perf_counter() - start, []

    def run(self, count):
        start = time.perf_counter()
        _, loss = self.compiled(self.state, self.x, jnp.int32(count))
        if not np.isfinite(loss):
            raise FloatingPointError(f"free energy {loss}")
        return (time.perf_counter() - start) / count


def images_and_rates(case: Case):
    """Images (image, pixel), and log r of each unit."""
    rng = np.random.default_rng(case.units)
    x = rng.normal(size=(BATCH, PIXELS))
    often = rng.random(case.units) < case.share
    log_r = np.where(often, rng.normal(*case.log_rate, case.units), rng.normal(*RARELY, case.units))
    return jnp.asarray(x, jnp.float32), jnp.asarray(log_r, jnp.float32)


def measure(name: str, rounds: int):
    case = CASES[name]
    x, log_r = images_and_rates(case)
    nets = Nets(case.units, PIXELS, weight_scale=case.gain / np.sqrt(PIXELS))
    priors = [prior for prior in PRIORS if case.share < 1 or prior != "full shape"]
    steps = {prior: Steps(PRIORS[prior], nets, log_r, x, case.largest) for prior in priors}
    params = next(iter(steps.values())).params
    log_gain = jax.jit(numpyro.handlers.substitute(nets.encode, params))(x)
    rate = np.exp(np.asarray(log_r + soft_clamp(log_gain, np.log(case.largest) - log_r)))
    for each in steps.values():
        each.run(1)
    for _ in range(rounds):
        for each in steps.values():
            each.times.append(each.run(3))
    closed = steps[priors[0]].times
    for prior, each in steps.items():
        yield {
            "case": name,
            "units": case.units,
            "prior": prior,
            "ms": round(1e3 * statistics.median(each.times), 1),
            "spread_ms": round(500 * np.ptp(np.percentile(each.times, [25, 75])), 1),
            "ratio": round(statistics.median(a / b for a, b in zip(each.times, closed, strict=True)), 2),
            "compile_s": round(each.compile_seconds, 1),
            "mean_rate": round(float(rate.mean()), 3),
            "above_1.5": round(float((rate > 1.5).mean()), 4),
            "largest_rate": round(float(rate.max()), 1),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", choices=CASES, nargs="+", default=list(CASES))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path, default=TABLE)
    settings = parser.parse_args()
    rows = []
    for name in settings.cases:
        for row in measure(name, settings.rounds):
            rows.append(row)
            print("  ".join(f"{row[name]!s:>{width}}" for name, width in zip(COLUMNS, WIDTHS, strict=True)), flush=True)
    with settings.out.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


WIDTHS = (10, 5, 16, 8, 8, 6, 6, 7, 7, 6)

if __name__ == "__main__":
    main()

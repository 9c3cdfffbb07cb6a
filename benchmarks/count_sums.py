"""What a KL by exact summation costs against the closed form: whole training steps. One table, one run.

    python benchmarks/count_sums.py                  K = 512, batch 1000, 256 pixels; two minutes on two cores
    taskset -c 0 python benchmarks/count_sums.py     on one core

The exact estimator and NumPyro's SVI, inside one jitted loop as training does, at rates as a trained Poisson VAE has
them: log-normal, a few units near 1 and the others far below, soft-clamped at 30. All steps are timed in turn, round
after round; medians are given, and the median over rounds of the ratio within a round. The learning rate is zero.
Priors: that of the closed form; the same under a class of its own; zero-inflated; geometric. The last row is the
general sum, which a prior of full shape (image, unit) takes. Writes benchmarks/count_sums.csv.
"""

import argparse
import csv
import statistics
import time
from pathlib import Path

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
CEILING = float(np.log(30.0))
OFTEN = 0.035  # share of units
COLUMNS = ("units", "prior", "ms", "spread_ms", "ratio", "compile_s", "mean_rate", "above_1.5", "largest_rate")


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

    def __init__(self, prior, nets, log_r, x):
        def model(x, nets):
            r = numpyro.param("log_prior_rate", log_r)
            with numpyro.plate("image", len(x)):
                z = numpyro.sample("z", prior(r, x).to_event(1))
                numpyro.sample("x", nets.observe(nets.decode(z)), obs=x)

        def guide(x, nets):
            r = numpyro.param("log_prior_rate", log_r)
            with numpyro.plate("image", len(x)):
                log_rate = r + soft_clamp(nets.encode(x), CEILING - r)
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


def measure(units, priors, rounds):
    rng = np.random.default_rng(units)
    x = jnp.asarray(rng.normal(size=(BATCH, PIXELS)), jnp.float32)
    nets = Nets(units, PIXELS, weight_scale=1.2 / np.sqrt(PIXELS))  # log-gains of standard deviation 1.2
    # A few units that spike often, and many that hardly do.
    often = rng.random(units) < OFTEN
    log_r = jnp.asarray(np.where(often, rng.normal(-0.3, 0.5, units), rng.normal(-6.0, 1.0, units)), jnp.float32)
    steps = {name: Steps(PRIORS[name], nets, log_r, x) for name in priors}
    params = next(iter(steps.values())).params
    log_gain = jax.jit(numpyro.handlers.substitute(nets.encode, params))(x)
    rate = np.exp(np.asarray(log_r + soft_clamp(log_gain, CEILING - log_r)))
    for each in steps.values():
        each.run(1)
    for _ in range(rounds):
        for each in steps.values():
            each.times.append(each.run(3))
    closed = steps[priors[0]].times
    for name, each in steps.items():
        yield {
            "units": units,
            "prior": name,
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
    parser.add_argument("--units", type=int, nargs="+", default=[512])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path, default=TABLE)
    settings = parser.parse_args()
    rows = []
    for units in settings.units:
        for row in measure(units, list(PRIORS), settings.rounds):
            rows.append(row)
            print("  ".join(f"{row[name]!s:>{width}}" for name, width in zip(COLUMNS, WIDTHS, strict=True)), flush=True)
    with settings.out.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


WIDTHS = (5, 16, 8, 8, 6, 6, 7, 7, 6)

if __name__ == "__main__":
    main()

"""The gradient of the distortion under each estimator, held against the exact one: part one of estimators.py.

The KL and its gradient are closed forms under every estimator, so β is 0 here: what is compared is the gradient of the
expected distortion alone, mean over a fixed batch of training images, at fixed parameters.
"""

import math
import statistics
import time
import zlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from estimator_variants import VARIANTS, WITH_TEMPERATURE, build
from gradient_statistics import Draws, statistics_of
from jax import random
from tables import markdown

import ppl_pvae
from ppl_pvae.data import Dataset
from ppl_pvae.inference import Estimator, Exact, FreeEnergy
from ppl_pvae.models import built_in
from ppl_pvae.networks import Nets

__all__ = [
    "COLUMNS",
    "PARTS",
    "RATES",
    "TEMPERATURES",
    "Problem",
    "as_markdown",
    "cells",
    "label",
    "measure",
    "trained_at",
]

RATES = (0.1, 1.0, 10.0, 100.0)
TEMPERATURES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
UNITS, STEPS, BATCH = 64, 2500, 1000
DRAWS = 100

# The parameters behind each part; with the encoder go the gains at which its units saturate.
PARTS: Mapping[str, tuple[str, ...]] = {
    "encoder": ("encoder", "log_largest_gain"),
    "decoder": ("decoder",),
    "prior": ("log_prior_rate",),
}
COLUMNS = (
    *("rate", "mean_rate", "estimator", "temperature", "part"),
    *("bias", "bias_low", "bias_high", "noise", "noise_low", "noise_high"),
    *("cosine", "cosine_low", "cosine_high", "ms", "ratio_to_exact", "draws"),
)


class Cell(NamedTuple):
    """What is measured at once: an estimator, at a temperature if it has one, on the model of one prior rate."""

    rate: float
    estimator: str
    temperature: float | None


def cells(rates=RATES, temperatures=TEMPERATURES) -> Iterator[Cell]:
    """All of them, rate by rate, since each has a model of its own."""
    for rate in rates:
        for name in VARIANTS:
            for temperature in temperatures if name in WITH_TEMPERATURE else (None,):
                yield Cell(rate, name, temperature)


def label(cell: Cell) -> str:
    """What tells a cell from all others."""
    at = "" if cell.temperature is None else f" temperature={cell.temperature:g}"
    return f"rate={cell.rate:g} {cell.estimator}{at}"


class Problem:
    """Parameters of a linear Poisson VAE and a batch of images, with the exact gradient of the distortion there.

    Parameters
    ----------
    params
        Parameters by name, prior log-rates among them.
    nets
        Networks of the program.
    x
        Images (image, pixel).
    """

    def __init__(self, params: Mapping[str, Any], nets: Nets, x):
        self.params, self.nets, self.x = dict(params), nets, jnp.asarray(x)
        self._exact = gradient_of(Exact(), nets)
        # β = 0 as data: the KL is computed, as in a training step, and its gradient is zero.
        self.exact = _flat(self.gradient(self._exact, random.key(0), 1.0))
        self._per_image = self._squared_norms()

    def gradient(self, compiled, key, temperature):
        return jax.block_until_ready(compiled(key, self.params, self.x, jnp.float32(temperature), jnp.float32(0)))

    def exact_seconds(self) -> float:
        begin = time.perf_counter()
        self.gradient(self._exact, random.key(0), 1.0)
        return time.perf_counter() - begin

    def _squared_norms(self):
        """By part, the mean squared norm of the exact gradient that one image gives."""

        def one(x):
            of = gradient_of(Exact(), self.nets)(random.key(0), self.params, x[None], jnp.float32(1), jnp.float32(0))
            return {part: jnp.sum(flat**2) for part, flat in _flat_parts(of).items()}

        norms = jax.lax.map(one, self.x, batch_size=50)
        return {part: float(each.mean()) for part, each in norms.items()}

    def draws_of(self, gradients: list[dict[str, np.ndarray]]) -> dict[str, Draws]:
        """Gram matrices of drawn gradients, by part and for all parameters together."""
        by_part = {}
        for part, exact in self.exact.items():
            difference = np.stack([each[part] for each in gradients]).astype(np.float64) - exact
            by_part[part] = Draws(
                difference @ difference.T, difference @ exact, float(exact @ exact), self._per_image[part]
            )
        first, *others = by_part.values()
        return {"all": sum(others, first), **by_part}


@lru_cache
def gradient_of(estimator: Estimator, nets: Nets):
    """The compiled gradient, a function of (key, params, x, temperature, β); one for all rates and temperatures."""
    free_energy, program = FreeEnergy(estimator=estimator), built_in("poisson")

    def loss(params, key, x, temperature, beta):
        return free_energy.loss(key, params, *program, x, nets, temperature=temperature, beta=beta)

    step = jax.grad(loss)
    return jax.jit(lambda key, params, *rest: step(params, key, *rest))


def _flat_parts(gradient):
    return {
        part: jnp.concatenate([jnp.ravel(leaf) for name in names for leaf in jax.tree.leaves(gradient[name])])
        for part, names in PARTS.items()
    }


def _flat(gradient) -> dict[str, np.ndarray]:
    return {part: np.asarray(flat, np.float64) for part, flat in _flat_parts(gradient).items()}


def trained_at(rate: float, data: Dataset, *, units=UNITS, steps=STEPS, images=BATCH) -> tuple[Problem, float]:
    """A linear P-VAE trained with its prior rates held at `rate`, exactly, and its mean posterior rate.

    The prior is then learned for all that is measured, so that its log-rates have a gradient. Held rates take the
    place of a rescaled model: shifting log r by log c and W, Φ by 1/√c changes neither distortion nor KL only where
    units are nearly linear, λ ≈ r(1 + Wx), which at r = 0.1 they are not.
    """
    held = {"prior": "fixed", "log_rate_from": math.log(rate), "log_rate_to": math.log(rate)}
    rarely = {"evaluate_every": 10**6, "checkpoint_every": 10**6}
    run = ppl_pvae.train("poisson", data.train, units=units, steps=steps, estimator="exact", **held, **rarely)
    x = data.train[np.linspace(0, len(data.train) - 1, images).astype(int)]
    params = dict(run.params) | {"log_prior_rate": jnp.full(units, math.log(rate), jnp.float32)}
    return Problem(params, run.nets, x), float(run.encode(x).mean())


def measure(cell: Cell, problem: Problem, *, draws=DRAWS, seed=0) -> list[dict[str, Any]]:
    """The lines of one cell, a part each.

    An exact step is timed beside every draw, so that what slows the machine slows both.
    """
    compiled = gradient_of(build(cell.estimator), problem.nets)
    temperature = 1.0 if cell.temperature is None else cell.temperature
    base = random.fold_in(random.key(seed), zlib.crc32(label(cell).encode()))

    def draw(number):
        key = random.fold_in(base, number)
        begin = time.perf_counter()
        gradient = problem.gradient(compiled, key, temperature)
        return time.perf_counter() - begin, gradient

    draw(0)  # compiles
    gradients, seconds, exact_seconds = [], [], []
    for number in range(1, draws + 1):
        exact_seconds.append(problem.exact_seconds())
        took, gradient = draw(number)
        seconds.append(took)
        gradients.append(_flat(gradient))
    speed = {
        "ms": 1000 * statistics.median(seconds),
        "ratio_to_exact": statistics.median(a / b for a, b in zip(seconds, exact_seconds, strict=True)),
        "draws": draws,
    }
    found = {part: statistics_of(each, len(problem.x)) for part, each in problem.draws_of(gradients).items()}
    return [{**cell._asdict(), "part": part, **_columns(each), **speed} for part, each in found.items()]


def _columns(found):
    ends = ("", "_low", "_high")
    return {
        name + end: value
        for name, estimate in found._asdict().items()
        for end, value in zip(ends, estimate, strict=True)
    }


def as_markdown(lines: list[dict[str, str]], temperatures=("0.05", "0.5")) -> str:
    """A table for each rate: estimators at two temperatures, the encoder in full, bias of decoder and prior beside."""
    heads = ("estimator", "τ", "bias", "noise", "cosine", "decoder bias", "prior bias", "time, × exact")
    tables = []
    for rate in dict.fromkeys(line["rate"] for line in lines):
        chosen = [line for line in lines if line["rate"] == rate and line["temperature"] in ("", *temperatures)]
        by_cell: dict[str, dict[str, dict[str, str]]] = {}
        for line in chosen:
            by_cell.setdefault(line["cell"], {})[line["part"]] = line
        rows = [_row(parts) for parts in by_cell.values()]
        tables.append(f"### r = {rate}, mean rate {float(chosen[0]['mean_rate']):.3g}\n\n{markdown(heads, rows)}")
    return "\n".join(tables)


def _row(parts):
    encoder = parts["encoder"]
    return (
        *(encoder["estimator"], encoder["temperature"]),
        *(_bias(encoder), _with_ends(encoder, "noise", 2), _with_ends(encoder, "cosine", 2)),
        *(_bias(parts["decoder"]), _bias(parts["prior"])),
        f"{float(encoder['ratio_to_exact']):.1f}",
    )


def _bias(line):
    """The bias with the ends of its interval, or what it is below where that reaches 0."""
    seen = float(line["bias_low"]) > 0
    return _with_ends(line, "bias", 3) if seen else f"< {_short(line['bias_high'], 3)}"


def _with_ends(line, name, digits):
    """A number and the ends of its 95% interval."""
    value, low, high = (_short(line[name + end], digits) for end in ("", "_low", "_high"))
    return f"{value} ({low}–{high})"


def _short(text, digits):
    """Rounded, and without a 0 before the point: tables are to be narrow."""
    rounded = f"{float(text):.{digits}f}"
    return rounded.removeprefix("0") if rounded.startswith("0.") else rounded

"""Fits with each estimator, at equal steps and at equal time: part two of estimators.py.

At equal steps every estimator trains as long as the settings say. At equal time each trains for so many steps that its
training takes as long as that of the reference, arrival-time, at these steps: from milliseconds per step over the whole
of the fits at equal steps, since what a step costs depends on the rates and on the temperature, which change as a fit
goes on. Schedules are stretched or compressed with the steps; a fit that then takes a tenth more or less time than the
reference beside it starts anew with mended steps.

Time is processor time of the process; keep it on one core (`taskset -c 0`), or it is the sum over cores. Other work on
the machine changes it too, by what it leaves of caches and memory: at equal time the reference is therefore timed anew
before and after each fit, and what must be equal is the ratio. Compilation and evaluation do not count.

Evaluation is that of every fit: the exact expectation where the decoder is affine, whole counts where it is not, so
that no estimator is judged by its own relaxation.
"""

import dataclasses
import math
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from estimator_variants import VARIANTS
from tables import markdown

from ppl_pvae.config import from_mapping, validate
from ppl_pvae.data import load
from ppl_pvae.run.fitting import measure
from ppl_pvae.run.plan import Plan, make_plan

__all__ = [
    "COLUMNS",
    "NAMES",
    "REFERENCE",
    "Cell",
    "Plans",
    "Study",
    "as_markdown",
    "mended_steps",
    "run",
    "steps_of_equal_time",
]

REFERENCE = "arrival-time"
EXACT = {"estimator": "exact"}
NAMES = (*VARIANTS, "exact")
JUDGED_IMAGES = 10_000
SPLITS = ("train", "validation", "test")
SHORTEST = 100  # steps
NEAR = 0.1  # relative error of a time that is called equal
ROUNDS = 5  # fits, at most, until one is near
COLUMNS = (
    *("settings", "estimator", "budget", "seed", "steps", "ms_per_step", "seconds"),
    *(*SPLITS, "distortion", "coding_rate", "zeros", "spikes_per_image", "note", "of_reference"),
)


class Cell(NamedTuple):
    """One fit: an estimator, "steps" or "time" for what is equal, a seed."""

    estimator: str
    budget: str
    seed: int


@dataclasses.dataclass(frozen=True)
class Study:
    """What is fitted with every estimator: settings of `ppl_pvae.train`, with data, steps and networks among them."""

    settings: Mapping[str, Any]
    seeds: Sequence[int]
    estimators: Sequence[str] = tuple(VARIANTS)

    def cells(self) -> Iterator[Cell]:
        """Fits at equal steps first; the reference is at equal time by definition, and stands once."""
        for budget in ("steps", "time"):
            for seed in self.seeds:
                for name in self.estimators:
                    if budget == "steps" or name != REFERENCE:
                        yield Cell(name, budget, seed)

    def named(self) -> str:
        return " ".join(f"{name}={value}" for name, value in sorted(self.settings.items()))

    def label(self, cell: Cell) -> str:
        """What tells a cell from all others."""
        return f"{self.named()} estimator={cell.estimator} budget={cell.budget} seed={cell.seed}"


class Plans:
    """What it takes to fit the cells of a study; images are loaded once."""

    def __init__(self, study: Study, data=None):
        self._study = study
        if data is None:
            chosen = validate(from_mapping(dict(study.settings)))
            data = load(chosen.data, patch_size=chosen.patch_size, seed=chosen.data_seed)
        self._data = data

    def of(self, cell: Cell, steps: int | None) -> Plan:
        given = {**self._study.settings, **VARIANTS.get(cell.estimator, EXACT), "seed": cell.seed}
        if steps is not None:
            given["steps"] = steps
        return make_plan(validate(from_mapping(given)), self._data)


def run(cell: Cell, study: Study, plans: Plans, lines: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Fit one cell and read off its line; `lines` are those of finished cells."""
    ratio = None
    if cell.budget == "steps":
        plan = plans.of(cell, None)
        seconds, trainer = _trained(plan)
    else:
        plan, seconds, trainer, ratio = _trained_in_time(cell, plans, steps_of_equal_time(cell, study, lines))
    row = {
        **cell._asdict(),
        "settings": study.named(),
        "steps": trainer.step,
        "ms_per_step": 1000 * seconds / trainer.step,
        "seconds": seconds,
        "of_reference": ratio,
    }
    if not math.isfinite(trainer.loss):
        return row | {"note": "diverged"}
    found = {s: measure(plan, trainer.params, getattr(plan.dataset, s), images=JUDGED_IMAGES) for s in SPLITS}
    row |= {split: each["free_energy"] for split, each in found.items()}
    return row | {name: found["test"][name] for name in ("distortion", "coding_rate", "zeros", "spikes_per_image")}


def _trained(plan):
    """Train, and the processor seconds that it took without compilation."""
    for _ in plan.trainer().advance_to(1):
        pass
    trainer, seconds, before = plan.trainer(), 0.0, time.process_time()
    for _ in trainer.advance_to(plan.recipe.steps):
        seconds += time.process_time() - before
        if not math.isfinite(trainer.loss):
            break
        before = time.process_time()
    return seconds, trainer


def _trained_in_time(cell, plans, steps):
    """The fit whose time comes closest to that of the reference beside it, of at most `ROUNDS` with other steps."""
    reference = plans.of(cell._replace(estimator=REFERENCE), None)
    tried: dict[int, float] = {}
    before, _ = _trained(reference)
    while True:
        plan = plans.of(cell, steps)
        seconds, trainer = _trained(plan)
        after, _ = _trained(reference)
        ratio = 2 * seconds / (before + after)
        before, tried[steps] = after, ratio
        if abs(math.log(ratio)) == min(abs(math.log(each)) for each in tried.values()):
            best = plan, seconds, trainer, ratio
        steps = mended_steps(tried, 1.0)
        if steps in tried or len(tried) == ROUNDS or not math.isfinite(trainer.loss):
            return best


def mended_steps(tried: Mapping[int, float], aim: float) -> int:
    """Steps that should take the time `aim`, after fits of some steps that took as much; the same where one is near.

    Time is taken to grow as a power of the steps, that of the two nearest: rates grow with steps, and the time of a
    step with rates.
    """
    (steps, taken), *others = sorted(tried.items(), key=lambda each: abs(math.log(each[1] / aim)))
    if abs(taken / aim - 1) < NEAR:
        return steps
    power = math.log(others[0][1] / taken) / math.log(others[0][0] / steps) if others else 1.0
    return _rounded(steps * (aim / taken) ** (1 / min(max(power, 1.0), 4.0)))


def steps_of_equal_time(cell: Cell, study: Study, lines: Sequence[Mapping[str, str]]) -> int:
    """Steps that take as long as those of the reference at equal steps, to the nearest ten; at least `SHORTEST`."""
    mine = {line["seed"]: line for line in lines if _is(line, study, cell.estimator)}
    reference = {line["seed"]: line for line in lines if _is(line, study, REFERENCE)}
    shared = sorted(mine.keys() & reference.keys())
    if not shared:
        raise ValueError(
            f"equal time needs {REFERENCE} and {cell.estimator} at equal steps first, with one seed or more"
        )
    # Fits of one seed follow each other: what slows the machine for long slows both.
    ratio = statistics.median(float(mine[s]["ms_per_step"]) / float(reference[s]["ms_per_step"]) for s in shared)
    return _rounded(int(reference[shared[0]]["steps"]) / ratio)


def _rounded(steps):
    return max(SHORTEST, 10 * round(steps / 10))


def _is(line, study, estimator):
    return (line["settings"], line["estimator"], line["budget"]) == (study.named(), estimator, "steps")


def as_markdown(lines: Sequence[Mapping[str, str]]) -> str:
    """A ranking for each study and budget: mean ± standard deviation over seeds, ordered by validation images."""
    heads = (
        "estimator",
        "steps",
        "ms a step",
        "seconds",
        "time, × reference",
        "validation F",
        "test F",
        "minus reference",
        "zeros",
        "spikes",
    )
    tables = []
    for settings in dict.fromkeys(line["settings"] for line in lines):
        for budget in ("time", "steps"):
            chosen = [line for line in lines if line["settings"] == settings and _belongs(line, budget)]
            groups = {name: [line for line in chosen if line["estimator"] == name] for name in NAMES}
            groups = {name: group for name, group in groups.items() if group}
            if len(groups) < 2:
                continue
            reference = {line["seed"]: line for line in groups.get(REFERENCE, [])}
            ranked = sorted(groups, key=lambda name: _mean(groups[name], "validation"))
            rows = [_ranked_row(name, groups[name], reference) for name in ranked]
            tables.append(f"### {settings}, equal {budget}\n\n{markdown(heads, rows)}")
    return "\n".join(tables)


def _belongs(line, budget):
    return line["budget"] == budget or line["estimator"] == REFERENCE


def _ranked_row(name, group, reference):
    differences = [
        float(line["test"]) - float(reference[line["seed"]]["test"])
        for line in group
        if line["test"] and line["seed"] in reference and reference[line["seed"]]["test"]
    ]
    return (
        name,
        f"{statistics.median(int(line['steps']) for line in group):.0f}",
        f"{_mean(group, 'ms_per_step'):.1f}",
        f"{_mean(group, 'seconds'):.1f}",
        _spread(
            [float(line["of_reference"]) for line in group if line["of_reference"]], 2, "" if name == REFERENCE else "–"
        ),
        _spread([float(line["validation"]) for line in group if line["validation"]], 2),
        _spread([float(line["test"]) for line in group if line["test"]], 2),
        "" if name == REFERENCE else _spread(differences, 2),
        _spread([float(line["zeros"]) for line in group if line["zeros"]], 3),
        _spread([float(line["spikes_per_image"]) for line in group if line["spikes_per_image"]], 1),
    )


def _mean(group, column):
    """Over seeds; infinite where one of them diverged."""
    return statistics.fmean(float(line[column] or "inf") for line in group)


def _spread(values, digits, without="diverged"):
    if not values:
        return without
    around = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.{digits}f}{around}"

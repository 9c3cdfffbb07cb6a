"""One training with its metrics, its checkpoints and its progress bar, in memory or in a directory."""

import json
import math
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jax import random
from tqdm import tqdm

from ppl_pvae.analysis import metrics
from ppl_pvae.errors import UserError
from ppl_pvae.inference.checkpoint import load_arrays, restore, save_checkpoint
from ppl_pvae.inference.evaluation import read_out
from ppl_pvae.run.plan import Plan

__all__ = ["Fitted", "History", "fit_parameters", "measure"]

MEASURED_IMAGES = 4000  # enough that zeros of a K = 64 code are known to 0.001


def measure(plan: Plan, params, x, *, images: int = MEASURED_IMAGES, beta: float | None = None) -> dict[str, float]:
    """Free energy and activity of a program on evenly spaced images of x (image, pixel): a line of `metrics.jsonl`."""
    beta = plan.settings.beta if beta is None else beta
    chosen = x[np.linspace(0, len(x) - 1, min(images, len(x))).astype(int)]
    exact = plan.not_exact is None
    out = read_out(random.key(0), params, *plan.program, plan.nets, chosen, exact=exact)
    activity = out.mean if plan.code.is_nonnegative else np.abs(out.z)
    nats, distortion = metrics.coding_rate(out.kl), float(out.distortion.mean(dtype=np.float64))
    spikes = {"nats_per_spike": metrics.nats_per_spike(out.kl, out.mean)} if plan.code.is_count else {}
    return {
        "free_energy": distortion + beta * nats + out.global_kl / len(plan.dataset.train),
        "distortion": distortion,
        "coding_rate": nats,
        "firing_rate": metrics.firing_rate(activity),
        "spikes_per_image": metrics.spikes_per_image(activity),
        "zeros": metrics.zeros(out.z),
        "lifetime_sparseness": metrics.lifetime_sparseness(out.z),
        "population_sparseness": metrics.population_sparseness(out.z),
        "r2": metrics.r2(chosen, out.squared_error),
        "active_units": metrics.active_units(out.kl),
        **spikes,
    }


class History:
    """The lines of `metrics.jsonl`: kept, and appended to the file where there is a directory."""

    def __init__(self, folder: Path | None):
        self.lines: list[dict[str, Any]] = []
        self._path = folder / "metrics.jsonl" if folder else None

    def resume_at(self, step: int) -> None:
        """Read the file; forget what was measured after the checkpoint, which will be measured again."""
        text = self._path.read_text(encoding="utf-8") if self._path and self._path.exists() else ""
        # A line without its end was being written when the process died.
        lines = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
        self.lines = [line for line in lines if "event" in line or line["step"] <= step]
        if self._path:
            beside = self._path.with_name(self._path.name + ".part")
            beside.write_text("".join(json.dumps(line) + "\n" for line in self.lines), encoding="utf-8")
            beside.replace(self._path)

    def add(self, line: Mapping[str, Any]) -> None:
        """Append a line; numbers that JSON cannot say become null."""
        finite = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in line.items()}
        self.lines.append(finite)
        if self._path:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(finite) + "\n")


class _Progress:
    """A bar where somebody watches, a line per evaluation where output goes to a file, or nothing."""

    def __init__(self, shown: bool, start: int, steps: int, label: str):
        self._lines = shown and not sys.stderr.isatty()
        self._bar = tqdm(total=steps, initial=start, desc=label, unit="step", disable=not shown or self._lines)
        self._label, self._steps = label, steps

    def move_to(self, step: int) -> None:
        self._bar.update(step - self._bar.n)

    def tell(self, step: int, row: Mapping[str, float]) -> None:
        words = {
            "F": f"{row['free_energy']:.2f}",
            "D": f"{row['distortion']:.2f}",
            "nats": f"{row['coding_rate']:.2f}",
            "rate": f"{row['firing_rate']:.4f}",
            "zeros": f"{row['zeros']:.3f}",
        }
        self._bar.set_postfix(words)
        if self._lines:
            told = "  ".join(f"{name} {value}" for name, value in words.items())
            print(f"{self._label}: step {step}/{self._steps}  {told}", file=sys.stderr, flush=True)

    def close(self) -> None:
        self._bar.close()


class Fitted(NamedTuple):
    """The outcome of a training: parameters by name, the history of its metrics, and what processes before took."""

    params: Mapping[str, Any]
    history: list[dict[str, Any]]
    earlier_seconds: float = 0.0


def fit_parameters(plan: Plan, folder: Path | None = None, *, resume: bool = False, progress: bool = False) -> Fitted:
    """Train, from the newest checkpoint in `folder` if `resume` says so, and measure on the way.

    Raises
    ------
    UserError
        If training diverges, or the checkpoint is damaged or belongs to another program.
    """
    trainer = plan.trainer()
    history, earlier, begin = History(folder), 0.0, time.perf_counter()
    if folder and resume:
        if saved := _newest_checkpoint(folder):
            trainer.state, trainer.step = restore(trainer.state, saved), int(saved["step"])
            earlier = float(saved.get("seconds", 0.0))
        history.resume_at(trainer.step)
    settings, steps = plan.settings, trainer.recipe.steps
    history.add({"event": "start", "step": trainer.step})
    bar = _Progress(progress, trainer.step, steps, settings.program)
    try:
        while trainer.step < steps:
            for step in trainer.advance_to(min(steps, _next_stop(trainer.step, settings))):
                bar.move_to(step)
            _check_finite(trainer)
            if trainer.step % settings.evaluate_every == 0 or trainer.step == steps:
                bar.tell(trainer.step, _evaluate(plan, trainer, history))
            if folder and (trainer.step % settings.checkpoint_every == 0 or trainer.step == steps):
                save_checkpoint(folder, trainer.step, trainer.state, earlier + time.perf_counter() - begin)
    finally:
        bar.close()
    return Fitted(trainer.params, history.lines, earlier)


def _newest_checkpoint(folder):
    """The newest checkpoint that can be read: a torn one cannot be, since it is renamed when whole, but disks fail."""
    problem = None
    for name in ("checkpoint.npz", "checkpoint-previous.npz"):
        if (folder / name).exists():
            try:
                return load_arrays(folder / name)
            except UserError as error:
                problem = error
    if problem is not None:
        raise problem
    return None


def _next_stop(step, settings):
    periods = (settings.evaluate_every, settings.checkpoint_every)
    return min(step - step % period + period for period in periods)


def _check_finite(trainer):
    if not math.isfinite(trainer.loss):
        raise UserError(
            f"training diverged before step {trainer.step}: the free energy is {trainer.loss}; start anew with a lower "
            "learning_rate, in another directory."
        )


def _evaluate(plan, trainer, history):
    params, step = trainer.params, np.array([trainer.step - 1])
    now = {
        "beta_now": float(plan.recipe.beta_at(step)[0]),
        "temperature": float(plan.recipe.temperature_at(step)[0]) if plan.has_temperature else None,
    }
    rows = {split: measure(plan, params, getattr(plan.dataset, split)) for split in ("train", "validation")}
    for split, row in rows.items():
        history.add({"step": trainer.step, "split": split} | now | row)
    return rows["train"]

"""What a fit will take: time from finished ones like it or from bare matrix products, disk from its parameters."""

import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from statistics import median
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from ppl_pvae.config import PROGRAMS, Cell, Settings, may_go_on

__all__ = [
    "BYTES_BESIDE",
    "disk_of",
    "disk_of_path",
    "measured_seconds",
    "scale_of",
    "seconds_of",
    "seconds_of_path",
    "step_measured",
]

# A step of linear networks is its matrix products and a third more; a whole cell has its evaluations, its read-out and
# its share of the compilations beside.
STEP_OVER_PRODUCTS, BESIDE_STEPS = 1.35, 12.0
EXPECTED_DOUBLINGS = 2
CONV_SECONDS = 0.7  # of one core, per step of 1,000 images through 16 channels each way
ALIKE = ("program", "units", "data", "encoder", "decoder", "width", "depth", "batch_size")  # what a step costs
BYTES_BESIDE = 68_000  # config.toml, metrics.jsonl, evidence.npz, summary.json


def seconds_of(settings: Settings, pixels: int, max_doublings: int, *, warm_start: bool) -> float:
    """Seconds of one core that a cell is expected to take, if two doublings settle it.

    Parameters
    ----------
    settings
        Of the cell, with the steps of its first training.
    pixels
        Of an image.
    max_doublings, warm_start
        Of the sweep.
    """
    assert settings.steps is not None, "the cells of a grid have steps"
    doublings = min(EXPECTED_DOUBLINGS, max_doublings)
    goes_on = warm_start and may_go_on(settings)
    steps = settings.steps * (2**doublings if goes_on else 2 ** (doublings + 1) - 1)
    return BESIDE_STEPS + steps * _step(settings, pixels)


def seconds_of_path(settings: Settings, pixels: int, fits: int) -> float:
    """Seconds of one core that so many fits along β are expected to take, each over the steps of the first."""
    assert settings.steps is not None, "the cells of a grid have steps"
    return fits * (BESIDE_STEPS + settings.steps * _step(settings, pixels))


def measured_seconds(settings: Settings, rows: Sequence[Mapping[str, Any]]) -> float | None:
    """Seconds of a cell by those of its program and size that are finished: their steps times their seconds a step.

    Medians, of finished cells at any β and seed; None where there is none.
    """
    step = step_measured(settings, rows)
    return None if step is None else step * median(row["steps"] for row in _alike(settings, rows))


def step_measured(settings: Settings, rows: Sequence[Mapping[str, Any]]) -> float | None:
    """Seconds a step of the finished cells of a program and size, the median; None where there is none."""
    alike = _alike(settings, rows)
    return median(row["seconds"] / row["steps"] for row in alike) if alike else None


def _alike(settings: Settings, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The rows of finished cells whose steps cost what those of these settings do; a table has not all columns."""
    return [
        row
        for row in rows
        if row.get("seconds")
        and row.get("steps")
        and all(row[name] == getattr(settings, name) for name in ALIKE if name in row)
    ]


def _step(settings: Settings, pixels: int) -> float:
    """Seconds of one core for a step."""
    products = 5 if _is_count(settings) else 7  # an encoder with two heads has twice the products of its one matrix
    step = STEP_OVER_PRODUCTS * products * _product(settings.batch_size, pixels, settings.units)
    for network in (settings.encoder, settings.decoder):
        if network == "conv":
            step += CONV_SECONDS / 2 * settings.batch_size / 1000 * (settings.width or 16) / 16
        elif network == "mlp":
            step += 3 * settings.depth * _product(settings.batch_size, settings.width or 256, settings.width or 256)
    return step


@lru_cache(maxsize=128)
def _product(images: int, pixels: int, units: int) -> float:
    """Seconds of one core for one product of images with a matrix, measured now."""
    rng = np.random.default_rng(0)
    x, matrix = rng.random((images, pixels), np.float32), rng.random((pixels, units), np.float32)
    taken = []
    with threadpool_limits(1):
        for _ in range(6):
            begin = time.perf_counter()
            np.matmul(x, matrix)
            taken.append(time.perf_counter() - begin)
    return min(taken)


def scale_of(rows: Sequence[Mapping[str, Any]], expected: Mapping[str, float]) -> float:
    """What finished cells took over what was expected of them, the median; 1 where none is finished."""
    ratios = [row["seconds"] / expected[row["cell"]] for row in rows if row.get("seconds") and row["cell"] in expected]
    return median(ratios) if ratios else 1.0


def disk_of(cells: Sequence[Cell], pixels: Mapping[str, int]) -> int:
    """Bytes that finished cells keep, `pixels` of an image by the cell's name."""
    total = 0
    for cell in cells:
        heads = 1 if _is_count(cell.settings) else 2
        total += 4 * pixels[cell.name] * cell.settings.units * (heads + 1) + BYTES_BESIDE
    return total


def disk_of_path(settings: Settings, pixels: int, fits: int) -> int:
    """Bytes of the dictionaries of so many fits along β."""
    return 4 * fits * settings.units * (pixels + 2)


def _is_count(settings: Settings) -> bool:
    return settings.program not in PROGRAMS or PROGRAMS[settings.program].is_count

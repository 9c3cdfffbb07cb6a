"""What a sweep will take: time from the bare matrix products of its steps, disk from its parameters."""

import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from statistics import median
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from ppl_pvae.config import PROGRAMS, Cell, Settings

__all__ = ["BYTES_BESIDE", "disk_of", "scale_of", "seconds_of"]

# A step of linear networks is its matrix products and a third more; a whole cell has its evaluations, its read-out and
# its share of the compilations beside.
STEP_OVER_PRODUCTS, BESIDE_STEPS = 1.35, 12.0
EXPECTED_DOUBLINGS = 2
CONV_SECONDS = 0.7  # of one core, per step of 1,000 images through 16 channels each way
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
    steps = settings.steps * (2**doublings if warm_start else 2 ** (doublings + 1) - 1)
    products = 5 if _is_count(settings) else 7  # an encoder with two heads has twice the products of its one matrix
    step = STEP_OVER_PRODUCTS * products * _product(settings.batch_size, pixels, settings.units)
    for network in (settings.encoder, settings.decoder):
        if network == "conv":
            step += CONV_SECONDS / 2 * settings.batch_size / 1000 * (settings.width or 16) / 16
        elif network == "mlp":
            step += 3 * settings.depth * _product(settings.batch_size, settings.width or 256, settings.width or 256)
    return BESIDE_STEPS + steps * step


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


def _is_count(settings: Settings) -> bool:
    return settings.program not in PROGRAMS or PROGRAMS[settings.program].is_count

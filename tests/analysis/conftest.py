"""Posteriors with planted Gabor-like dictionaries and known codes, of every kind that the analysis must take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.special import ndtr

from ppl_pvae.analysis import Posterior


def gabors(units: int, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A dictionary of Gabor patches, (unit, pixel): random places, orientations, phases and frequencies."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    cy, cx = rng.uniform(0.2, 0.8, (2, units, 1, 1)) * np.array(shape).reshape(2, 1, 1, 1)
    angle, phase = rng.uniform(0, np.pi, (units, 1, 1)), rng.uniform(0, 2 * np.pi, (units, 1, 1))
    frequency, width = rng.uniform(0.08, 0.25, (units, 1, 1)), rng.uniform(1.2, 3.0, (units, 1, 1))
    along = (x - cx) * np.cos(angle) + (y - cy) * np.sin(angle)
    across = -(x - cx) * np.sin(angle) + (y - cy) * np.cos(angle)
    envelope = np.exp(-(along**2 + (across / 1.5) ** 2) / (2 * width**2))
    return (envelope * np.cos(2 * np.pi * frequency * along + phase)).reshape(units, -1).astype(np.float32)


def planted_posterior(
    kind: str = "poisson",
    *,
    units: int = 64,
    images: int = 200,
    shape: tuple[int, int] | None = (16, 16),
    pixels: int = 40,
    silent: bool = False,
    linear: bool = True,
    rate: float = 0.4,
    seed: int = 0,
) -> Posterior:
    """A posterior with all its parts consistent: `kind` is poisson, rectified or gaussian."""
    rng = np.random.default_rng(seed)
    pixels = pixels if shape is None else shape[0] * shape[1]
    dictionary = gabors(units, (1, pixels) if shape is None else shape, rng)
    prior = (rate * rng.gamma(0.7, 1 / 0.7, units) + 1e-3).astype(np.float32)
    drive = rng.normal(0, 1.2, (images, units))
    if kind == "poisson":
        mean = prior * np.exp(drive - 0.72)
        d = np.log(mean / prior)
        kl = prior * (d * np.exp(d) - np.expm1(d))

        def draw(m):
            return rng.poisson(m)

    else:
        loc, scale = drive - (0.5 if kind == "rectified" else 0.0), np.full_like(drive, 0.5)
        kl = 0.5 * (loc**2 + scale**2 - 1) - np.log(scale)
        a = loc / scale
        if kind == "rectified":
            mean = scale * np.exp(-(a**2) / 2) / np.sqrt(2 * np.pi) + loc * ndtr(a)

            def draw(m):
                return np.maximum(loc[: m.shape[-2]] + rng.normal(0, 0.5, m.shape), 0)

        else:
            mean = loc

            def draw(m):
                return m + rng.normal(0, 0.5, m.shape)

    if silent:
        mean, kl, draw = np.zeros_like(drive), np.zeros_like(drive), np.zeros_like
    z = np.asarray(draw(mean), dtype=np.float32)
    x = (mean @ dictionary + rng.normal(0, 0.3, (images, pixels))).astype(np.float32)
    if silent:
        x = rng.normal(0, 0.85, x.shape).astype(np.float32)
    reconstruction = z @ dictionary
    error = ((x - reconstruction) ** 2).sum(1)
    variance = mean if kind == "poisson" else np.full_like(drive, 0.0 if silent else 0.25)
    expected = ((x - mean @ dictionary) ** 2).sum(1) + variance @ (dictionary**2).sum(1)
    return Posterior(
        x=x,
        shape=shape,
        group=np.arange(images) % 4,
        group_names=("camera", "coffee", "chelsea", "grass"),
        mean=mean.astype(np.float32),
        z=z,
        draws=np.asarray(draw(np.broadcast_to(mean[:20], (5, min(images, 20), units))), dtype=np.float32),
        kl=kl.astype(np.float32),
        reconstruction=reconstruction,
        distortion=expected.astype(np.float32),
        distortion_sampled=error,
        squared_error=error,
        global_kl=0.0,
        prior_mean=prior if kind == "poisson" else None,
        dictionary=dictionary if linear else None,
        encoder=dictionary / 2 if linear else None,
        is_count=kind == "poisson",
        is_nonnegative=kind != "gaussian",
        objective=float(expected.mean() + kl.sum(1).mean()),
        likelihood_constant=pixels / 2 * float(np.log(np.pi)),
        silent_free_energy=float((x.astype(float) ** 2).sum(1).mean()),
    )


@pytest.fixture(scope="session")
def make_posterior() -> Callable[..., Posterior]:
    """The factory `planted_posterior`."""
    return planted_posterior


def planted_history(steps: int = 2000, every: int = 100) -> list[dict[str, Any]]:
    """Lines as in metrics.jsonl: exponential approach on both splits, beta rising over the first half."""
    lines: list[dict[str, Any]] = [{"event": "start", "step": 0}]
    for step in range(0, steps + 1, every):
        left = float(np.exp(-step / (steps / 6)))
        for split, gap in (("train", 0.0), ("validation", 2.0)):
            lines.append(
                {
                    "step": step,
                    "split": split,
                    "beta_now": min(1.0, 0.1 + 1.8 * step / steps),
                    "temperature": None,
                    "free_energy": 143 + gap + 300 * left,
                    "distortion": 110 + gap + 260 * left,
                    "coding_rate": 33 + 40 * left,
                    "firing_rate": 0.36 + 0.4 * left,
                    "spikes_per_image": 512 * (0.36 + 0.4 * left),
                    "zeros": 0.73 - 0.3 * left,
                }
            )
    return lines


@pytest.fixture(scope="session")
def history() -> list[dict[str, Any]]:
    """A training history that has nearly settled."""
    return planted_history()

"""How β, the temperature and the learning rate move over training: plain functions of the step."""

from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Float, Int

__all__ = ["DECAYS", "annealed", "warmup_hold_decay"]

# From 1 to 0 as progress goes from 0 to 1.
DECAYS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "linear": lambda progress: 1 - progress,
    "cosine": lambda progress: 0.5 * (1 + np.cos(np.pi * progress)),
}


def annealed(
    step: Int[np.ndarray, " step"], *, start: float, end: float, share: float, steps: int
) -> Float[np.ndarray, " step"]:
    """A value that moves in a straight line from `start` to `end` over the first `share` of `steps`, then stays."""
    length = share * steps
    progress = np.clip(step / length, 0.0, 1.0) if length > 0 else np.ones(len(step))
    return (start + (end - start) * progress).astype(np.float32)


def warmup_hold_decay(
    step: Int[np.ndarray, " step"], *, peak: float, final: float, warmup: int, decay: float, shape: str, steps: int
) -> Float[np.ndarray, " step"]:
    """A learning rate that rises in a straight line over `warmup` steps, holds, and falls over the last share `decay`.

    It falls to `final` along a straight line or half a cosine, as `shape` says. Holding and then falling to rest
    reaches in few steps what a slow decay reaches in many: while the rate is high, its noise alone silences units.
    """
    rise = np.clip((step + 1) / warmup, 0.0, 1.0) if warmup else np.ones(len(step))
    length = max(decay * steps, 1.0)
    progress = np.clip((step - (steps - length)) / length, 0.0, 1.0)
    return (rise * (final + (peak - final) * DECAYS[shape](progress))).astype(np.float32)

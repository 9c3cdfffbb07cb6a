"""How β, the temperature and the learning rate move over training: plain functions of the step."""

import numpy as np
from jaxtyping import Float, Int

__all__ = ["annealed", "cosine_decay"]


def annealed(
    step: Int[np.ndarray, " step"], *, start: float, end: float, share: float, steps: int
) -> Float[np.ndarray, " step"]:
    """A value that moves in a straight line from `start` to `end` over the first `share` of `steps`, then stays."""
    length = share * steps
    progress = np.clip(step / length, 0.0, 1.0) if length > 0 else np.ones(len(step))
    return (start + (end - start) * progress).astype(np.float32)


def cosine_decay(
    step: Int[np.ndarray, " step"], *, peak: float, final: float, warmup: int, steps: int
) -> Float[np.ndarray, " step"]:
    """A learning rate that rises in a straight line over `warmup` steps and falls to `final` along half a cosine."""
    rise = np.clip((step + 1) / max(warmup, 1), 0.0, 1.0) if warmup else np.ones(len(step))
    progress = np.clip((step - warmup) / max(steps - warmup, 1), 0.0, 1.0)
    fall = final + (peak - final) * 0.5 * (1 + np.cos(np.pi * progress))
    return (rise * fall).astype(np.float32)

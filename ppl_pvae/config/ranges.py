"""What numbers and names may be."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ppl_pvae.config.programs import ESTIMATORS

__all__ = ["CHOICES", "LARGEST", "RANGES", "Range"]

NETWORKS = ("linear", "mlp", "conv")

CHOICES: Mapping[str, tuple[str, ...]] = {
    "encoder": NETWORKS,
    "decoder": NETWORKS,
    "likelihood": ("gaussian", "bernoulli", "poisson"),
    "noise": ("fixed", "learned"),
    "prior": ("learned", "fixed"),
    "pays": ("latent", "code"),
    "dispersion": ("learned", "fixed"),
    "estimator": ESTIMATORS,
    "indicator": ("cubic", "sigmoid"),
    "optimizer": ("adam", "adamax"),
    "augment": ("none", "symmetries"),
    "ceiling": ("learned", "fixed"),
    "coordinates": ("spread", "plain"),
    "decay_shape": ("linear", "cosine"),
}


class Range(NamedTuple):
    holds: Callable[[Any], bool]
    expected: str
    remedy: str


def _at_least(bound: float, remedy: str) -> Range:
    return Range(lambda value: value >= bound and math.isfinite(value), f">= {bound}", remedy)


def _above_zero(remedy: str) -> Range:
    return Range(lambda value: value > 0 and math.isfinite(value), "> 0", remedy)


_SEED = Range(lambda value: 0 <= value < 2**32, "from 0 to 4294967295", "any of them will do")
_LOG_RATE = Range(lambda value: -20 <= value <= 5, "from -20 to 5", "a rate of one spike has logarithm 0")
# Far narrower, and hardly a batch has an arrival inside the window: its mean gradient is never seen.
_TEMPERATURE = _at_least(1e-3, "narrower windows let no gradient through, and 0.05 is usual")

RANGES: Mapping[str, Range] = {
    "units": _at_least(1, "a code needs at least one unit"),
    "beta": _at_least(0, "use 0 for no coding cost"),
    "steps": _at_least(1, "use --dry-run to train nothing"),
    "seed": _SEED,
    "batch_size": _at_least(1, "the default is 1000"),
    "width": _at_least(1, "the default is 256 for an mlp, 16 for a conv network"),
    "depth": _at_least(1, "use the linear network for none"),
    "learning_rate": _above_zero("the default is a good start"),
    "spike_price": _at_least(0, "use 0 for no price on spikes"),
    "temperature": _TEMPERATURE,
    "particles": _at_least(2, "each is compared with the others"),
    "patch_size": _at_least(4, "the default is 16"),
    "data_seed": _SEED,
    "final_learning_rate": _at_least(0, "use 0 to end at rest"),
    "warmup_steps": _at_least(0, "use 0 for no warm-up"),
    "decay": Range(lambda value: 0 <= value <= 1, "from 0 to 1", "use 1 to fall from the start"),
    "prior_speed": _above_zero("use 1 for the learning rate of the weights"),
    "clip_norm": Range(lambda value: value > 0, "> 0", "use inf for no clipping"),
    "anneal": Range(lambda value: 0 <= value <= 1, "from 0 to 1", "use 0 for no annealing"),
    "anneal_from": _at_least(0, "the default is 0.0001"),
    "temperature_from": _TEMPERATURE,
    "log_rate_from": _LOG_RATE,
    "log_rate_to": _LOG_RATE,
    "largest_log_gain": Range(lambda value: 0 < value <= 20, "> 0 and <= 20", "the default is 3, the published one 10"),
    "concentration": Range(
        lambda value: 0.1 <= value <= 1e5, "from 0.1 to 100000", "at 10000 counts are all but Poisson"
    ),
    "weight_scale": _above_zero("weights that start at 0 stay there"),
    "evaluate_every": _at_least(1, "use the number of steps to evaluate once, at the end"),
    "checkpoint_every": _at_least(1, "use the number of steps for one checkpoint, at the end"),
}

# Beyond these no machine's memory, or no float32, goes.
LARGEST: Mapping[str, float] = {
    "units": 10**6,
    "batch_size": 10**6,
    "patch_size": 1024,
    "width": 10**5,
    "depth": 100,
    "steps": 10**9,
    "beta": 1e30,
    "learning_rate": 1e30,
    "spike_price": 1e30,
}

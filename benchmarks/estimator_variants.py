"""The estimators that are compared, as settings of a fit; every one takes the free energy of the same program."""

from collections.abc import Mapping
from typing import Any

from ppl_pvae.inference import ESTIMATORS, Estimator

__all__ = ["VARIANTS", "WITH_TEMPERATURE", "build"]

VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "arrival-time": {"estimator": "arrival-time"},
    "arrival-time hard": {"estimator": "arrival-time", "hard": True},
    "sigmoid": {"estimator": "arrival-time", "indicator": "sigmoid"},
    "sigmoid hard": {"estimator": "arrival-time", "indicator": "sigmoid", "hard": True},
    "gumbel-softmax": {"estimator": "gumbel-softmax"},
    "gumbel-softmax hard": {"estimator": "gumbel-softmax", "hard": True},
    "straight-through": {"estimator": "straight-through"},
    "score-function": {"estimator": "score-function", "particles": 4},
}

WITH_TEMPERATURE = tuple(VARIANTS)[:6]


def build(variant: str) -> Estimator:
    """The estimator of that name in `VARIANTS`."""
    settings = dict(VARIANTS[variant])
    return ESTIMATORS[settings.pop("estimator")](**settings)

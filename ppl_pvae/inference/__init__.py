"""Fitting: the free energy, the estimators of its gradient, schedules, the training loop, checkpoints, read-out."""

from ppl_pvae.inference.affinity import why_not_exact
from ppl_pvae.inference.contract import check_contract
from ppl_pvae.inference.coordinates import Coordinates
from ppl_pvae.inference.divergence import divergence_method
from ppl_pvae.inference.estimators import (
    ESTIMATORS,
    ArrivalTime,
    Estimator,
    Exact,
    GumbelSoftmax,
    Hard,
    Reparameterised,
    ScoreFunction,
    StraightThrough,
)
from ppl_pvae.inference.evidence import Evidence, importance_weighted
from ppl_pvae.inference.free_energy import FreeEnergy, Parts, Traces, run_program
from ppl_pvae.inference.observed import check_observed
from ppl_pvae.inference.refinement import CodeOf, Refinement, refine
from ppl_pvae.inference.simulation import (
    Prediction,
    Simulation,
    draw_posterior,
    predict,
    replicate,
    simulate,
    simulations,
)
from ppl_pvae.inference.start import check_start
from ppl_pvae.inference.training import Recipe, Trainer

__all__ = [
    "ESTIMATORS",
    "ArrivalTime",
    "CodeOf",
    "Coordinates",
    "Estimator",
    "Evidence",
    "Exact",
    "FreeEnergy",
    "GumbelSoftmax",
    "Hard",
    "Parts",
    "Prediction",
    "Recipe",
    "Refinement",
    "Reparameterised",
    "ScoreFunction",
    "Simulation",
    "StraightThrough",
    "Traces",
    "Trainer",
    "check_contract",
    "check_observed",
    "check_start",
    "divergence_method",
    "draw_posterior",
    "importance_weighted",
    "predict",
    "replicate",
    "refine",
    "run_program",
    "simulate",
    "simulations",
    "why_not_exact",
]

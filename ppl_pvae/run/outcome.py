"""From trained parameters to what a run leaves behind: the posterior on test images and its one-row summary."""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import numpy as np
from jax import random

from ppl_pvae.analysis import (
    Posterior,
    Predicted,
    linear_gaussian_limit,
    many_spikes_limit,
    matched_correlations,
    slopes,
    summarise,
)
from ppl_pvae.inference import FreeEnergy, Reparameterised
from ppl_pvae.inference.evaluation import draw_codes, held_globals, linear_dictionary, read_out
from ppl_pvae.inference.global_draws import draw_globals
from ppl_pvae.inference.silence import silent_free_energy
from ppl_pvae.inference.simulation import replicate_and_predict, simulate
from ppl_pvae.run.fitting import Fitted, measure
from ppl_pvae.run.plan import Plan

__all__ = ["describe_posterior", "describe_prediction", "judge", "summary_row"]

T = TypeVar("T")
DRAWN_IMAGES = 100
DRAWS = 20  # of the codes of each, and of latents of the whole data set
PRIOR_DRAWS = 500
SMALL_MEAN = 1e-3  # ‖mean image‖² as a share of the variance: whitened patches have 4e-4
JUDGED_IMAGES = 10_000  # training images on which convergence is judged


def describe_posterior(plan: Plan, params, split: str = "test") -> Posterior:
    """What the trained program says about the images of a split."""
    x = np.asarray(getattr(plan.dataset, split))
    key_read, key_draws, key_probe, key_objective = random.split(random.key(plan.settings.seed), 4)
    exact = plan.not_exact is None
    out = read_out(key_read, params, *plan.program, plan.nets, x, exact=exact)
    draws = draw_codes(key_draws, params, *plan.program, plan.nets, x[:DRAWN_IMAGES], draws=DRAWS, exact=exact)
    code = plan.code
    return Posterior(
        x=x,
        shape=plan.dataset.shape,
        group=np.asarray(plan.dataset.groups[split]),
        group_names=tuple(plan.dataset.group_names),
        mean=out.mean,
        z=out.z,
        draws=draws,
        kl=out.kl,
        reconstruction=out.reconstruction,
        distortion=out.distortion,
        distortion_sampled=out.distortion_sampled,
        squared_error=out.squared_error,
        global_kl=out.global_kl / len(plan.dataset.train),
        prior_mean=out.prior_mean if code.is_count else None,
        dictionary=linear_dictionary(key_probe, params, *plan.program, plan.nets, x) if exact else None,
        encoder=_encoder_weights(plan, params) if len(code.sites) == 1 else None,
        is_count=code.is_count,
        is_nonnegative=code.is_nonnegative,
        objective=_objective(key_objective, plan, params, x, out),
        likelihood_constant=out.constant,
        silent_free_energy=silent_free_energy(
            held_globals(params, plan.program.guide, plan.nets, x),
            *plan.program,
            plan.nets,
            x,
            plan.dataset.train.mean(axis=0),
        ),
    )


def describe_prediction(plan: Plan, params) -> Predicted:
    """What the trained program makes up, as far as it makes anything."""
    x = np.asarray(plan.dataset.test[:DRAWN_IMAGES])
    key_prior, key_again, key_globals = random.split(random.fold_in(random.key(plan.settings.seed), 1), 3)
    told = (params, plan.program.model, plan.program.guide, plan.nets)
    prior = _made(lambda: simulate(key_prior, *told, images=PRIOR_DRAWS))
    again, moments = _made(lambda: replicate_and_predict(key_again, *told, x, draws=DRAWS)) or (None, None)
    drawn = draw_globals(key_globals, *told, x, draws=DRAWS, prior_draws=PRIOR_DRAWS)
    return Predicted(
        prior_z=None if prior is None else prior.z,
        prior_x=None if prior is None else prior.x,
        x=again,
        mean=None if moments is None else moments.mean.astype(np.float32),
        variance=None if moments is None else moments.variance.astype(np.float32),
        globals_posterior=drawn.posterior,
        globals_prior=drawn.prior,
    )


def _made(make: Callable[[], T]) -> T | None:
    """What is made, or None where a program is no recipe for it."""
    try:
        return make()
    except ValueError:
        return None


def _encoder_weights(plan, params):
    """(unit, pixel) of a linear encoder, its first head; None for a program that does not use it."""
    weight = getattr(params.get("encoder"), "weight", None)
    return None if weight is None or plan.nets.encoder != "linear" else np.asarray(weight)[:, : plan.nets.units].T


def _found_again(plan: Plan, params, posterior: Posterior) -> dict[str, float]:
    """How much of what was planted in the data a linear decoder has; nothing where either is missing."""
    planted, found = plan.dataset.truth.get("dictionary"), posterior.dictionary
    if found is None and plan.nets.decoder == "linear":  # behind a likelihood that bends
        found = getattr(params.get("decoder"), "weight", None)
    if planted is None or found is None:
        return {}
    alike = matched_correlations(planted, np.asarray(found), signed=not posterior.is_nonnegative)
    return {"planted_correlation": float(alike.mean()), "least_planted_correlation": float(alike.min())}


def _dense(plan: Plan, x) -> float | None:
    """What the free energy of a dense code of the program comes to; None where that has no closed form.

    Which is with another decoder or likelihood, where spikes have a price, where training makes images up, and for an
    encoder that has no bias to take the mean of the images away, unless that is close to zero. A rectified code is
    dense where its means can grow, with a learned prior and a bias of the encoder.
    """
    s, nets, train = plan.settings, plan.nets, np.asarray(plan.dataset.train)
    linear = nets.decoder == "linear" and s.likelihood == "gaussian" and s.noise == "fixed"
    rectified = s.program == "rectified-gaussian" and s.prior == "learned" and s.encoder_bias
    if not (linear and s.augment == "none" and (s.program in ("poisson", "gaussian") or rectified)) or s.spike_price:
        return None
    if not s.encoder_bias and np.sum(train.mean(0) ** 2) > SMALL_MEAN * np.sum(train.var(0)):
        return None
    limit = many_spikes_limit if s.program == "poisson" else linear_gaussian_limit
    directions = s.units - (s.program != "gaussian" and not nets.has_decoder_bias)
    return limit(train, x, directions=directions, beta=s.beta).free_energy


def _objective(key, plan, params, x, out):
    """What training minimised, as relaxed, at the final β, price and temperature; mean per image."""
    settings, images = plan.settings, len(plan.dataset.train)
    if plan.estimator.exact:
        priced = settings.spike_price * out.mean.sum(axis=1) if settings.spike_price else 0.0
        per_image = out.distortion + settings.beta * out.kl.sum(axis=1) + priced
        return float(per_image.mean(dtype=np.float64)) + out.global_kl / images
    free_energy = FreeEnergy(
        settings.beta,
        spike_price=settings.spike_price,
        estimator=plan.estimator,
        temperature=settings.temperature,
        images=images,
    )
    loss = jax.jit(lambda key, params, part: free_energy.loss(key, params, *plan.program, part, plan.nets))
    parts = [x[start : start + 1000] for start in range(0, len(x), 1000)]
    losses = [float(loss(key, params, part)) for part in parts]
    return float(np.average(losses, weights=[len(part) for part in parts]))


def judge(plan: Plan, params) -> dict[str, float]:
    """The metrics on training images by which convergence is judged."""
    return measure(plan, params, plan.dataset.train, images=JUDGED_IMAGES)


def summary_row(plan: Plan, fitted: Fitted, posterior: Posterior) -> dict[str, Any]:
    """The keys of `summary.json`; convergence not judged and time not taken yet."""
    judged = judge(plan, fitted.params)
    settings = plan.settings
    copied = ("steps", "program", "data", "units", "beta", "seed", "prior", "pays", "encoder_bias", "spike_price")
    copied += ("dispersion", "concentration")
    return {
        **summarise(posterior, settings.beta),
        **_found_again(plan, fitted.params, posterior),
        "dense_free_energy": _dense(plan, posterior.x),
        "train_free_energy": judged["free_energy"],
        "converged": None,
        "seconds": None,
        "slopes": slopes(fitted.history),
        **{name: getattr(settings, name) for name in copied},
        "estimator": None if isinstance(plan.estimator, Reparameterised) else plan.estimator.name,
        "train": judged,
    }

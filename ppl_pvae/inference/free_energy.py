"""The β-weighted free energy of any NumPyro model and guide."""

from numbers import Real
from typing import NamedTuple

import jax.numpy as jnp
from jax import random
from jaxtyping import Array, Float
from numpyro.handlers import replay, seed, substitute, trace
from numpyro.infer.elbo import ELBO

from ppl_pvae.distributions import SquaredError, base_of, mean_of
from ppl_pvae.inference.divergence import site_divergence
from ppl_pvae.inference.estimators import ArrivalTime, Estimator, Hard, LocalValues, ScoreFunction, is_local
from ppl_pvae.inference.score import log_prob_of_counts, with_score_gradient
from ppl_pvae.inference.spread import expected_excess

__all__ = ["FreeEnergy", "Parts", "Traces", "check_plate", "per_image", "run_program"]

ARRIVAL_TIME = ArrivalTime()


class Parts(NamedTuple):
    """The terms of a free energy, in nats.

    `distortion` is −log p(x|z) without `constant`, which only the default likelihood drops: its squared error.
    """

    distortion: Float[Array, " image"]
    local_kl: dict[str, Float[Array, "image *unit"]]
    global_kl: dict[str, Float[Array, ""]]
    activity: Float[Array, " image"]  # E Σ z over the local sites
    constant: float

    @property
    def coding_rate(self) -> Float[Array, " image"]:
        """Σ_k KL_k of each image over all local sites, nats."""
        return sum((per_image(kl) for kl in self.local_kl.values()), jnp.zeros_like(self.distortion))


class Traces(NamedTuple):
    """One run of guide and model: NumPyro traces, sites by name."""

    guide: dict
    model: dict


def run_program(key, params, model, guide, args, kwargs, *, estimator: Estimator, temperature, plate) -> Traces:
    """Run the guide with its local sites as `estimator` draws them, then the model at those values."""
    key_guide, key_model = random.split(key)
    seeded = seed(substitute(guide, params), key_guide)
    guide_trace = trace(LocalValues(seeded, estimator, temperature, plate)).get_trace(*args, **kwargs)
    shared = {name: site["value"] for name, site in guide_trace.items() if site["type"] == "param"} | dict(params)
    seeded_model = seed(substitute(model, shared), key_model)
    model_trace = trace(replay(seeded_model, guide_trace)).get_trace(*args, **kwargs)
    traces = Traces(guide_trace, model_trace)
    _check_sites(traces)
    return traces


class FreeEnergy(ELBO):
    """distortion + β·Σ KL(local) + γ·E Σ z, averaged over images, + KL(global)/N: a NumPyro objective.

    A latent inside the plate `plate` is local: its KL is weighted by β. Every other latent is global: weight 1/N,
    never β. β, the price γ on activity and the temperature may be given again at each call, as traced scalars:
    `svi.update(state, x, nets, beta=2.0)` compiles once for all values.

    The KL of a site is its registered closed form; for counts of independent units without one, a sum over counts; for
    a reparameterised continuous site, Monte Carlo; else an error that names the site. Nothing falls back in silence.
    A guide may ask for Monte Carlo on whole counts, `infer={"kl": "monte-carlo"}`, for a prior that couples units: an
    unbiased gradient then needs the score-function estimator.

    Parameters
    ----------
    beta
        Weight of the local KL, >= 0. 1 makes the free energy a bound on −log p(x), up to a dropped constant.
    spike_price
        γ, nats per unit of activity, >= 0.
    estimator
        How the expectation over local codes is taken. By default Poisson and negative binomial counts are relaxed and
        every other site keeps its own reparameterised sample; `Hard()` samples the guide as it stands, for evaluation.
    temperature
        τ of a relaxed estimator.
    images
        N, how many images the data have in all; None means those of the batch.
    plate
        Name of the plate over images.
    num_particles
        Draws to average over.

    Raises
    ------
    ValueError
        A latent in one of model and guide only, or local in one of them only; scales that differ; a site without usable
        KL, or one that no gradient passes through; a plate that is subsampled or not the outermost.

    Notes
    -----
    Source: Vafaii, Galor & Yates 2024 (arXiv:2405.14473), the P-VAE loss; Higgins et al. 2017 for β.
    """

    can_infer_discrete = True

    def __init__(
        self,
        beta=1.0,
        *,
        spike_price=0.0,
        estimator: Estimator = ARRIVAL_TIME,
        temperature=0.05,
        images: int | None = None,
        plate: str = "image",
        num_particles: int = 1,
    ):
        for name, weight in (("beta", beta), ("spike_price", spike_price)):
            if isinstance(weight, Real) and not weight >= 0:
                raise ValueError(f"{name} must be >= 0, got {weight}; use 0 for no cost.")
        self.beta, self.spike_price, self.temperature = beta, spike_price, temperature
        self.estimator, self.images, self.plate = estimator, images, plate
        super().__init__(num_particles=num_particles)

    def loss(
        self,
        rng_key,
        param_map,
        model,
        guide,
        *args,
        beta=None,
        spike_price=None,
        temperature=None,
        images=None,
        **kwargs,
    ):
        """Mean free energy per image, nats: a scalar."""
        beta = self.beta if beta is None else beta
        price = self.spike_price if spike_price is None else spike_price
        images = self.images if images is None else images
        scored = isinstance(self.estimator, ScoreFunction)
        particles = self.num_particles * (self.estimator.particles if isinstance(self.estimator, ScoreFunction) else 1)

        def one(key):
            traces = self._run(key, param_map, model, guide, args, kwargs, temperature)
            parts = self.parts_of(traces, param_map, model, *args, **kwargs)
            # Without a price activity may be infinite or undefined, as the mean of a heavy-tailed code is; where it is
            # known to be free, it costs no pass over the code either.
            free = isinstance(price, int | float) and price == 0
            priced = 0.0 if free else price * jnp.where(price > 0, parts.activity, 0.0)
            cost = beta * parts.coding_rate + priced
            count = parts.distortion.shape[0] if images is None else images
            score = log_prob_of_counts(traces, self.plate) if scored else 0.0
            return parts.distortion, score, cost, sum(parts.global_kl.values()) / count

        if particles == 1:
            distortion, _, cost, shared = one(rng_key)
            return jnp.mean(distortion + cost) + shared
        distortion, score, cost, shared = self.vectorize_particles_fn(one, random.split(rng_key, particles))
        # The price of a code too may depend on what was drawn: where one site's prior hangs on another's count.
        total = with_score_gradient(distortion + cost, score) if scored else distortion + cost
        return jnp.mean(total) + jnp.mean(shared)

    def _run(self, key, param_map, model, guide, args, kwargs, temperature) -> Traces:
        temperature = self.temperature if temperature is None else temperature
        return run_program(
            key,
            param_map,
            model,
            guide,
            args,
            kwargs,
            estimator=self.estimator,
            temperature=temperature,
            plate=self.plate,
        )

    def parts(self, rng_key, param_map, model, guide, *args, temperature=None, **kwargs) -> Parts:
        """The unweighted terms, per image and per site, at one draw of what is sampled."""
        traces = self._run(rng_key, param_map, model, guide, args, kwargs, temperature)
        return self.parts_of(traces, param_map, model, *args, **kwargs)

    def parts_of(self, traces: Traces, param_map, model, *args, **kwargs) -> Parts:
        """The same from a run that was made already."""
        check_plate(traces, self.plate)
        distortion, constant = _distortion(traces.model, self.plate)
        if self.estimator.exact:
            distortion = distortion + expected_excess(traces, param_map, model, args, kwargs, self.plate)
        whole = isinstance(self.estimator, ScoreFunction | Hard)
        divergences = {
            name: site_divergence(name, site, traces.model[name], sampled=self._is_drawn(site), whole=whole)
            for name, site in traces.guide.items()
            if site["type"] == "sample" and not site["is_observed"]
        }
        local = {name: kl for name, kl in divergences.items() if is_local(traces.guide[name], self.plate)}
        rest = {name: jnp.sum(kl) for name, kl in divergences.items() if name not in local}
        activity = sum((per_image(_activity(traces.guide[name])) for name in local), jnp.zeros_like(distortion))
        return Parts(distortion, local, rest, activity, constant)

    def _is_drawn(self, site):
        """Whether a site's value is a posterior draw: local ones are at their means under the exact expectation."""
        return not (self.estimator.exact and is_local(site, self.plate))


def _distortion(model_trace, plate):
    """−log p of the observed sites per image, without the constant that is given beside it."""
    observed = {n: s for n, s in model_trace.items() if s["type"] == "sample" and s["is_observed"]}
    total, constant = jnp.zeros(()), 0.0
    for name, site in observed.items():
        if not is_local(site, plate):
            raise ValueError(f"site {name!r} is observed outside the plate {plate!r}: observe it inside.")
        scale = 1.0 if site["scale"] is None else site["scale"]
        log_prob = per_image(scale * site["fn"].log_prob(site["value"]))
        if isinstance(base_of(site["fn"]), SquaredError):
            dropped = scale * (site["value"].size / len(site["value"]) * SquaredError.constant_per_pixel)
            constant, log_prob = constant + dropped, log_prob + dropped
        total = total - log_prob
    return total, constant


def _activity(guide_site):
    try:
        mean = mean_of(guide_site["fn"])
    except NotImplementedError:
        mean = guide_site["value"]  # a draw, for a family whose mean is not known
    return jnp.broadcast_to(mean, jnp.shape(guide_site["value"]))


def per_image(values):
    """Values of an image added up: (image, …) to (image,)."""
    return values.reshape(values.shape[0], -1).sum(-1)


def _check_sites(traces):
    if not any(site["type"] == "sample" and site["is_observed"] for site in traces.model.values()):
        raise ValueError("the model observes nothing: give numpyro.sample(..., obs=x) inside its plate.")
    latent = [
        {name for name, site in each.items() if site["type"] == "sample" and not site["is_observed"]} for each in traces
    ]
    for name in sorted(latent[0] - latent[1]):
        raise ValueError(f"site {name!r} is in the guide and not in the model: give the model a latent of that name.")
    for name in sorted(latent[1] - latent[0]):
        raise ValueError(f"site {name!r} is in the model and not in the guide: give the guide a site of that name.")


def check_plate(traces, plate):
    """The plate over images is whole, the outermost, and holds the same sites in model and guide."""
    for sites in traces:
        size, subsample_size = sites[plate]["args"] if plate in sites else (None, None)
        if subsample_size not in (None, size):
            raise ValueError(f"the plate {plate!r} is subsampled: give it the length of a batch, len(x), and no more.")
        for name, site in sites.items():
            dims = [frame.dim for frame in site.get("cond_indep_stack", ()) if frame.name == plate]
            if site["type"] == "sample" and dims and -dims[0] != len(site["fn"].batch_shape):
                raise ValueError(
                    f"site {name!r} has batch shape {site['fn'].batch_shape}, whose first dimension is not the plate "
                    f"{plate!r}: put units and pixels into the event with .to_event(...)."
                )
    for name, site in traces.guide.items():
        if site["type"] == "sample" and is_local(site, plate) != is_local(traces.model[name], plate):
            where = "guide" if is_local(site, plate) else "model"
            raise ValueError(f"site {name!r} is inside the plate {plate!r} in the {where} only: put it inside in both.")

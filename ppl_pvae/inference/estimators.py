"""How the expectation over local codes is taken: effect handlers round an unchanged guide.

An estimator says what value each local site takes in training. It never appears in a program: the guide itself
samples a Poisson, and so serves exact sampling and `Predictive` as it stands.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array
from numpyro.primitives import Messenger

from ppl_pvae.distributions import Poisson, base_of, log_rate_of, soft_poisson_from_log

__all__ = ["ArrivalTime", "ESTIMATORS", "Estimator", "Exact", "Hard", "LocalValues", "is_local"]


@runtime_checkable
class Estimator(Protocol):
    """What the free energy asks of an estimator.

    `exact` says that local sites take their posterior means and that the free energy adds what their spread does to
    an affine reconstruction. Otherwise `draw` gives a value of a site that a gradient passes through, or None for a
    family that it leaves to the guide's own reparameterised sample.
    """

    @property
    def name(self) -> str: ...

    @property
    def exact(self) -> bool: ...

    def draw(self, key: jax.Array, q: dist.Distribution, temperature: Array) -> Array | None: ...


@dataclass(frozen=True)
class Exact:
    """The expectation in closed form, for an affine decoder and a Gaussian likelihood.

    No bias, no variance, the cost of the matrix products alone. E‖x − b − zΦ‖² = ‖x − b − mΦ‖² + Σ_k v_k‖Φ_k‖²
    for independent units of mean m and variance v.
    """

    name: str = "exact"
    exact: bool = True

    def draw(self, key, q, temperature):
        try:
            return q.mean
        except NotImplementedError:
            raise ValueError(f"{type(base_of(q)).__name__} has no mean in closed form, which is asked for.") from None


@dataclass(frozen=True)
class ArrivalTime:
    """Counts as arrivals of a Poisson process in a window whose end is soft.

    Bias: the count is relaxed (mean λ exactly, variance λ(1 − 9τ/35)), so the objective is not quite the
    free energy. Variance: grows as τ falls; a per-sample relative standard deviation of the gradient of about 2 at
    τ = 0.05 and 1 at τ = 0.5 on a small linear problem. Cost: one exact Poisson draw and work for the 2τλ arrivals
    that are soft. Continuous sites keep the guide's own reparameterised sample.

    `hard` rounds what the decoder sees to whole counts and keeps the derivative.
    """

    hard: bool = False
    name: str = "arrival-time"
    exact: bool = False

    def draw(self, key, q, temperature):
        if not isinstance(base_of(q), Poisson | dist.Poisson):
            _check_reparameterised(q)
            return None
        # The base of an expanded or reshaped site may be smaller than the site: bring its log-rate to full shape.
        log_rate = jnp.broadcast_to(log_rate_of(base_of(q)), q.batch_shape + q.event_shape)
        return soft_poisson_from_log(key, log_rate, temperature, hard=self.hard)


@dataclass(frozen=True)
class Hard:
    """The guide's own samples: whole counts. For evaluation; no gradient passes through a count."""

    name: str = "hard"
    exact: bool = False

    def draw(self, key, q, temperature):
        return None


ESTIMATORS: Mapping[str, Callable[[], Estimator]] = {"exact": Exact, "arrival-time": ArrivalTime}


def _check_reparameterised(q):
    if not q.has_rsample:
        raise ValueError(
            f"no gradient passes through a sample of {type(base_of(q)).__name__}: only a Poisson inside the plate is "
            "relaxed; choose a reparameterised family."
        )


def is_local(site, plate: str) -> bool:
    """Whether a site lies in the plate over images."""
    return any(frame.name == plate for frame in site["cond_indep_stack"])


class LocalValues(Messenger):
    """Handler that gives the latent sites inside `plate` the value that `estimator` draws.

    Put it round a seeded guide: it uses the key which `seed` dealt to the site.
    """

    def __init__(self, fn, estimator: Estimator, temperature, plate: str):
        self.estimator, self.temperature, self.plate = estimator, temperature, plate
        super().__init__(fn)

    def process_message(self, msg):
        if msg["type"] != "sample" or msg["is_observed"] or msg["value"] is not None:
            return
        if not is_local(msg, self.plate):
            if not isinstance(self.estimator, Hard):
                _check_reparameterised(msg["fn"])
        else:
            # Handlers run from the inside out, so the plates have put the site into its full shape already.
            msg["value"] = self.estimator.draw(msg["kwargs"]["rng_key"], msg["fn"], self.temperature)

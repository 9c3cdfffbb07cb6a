"""The record of all settings of a fit, and what a value must be to stand in it."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, get_args, get_type_hints, runtime_checkable

from ppl_pvae.errors import UserError
from ppl_pvae.names import nearest

__all__ = ["Settings", "differences", "from_mapping", "typed"]


@dataclass(frozen=True)
class Settings:
    """Everything that decides what a fit finds. The flag is the name with dashes, the TOML key is the name."""

    program: str = "poisson"
    """What is fitted: poisson, negative-binomial, rectified-gaussian, gaussian, or PATH.py with a model and a guide."""
    data: str | None = None
    """What it is fitted to: natural, synthetic, synthetic-counts, mnist, a .npy or .npz file, or a folder of
    photographs or idx files. Natural unless the program file names other data."""
    units: int = 512
    """Number of latent units, K."""
    beta: float = 1.0
    """Price of a nat of coding rate."""
    steps: int | None = None
    """Training steps. 2500 for 512 units or more, and more for fewer, unless said otherwise."""
    seed: int = 0
    """Seed of the weights, the batches and the draws."""
    batch_size: int = 1000
    """Images per step."""
    learning_rate: float | None = None
    """Peak learning rate. 0.004 for linear networks, 0.002 where one is an mlp or conv, unless said otherwise."""
    encoder: str = "linear"
    """Network from image to code: linear, mlp or conv."""
    decoder: str = "linear"
    """Network from code to image: linear, mlp or conv."""
    width: int | None = None
    """Units of a hidden layer of an mlp, 256 unless said otherwise; channels of a conv network, 16 unless."""
    depth: int = 2
    """Hidden layers of an mlp; halvings of height and width in a conv network."""
    likelihood: str = "gaussian"
    """Likelihood of a pixel: gaussian, bernoulli (intensity from 0 to 1) or poisson (counts)."""
    noise: str = "fixed"
    """Whether the variance of a Gaussian pixel is fixed, at 1/2 as published, or learned."""
    spike_price: float = 0.0
    """Price of one spike (of one unit of activity in a rectified code), on top of beta."""
    encoder_bias: bool = True
    """Whether the encoder has a bias."""
    decoder_bias: bool = False
    """Whether the decoder has a bias; under the likelihoods bernoulli and poisson it always has one."""
    prior: str | None = None
    """Whether the prior is learned or fixed. Learned unless said otherwise."""
    pays: str | None = None
    """What a rectified Gaussian pays for: latent (the normal behind the code) or code. Latent unless said otherwise."""
    dispersion: str | None = None
    """Whether each unit of the negative binomial program learns its concentration or all keep the same: learned or
    fixed. Learned unless said otherwise."""
    concentration: float | None = None
    """Concentration of negative binomial counts, whose variance is mean + mean²/concentration, or where it starts: 10
    unless said otherwise. At 10000 they are all but Poisson counts."""
    estimator: str = "auto"
    """Gradient of the expected distortion: auto (exact where that holds), exact, arrival-time, gumbel-softmax,
    straight-through or score-function."""
    temperature: float = 0.05
    """Width of the soft count at the end of training."""
    indicator: str = "cubic"
    """Step of the arrival-time estimator: cubic, or sigmoid as published."""
    hard: bool = False
    """Whether the decoder sees whole counts in training, with the gradient of the soft ones."""
    particles: int = 4
    """Draws per image and step of the score function."""
    augment: str = "none"
    """Train on mirrored and turned images as well: symmetries or none."""
    patch_size: int = 16
    """Height and width of the patches cut from images, in pixels."""
    data_seed: int = 0
    """Seed of the split into training, validation and test, and of synthetic data."""
    optimizer: str = "adam"
    """Optimizer: adam or adamax."""
    final_learning_rate: float = 0.0
    """Learning rate at the last step."""
    warmup_steps: int = 100
    """Steps over which the learning rate rises to its peak, at most half of them."""
    decay: float = 0.5
    """Share of the steps, the last ones, over which the learning rate falls."""
    decay_shape: str = "linear"
    """How it falls: linear or cosine."""
    prior_speed: float | None = None
    """Learning rate of vectors (prior log-rates, biases), as a multiple of that of networks. 30 for counts with a
    linear decoder, else 10."""
    coordinates: str | None = None
    """What the optimizer moves: weights in units of the spread of a count, spread, or as they are, plain. Spread for
    count programs with a learned prior unless said otherwise; others have plain ones."""
    clip_norm: float = 500.0
    """Largest norm of the gradient."""
    anneal: float | None = None
    """Share of the steps over which beta rises and the temperature falls. 0.3 for counts and 512 units or more, less
    for fewer, 0.5 where an mlp or conv network decodes them; for other codes 0, which is none."""
    anneal_from: float | None = None
    """The beta at which annealing starts, if beta is higher. 1 for counts with an mlp or conv decoder, else 0.0001."""
    temperature_from: float = 1.0
    """The temperature at which annealing starts."""
    log_rate_from: float = -1.5
    """Prior log-rates start uniform from here ..."""
    log_rate_to: float = -0.5
    """... to here."""
    largest_log_gain: float = 3.0
    """Soft bound on the logarithm of what an image multiplies a prior rate by, or where that bound starts."""
    ceiling: str = "learned"
    """Whether each unit learns its bound or all keep the same, as published: learned or fixed."""
    weight_scale: float | None = None
    """Standard deviation of the initial weights by which a code enters and leaves a network. 0.05 for linear networks,
    0.02 where one is an mlp or conv, unless said otherwise."""
    evaluate_every: int = 100
    """Steps between two lines of metrics."""
    checkpoint_every: int = 500
    """Steps between two checkpoints."""


@runtime_checkable
class _Scalar(Protocol):
    """A scalar of NumPy or JAX."""

    def item(self) -> Any: ...


_TYPES = {name: (get_args(hint) or (hint,))[0] for name, hint in get_type_hints(Settings).items()}
_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}


def typed(name: str, value: Any) -> Any:
    """The value in the type of its setting; whole numbers do for numbers, and nothing else is converted."""
    expected = _TYPES[name]
    if value is None and getattr(Settings, name) is None:
        return None
    if not isinstance(value, (int, float, str)) and isinstance(value, _Scalar):  # a number of NumPy's
        value = value.item()
    if expected is float and isinstance(value, int) and not isinstance(value, bool):
        return float(min(max(value, -(10**300)), 10**300))  # what is beyond is out of every range
    if not isinstance(value, expected) or (isinstance(value, bool) and expected is not bool):
        raise UserError(f"{name} must be {_WORDS[expected]}, got {value!r}.")
    return value


def from_mapping(values: Mapping[str, Any], *, base: Settings | None = None) -> Settings:
    """Settings with some values replaced, not yet validated.

    Raises
    ------
    UserError
        For a name that is no setting, or a value of another type.
    """
    for name in values:
        if name not in _TYPES:
            raise UserError(f"unknown setting {name!r}; did you mean {nearest(name, _TYPES, likeness=0.0)!r}?")
    return dataclasses.replace(base or Settings(), **{name: typed(name, value) for name, value in values.items()})


def differences(one: Settings, other: Settings) -> list[str]:
    """The names of the settings in which the two differ."""
    return [
        field.name for field in dataclasses.fields(Settings) if getattr(one, field.name) != getattr(other, field.name)
    ]

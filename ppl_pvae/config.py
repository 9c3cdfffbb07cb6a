"""The settings of a fit: their defaults, what they may be, and their TOML form."""

import dataclasses
import math
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, get_args, get_type_hints

import tomli_w

from ppl_pvae.errors import UserError
from ppl_pvae.names import nearest, unknown_name

__all__ = ["PROGRAMS", "Settings", "differences", "from_mapping", "read_recipe", "to_toml", "validate"]


@dataclass(frozen=True)
class Settings:
    """Everything that decides what a fit finds. The flag is the name with dashes, the TOML key is the name."""

    program: str = "poisson"
    """What is fitted: poisson, rectified-gaussian or gaussian."""
    data: str = "natural"
    """What it is fitted to: natural, synthetic, a .npy or .npz file, or a folder of images."""
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
    learning_rate: float = 0.004
    """Peak learning rate."""
    encoder: str = "linear"
    """Network from image to code: linear."""
    decoder: str = "linear"
    """Network from code to image: linear."""
    likelihood: str = "gaussian"
    """Likelihood of a pixel: gaussian."""
    spike_price: float = 0.0
    """Price of one spike (of one unit of activity in a rectified code), on top of beta."""
    encoder_bias: bool = True
    """Whether the encoder has a bias."""
    prior: str | None = None
    """Whether the prior is learned or fixed. Learned unless said otherwise."""
    pays: str | None = None
    """What a rectified Gaussian pays for: latent (the normal behind the code) or code. Latent unless said otherwise."""
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
    """Learning rate of vectors (prior log-rates, biases), as a multiple of that of matrices. 30 for counts, else 10."""
    coordinates: str = "spread"
    """What the optimizer moves: weights in units of the spread of a count, spread, or as they are, plain."""
    clip_norm: float = 500.0
    """Largest norm of the gradient."""
    anneal: float | None = None
    """Share of the steps over which beta rises and the temperature falls. 0.3 for counts, else 0, which is none."""
    anneal_from: float = 1e-4
    """The beta at which annealing starts."""
    temperature_from: float = 1.0
    """The temperature at which annealing starts."""
    log_rate_from: float = -1.5
    """Prior log-rates start uniform from here ..."""
    log_rate_to: float = -0.5
    """... to here."""
    largest_log_gain: float = 3.0
    """Soft bound on the logarithm of what an image multiplies a prior rate by, or where that bound starts."""
    ceiling: str = "learned"
    """Whether each unit learns its bound or all keep the same: learned or fixed."""
    weight_scale: float = 0.05
    """Standard deviation of the initial weights."""
    evaluate_every: int = 100
    """Steps between two lines of metrics."""
    checkpoint_every: int = 500
    """Steps between two checkpoints."""


class _Training(NamedTuple):
    """Defaults that programs differ in."""

    prior_speed: float
    anneal: float


# While beta is low all units of a count code find work; started at their full price, some stay silent for good. It is
# there early, for rates that were high at a low price to come down. A rectified Gaussian that has grown dense at a low
# price never becomes sparse again.
_OF_COUNT_PROGRAMS, _OF_OTHERS = _Training(30.0, 0.3), _Training(10.0, 0.0)


class _Program(NamedTuple):
    """What a built-in program can be told; the default comes first, and what is empty has no meaning for it."""

    prior: tuple[str, ...]
    pays: tuple[str, ...]
    estimator: tuple[str, ...]
    is_count: bool
    is_nonnegative: bool
    has_rates: bool  # that settings know of: where they start, where they saturate


_ESTIMATORS = ("auto", "exact", "arrival-time", "gumbel-softmax", "straight-through", "score-function")

PROGRAMS: Mapping[str, _Program] = {
    "poisson": _Program(("learned", "fixed"), (), _ESTIMATORS, True, True, True),
    "rectified-gaussian": _Program(("learned", "fixed"), ("latent", "code"), ("auto", "exact"), False, True, False),
    "gaussian": _Program(("learned", "fixed"), (), ("auto", "exact"), False, False, False),
}

# A program of one's own brings its own priors, payments and rates: flags for them would go nowhere.
_OWN_PROGRAM = _Program((), (), _ESTIMATORS, True, True, False)

_CHOICES: Mapping[str, tuple[str, ...]] = {
    "encoder": ("linear",),
    "decoder": ("linear",),
    "likelihood": ("gaussian",),
    "prior": ("learned", "fixed"),
    "pays": ("latent", "code"),
    "estimator": _ESTIMATORS,
    "indicator": ("cubic", "sigmoid"),
    "optimizer": ("adam", "adamax"),
    "augment": ("none", "symmetries"),
    "ceiling": ("learned", "fixed"),
    "coordinates": ("spread", "plain"),
    "decay_shape": ("linear", "cosine"),
}


class _Range(NamedTuple):
    holds: Callable[[Any], bool]
    expected: str
    remedy: str


def _at_least(bound: float, remedy: str) -> _Range:
    return _Range(lambda value: value >= bound and math.isfinite(value), f">= {bound}", remedy)


def _above_zero(remedy: str) -> _Range:
    return _Range(lambda value: value > 0 and math.isfinite(value), "> 0", remedy)


_SEED = _Range(lambda value: 0 <= value < 2**32, "from 0 to 4294967295", "any of them will do")
_LOG_RATE = _Range(lambda value: -20 <= value <= 5, "from -20 to 5", "a rate of one spike has logarithm 0")

_RANGES: Mapping[str, _Range] = {
    "units": _at_least(1, "a code needs at least one unit"),
    "beta": _at_least(0, "use 0 for no coding cost"),
    "steps": _at_least(1, "use --dry-run to train nothing"),
    "seed": _SEED,
    "batch_size": _at_least(1, "the default is 1000"),
    "learning_rate": _above_zero("the default is a good start"),
    "spike_price": _at_least(0, "use 0 for no price on spikes"),
    "temperature": _above_zero("the default is 0.05"),
    "particles": _at_least(2, "each is compared with the others"),
    "patch_size": _at_least(4, "the default is 16"),
    "data_seed": _SEED,
    "final_learning_rate": _at_least(0, "use 0 to end at rest"),
    "warmup_steps": _at_least(0, "use 0 for no warm-up"),
    "decay": _Range(lambda value: 0 <= value <= 1, "from 0 to 1", "use 1 to fall from the start"),
    "prior_speed": _above_zero("use 1 for the learning rate of the weights"),
    "clip_norm": _Range(lambda value: value > 0, "> 0", "use inf for no clipping"),
    "anneal": _Range(lambda value: 0 <= value <= 1, "from 0 to 1", "use 0 for no annealing"),
    "anneal_from": _at_least(0, "the default is 0.0001"),
    "temperature_from": _above_zero("the default is 1"),
    "log_rate_from": _LOG_RATE,
    "log_rate_to": _LOG_RATE,
    "largest_log_gain": _Range(
        lambda value: 0 < value <= 20, "> 0 and <= 20", "the default is 3, the published one 10"
    ),
    "weight_scale": _above_zero("weights that start at 0 stay there"),
    "evaluate_every": _at_least(1, "use the number of steps to evaluate once, at the end"),
    "checkpoint_every": _at_least(1, "use the number of steps for one checkpoint, at the end"),
}


def validate(settings: Settings, *, own_program: bool = False) -> Settings:
    """The same settings, each of them possible, and those left open filled in with what suits program and size.

    Parameters
    ----------
    own_program
        True where model and guide are the caller's own functions, so that `program` is a label and no built-in name.

    Raises
    ------
    UserError
        For the first setting that is out of its range, unknown, or without meaning for the program.
    """
    typed = {name: _typed(name, value) for name, value in dataclasses.asdict(settings).items()}
    for name, (holds, expected, remedy) in _RANGES.items():
        if typed[name] is not None and not holds(typed[name]):
            raise UserError(f"{name} must be {expected}, got {typed[name]}; {remedy}.")
    for name, choices in _CHOICES.items():
        if typed[name] is not None and typed[name] not in choices:
            raise unknown_name(name, typed[name], choices)
    if typed["log_rate_from"] > typed["log_rate_to"]:
        raise UserError(
            f"log_rate_from must be <= log_rate_to, got {typed['log_rate_from']} and {typed['log_rate_to']}; swap them."
        )
    if not own_program and typed["program"] not in PROGRAMS:
        raise unknown_name("program", typed["program"], PROGRAMS)
    return _fill(Settings(**typed), _OWN_PROGRAM if own_program else PROGRAMS[typed["program"]])


_OF_COUNTS = ("temperature", "temperature_from", "indicator", "hard", "particles")
_SOFT = ("auto", "arrival-time", "gumbel-softmax")
_OF_ESTIMATORS: Mapping[str, tuple[str, ...]] = {
    "temperature": _SOFT,
    "temperature_from": _SOFT,
    "indicator": ("arrival-time",),
    "hard": ("arrival-time", "gumbel-softmax"),
    "particles": ("score-function",),
}
_OF_RATES = ("log_rate_from", "log_rate_to", "largest_log_gain", "ceiling", "coordinates")


def _fill(settings: Settings, program: _Program) -> Settings:
    """Refuse what the program would ignore; give what was left open its default."""
    for name in ("prior", "pays"):
        value, choices = getattr(settings, name), getattr(program, name)
        if value is not None and not choices:
            users = ", ".join(other for other, its in PROGRAMS.items() if getattr(its, name))
            raise UserError(
                f"{name} means nothing to the program {settings.program!r}; leave it out (it is for: {users})."
            )
        if value is None and choices:
            settings = dataclasses.replace(settings, **{name: choices[0]})
    if settings.estimator not in program.estimator:
        raise UserError(
            f"the estimator {settings.estimator!r} is for counts, and {settings.program!r} has none; use auto."
        )
    meaningless = (() if program.is_count else _OF_COUNTS) + (() if program.has_rates else _OF_RATES)
    for name in meaningless:
        if getattr(settings, name) != getattr(Settings, name):
            raise UserError(f"{name} means nothing to the program {settings.program!r}; leave it out.")
    _check_estimator(settings)
    if settings.spike_price and not program.is_nonnegative:
        raise UserError(f"spike_price needs a code that is never negative, and {settings.program!r} is; use 0.")
    defaults = (_OF_COUNT_PROGRAMS if program.is_count else _OF_OTHERS)._asdict() | {"steps": _steps(settings.units)}
    opened = {name: value for name, value in defaults.items() if getattr(settings, name) is None}
    return dataclasses.replace(settings, **opened)


def _check_estimator(settings: Settings) -> None:
    """Refuse what the estimator would ignore, and temperatures at which it is not defined."""
    for name, estimators in _OF_ESTIMATORS.items():
        usual = getattr(Settings, name)
        if getattr(settings, name) != usual and settings.estimator not in estimators:
            raise UserError(
                f"{name} means nothing to the estimator {settings.estimator!r}; leave it at {usual} "
                f"(it is for: {', '.join(estimators)})."
            )
    cubic = settings.indicator == "cubic" and settings.estimator in ("auto", "arrival-time")
    for name in ("temperature", "temperature_from"):
        if cubic and getattr(settings, name) > 1:
            raise UserError(
                f"{name} must be <= 1 with the cubic indicator, got {getattr(settings, name)}; "
                "a wider window would start before time 0."
            )


def _steps(units: int) -> int:
    """Training steps that arrive: small codes spike often, which takes longer to settle, at less time a step."""
    return 100 * round(min(100.0, max(25.0, 25 * math.sqrt(512 / units))))


_TYPES = {name: (get_args(hint) or (hint,))[0] for name, hint in get_type_hints(Settings).items()}
_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}


def _typed(name: str, value: Any) -> Any:
    """The value in the type of its setting; whole numbers do for numbers, and nothing else is converted."""
    expected = _TYPES[name]
    if value is None and getattr(Settings, name) is None:
        return None
    if expected is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
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
    return dataclasses.replace(base or Settings(), **{name: _typed(name, value) for name, value in values.items()})


def read_recipe(path: Path) -> Settings:
    """The settings in a TOML file; its table `about` is passed over: the `config.toml` of a run is a recipe too.

    Raises
    ------
    UserError
        If the file is not there, is no TOML, or holds something that is no setting.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"cannot read the recipe {path}: {getattr(error, 'strerror', None) or 'it is no text'}."
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"the recipe {path} is no valid TOML: {error}.") from None
    try:
        return from_mapping({key: value for key, value in content.items() if key != "about"})
    except UserError as error:
        raise UserError(f"in the recipe {path}: {error}") from None


def to_toml(settings: Settings, about: Mapping[str, Any] | None = None) -> str:
    """The settings as TOML; in the table `about` whatever else is worth keeping (versions, the program's text)."""
    values = {name: value for name, value in dataclasses.asdict(settings).items() if value is not None}
    return tomli_w.dumps(values | ({"about": about} if about else {}), multiline_strings=True)


def differences(one: Settings, other: Settings) -> list[str]:
    """The names of the settings in which the two differ."""
    return [
        field.name for field in dataclasses.fields(Settings) if getattr(one, field.name) != getattr(other, field.name)
    ]

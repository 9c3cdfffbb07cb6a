"""What one fit consists of, put together and checked before anything is trained or written."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import random
from numpyro.infer import SVI

from ppl_pvae.config import ProgramFile, Settings, check_options, with_training_defaults
from ppl_pvae.data import SPLITS, Dataset
from ppl_pvae.errors import UserError
from ppl_pvae.inference import (
    ESTIMATORS,
    ArrivalTime,
    Coordinates,
    Estimator,
    FreeEnergy,
    GumbelSoftmax,
    Hard,
    Recipe,
    Reparameterised,
    Trainer,
    check_contract,
    check_observed,
    check_start,
    why_not_exact,
)
from ppl_pvae.inference.evaluation import Code, code_of
from ppl_pvae.models import COORDINATES, Program, Variation, built_in
from ppl_pvae.models.negative_binomial import START_CONCENTRATION
from ppl_pvae.networks import LIKELIHOODS, ImageSizeError, Nets
from ppl_pvae.run.telling import telling_where
from ppl_pvae.run.used import check_used, fields_read

__all__ = ["Plan", "build_nets", "build_program", "initial_params", "make_plan", "parameter_template"]

# What was found of programs and their networks. It is a matter of how they are built and not of their parameters, and
# takes a compilation: the cells of a sweep ask once. A program of one's own is always asked again.
_NOT_EXACT: dict[tuple[Program, Nets], str | None] = {}

SOFT = (ArrivalTime, GumbelSoftmax)  # estimators with a temperature
START_IMAGES = 4  # on which a program of one's own is tried at its first parameters


@dataclass(frozen=True)
class Plan:
    """A program, its data, and how it will be trained.

    `not_exact` says why the expected distortion has no closed form for the program; None where it has one. `text` is
    that of the file in which a program of one's own is written, None for others. `imported` names the file that
    parameters came from which are not trained here.
    """

    settings: Settings
    program: Program
    nets: Nets
    dataset: Dataset
    estimator: Estimator
    not_exact: str | None
    code: Code
    text: str | None = None
    imported: str | None = None

    @property
    def has_temperature(self) -> bool:
        """Whether training relaxes counts."""
        return isinstance(self.estimator, SOFT)

    @property
    def recipe(self) -> Recipe:
        return Recipe(**{field.name: getattr(self.settings, field.name) for field in fields(Recipe)})

    @property
    def symmetries(self) -> tuple[int, int] | None:
        """(y, x) of an image whose mirrored and turned views are trained on too, or None."""
        return self.dataset.shape if self.settings.augment == "symmetries" else None

    @property
    def coordinates(self) -> Coordinates | None:
        """What the optimizer moves in place of the parameters, or None for these themselves."""
        settings = self.settings
        known = settings.coordinates == "spread" and settings.program in COORDINATES
        return Coordinates(*COORDINATES[settings.program]) if known else None

    def trainer(self) -> Trainer:
        """A training at its first step."""
        return Trainer(
            *self.program,
            self.nets,
            self.dataset.train,
            self.recipe,
            self.estimator,
            coordinates=self.coordinates,
            symmetries=self.symmetries,
        )

    def with_steps(self, steps: int) -> "Plan":
        """The same fit over another number of steps, its schedules stretched."""
        return replace(self, settings=replace(self.settings, steps=steps))


def build_program(settings: Settings) -> Program:
    """The built-in program that the settings name, in the variation that they ask for."""
    start = (settings.log_rate_from, settings.log_rate_to)
    wanted = Variation(
        prior=settings.prior or "learned",
        pays=settings.pays or "latent",
        log_rate_start=start,
        ceiling=settings.ceiling,
        largest_log_gain=settings.largest_log_gain,
        dispersion=settings.dispersion or "learned",
        concentration=settings.concentration or START_CONCENTRATION,
    )
    return built_in(settings.program, wanted)


def build_nets(settings: Settings, pixels: int, shape: tuple[int, int] | None) -> Nets:
    """The networks that the settings name, for images of that many pixels, (y, x) where that is known."""
    assert settings.weight_scale is not None, "validated settings have all of them"
    learned = "-learned" if settings.noise == "learned" else ""
    return Nets(
        units=settings.units,
        pixels=pixels,
        encoder=settings.encoder,
        decoder=settings.decoder,
        likelihood=settings.likelihood + learned,
        encoder_bias=settings.encoder_bias,
        decoder_bias=settings.decoder_bias,
        weight_scale=settings.weight_scale,
        shape=shape,
        width=settings.width,
        depth=settings.depth,
    )


def initial_params(key: jax.Array, program: Program, nets: Nets, x) -> dict[str, Any]:
    """Parameters by name as a fresh training would start with."""
    return _initialiser(program, nets)(key, x)


@lru_cache(maxsize=32)
def _initialiser(program: Program, nets: Nets) -> Callable[..., dict[str, Any]]:
    svi = SVI(program.model, program.guide, optax.identity(), FreeEnergy(estimator=Hard()))
    return jax.jit(lambda key, x: svi.get_params(svi.init(key, x, nets)))


def parameter_template(program: Program, nets: Nets) -> dict[str, Any]:
    """Shapes and types of the parameters, in the tree that the program expects."""
    x = jax.ShapeDtypeStruct((2, nets.pixels), jnp.float32)
    return jax.eval_shape(lambda x: initial_params(random.key(0), program, nets, x), x)


def make_plan(
    settings: Settings, dataset: Dataset, program: Program | None = None, file: ProgramFile | None = None
) -> Plan:
    """Put a fit together from validated settings and data.

    Parameters
    ----------
    program
        In place of a built-in one that the settings name.
    file
        Where that came from, if it came from a file.

    Raises
    ------
    UserError
        If the program and the settings do not fit together: an estimator that does not hold for the program.
    """
    try:
        return _planned(settings, dataset, program, file)
    except ImageSizeError as problem:
        # Only where patches are cut, photographs or not, can they be of another size.
        cut = ", or another patch_size" if "patch_size" in dataset.info else ""
        raise UserError(f"{str(problem).removesuffix('.')}{cut}.") from None


def _planned(settings: Settings, dataset: Dataset, program: Program | None, file: ProgramFile | None) -> Plan:
    if settings.augment == "symmetries" and dataset.shape is None:
        raise UserError("augment = symmetries needs images of known height and width; give the data as (image, y, x).")
    own = program is not None
    program = program if own else build_program(settings)
    nets = build_nets(settings, dataset.train.shape[1], dataset.shape)
    if not own:
        _check_likelihood(settings, dataset)
    if own:
        with telling_where(file.path if file else settings.program, program):
            plan = _traced(settings, dataset, program, nets, own=True)
        return replace(plan, text=file.text) if file else plan
    try:
        return _traced(settings, dataset, program, nets, own=False)
    except UserError:
        raise
    except ValueError as problem:
        raise UserError(f"program {settings.program!r}: {problem}") from None


def _traced(settings: Settings, dataset: Dataset, program: Program, nets: Nets, *, own: bool) -> Plan:
    """What running the program on a few images tells."""
    key, x = random.key(settings.seed), np.asarray(dataset.train[:2])
    if own:
        check_contract(*program, nets.pixels, nets)
    params = initial_params(key, program, nets, x)
    if own:
        seen = fields_read(params, program, nets, x)
        check_used(settings, seen)
        if "likelihood" in seen:
            _check_likelihood(settings, dataset)
        check_observed(params, *program, {split: np.asarray(getattr(dataset, split)) for split in SPLITS}, nets)
    code = code_of(params, *program, nets, x)
    settings = _fit_for(settings, code)
    if own or (program, nets) not in _NOT_EXACT:
        _NOT_EXACT[program, nets] = why_not_exact(key, params, *program, x, nets)
    not_exact = _NOT_EXACT[program, nets]
    estimator = _choose(settings, not_exact, code)
    check_options(settings, estimator.name)
    # Whatever the free energy refuses is refused before anything is trained or written.
    _step(key, params, program, x, nets, estimator)
    if own:
        some = np.asarray(dataset.train[np.linspace(0, len(dataset.train) - 1, START_IMAGES).astype(int)])
        step = settings.learning_rate
        assert step is not None, "defaults of training are filled in by _fit_for"
        check_start(key, params, *program, some, nets, exact=estimator.exact, step=step)
    return Plan(settings, program, nets, dataset, estimator, not_exact, code)


def _step(key, params, program: Program, x, nets: Nets, estimator: Estimator) -> None:
    """An abstract step of training: nothing is computed, and whatever is refused is refused."""
    free_energy = FreeEnergy(estimator=estimator)
    jax.eval_shape(lambda params, x: free_energy.loss(key, params, *program, x, nets), params, x)


def _check_likelihood(settings: Settings, dataset: Dataset) -> None:
    """Refuse images that the likelihood gives no probability."""
    for split in SPLITS:
        problem = LIKELIHOODS[settings.likelihood].unfit(getattr(dataset, split))
        if problem:
            raise UserError(
                f"likelihood = {settings.likelihood} does not fit the {split} images of {dataset.name}: {problem}; "
                "use the gaussian likelihood, or other data."
            )


def _fit_for(settings: Settings, code: Code) -> Settings:
    """The settings with the defaults that its kind of code asks for; refuses a price on what may be negative."""
    if settings.spike_price and not code.is_nonnegative:
        raise UserError(f"spike_price needs a code that is never negative, and {settings.program!r} is; use 0.")
    return with_training_defaults(settings, counts=bool(code.relaxed or code.is_count))


def _choose(settings: Settings, not_exact: str | None, code: Code) -> Estimator:
    """The estimator that was asked for, if it holds; for "auto" the first that does: exact, arrival-time, ..."""
    options = {name: getattr(settings, name) for name in ("hard", "indicator", "particles")}
    problems = _problems(not_exact, code)
    holding = [name for name, problem in problems.items() if problem is None]
    name = settings.estimator
    if name == "auto":
        if not holding:  # neither counts nor an exact expectation
            return Reparameterised()
        name = holding[0]
    if problems[name] is not None:
        raise UserError(
            f"the estimator {name!r} does not hold for the program {settings.program!r}: {problems[name]}; "
            f"use {' or '.join(holding) or 'auto, which takes the own gradient of its samples'}."
        )
    make: Any = ESTIMATORS[name]
    return make(**{field.name: options[field.name] for field in fields(make) if field.name in options})


def _problems(not_exact: str | None, code: Code) -> dict[str, str | None]:
    """Why each estimator does not hold for a program, or None where it does, in the order in which "auto" asks."""
    if code.whole:
        relaxation = f"it relaxes Poisson counts, and site {code.whole[0]!r} asks for its KL at whole counts"
    elif code.stuck:
        relaxation = f"it relaxes Poisson counts, and no gradient passes through site {code.stuck[0]!r}"
    else:
        relaxation = None if code.relaxed else "it relaxes Poisson counts, and the program has none"
    score = None if code.relaxed or code.stuck else "it is for counts, and the program has none"
    relaxations = ("arrival-time", "gumbel-softmax", "straight-through")
    return {"exact": not_exact, **dict.fromkeys(relaxations, relaxation), "score-function": score}

"""Does a program keep its contract? Asked of the program itself, for two numbers of images, before anything is trained.

Every site is looked at as it is made, so that a complaint comes from the line of the program that makes it.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jax import random
from numpyro.primitives import Messenger

from ppl_pvae.distributions import base_of, has_own, mean_of, without_mask
from ppl_pvae.inference.divergence import check_same_event
from ppl_pvae.inference.estimators import Hard, is_local
from ppl_pvae.inference.free_energy import check_plate, run_program

__all__ = ["check_contract"]

IMAGES = (7, 11)  # what is right for one number of images by chance is not right for two


class _Watched(Messenger):
    """Model or guide, as `room` says, whose plates and sites are checked on a number of images."""

    def __init__(self, fn, room: str, images: int, plate: str, events: dict[str, dist.Distribution]):
        self.room, self.images, self.plate = room, images, plate
        self.events = events  # distributions of the guide's sites, which runs first
        self.kinds: dict[str, str] = {}
        super().__init__(fn)

    def process_message(self, msg: Any):
        if msg["type"] == "plate" and msg["name"] == self.plate:
            self._check_length(*msg["args"])
        if msg["type"] not in ("sample", "param"):
            return
        name, before = msg["name"], self.kinds.setdefault(msg["name"], msg["type"])
        repeated = before == "sample" and name in self.sampled
        if before != msg["type"] or repeated:
            raise ValueError(f"two sites of the {self.room} are called {name!r}: give one another name, in both parts.")
        if msg["type"] == "sample":
            self.sampled.add(name)
            frames = {frame.name for frame in msg["cond_indep_stack"]}
            _check_family(name, msg["fn"], drawn=self.room == "guide", read=self.plate in frames)
            _check_batch(name, msg["fn"], {frame.dim for frame in msg["cond_indep_stack"]})
            if msg["is_observed"]:
                self._check_observed(name, msg["fn"], msg["value"])
            elif name in self.events:
                check_same_event(name, self.events[name], msg["fn"])
            if self.room == "guide":
                self.events[name] = msg["fn"]

    def __enter__(self):
        self.sampled: set[str] = set()
        self.observed: str | None = None
        self.kinds.clear()
        return super().__enter__()

    def postprocess_message(self, msg: Any):
        if msg["type"] == "param":
            for leaf in jax.tree.leaves(msg["value"]):
                _check_number(msg["name"], leaf)

    def _check_length(self, size, subsample_size):
        if subsample_size not in (None, size):
            raise ValueError(f"the plate {self.plate!r} is subsampled: give it len(x), and no more.")
        if size != self.images:
            raise ValueError(
                f"the plate {self.plate!r} of the {self.room} has length {size} for {self.images} images: give it "
                "len(x)."
            )

    def _check_observed(self, name, fn, value):
        if self.room == "guide":
            raise ValueError(
                f"site {name!r} is observed in the guide: only a model observes; a program is (model, guide), in this "
                "order."
            )
        if isinstance(base_of(fn), dist.Unit):
            raise ValueError(
                f"site {name!r} is a numpyro.factor, and a term by itself has no images and no bound; make it part of "
                "a prior or of the likelihood."
            )
        if self.observed is not None:
            raise ValueError(
                f"the model observes {self.observed!r} and {name!r}: images are observed whole at one site; give it "
                "one distribution of all pixels."
            )
        self.observed = name
        given = jnp.shape(value)[len(fn.batch_shape) :]
        if given != fn.event_shape:
            raise ValueError(
                f"site {name!r}: one event of its distribution has shape {fn.event_shape}, of what it observes "
                f"{given}; give it a mean for each pixel."
            )
        _check_mean(name, fn, "reconstructions are the mean of a likelihood")


def _check_family(name, fn, *, drawn, read):
    base = base_of(fn)
    family = type(base).__name__
    if base.support is None:
        raise ValueError(
            f"site {name!r}: {family} says nothing of its values; give the class a support, such as "
            "numpyro.distributions.constraints.nonnegative_integer."
        )
    if drawn and not has_own(base, "sample"):
        raise ValueError(
            f"site {name!r}: a posterior is drawn from, and {family} has no draws that go with its log_prob; give the "
            "class a sample(self, key, sample_shape=())."
        )
    if drawn and read:
        _check_mean(name, fn, "codes are read off the mean of a posterior")


def _check_mean(name, fn, why):
    try:
        mean_of(fn)
    except NotImplementedError:
        family = type(without_mask(fn)).__name__
        raise ValueError(
            f"site {name!r}: {why}, and {family} has none that goes with its log_prob; give the class a mean."
        ) from None


def _check_number(name, leaf):
    try:
        kind = jnp.result_type(leaf)
    except TypeError:
        kind = type(leaf).__name__
    if isinstance(kind, str) or not jnp.issubdtype(kind, jnp.floating):
        raise ValueError(f"the parameter {name!r} starts as {kind}; give it a number with a point, 1.0 and not 1.")


def _check_batch(name, fn, dims):
    """Whatever lies right of a plate is another plate, or a part of the event."""
    size = len(fn.batch_shape)
    if dims and any(fn.batch_shape[size + dim] > 1 for dim in range(min(dims) + 1, 0) if dim not in dims):
        raise ValueError(
            f"site {name!r} has batch shape {fn.batch_shape}, of more than its plates: put units and pixels into the "
            "event with .to_event(...), and let the plates choose their dim."
        )


class _Shapes(NamedTuple):
    """Shapes by name on a number of images: parameters, latents of all images, and one image's part of local ones."""

    shared: dict[str, tuple[int, ...]]
    local: dict[str, tuple[int, ...]]
    plates: dict[str, str]  # of latents inside plates of other names


def check_contract(model, guide, pixels: int, *args, plate: str = "image") -> None:
    """Make sure that model and guide go together, and that nothing hangs on the number of images but its first axis.

    Nothing is computed. `args` are what the two take after the images (image, pixel).

    Raises
    ------
    ValueError
        For the first thing that is not as it must be, with its site and what to do.
    """
    few, more = (_shapes(model, guide, images, pixels, args, plate) for images in IMAGES)
    if not few.local and few.plates:
        site, other = next(iter(few.plates.items()))
        raise ValueError(f"site {site!r} is inside a plate {other!r}: the plate of the images is called {plate!r}.")
    if not few.local:
        raise ValueError(
            f'there is no latent inside numpyro.plate("{plate}", len(x)), and so no code to fit; put one inside.'
        )
    for name, shape in few.shared.items():
        if more.shared[name] != shape:
            raise ValueError(
                f"{name!r} is outside the plate {plate!r} and has shape {shape} for {IMAGES[0]} images, "
                f"{more.shared[name]} for {IMAGES[1]}; make it of nets.units and nets.pixels."
            )
    for name, shape in few.local.items():
        if more.local[name] != shape:
            raise ValueError(
                f"site {name!r}: an image's part of it has shape {shape} with {IMAGES[0]} images, {more.local[name]} "
                f"with {IMAGES[1]}; make it of nets.units and nets.pixels."
            )


def _shapes(model, guide, images, pixels, args, plate) -> _Shapes:
    shapes = _Shapes({}, {}, {})
    events: dict[str, dist.Distribution] = {}
    watched_model, watched_guide = (
        _Watched(fn, room, images, plate, events) for fn, room in ((model, "model"), (guide, "guide"))
    )

    def look(x):
        traces = run_program(
            random.key(0),
            {},
            watched_model,
            watched_guide,
            (x, *args),
            {},
            estimator=Hard(),
            temperature=1.0,
            plate=plate,
        )
        check_plate(traces, plate)
        for name, site in (*traces.guide.items(), *traces.model.items()):
            for at, leaf in jax.tree.leaves_with_path(site["value"]):
                if site["type"] == "param":
                    shapes.shared[name + jax.tree_util.keystr(at)] = jnp.shape(leaf)
            if site["type"] == "sample" and not site["is_observed"]:
                if is_local(site, plate):
                    shapes.local[name] = jnp.shape(site["value"])[1:]
                else:
                    shapes.shared[name] = jnp.shape(site["value"])
                    shapes.plates.update((name, frame.name) for frame in site["cond_indep_stack"])

    jax.eval_shape(look, jax.ShapeDtypeStruct((images, pixels), jnp.float32))
    return shapes

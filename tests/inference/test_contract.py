"""What a program must keep to, told before anything is computed: every case is right but for one thing."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from jax import random

from ppl_pvae.distributions import Poisson, SquaredError
from ppl_pvae.inference import check_contract

UNITS, PIXELS = 3, 4
WEIGHTS = np.ones((UNITS, PIXELS), np.float32)


class Own(dist.Distribution):
    """A family with a log-probability and no more."""

    support = dist.constraints.nonnegative_integer

    def __init__(self, log_rate):
        self.log_rate = log_rate
        super().__init__(jnp.shape(log_rate))

    def log_prob(self, n):
        return n * self.log_rate - jnp.exp(self.log_rate)


class Unsupported(Own):
    support = None


class Meanless(dist.Distribution):
    """A likelihood that says how likely an image is, and no more."""

    support = dist.constraints.real

    def __init__(self, loc):
        self.loc = loc
        super().__init__(jnp.shape(loc))

    def log_prob(self, value):
        return -jnp.abs(value - self.loc)


class Halved(Poisson):
    """Another law than its draws, which are its parent's."""

    def log_prob(self, value):
        return jnp.logaddexp(super().log_prob(value), jnp.where(value == 0, 0.0, -jnp.inf)) - jnp.log(2.0)


def whole(x):
    return ("image", len(x))


def prior(x):
    return Poisson(jnp.ones(UNITS)).to_event(1)


def posterior(x):
    return Poisson(log_rate=x[:, :UNITS]).to_event(1)


def program(prior=prior, posterior=posterior, plate=whole, guide_plate=whole, observe=lambda z: z @ WEIGHTS, obs=True):
    def model(x):
        with numpyro.plate(*plate(x)):
            z = numpyro.sample("z", prior(x))
            numpyro.sample("x", SquaredError(observe(z)).to_event(1), obs=x if obs else None)

    def guide(x):
        with numpyro.plate(*guide_plate(x)):
            numpyro.sample("z", posterior(x))

    return model, guide


def with_before(before, model, guide):
    """The same program, with something done first in both parts."""

    def begun(part):
        def run(x):
            before(x)
            part(x)

        return run

    return begun(model), begun(guide)


def in_both(plate):
    return program(plate=plate, guide_plate=plate)


def observed_by(family):
    def model(x):
        with numpyro.plate("image", len(x)):
            z = numpyro.sample("z", prior(x))
            numpyro.sample("x", family(z @ WEIGHTS).to_event(1), obs=x)

    return model


def observed_alone(x):
    with numpyro.plate("image", len(x)):
        numpyro.sample("x", SquaredError(0 * x).to_event(1), obs=x)


def of_length(size):
    return lambda x: ("image", size)


REFUSED = {
    "a plate of fixed length": (in_both(of_length(100)), "the plate 'image' of the guide has length 100 for 7 images"),
    "a plate of one": (in_both(of_length(1)), "has length 1 for 7 images: give it len(x)"),
    "as many as there happen to be": (in_both(of_length(7)), "has length 7 for 11 images: give it len(x)"),
    "another length in the model": (program(plate=of_length(5)), "the plate 'image' of the model has length 5"),
    "subsampled": (in_both(lambda x: ("image", 50, len(x))), "the plate 'image' is subsampled: give it len(x)"),
    "another dim": (
        in_both(lambda x: ("image", len(x), None, -2)),
        "site 'z' has batch shape (7, 7), of more than its plates: put units",
    ),
    "a dim in the guide": (
        program(guide_plate=lambda x: ("image", len(x), None, -2)),
        "site 'z' has batch shape (7, 7), of more than its plates: put units and pixels into the event",
    ),
    "as many units as images": (
        program(
            lambda x: Poisson(jnp.ones(len(x))).to_event(1),
            lambda x: Poisson(jnp.ones(len(x))).to_event(1),
            observe=lambda z: jnp.ones(PIXELS) * z.sum(-1, keepdims=True),
        ),
        "site 'z': an image's part of it has shape (7,) with 7 images, (11,) with 11; make it of nets.units",
    ),
    "another plate": (
        in_both(lambda x: ("data", len(x))),
        "site 'z' is inside a plate 'data': the plate of the images is called 'image'",
    ),
    "more units in the model": (
        program(prior=lambda x: Poisson(jnp.ones(UNITS + 2)).to_event(1), observe=lambda z: z @ np.ones((5, PIXELS))),
        "site 'z': one event of the guide has shape (3,), of the model (5,); give both as many units",
    ),
    "fewer units than the decoder takes": (
        program(posterior=lambda x: Poisson(log_rate=x[:, :2]).to_event(1)),
        "site 'z': one event of the guide has shape (2,), of the model (3,); give both as many units",
    ),
    "two images observed": (
        program(observe=lambda z: numpyro.sample("y", SquaredError(z @ WEIGHTS).to_event(1), obs=z @ WEIGHTS)),
        "the model observes 'y' and 'x': images are observed whole at one site",
    ),
    "a factor": (
        program(observe=lambda z: z @ WEIGHTS + numpyro.factor("sparse", -z.sum(-1))[:, None]),
        "site 'sparse' is a numpyro.factor",
    ),
    "a scalar factor": (
        program(observe=lambda z: z @ WEIGHTS + (numpyro.factor("f", -1.0) or 0.0)),
        "site 'f' is a numpyro.factor",
    ),
    "a likelihood without a mean": (
        (observed_by(Meanless), program()[1]),
        "site 'x': reconstructions are the mean of a likelihood, and Meanless has none that goes with its log_prob",
    ),
    "draws of another law": (
        program(posterior=lambda x: Halved(log_rate=x[:, :UNITS]).to_event(1)),
        "site 'z': a posterior is drawn from, and Halved has no draws that go with its log_prob",
    ),
    "nothing observed": (program(obs=False), "the model observes nothing: give numpyro.sample(..., obs=x)"),
    "nothing at all": ((lambda x: None, lambda x: None), "the model observes nothing"),
    "no latent": (
        (observed_alone, lambda x: None),
        "no latent inside numpyro.plate",
    ),
    "swapped": (
        program()[::-1],
        "site 'x' is observed in the guide: only a model observes; a program is (model, guide)",
    ),
    "too few pixels": (
        program(observe=lambda z: (z @ WEIGHTS)[:, :2]),
        "site 'x': one event of its distribution has shape (2,), of what it observes (4,); give it a mean for each",
    ),
    "one pixel for all": (program(observe=lambda z: (z @ WEIGHTS)[:, :1]), "has shape (1,), of what it observes (4,)"),
    "one name twice": (
        with_before(lambda x: numpyro.sample("z", dist.Normal(0.0, 1.0)), *program()),
        "two sites of the guide are called 'z': give one another name",
    ),
    "a parameter called like a site": (
        with_before(lambda x: numpyro.param("z", 1.0), *program()),
        "two sites of the guide are called 'z'",
    ),
    "no support": (program(prior=lambda x: Unsupported(jnp.ones(UNITS)).to_event(1)), "give the class a support"),
    "no sample": (
        program(posterior=lambda x: Own(x[:, :UNITS]).to_event(1)),
        "site 'z': a posterior is drawn from, and Own has no draws that go with its log_prob; give the class",
    ),
    "a text": (with_before(lambda x: numpyro.param("a", "text"), *program()), "the parameter 'a' starts as str"),
    "a whole number": (with_before(lambda x: numpyro.param("a", 1), *program()), "the parameter 'a' starts as int32"),
    "a parameter of each image": (
        with_before(lambda x: numpyro.param("a", lambda key: random.normal(key, (len(x),))), *program()),
        "'a' is outside the plate 'image' and has shape (7,) for 7 images, (11,) for 11; make it of nets.units",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_program_does_not_keep_is_told(case):
    parts, told = REFUSED[case]
    with pytest.raises(ValueError, match=r"plate|site|parameter|observes|latent|outside") as error:
        check_contract(*parts, PIXELS)
    assert told in str(error.value)


def test_a_program_that_keeps_to_it_passes():
    """A prior of a family with a log-probability alone; an inner plate; a global latent; a parameter read twice."""

    def start(x):
        numpyro.param("a", jnp.ones(2))
        numpyro.param("a", jnp.ones(2))
        numpyro.sample("level", dist.Normal(0.0, 1.0))

    def in_plates(x):
        with numpyro.plate("image", len(x), dim=-2), numpyro.plate("unit", UNITS, dim=-1):
            return numpyro.sample("z", Poisson(1.0))

    def model(x):
        z = in_plates(x)
        with numpyro.plate("image", len(x)):
            numpyro.sample("x", SquaredError(z @ WEIGHTS).to_event(1), obs=x)

    check_contract(*with_before(start, *program(prior=lambda x: Own(jnp.ones(UNITS)).to_event(1))), PIXELS)
    check_contract(model, in_plates, PIXELS)

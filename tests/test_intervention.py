"""The study that holds the prior rate: that it is held, what a line of its table says, and what is made of lines."""

import csv

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from intervention import (
    CODES,
    COLUMNS,
    RATES,
    cells,
    curves,
    draw,
    fit,
    label,
    markdown,
    prior_loc,
    rectified,
    run,
    slopes,
)
from numpy.testing import assert_allclose
from numpyro.handlers import seed, substitute, trace
from tables import Table

from ppl_pvae.distributions import RectifiedNormal, base_of
from ppl_pvae.networks import Linear, Nets

IMAGES = np.random.default_rng(0).normal(size=(200, 9)).astype(np.float32)
SMALL = {"units": 4, "beta": 1.0, "steps": 3, "batch_size": 20}


@pytest.mark.parametrize("rate", RATES)
def test_the_prior_is_where_its_rectified_mean_is_the_rate(rate):
    assert_allclose(RectifiedNormal(prior_loc(rate), 1.0).mean, rate, rtol=2e-4)


def test_a_rectified_posterior_is_its_prior_where_the_encoder_says_nothing():
    """Model and guide at weights of 0: one normal, of the mean asked for and unit deviation."""
    zeros = {"encoder": Linear(jnp.zeros((9, 8))), "encoder_bias": jnp.zeros(8), "decoder": Linear(jnp.zeros((4, 9)))}
    for function in rectified(0.19, "code"):
        site = trace(substitute(seed(function, jax.random.key(0)), zeros)).get_trace(
            jnp.asarray(IMAGES[:5]), Nets(4, 9)
        )["z"]
        normal = base_of(site["fn"])
        assert normal.pays == "code"
        assert_allclose(jnp.broadcast_to(normal.loc, (5, 4)), prior_loc(0.19), rtol=1e-6)
        assert_allclose(jnp.broadcast_to(normal.scale, (5, 4)), 1.0)


@pytest.mark.slow
def test_the_poisson_prior_stays_where_it_was_put():
    fitted = fit({"code": "poisson", "prior_rate": 0.05, **SMALL}, IMAGES, check=False)
    assert_allclose(fitted.tree["constant_data"]["prior_rate"], 0.05, rtol=1e-6)
    assert "log_prior_rate" not in fitted.params


@pytest.mark.slow
@pytest.mark.parametrize("code", CODES)
def test_a_line_says_what_the_run_says(code):
    """Means over photographs are those over images, and every column is filled as the code asks."""
    row = run({"code": code, "prior_rate": 0.75, **SMALL}, IMAGES, check=code == "poisson")
    assert set(row) == set(COLUMNS)
    for name in ("coding_rate", "spikes_per_image"):
        by_photograph = np.array(row[f"{name}_by_photograph"].split(), float)
        assert len(by_photograph) == 20
        assert_allclose(by_photograph.mean(), row[name], rtol=1e-5)
    assert row["information"] > 0
    assert code == "poisson" or row["prior_loc"] == prior_loc(0.75)
    assert (row["converged"] is None) == (code != "poisson")


def test_every_cell_has_a_label_of_its_own():
    labels = [label(cell) for cell in cells(steps=None)] + [label(cell) for cell in cells(steps=8000)]
    assert len(set(labels)) == len(labels) == 2 * 3 * 6


@pytest.fixture
def lines(tmp_path):
    """Nats as r^0.5 and activity as r of a Poisson code, in four photographs, and a shorter training of one cell."""
    factor = np.array([1.0, 2.0, 3.0, 4.0])
    table = Table(tmp_path / "table.csv", COLUMNS)
    for steps, rate, times in [(10, 0.05, 100.0), *((20, rate, 1.0) for rate in RATES)]:
        nats, activity = times * factor * rate**0.5, times * factor * rate
        shown = {"code": "poisson", "prior_rate": rate, "units": 4, "beta": 1.0, "steps": steps, "converged": rate < 1}
        means = {"coding_rate": nats.mean(), "spikes_per_image": activity.mean()}
        each = {"coding_rate_by_photograph": nats, "spikes_per_image_by_photograph": activity}
        text = {name: " ".join(f"{value:.9g}" for value in values) for name, values in each.items()}
        table.add(f"{rate} {steps}", [shown | means | text])
    with table.path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_slopes_are_those_of_the_longest_trainings(lines):
    """The powers that were put in, over all settings and between all neighbours."""
    rows = curves(lines, 4, 1.0)["poisson"]
    assert [row["steps"] for row in rows] == ["20"] * 6
    assert not curves(lines, 5, 1.0)
    for name, power in (("coding_rate", 0.5), ("spikes_per_image", 1.0)):
        over_all, between = slopes(rows, name)
        found = np.array([(each.estimate, each.low, each.high) for each in (over_all, *between)])
        assert found.shape == (6, 3)
        assert_allclose(found, power, rtol=1e-6)
    assert "| Poisson | nats | 0.003 to 3 | 0.50 [0.50, 0.50] |" in markdown(lines, 4, 1.0)


def test_the_figure_is_drawn(lines, tmp_path):
    draw(lines, tmp_path / "figure.png", 4, 1.0)
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")

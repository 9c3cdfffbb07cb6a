"""Codes beside the limit of dense codes: who is asked, what is said, what the figure shows."""

import numpy as np
from matplotlib.colors import to_rgba
from numpy.testing import assert_allclose

from ppl_pvae.analysis.plots.style import VERMILLION
from ppl_pvae.analysis.plots.sweeps import beside_dense
from ppl_pvae.analysis.sweeps import beta_curves, findings
from tests.analysis.sweeps.planted import CONTROL, POISSON, SILENCE, cell

LIMIT = {0.1: 100.0, 1.0: 150.0, 4.0: 180.0}
OWN = {0.1: 103.0, 1.0: 150.5, 4.0: 172.0}
SPIKES = {0.1: 2500.0, 1.0: 800.0, 4.0: 3.0}


def dense(units=64, seeds=(0, 1), **more):
    """Above the limit, at it and below it; seeds a nat apart."""
    return [
        cell(POISSON, units, beta, seed, **more)
        | {"free_energy": own + seed - np.mean(seeds), "dense_free_energy": LIMIT[beta]}
        | {"silent_free_energy": SILENCE, "zeros": 0.9 * (beta > 2), "spikes_per_image": SPIKES[beta]}
        for beta, own in OWN.items()
        for seed in seeds
    ]


def rectified():
    return [cell(CONTROL, 64, beta, free_energy=160.0, dense_free_energy=None) for beta in LIMIT]


def test_excess_is_of_seed_means_and_only_of_codes_with_a_limit():
    found = findings(dense() + rectified())["dense"]
    (curve,) = found["curves"]
    assert (curve["family"], curve["units"], curve["betas"]) == ("Poisson", 64, [0.1, 1.0, 4.0])
    assert_allclose(curve["excess"], [3.0, 0.5, -8.0])
    assert curve["limit"] == [100.0, 150.0, 180.0]
    assert curve["at_the_limit"] == [1.0]


def test_it_is_said_in_a_sentence():
    (line,) = findings(dense())["dense"]["lines"]
    assert line == (
        "Poisson, K = 64: at its limit for β = 1, with 800 spikes per image; 8.0 nats below it for β = 4; "
        "3.0 nats above it for β = 0.1."
    )
    rows = dense()
    rows[0]["converged"] = None
    (line,) = findings(rows)["dense"]["lines"]
    assert line.endswith("3.0 nats above it for β = 0.1 (not known to have converged: β = 0.1).")


def test_a_beta_whose_limit_is_not_known_is_not_spoken_of():
    rows = [row | {"dense_free_energy": None} if row["beta"] == 1.0 else row for row in dense()]
    (line,) = findings(rows)["dense"]["lines"]
    assert line == "Poisson, K = 64: 8.0 nats below it for β = 4; 3.0 nats above it for β = 0.1."


def test_what_is_nearly_silent_or_sparse_is_not_at_the_limit():
    """The limit gains 0.4 nats over silence there: silence is near it, and so is a sparse code, by its zeros told."""
    near = {"dense_free_energy": SILENCE - 0.4, "silent_free_energy": SILENCE, "spikes_per_image": 0.1}
    silent = cell(POISSON, 64, 8.0) | near | {"free_energy": SILENCE, "zeros": 0.3}
    sparse = cell(POISSON, 64, 9.0) | near | {"free_energy": SILENCE - 0.4, "zeros": 0.97}
    (curve,) = findings([silent, sparse])["dense"]["curves"]
    assert curve["at_the_limit"] == []


def test_tables_from_before_there_was_a_limit_say_nothing():
    rows = [{name: value for name, value in row.items() if name != "dense_free_energy"} for row in dense()]
    assert findings(rows)["dense"] == {"lines": [], "curves": []}
    assert beside_dense(beta_curves(rows)) is None


def test_the_figure_places_each_code_and_fills_it_by_its_zeros():
    rows = dense(64) + dense(32)
    rows[0]["converged"] = False
    fig = beside_dense(beta_curves(rows + rectified()))
    small, large, bar = fig.axes
    assert [ax.get_title(loc="left") for ax in (small, large)] == ["K = 32, counts", "K = 64, counts"]
    (marks,) = large.collections
    assert_allclose(marks.get_offsets(), [[0.1, 3.0], [1.0, 0.5], [4.0, -8.0]])
    assert_allclose(marks.get_array(), [0, 0, 0.9])
    assert_allclose(marks.get_edgecolors()[0], to_rgba(VERMILLION))
    assert not np.allclose(marks.get_edgecolors()[1], to_rgba(VERMILLION))
    assert any("not known to have converged" in text.get_text() for text in fig.legends[0].get_texts())
    dashed = next(line for line in large.lines if len(line.get_xdata()) == 3 and line.get_zorder() == 0)
    assert_allclose(dashed.get_ydata(), [SILENCE - limit for limit in LIMIT.values()])
    assert bar.get_ylabel() == "zeros, share"

"""Operating points by brute force, and the prediction against the maximum that it is."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ppl_pvae.analysis.energy import BUDGETS
from ppl_pvae.analysis.sweeps import budget_points, operating_points
from ppl_pvae.analysis.sweeps.operating import best_of_any_code, levy_baxter
from tests.analysis.sweeps.planted import CONTROL, cell, planted_sweep


@pytest.mark.parametrize("ratio", [0.001, 0.05, 1.0, 30.0])
def test_levy_and_baxter_maximise_information_for_energy(ratio):
    p = np.linspace(1e-5, 0.7, 700_001)
    entropy = -p * np.log(p) - (1 - p) * np.log1p(-p)
    assert_allclose(levy_baxter(np.array([ratio]))[0], p[np.argmax(entropy / (ratio + p))], atol=2e-6)


def test_the_prediction_at_its_ends():
    low, high = levy_baxter(np.array([1e-6, 1e9]))
    assert 0 < low < 1e-4
    assert_allclose(high, 0.5)


def test_best_cells_are_those_of_brute_force():
    rows = planted_sweep()
    ratios = np.array([0.001, 0.03, 0.5, 20.0])
    told = operating_points(rows, ratios)
    for point, ratio in zip(told, ratios, strict=True):
        best = None
        for units in (32, 64, 512):
            for beta in sorted({row["beta"] for row in rows}):
                own = [
                    row for row in rows
                    if row["program"] == "poisson" and row["units"] == units and row["beta"] == beta
                    and row["converged"] is True and not row["spike_price"] and not row["error"]
                ]  # fmt: skip
                if own:
                    nats, spikes = (np.mean([row[key] for row in own]) for key in ("information", "spikes_per_image"))
                    best = max(best or (0,), (nats / (spikes + ratio * units), beta, units))
        assert_allclose(point.nats_per_cost, best[0])
        assert (point.beta, point.units) == best[1:]
    assert told[0].beta >= told[-1].beta  # the dearer rest is, the more spikes are worth it


def known(beta, units, information, spikes, **more):
    return cell(beta=beta, units=units, information=information, spikes_per_image=spikes, zeros=0.8, **more)


def test_edges_are_told():
    rows = [known(0.1, 64, 20.0, 40.0), known(1.0, 64, 30.0, 20.0), known(4.0, 64, 1.0, 5.0)]
    (inside,) = operating_points(rows, np.array([0.1]))
    assert (inside.beta, inside.edges) == (1.0, ())  # one number of units is no edge
    assert_allclose(inside.nats_per_cost, 30 / (20 + 6.4))
    assert_allclose(inside.probability, 0.2)
    rows += [known(1.0, 32, 40.0, 20.0)]
    (edge,) = operating_points(rows, np.array([0.1]))
    assert edge.edges == ("smallest units",)  # one β of as many units is no edge either
    rows += [known(0.5, 32, 1.0, 20.0)]
    (edge,) = operating_points(rows, np.array([0.1]))
    assert edge.edges == ("largest beta", "smallest units")  # no dearer β with as many units


def test_only_converged_cells_of_the_p_vae_count():
    best = {"information": 500.0, "spikes_per_image": 1.0}
    rows = [
        known(1.0, 64, 20.0, 40.0),
        cell(beta=2.0, converged=False) | best,
        cell(beta=2.0, seed=1, converged=None) | best,
    ]
    rows += [cell(CONTROL, beta=3.0) | best, cell(beta=4.0, error="died") | best, cell(beta=5.0, price=1.0) | best]
    assert {point.beta for point in operating_points(rows)} == {1.0}
    assert operating_points(rows[1:]) == []
    assert operating_points([]) == []


def test_budgets_of_the_literature():
    told = budget_points([known(1.0, 64, 20.0, 40.0)])
    assert [(point.budget, point.ratio) for point in told] == [(budget.name, budget.ratio) for budget in BUDGETS]


def test_any_code_of_counts_may_be_the_best():
    """Also one with a price on its spikes or a fixed prior, but none that has not converged or is no count."""
    rows = [known(1.0, 64, 20.0, 40.0), known(2.0, 64, 30.0, 40.0, prior="fixed")]
    rows += [known(1.0, 64, 500.0, 40.0, converged=False), cell(CONTROL, 64, 1.0, spikes_per_image=1e-3)]
    plain = best_of_any_code(rows)
    assert [each.budget for each in plain] == [budget.name for budget in BUDGETS]
    assert {(each.family, each.beta, each.spike_price) for each in plain} == {("Poisson, fixed prior", 2.0, 0.0)}
    assert_allclose(plain[0].nats_per_cost, 30 / (40 + 64 * BUDGETS[0].ratio))
    priced = best_of_any_code([*rows, known(0.1, 64, 40.0, 40.0, spike_price=0.3)])
    assert {(each.family, each.beta, each.spike_price) for each in priced} == {("Poisson", 0.1, 0.3)}
    assert best_of_any_code([cell(CONTROL, 64, 1.0)]) == []

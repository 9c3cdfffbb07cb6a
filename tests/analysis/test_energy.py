"""Energy by hand, and the best firing rate against Levy & Baxter's equation for a binary unit."""

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import brentq

from ppl_pvae.analysis.energy import (
    ATTWELL_LAUGHLIN,
    BUDGETS,
    HOWARTH,
    Budget,
    atp_per_image,
    best_operating_points,
    bits_per_atp,
    budgets_with,
    hertz,
)

BUDGET = Budget("by hand", spike=100.0, rest=30.0, window=0.5)


def test_an_image_by_hand():
    assert_allclose(atp_per_image(spikes=4.0, units=10, budget=BUDGET), 4 * 100 + 10 * 30 * 0.5)
    assert_allclose(bits_per_atp(np.log(2), 4.0, 10, BUDGET), 1 / 550)
    assert_allclose(hertz(np.array([0.5, 2.0]), BUDGET.window), [1, 4])
    assert np.isnan(bits_per_atp(0.0, 0.0, 10, dataclasses.replace(BUDGET, rest=0.0)))
    assert_allclose(BUDGET.ratio, 0.15)


@pytest.mark.parametrize(("budget", "share"), [(ATTWELL_LAUGHLIN, 0.13), (HOWARTH, 0.20)])
def test_rest_has_its_published_share_at_four_hertz(budget, share):
    assert_allclose(budget.rest / (budget.rest + 4 * budget.spike), share, atol=0.01)


def test_budgets_take_another_window_and_one_of_ones_own():
    """The published ones keep their costs."""
    found = budgets_with(0.3, (5.0, 2.0))
    assert [(budget.spike, budget.rest) for budget in found] == [(b.spike, b.rest) for b in BUDGETS] + [(5.0, 2.0)]
    assert {budget.window for budget in found} == {0.3}
    assert budgets_with(0.1) == BUDGETS


def test_every_budget_names_its_source():
    assert all(str(year) in b.name + b.source for b, year in zip(BUDGETS, (2001, 2003, 2012), strict=True))


@pytest.mark.parametrize("wrong", [{"spike": 0.0}, {"rest": -1.0}, {"window": np.inf}, {"rest": 1e308, "spike": 1e-10}])
def test_a_budget_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        dataclasses.replace(BUDGET, **wrong)


def test_the_best_rate_of_a_binary_unit_is_that_of_levy_and_baxter():
    p = np.linspace(1e-4, 0.5, 20_001)
    entropy = -p * np.log(p) - (1 - p) * np.log1p(-p)
    ratio = np.array([0.01, 0.1, 0.5, 1.0, 10.0])
    found = best_operating_points(entropy, p, 1, ratio)
    for k, best in zip(ratio, found.best, strict=True):
        exact = brentq(lambda p, k=k: np.log(p) - (1 + k) / k * np.log1p(-p), 1e-9, 0.5)
        assert_allclose(p[best], exact, atol=5e-5)
    assert (np.diff(p[found.best]) > 0).all()  # dearer rest, more spikes
    # At the optimum a nat costs what makes the two symbols' prices a probability: −log(1 − p) = ratio · efficiency.
    assert_allclose(-np.log1p(-p[found.best]) / ratio, found.nats_per_cost, rtol=2e-2)


def test_the_best_count_without_noise_is_geometric():
    # Counts with the largest entropy for their mean m: (m + 1) log(m + 1) − m log m; optimum by its derivative.
    m = np.linspace(1e-4, 5, 200_001)
    nats = (m + 1) * np.log1p(m) - m * np.log(m)
    best = m[best_operating_points(nats, m, 1, np.array([0.3])).best[0]]

    def slope(m):
        return np.log((m + 1) / m) * (m + 0.3) - ((m + 1) * np.log1p(m) - m * np.log(m))

    assert_allclose(best, brentq(slope, 1e-6, 5), atol=5e-5)


def test_a_code_that_costs_nothing_is_never_best():
    found = best_operating_points(np.array([0.0, 1.0]), np.array([0.0, 5.0]), np.array([8, 8]), np.array([0.0, 1.0]))
    assert found.best.tolist() == [1, 1]
    assert_allclose(found.nats_per_cost, [1 / 5, 1 / 13])

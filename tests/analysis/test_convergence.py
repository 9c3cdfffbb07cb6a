"""The doubling rule at its limits, and slopes of straight lines."""

import json

import pytest
from numpy.testing import assert_allclose

from ppl_pvae.analysis import compare, slopes
from ppl_pvae.analysis.convergence import least_sure, standing

BASE = {"free_energy": 140.0, "firing_rate": 0.30, "spikes_per_image": 150.0, "zeros": 0.75}


@pytest.mark.parametrize(
    ("change", "converged"),
    [
        ({}, True),
        ({"free_energy": 140.0 * 1.0049}, True),
        ({"free_energy": 140.0 * 0.9949}, False),
        ({"firing_rate": 0.30 * 1.05}, True),  # log 1.05 = 0.0488
        ({"firing_rate": 0.30 * 0.95}, False),  # log 0.95 = -0.0513
        ({"zeros": 0.7591}, True),
        ({"zeros": 0.7399}, False),
        ({"firing_rate": 0.0, "spikes_per_image": 0.0}, False),
        ({"free_energy": None}, False),
        ({"zeros": float("nan")}, False),
    ],
)
def test_every_limit_is_asked(change, converged):
    verdict = compare(BASE, {**BASE, **change})
    assert verdict.converged is converged
    json.dumps(verdict.as_dict(), allow_nan=False)


def test_changes_are_signed_and_relative_to_the_first_run():
    verdict = compare(BASE, {**BASE, "free_energy": 133.0, "firing_rate": 0.6, "zeros": 0.5})
    assert_allclose(verdict.free_energy_change, -0.05)
    assert_allclose(verdict.log_rate_change, 0.6931471805599453)
    assert_allclose(verdict.zeros_change, -0.25)


def test_two_silent_runs_are_not_asked_about_their_rate():
    silent = {**BASE, "firing_rate": 1e-6, "spikes_per_image": 0.0005, "zeros": 1.0}
    louder = {**silent, "firing_rate": 9e-6, "spikes_per_image": 0.0045}
    verdict = compare(silent, louder)
    assert verdict.log_rate_change is None
    assert verdict.converged
    assert not compare(silent, {**silent, "firing_rate": 3e-5, "spikes_per_image": 0.015}).converged


def test_what_was_trained_elsewhere_is_not_known_and_the_rest_not_checked():
    rows = [{"converged": True, "steps": 9}, {"converged": None, "steps": None}, {"converged": None, "steps": 9}]
    rows += [{"converged": False, "steps": 9}]
    assert [standing(row) for row in rows] == ["converged", "not known", "not checked", "not converged"]
    assert standing({"converged": None}) == "not checked"
    assert [least_sure(rows[:n]) for n in (1, 2, 3, 4)] == [standing(row) for row in rows]


def test_slopes_of_lines_over_the_last_fifth_alone():
    history = [{"event": "start", "step": 0}]
    for step in range(0, 1001, 50):
        bend = 100.0 if step < 800 else 0.0  # what came before must not count
        history.append({"split": "train", "step": step, "free_energy": 150 - 0.002 * step + bend,
                        "firing_rate": 2.718281828459045 ** (0.0003 * step) + bend, "zeros": 0.5 + bend})  # fmt: skip
        history.append({"split": "validation", "step": step, "free_energy": step**2, "firing_rate": 1, "zeros": step})
    found = slopes(history)
    assert_allclose([found["free_energy"], found["log_firing_rate"], found["zeros"]], [-2.0, 0.3, 0.0], atol=1e-9)


def test_too_few_lines_have_no_slope():
    line = {"split": "train", "step": 10, "free_energy": 1.0, "firing_rate": 0.0, "zeros": 1.0}
    empty = {"free_energy": None, "log_firing_rate": None, "zeros": None}
    assert slopes([]) == empty
    assert slopes([line]) == empty
    found = slopes([line, {**line, "step": 12}, {**line, "step": 11}])
    assert found["free_energy"] == 0.0
    assert found["log_firing_rate"] is None  # a silent code has no log rate

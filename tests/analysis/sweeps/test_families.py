"""Families: who belongs together, in which order, under which name; and seed means."""

from dataclasses import asdict

from numpy.testing import assert_allclose

from ppl_pvae.analysis.sweeps import beta_curves, sort_by_family
from ppl_pvae.analysis.sweeps.families import price_curves
from ppl_pvae.analysis.sweeps.rows import DEFAULTS, SETTINGS
from ppl_pvae.config import Settings
from tests.analysis.sweeps.planted import CONTROL, FAMILIES, POISSON, cell

# What tells families or their points apart by itself, and how long and how often a cell was looked at.
FIXED_ELSEWHERE = (
    "program",
    "encoder_bias",
    "units",
    "beta",
    "spike_price",
    "seed",
    "evaluate_every",
    "checkpoint_every",
)


def test_names_and_order_do_not_depend_on_the_order_of_rows():
    rows = [cell(family, beta=beta) for family in FAMILIES for beta in (0.1, 1.0)]
    rows += [cell({**POISSON, "prior": "fixed", "encoder_bias": False}), cell({**POISSON, "program": "gaussian"})]
    expected = [
        "Poisson",
        "Poisson, fixed prior, no bias",
        "zero_inflated",
        "rectified, fixed prior, pays latent, no bias (published control)",
        "rectified, learned prior, pays code",
        "rectified, learned prior, pays latent",
        "rectified, fixed prior, pays code",
        "rectified, fixed prior, pays latent",
        "Gaussian",
    ]
    assert [family.label for family in sort_by_family(rows)] == expected
    assert [family.label for family in sort_by_family(rows[::-1])] == expected


def labels(rows):
    return [family.label for family in sort_by_family(rows)]


def test_a_setting_that_the_grid_varies_makes_families():
    rows = [cell(learning_rate=rate, beta=beta) for rate in (0.004, None) for beta in (0.1, 1.0)]
    assert labels(rows) == ["Poisson", "Poisson, learning rate 0.004"]
    # What follows from the number of units does not, nor does what a failed cell never came to know.
    rows = [cell(units=units, anneal=units / 1000, estimator="exact") for units in (32, 64)]
    rows.append(cell(units=64, seed=1, anneal=0.064, error="died"))
    assert labels(rows) == ["Poisson"]


def test_one_cell_of_another_kind_leaves_the_others_where_they_are():
    plain = [cell(units=units, beta=beta, learning_rate=0.1 / units) for units in (32, 64) for beta in (0.1, 1.0)]
    other = [cell(beta=1.0, learning_rate=0.5), cell(beta=1.0, learning_rate=0.1 / 64, temperature=0.2)]
    families = sort_by_family([*plain, *other])
    told = {family.label: len(rows) for family, rows in families.items()}
    assert told == {"Poisson": 4, "Poisson, learning rate 0.5": 1, "Poisson, temperature 0.2": 1}
    assert all(family.is_pvae for family in families)


def test_a_size_at_which_all_cells_died_has_its_default_too():
    rows = [cell(beta=1.0, learning_rate=rate, temperature=rate * 10) for rate in (0.005, 0.02, 0.005)]
    rows.append(cell(units=128, learning_rate=0.001, temperature=0.05, error="died"))
    assert {family.label: len(members) for family, members in sort_by_family(rows).items()} == {
        "Poisson": 3,
        "Poisson, temperature 0.2, learning rate 0.02": 1,
    }


def test_of_two_values_as_frequent_neither_goes_without_saying_unless_it_is_the_default():
    rows = [cell(learning_rate=rate, beta=beta) for rate in (0.004, 0.02) for beta in (0.1, 1.0)]
    assert labels(rows) == ["Poisson, learning rate 0.004", "Poisson, learning rate 0.02"]
    rows = [cell(temperature=value, beta=beta) for value in (0.05, 0.5) for beta in (0.1, 1.0)]
    assert labels(rows) == ["Poisson", "Poisson, temperature 0.5"]


def test_defaults_are_those_of_the_settings():
    assert {name: value for name, value in asdict(Settings(data="natural")).items() if name in DEFAULTS} == DEFAULTS
    chosen = {name for name, value in asdict(Settings()).items() if value is None or value == "auto"} - {"data"}
    assert chosen.isdisjoint(DEFAULTS)
    assert set(SETTINGS) <= set(DEFAULTS) | chosen | {*FIXED_ELSEWHERE}


def test_other_data_and_networks_are_another_family_at_any_size():
    rows = [cell(units=512), cell(units=10, data="mnist"), cell(units=10, data="mnist", encoder="mlp")]
    assert labels([row | {"encoder": row.get("encoder", "linear")} for row in rows]) == [
        "Poisson",
        "Poisson, data mnist",
        "Poisson, data mnist, encoder mlp",
    ]


def test_curves_are_sorted_averaged_and_free_of_prices_and_errors():
    rows = [cell(beta=beta, seed=seed, zeros=beta + seed / 10) for beta in (1.0, 0.0, 0.1) for seed in (0, 1, 2)]
    rows += [cell(beta=0.1, price=0.5, zeros=9.0), cell(beta=4.0, error="died"), cell(units=32)]
    small, curve = beta_curves(rows)
    assert (small.units, curve.units) == (32, 64)
    assert [point.beta for point in curve.points] == [0.0, 0.1, 1.0]
    assert_allclose([point.mean("zeros") for point in curve.points], [0.1, 0.2, 1.1])
    assert_allclose([point.spread("zeros") for point in curve.points], [0.1] * 3)  # of 0, .1, .2
    assert small.points[0].mean("zeros") is None
    assert small.points[0].spread("zeros") is None
    (priced,) = price_curves(rows)
    assert [(point.beta, point.price, point.mean("zeros")) for point in priced.points] == [(0.1, 0.5, 9.0)]


def test_the_same_fit_with_fewer_steps_is_no_other_seed():
    """The longest stands for all, in whatever order they come."""
    rows = [cell(seed=seed, steps=steps, zeros=steps / 1e4 + seed) for steps in (500, 2000, 1000) for seed in (0, 1)]
    (curve,) = beta_curves(rows)
    (point,) = curve.points
    assert sorted(row["steps"] for row in point.rows) == [2000, 2000]
    assert point.mean("zeros") == 0.7


def test_what_is_not_finite_is_left_out_of_a_mean_and_one_seed_has_no_spread():
    rows = [cell(seed=0, r2=float("nan")), cell(seed=1, r2=0.5), cell(seed=2, r2=None, converged=None)]
    point = beta_curves(rows)[0].points[0]
    assert point.mean("r2") == 0.5
    assert point.spread("r2") is None
    assert not point.converged


def test_who_counts_spikes():
    rows = [cell(CONTROL), cell(POISSON), cell({**POISSON, "program": "own.py"}, nats_per_spike=0.3)]
    rows += [cell({**POISSON, "program": "laplace.py"}, nats_per_spike=None)]
    assert {curve.family.label.split(",")[0]: curve.is_count for curve in beta_curves(rows)} == {
        "Poisson": True, "laplace": False, "own": True, "rectified": False,
    }  # fmt: skip

"""How reasons are worded: what holds of several curves is said once."""

import pytest

from ppl_pvae.analysis.sweeps import beta_curves
from ppl_pvae.analysis.sweeps.collapse import said_of_collapse
from ppl_pvae.analysis.sweeps.phrases import at_units, curve_names, left_out, span
from tests.analysis.sweeps.planted import cell


def curves(*units, **more):
    return beta_curves([cell(units=k, beta=beta, **more) for k in units for beta in (1.0, 2.0)])


def test_the_same_is_said_once_of_all_numbers_of_units():
    assert at_units([("zeros", 32), ("nats", 32), ("zeros", 64)]) == ["zeros at K = 32, 64", "nats at K = 32"]
    assert at_units([]) == []


def test_curves_are_named_by_family_and_what_is_noted_of_them():
    found = curves(32, 64, 128)
    assert curve_names(found) == "Poisson, K = 32, 64, 128"
    told = curve_names(found, lambda curve: "small" if curve.units < 100 else "large")
    assert told == "Poisson, K = 32, 64 (small); Poisson, K = 128 (large)"
    assert left_out(found, found[:1], lambda _: "late") == " Not judged: Poisson, K = 64, 128 (late)."
    assert left_out(found, found, lambda _: "late") == ""


def test_collapse_at_the_same_betas_is_said_once():
    gone = curves(32, 64, r2=0.0, active_units=0.0)
    open_one = curves(128, r2=0.0, active_units=0.0, converged=False)
    told = said_of_collapse([*gone, *curves(512, r2=0.5, active_units=1.0), *open_one])
    assert told.endswith(": Poisson, K = 32, 64 (β = 1, 2); Poisson, K = 128 (β = 1, 2, not all converged).")


@pytest.mark.parametrize(
    ("values", "said"),
    [((-0.001, 0.5), "0.00 to 0.50"), ((-0.5, None), "−0.50"), ((0.004, -0.004), "0.00"), ((None,), "")],
)
def test_ranges_are_told_without_a_sign_of_nothing(values, said):
    assert span(values) == said

"""Tables of docs/results.md are those that the tables of the sweeps give; how their numbers are written."""

import pytest
from sweep_tables import RESULTS, filled, made, places
from table_cells import amount, beta, fold, marked, share

from ppl_pvae.analysis.sweeps.families import Point


@pytest.fixture(scope="module")
def tables():
    return made()


def test_every_table_has_its_place(tables):
    assert sorted(places(RESULTS.read_text(encoding="utf-8"))) == sorted(tables)


def test_the_tables_are_those_of_the_sweep(tables):
    """`python benchmarks/sweep_tables.py --write` makes them anew."""
    text = RESULTS.read_text(encoding="utf-8")
    assert filled(text, tables) == text


def test_a_table_is_put_in_its_place_alone():
    text = "a\n\n<!-- table one -->\n\n| old |\n| --- |\n| 1 |\n\nb | c\n\n<!-- table two -->\n\nd\n"
    tables = {"one": "| new |\n", "two": "| second |\n"}
    anew = "a\n\n<!-- table one -->\n\n| new |\n\nb | c\n\n<!-- table two -->\n\n| second |\n\nd\n"
    assert filled(text, tables) == anew
    assert places(text) == ["one", "two"]


def test_a_table_that_nobody_makes_is_not_passed_over():
    with pytest.raises(KeyError, match="none"):
        filled("<!-- table none -->\n\n", {})


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        (share(0.5), ".50"),
        (share(1.0), "1.00"),
        (share(0.9951), ".995"),
        (share(0.004), ".00"),
        (share(-0.004), ".00"),
        (share(-0.031), "−.03"),
        (share(None), ""),
        (amount(5581.4), "5,581"),
        (amount(99.94), "99.9"),
        (amount(1.0), "1.0"),
        (amount(0.688), ".69"),
        (amount(-123.4), "−123"),
        (fold(5581.0, 0.688), "8,112-fold"),
        (fold(1.0, 2.15), "2.1-fold"),
        (fold(0.0, 2.0), ""),
        (beta(0.01), ".01"),
        (beta(8.0), "8"),
        (marked("1", Point(64, 1.0, 0.0, ({"converged": True}, {"converged": False}))), "1*"),
        (marked("1", Point(64, 1.0, 0.0, ({"converged": True},))), "1"),
    ],
)
def test_numbers_are_written(shown, said):
    assert shown == said

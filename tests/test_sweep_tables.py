"""Tables of docs/results.md and docs/results/ are what the tables of the sweeps give; how their numbers are written."""

import csv
import json
import statistics
from dataclasses import asdict

import pytest
from matched_tables import best, best_ahead, matched, over_distortions, ranked
from sweep_tables import DOCS, PAGES, all_tables, by_density, fill_places, places, spread_of_seeds
from table_cells import amount, beta, fold, marked, plus_minus, share, tenths
from verdict_tables import verdicts

from ppl_pvae.analysis.bounds import read_table
from ppl_pvae.analysis.sweeps import best_evidence, beta_curves, findings, match_distortion, read_sweep
from ppl_pvae.analysis.sweeps.families import Point
from tests.analysis.sweeps.planted import cell


@pytest.fixture(scope="module")
def tables():
    return all_tables()


def cells(table):
    return [[each.strip() for each in line.strip("|").split("|")] for line in table.splitlines()]


def test_every_table_has_one_place(tables):
    assert sorted(name for page in PAGES for name in places(page.read_text(encoding="utf-8"))) == sorted(tables)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_tables_are_those_of_the_sweep(tables, page):
    """`python benchmarks/sweep_tables.py --write` makes them anew."""
    text = page.read_text(encoding="utf-8")
    assert fill_places(text, tables) == text


def test_findings_are_those_of_the_table():
    """Going on with the sweep, also with nothing to fit, writes them anew."""
    folder = DOCS / "sweep"
    rows, kept = read_sweep(folder / "sweep.csv"), json.loads((folder / "findings.json").read_text(encoding="utf-8"))
    bounds = read_table(folder / "evidence.npz")
    matches = match_distortion(rows, kept["matched"]["distortion"], bounds)
    highest = [asdict(each) for each in best_evidence(rows, bounds)]
    anew = json.loads(json.dumps(findings(rows) | {"matched": matches.as_dict(), "best_evidence": highest}))
    assert alike({name: kept[name] for name in anew}, anew)


def alike(one, other):
    """Equal, numbers up to the order in which they were summed and the digits in which bounds are kept."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(alike(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(alike, one, other))
    return one == (pytest.approx(other, rel=1e-6, abs=1e-6) if isinstance(one, float) else other)


def test_zeros_of_the_table_are_means_over_seeds_of_the_file(tables):
    with (DOCS / "sweep" / "sweep.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["cell"].startswith("poisson-K64-b2-s")]
    assert len(rows) == 3
    head, _, *lines = cells(tables["zeros-poisson"])
    (line,) = (line for line in lines if line[0] == "64")
    zeros = statistics.fmean(float(row["zeros"]) for row in rows)
    assert line[head.index("β = 2")] == f"{zeros:.2f}".removeprefix("0")
    assert {row["converged"] for row in rows} == {"True"}


def test_slopes_are_told_of_enough_points():
    """Nats go as spikes to the power of one half while codes are dense, and in proportion while they are sparse."""
    dense = [
        cell(units=32, beta=b, zeros=0.1, spikes_per_image=s, coding_rate=s**0.5)
        for b, s in ((0.1, 900), (0.2, 400), (0.3, 100))
    ]
    sparse = [cell(units=32, beta=b, zeros=0.9, spikes_per_image=s, coding_rate=s) for b, s in ((1.0, 4.0), (2.0, 1.0))]
    _, _, (units, every, few, many) = cells(by_density(beta_curves(dense + sparse)))
    assert (units, few, many) == ("32", "", ".50 (3)")
    assert every.endswith("(5)")


def test_the_widest_spread_is_that_of_converged_points():
    def seeds(beta, spikes, *, converged):
        rows = enumerate(spikes)
        return [cell(beta=beta, seed=s, spikes_per_image=each, converged=converged, zeros=0.5) for s, each in rows]

    rows = [*seeds(1.0, (9.0, 10.0, 11.0), converged=True), *seeds(2.0, (1.0, 10.0, 19.0), converged=False)]
    _, _, (*_, activity, zeros, _) = cells(spread_of_seeds(beta_curves(rows)))
    assert (activity, zeros) == ("10.0 (β = 1)", ".000")


MATCH = {"units": 64, "converged": False, "wide": True, "family": "rectified, fixed prior, pays code", "seeds": 1}
MATCH |= {"is_count": False, "spikes_per_image": None, "coding_rate": 3.0, "between": [0.5, 1.0]}
MATCH |= {"log_evidence": -10.0, "log_evidence_se": None, "rank_spikes": None, "rank_nats": 1, "rank_evidence": 2}
MATCH |= {"evidence_difference": {"difference": -1.0, "standard_error": None, "paired": True, "beside": "Poisson"}}
MATCH["evidence_difference"]["converged"] = False


def test_what_is_unknown_at_one_distortion_is_left_out():
    head, _, row = cells(matched({"distortion": 100.0, "curves": [MATCH]}, 64))
    assert row == ["fixed, code*†", "1", "", "3.0", "−10.0", "−1.0, paired", ".5 to 1"]
    assert head[5] == "less that of Poisson"


def test_differences_over_distortions_keep_their_marks_and_leave_what_is_not_there():
    first = MATCH | {"family": "Poisson", "converged": True, "wide": False, "evidence_difference": None}
    near = MATCH | {"wide": False, "evidence_difference": MATCH["evidence_difference"] | {"standard_error": 0.5}}
    founds = [
        {"distortion": 80.0, "curves": [first | {"converged": False}, MATCH, near | {"units": 8}]},
        {"distortion": 99.5, "curves": [first, near, near | {"family": "rectified, fixed prior, pays latent"}]},
    ]
    head, _, *rows = cells(over_distortions(founds, 64))
    assert head == ["log p(x) ≥, less that of Poisson, K = 64", "at 80", "at 99.5"]
    assert rows == [
        ["Poisson", "(−10.0*)", "(−10.0)"],
        ["fixed, code", "−1.0*†", "−1.0 ± .5*"],
        ["fixed, latent", "", "−1.0 ± .5*"],
    ]


def test_the_best_of_each_family_says_at_which_beta_and_what_it_rests_on():
    poisson = {"family": "Poisson", "units": 64, "beta": 1.0, "log_evidence": -278.64, "edge": False, "converged": True}
    gap = {"difference": 11.06, "standard_error": 6.5, "paired": False, "beside": "Poisson", "converged": False}
    other = {
        **poisson,
        "family": "rectified, fixed prior, pays code",
        "log_evidence": -267.5,
        "beta": 0.01,
        "edge": True,
    }
    other |= {"converged": False, "evidence_difference": gap}
    found = [poisson | {"evidence_difference": None}, other]
    assert cells(best(found))[2:] == [["Poisson", "−278.6 at 1"], ["fixed, code", "−267.5 at .01* (edge)"]]
    assert cells(best_ahead(found))[2:] == [["fixed, code", "11.1 ± 6.5 (unpaired)*"]]
    paired = [other | {"converged": True, "evidence_difference": gap | {"paired": True, "converged": True}}]
    assert cells(best_ahead(paired))[2:] == [["fixed, code", "11.1 ± 6.5"]]


def test_places_stand_behind_what_they_are_by():
    first = MATCH | {"family": "Poisson", "converged": True, "wide": False, "evidence_difference": None}
    first |= {"is_count": True, "spikes_per_image": 2.0, "rank_spikes": 1, "rank_nats": 2, "rank_evidence": 1}
    head, _, *rows = cells(ranked({"distortion": 100.0, "curves": [first, MATCH]}))
    assert head[3:] == ["nats", "place", "log p(x) ≥", "less that of Poisson", "place"]
    assert rows[0] == ["Poisson", "2.0", "1", "3.0", "2", "−10.0", "", "1"]
    assert rows[1] == ["fixed, code*†", "", "", "3.0", "1", "−10.0", "−1.0, paired", "2"]


def trend(metric, violations, in_spreads):
    return {"metric": metric, "violations": violations, "largest_in_spreads": in_spreads}


def test_verdicts_say_what_was_held_back_and_how_many_steps_go_the_wrong_way():
    code = {"family": "Poisson", "units": 64, "capped": False, "verdict": "holds"}
    wrong = [trend("zeros", 0, None), trend("lifetime_sparseness", 2, 1.4), trend("spikes_per_image", 1, 30.6)]
    found = {
        "proportion": {"curves": [code, code | {"units": 128, "verdict": "not asked"}]},
        "trade": {"curves": [code | {"verdict": "holds in part", "capped": True}]},
        "sparsity": {
            "curves": [code | {"verdict": "fails", "trends": wrong}, code | {"units": 8, "trends": wrong[:1]}]
        },
        "coupling": {"curves": [code | {"verdict": "fails", "trends": [trend("zeros", 1, None)]}]},
        "unchanged": {"curves": []},
    }
    head, _, *rows = cells(verdicts(found))
    assert head == ["claim: code", "K = 8", "K = 64"]
    assert rows == [
        ["nats follow spikes: Poisson", "", "holds"],
        ["spikes follow nats: Poisson", "", "in part*"],
        ["sparser and quieter: Poisson", "holds", "fails (3 back, 31 s.d.)"],
        ["not coupled: Poisson", "", "fails (1 back)"],
    ]


@pytest.mark.parametrize("after", ["\n", "\n\n", "\n\n| old |\n| --- |\n| 1 |\n", "\n\n| old |\n| --- |\n| 1 |\n\n"])
def test_a_table_is_put_in_its_place_alone(after):
    tables = {"one": "| new |\n", "two": "| second |\n"}
    text = f"a\n\n<!-- table one -->\n\n| old |\n\nb | c\n\n<!-- table two -->{after}"
    anew = "a\n\n<!-- table one -->\n\n| new |\n\nb | c\n\n<!-- table two -->\n\n| second |\n\n"
    assert places(text) == ["one", "two"]
    assert fill_places(text, tables) == fill_places(anew, tables) == anew


def test_a_table_that_nobody_makes_is_not_passed_over():
    with pytest.raises(KeyError, match="none"):
        fill_places("<!-- table none -->\n\n", {})


@pytest.mark.parametrize(
    ("write", "numbers", "said"),
    [
        (share, (0.5,), ".50"),
        (share, (1.0,), "1.00"),
        (share, (0.9951,), ".995"),
        (share, (0.9999,), "1.00"),
        (share, (0.004,), ".00"),
        (share, (-0.004,), ".00"),
        (share, (-0.031,), "−.03"),
        (share, (None,), ""),
        (tenths, (-0.04,), ".0"),
        (tenths, (1234.56,), "1,234.6"),
        (amount, (5581.4,), "5,581"),
        (amount, (99.94,), "99.9"),
        (amount, (99.97,), "100"),
        (amount, (1.0,), "1.0"),
        (amount, (0.99,), ".99"),
        (amount, (-123.4,), "−123"),
        (plus_minus, (-10.04, 0.5, 1), "−10.0 ± .5"),
        (plus_minus, (-10.04, None, 0), "−10"),
        (plus_minus, (None, 1.0, 0), ""),
        (fold, (5581.0, 0.688), "8,112-fold"),
        (fold, (1.0, 2.15), "2.1-fold"),
        (fold, (0.0, 2.0), "to nothing"),
        (fold, (None, 2.0), ""),
        (beta, (0.01,), ".01"),
        (beta, (0.0,), "0"),
        (beta, (8.0,), "8"),
        (marked, ("1", Point(64, 1.0, 0.0, ({"converged": True}, {"converged": False}))), "1*"),
        (marked, ("1", Point(64, 1.0, 0.0, ({"converged": True},))), "1"),
    ],
)
def test_numbers_are_written(write, numbers, said):
    assert write(*numbers) == said

"""What is not known of a run is told as such, in its numbers, pictures and on its page; many runs are all shown."""

from dataclasses import fields, replace
from html import escape
from itertools import combinations

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from numpy.testing import assert_allclose

from ppl_pvae.analysis.energy import budgets_with
from ppl_pvae.analysis.gabor import Gabors
from ppl_pvae.analysis.plots.delivered import delivered
from ppl_pvae.analysis.plots.efficiency import efficiency
from ppl_pvae.analysis.plots.evidence import evidence
from ppl_pvae.analysis.plots.versus import bills
from ppl_pvae.analysis.population import Bounds
from ppl_pvae.analysis.study import comparison_columns, study_as_json, unit_columns
from ppl_pvae.analysis.study_report import comparison_rows, write_study_report
from ppl_pvae.analysis.tuning import Tuning
from tests.analysis.test_comparison import a_study


def test_a_bill_that_cannot_be_worked_out_has_no_share(tmp_path):
    whole = a_study("a", steps=10)
    narrow = np.full_like(whole.bill.delivered, np.nan)  # units too narrow for the quadrature
    broken = replace(whole, bill=replace(whole.bill, delivered=narrow, mismatch=narrow))
    assert study_as_json(broken)["bill"]["delivered"] is None
    write_study_report(tmp_path / "report.html", broken, {})
    assert "One by one, units deliver –;" in (tmp_path / "report.html").read_text()


def test_a_unit_without_a_number_leaves_the_others_theirs():
    """The picture counts the units it knows, no bar is drawn of an unknown length, and a bound stays one."""
    whole = a_study("a", steps=10)
    got = whole.bill.delivered.copy()
    got[3] = np.nan
    bill = replace(whole.bill, delivered=got, mismatch=whole.bill.paid - got)
    assert "nan" not in delivered(bill).axes[0].get_title("left")
    assert "1 unit not known" in delivered(bill).axes[0].get_title("left")
    broken = replace(whole, name="broken", bill=bill, population=Bounds(1.0, 5.0, 0.1, 0.1, 7.6))
    assert [text.get_text() for text in bills([whole, broken]).axes[0].get_yticklabels()] == ["a"]
    assert bills([broken]) is None
    assert_allclose(broken.delivered, 5.0)


def test_the_bill_of_the_whole_code_is_closed():
    """With bounds on what it tells, the rest of what is paid and the bits of a spike lie between two numbers each."""
    whole = a_study("a", steps=10)
    paid, spikes = whole.bill.paid.sum(), whole.posterior.use.sum()
    one = replace(whole, population=Bounds(1.0, 5.0, 0.1, 0.1, 7.6), unsent=0.25)
    said = study_as_json(one)["bill"]
    assert_allclose(said["delivered"] + said["mismatch"] + said["unsent"], paid)
    most = min(whole.bill.delivered.sum(), 5.0)
    b = said["population"]
    assert_allclose([b["mismatch_least"], b["mismatch_most"]], [paid - 0.25 - most, paid - 0.25 - 1.0])
    assert_allclose([b["bits_per_spike_least"], b["bits_per_spike_most"]], np.array([1.0, most]) / np.log(2) / spikes)


def test_elements_of_idle_units_are_not_counted():
    """Of 64 units, all of them Gabor-like and tuned alike, those that cost nothing are left out."""
    whole = a_study("a", steps=10)
    units = whole.posterior.kl.shape[1]
    kl = whole.posterior.kl.copy()
    kl[:, 10:] = 0
    shape = dict.fromkeys((f.name for f in fields(Gabors)), np.zeros(units))
    width = np.where(np.arange(units) < 10, 0.2, 0.05)
    tuned = Tuning(**dict.fromkeys((f.name for f in fields(Tuning)), width) | {"curve": width[np.newaxis]})
    one = replace(
        whole,
        posterior=replace(whole.posterior, kl=kl),
        gabors=Gabors(**shape | {"r2": np.where(np.arange(units) < 4, 0.1, 0.9)}),
        tuning=tuned,
    )
    said = study_as_json(one)["dictionary"]
    used = int((kl.mean(axis=0) > 0.01).sum())
    assert said["units_active"] == used <= 10
    assert said["units_gabor"] == used - 4
    assert_allclose(said["share_gabor"], (used - 4) / used)
    assert_allclose(said["median_half_width_degrees"], np.degrees(0.2))
    assert unit_columns(one)["active"].sum() == used


def test_a_comparison_has_what_a_summary_has_not():
    """Bill and evidence of each run; a line is there where any run has it."""
    runs = [a_study("a", evidence=np.full(60, -3.0)), a_study("b", "rectified")]
    rows = {row[0]: row[1:] for row in comparison_rows(runs)}
    assert rows["log p(x) ≥, nats per image"] == ("−3", "–")
    assert rows["nats paid, of the images of the bill"][1] == "–"
    assert "amortisation gap, nats per image" not in rows
    assert comparison_columns(runs[0])["log_evidence"] == -3.0


def test_names_of_budgets_do_not_overprint_each_other():
    """Two budgets of nearly the same price of rest, as with --window 0.25 --budget 1e9 2e8."""
    fig = efficiency([replace(a_study("a", steps=10), budgets=budgets_with(0.25, (1e9, 2e8)))])
    FigureCanvasAgg(fig).draw()
    boxes = {text.get_text(): text.get_window_extent() for text in fig.axes[0].texts}
    assert set(boxes) == {"Attwell", "Lennie", "Howarth", "given"}
    assert not any(one.overlaps(other) for one, other in combinations(boxes.values(), 2))


def test_a_code_that_tells_less_than_nothing_by_rounding_has_no_curve():
    said = a_study("a", steps=10)
    for upper in (-1e-18, 0.0):
        assert efficiency([replace(said, population=Bounds(-1.0, upper, 0.1, 0.1, 7.6))]) is None


def test_the_page_says_where_a_budget_is_from(tmp_path):
    one = replace(a_study("a", steps=10), budgets=budgets_with(0.1, (1e9, 2e8)))
    write_study_report(tmp_path / "report.html", one, {})
    page = (tmp_path / "report.html").read_text()
    assert all(escape(f"{budget.name}: {budget.source}") in page for budget in one.budgets)


def test_images_without_a_k_are_told(tmp_path):
    said = a_study("a", evidence=np.full(60, -3.0), steps=10)
    k = np.where(np.arange(60) < 15, np.nan, 0.9)
    for unknown, told in ((k, True), (np.full(60, 0.9), False)):
        one = replace(said, evidence=replace(said.evidence, pareto_k=unknown))
        write_study_report(tmp_path / "report.html", one, {})
        assert ("25% have no k̂" in (tmp_path / "report.html").read_text()) == told
    assert (
        study_as_json(replace(said, evidence=replace(said.evidence, pareto_k=k)))["evidence"]["share_without_k"] == 0.25
    )


def test_images_without_a_finite_bound_do_not_stop_the_picture():
    bound = np.where(np.arange(60) < 2, -np.inf, -3.0)
    said = a_study("a", evidence=bound)
    assert "2 images have none" in evidence(said.posterior, said.evidence).axes[1].get_title("left")


def test_more_runs_than_colours_are_all_drawn():
    runs = [a_study(f"run {i}", steps=10) for i in range(10)]
    assert [text.get_text() for text in efficiency(runs).axes[0].get_legend().get_texts()] == [s.name for s in runs]


def test_spikes_are_said_of_counts_only():
    """Of values alone, and of both kinds side by side, it is activity."""
    counts, values = a_study("a"), a_study("b", "rectified")
    for runs, word in (([counts], "spikes"), ([values], "activity"), ([counts, values], "activity")):
        labels = [row[0] for row in comparison_rows(runs)]
        assert f"{word} per image" in labels
    assert "bits per spike, bits" in labels

"""The report of a sweep: its story, its tables, and that it asks nothing of the network."""

import re
from html import unescape

import numpy as np
import pytest
from PIL import Image

from ppl_pvae.analysis.sweeps import best_evidence, findings, match_distortion, write_sweep_report
from ppl_pvae.analysis.sweeps.report import story
from tests.analysis.sweeps.planted import CONTROL, cell, planted_sweep
from tests.analysis.sweeps.test_findings import ODD

NAMES = ("sparsity", "r2", "planes", "maps", "evidence", "operating", "dense", "price", "atoms")


def written(tmp_path, rows, names=()):
    files = {name: tmp_path / f"{name}.png" for name in names}
    for file in files.values():
        Image.fromarray(np.zeros((10, 900), np.uint8)).save(file)
    settings = {"programs": ["poisson", "a<b>.py"], "grid": {"betas": [0.1, 1.0]}}
    matches, best = match_distortion(rows), best_evidence(rows)
    write_sweep_report(tmp_path / "report.html", rows, findings(rows), files, matches, best, settings)
    return (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_best_of_each_family_stands_with_what_it_rests_on(tmp_path):
    known = {"log_evidence_se": 3.0, "distortion": 101.5}
    rows = [cell(beta=1.0, seed=seed, log_evidence=-270.0, converged=seed == 0, **known) for seed in (0, 1)]
    rows += [cell(CONTROL, beta=beta, log_evidence=-274.0 - beta, **known) for beta in (0.5, 1.0, 2.0)]
    page = written(tmp_path, rows, ["evidence"])
    table = page[page.index("Evidence, each family") : page.index("<h2>At equal distortion")]
    told = [re.findall(r"<td[^>]*>(.*?)</td>", line) for line in table.split("<tr>")[2:]]
    first, second = ([unescape(each).replace("\xa0", " ") for each in line] for line in told)
    assert first == ["Poisson", "64", "2", "1", "−270.0 ± 3", "–", "101.5", "β", "not all converged"]
    assert second[1:5] == ["64", "1", "0.5", "−274.5 ± 3"]
    assert second[5:] == ["−4.5 ± 4.2 (not paired)", "101.5", "β", "Poisson not all converged"]


def test_the_first_screen_tells_the_story():
    rows = planted_sweep()
    found = findings(rows)
    told = story(found)
    assert told.startswith(f"{len(rows)} cells: 7 program variants, K 32, 64, 512, β 0.01,")
    assert "1 ended in an error" in told
    assert f"{found['converged']} converged" in told


def test_a_whole_report(tmp_path):
    rows = planted_sweep()
    page = written(tmp_path, rows, NAMES)
    found = findings(rows)
    for claim in found["claims"].values():
        assert f">{claim['verdict']}</span><div><p><b>{claim['claim']}" in page
    order = ["converged", "Sparsity over", "Fidelity for energy", "Evidence, each family", "At equal distortion"]
    order += ["Operating points", "Beside dense codes", "A price on spikes", "The dictionary along"]
    order += ["Cells that ended in an error"]
    order += ["not known to have converged</h2>", "<h2>Settings"]
    places = [page.index(each) for each in order[:-2]] + [page.rindex(each) for each in order[-2:]]
    assert places[1:] == sorted(places[1:])
    assert page.count("<img") == len(NAMES)
    assert "killed, out of memory: 3.1 GB" in page
    assert all(each["cell"] in page for each in found["unconverged"])
    assert "Attwell" in page
    assert "a&lt;b&gt;.py" in page
    assert not re.search(r'(?:src|href)="(?!data:)', page)
    assert [path.name for path in tmp_path.glob("*.part")] == []


def test_every_family_stands_in_the_tables_of_the_pattern_and_of_collapse(tmp_path):
    rows = planted_sweep()
    page = written(tmp_path, rows)
    pattern = page[page.index("The pattern, family by family") : page.index("What is left at the largest β")]
    collapse = page[page.index("What is left at the largest β") : page.index("<h2>Evidence, each family")]
    found = findings(rows)
    assert [f"<h3>K = {units}</h3>" in pattern for units in (32, 64, 512)] == [True] * 3
    for label in found["families"]:
        assert pattern.count(f">{label}</td>") == collapse.count(f">{label}</td>") == 3
    one = next(each for each in found["claims"]["pattern"]["curves"] if each["trends"][0]["violations"])
    told, (near, far) = one["trends"][0], one["trends"][0]["largest_at"]
    words = " ".join(re.sub(r"<[^>]*>", " ", unescape(pattern)).split())  # numbers stand with spaces that do not break
    steps = f"{told['steps_as_said']} of {told['steps']} on, {told['violations']} back"
    assert f"{steps}: {told['largest']:.2g} at {near:g} to {far:g}" in words


@pytest.mark.parametrize("case", ODD)
def test_odd_tables_have_a_report(tmp_path, case):
    page = written(tmp_path, ODD[case])
    assert "<h1>Sweep of" in page
    assert page.count("badge") >= 6

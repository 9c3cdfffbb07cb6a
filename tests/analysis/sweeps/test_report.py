"""The report of a sweep: its story, its tables, and that it asks nothing of the network."""

import re

import numpy as np
import pytest
from PIL import Image

from ppl_pvae.analysis.sweeps import findings, match_distortion, write_sweep_report
from ppl_pvae.analysis.sweeps.report import story
from tests.analysis.sweeps.planted import planted_sweep
from tests.analysis.sweeps.test_findings import ODD

NAMES = ("sparsity", "r2", "planes", "maps", "operating", "price", "atoms")


def written(tmp_path, rows, names=()):
    files = {name: tmp_path / f"{name}.png" for name in names}
    for file in files.values():
        Image.fromarray(np.zeros((10, 900), np.uint8)).save(file)
    settings = {"programs": ["poisson", "a<b>.py"], "grid": {"betas": [0.1, 1.0]}}
    write_sweep_report(tmp_path / "report.html", rows, findings(rows), files, match_distortion(rows), settings)
    return (tmp_path / "report.html").read_text(encoding="utf-8")


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
    order = ["converged", "Sparsity over", "Fidelity for energy", "At equal distortion", "Operating points"]
    order += ["A price on spikes", "The dictionary along", "Cells that ended in an error"]
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


@pytest.mark.parametrize("case", ODD)
def test_odd_tables_have_a_report(tmp_path, case):
    page = written(tmp_path, ODD[case])
    assert "<h1>Sweep of" in page
    assert page.count("badge") >= 6

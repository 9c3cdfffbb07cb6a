"""Every file in models/ trains from the command, stays as short as it is meant to be, and is listed."""

import ast
import io
import json
import math
import tokenize
from pathlib import Path

import pytest

import ppl_pvae
from ppl_pvae.config import from_mapping, read_program_file, validate
from ppl_pvae.data import load
from ppl_pvae.fit import main
from ppl_pvae.run.plan import make_plan
from ppl_pvae.run.program_files import program_in

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "models").glob("*.py"))
SMALL = ["--units", "8", "--batch-size", "200", "--steps", "60", "--evaluate-every", "20", "--anneal", "0"]
# Lines of code, imports among them, blank lines, comments and docstrings not.
LONGEST = {"tied": 8, "hyper_prior": 20, "zero_inflated": 12, "negative_binomial": 20}
LONGEST_OF_ALL = 30

QUICK = ("tied",)  # the others compile longer, and say no more of posterior, figures and report
STEPPED = ("hyper_prior", "zero_inflated", "negative_binomial")

each_file = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
quick_first = pytest.mark.parametrize(
    "file",
    [pytest.param(file, marks=[] if file.stem in QUICK else [pytest.mark.slow], id=file.stem) for file in FILES],
)


@quick_first
def test_an_example_trains_and_leaves_a_run(file, tmp_path, capsys):
    """Sixty steps: the free energy is finite and falls; posterior, figures and report are there."""
    data = [] if "DATA =" in file.read_text(encoding="utf-8") else ["--data", "synthetic", "--patch-size", "4"]
    assert main(["--program", str(file), *data, *SMALL, "--out", str(tmp_path / "run")]) == 0, capsys.readouterr().err
    lines = map(json.loads, (tmp_path / "run/metrics.jsonl").read_text(encoding="utf-8").splitlines())
    falling = [line["free_energy"] for line in lines if line.get("split") == "train"]
    assert all(map(math.isfinite, falling))
    assert falling[-1] < falling[0]
    for output in ("posterior.nc", "report.html", "figures/bill.png", "figures/raster.png"):
        assert (tmp_path / "run" / output).stat().st_size > 0


@pytest.mark.parametrize("name", STEPPED)
def test_an_example_takes_steps_that_lead_down(name):
    """The mean loss of steps 51 to 60 is finite and below that of the first ten."""
    file = read_program_file(str(ROOT / f"models/{name}.py"))
    settings = {"program": file.path, "data": "synthetic", "patch_size": 4, "units": 8, "batch_size": 200, "steps": 60}
    chosen = validate(from_mapping(settings | {"anneal": 0.0}), own_program=True)
    trainer = make_plan(chosen, load("synthetic", patch_size=4), program_in(file), file).trainer()
    losses = {end: [trainer.loss for _ in trainer.advance_to(end)][-1] for end in (10, 50, 60)}
    assert math.isfinite(losses[60])
    assert losses[60] < losses[10]


def lines_of_code(text: str) -> int:
    """Lines with something on them that is neither a comment nor a docstring."""
    passed = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    written = {n for token in tokens if token.type not in passed for n in range(token.start[0], token.end[0] + 1)}
    strings = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Expr)]
    told = [node for node in strings if isinstance(node.value, ast.Constant)]
    return len(written - {n for node in told for n in range(node.lineno, (node.end_lineno or node.lineno) + 1)})


@each_file
def test_an_example_is_short_and_says_what_it_asks(file):
    """Within its limit of lines; a docstring of three to six lines, the first of which is a question."""
    text = file.read_text(encoding="utf-8")
    assert lines_of_code(text) <= LONGEST.get(file.stem, LONGEST_OF_ALL)
    said = ast.get_docstring(ast.parse(text))
    assert said is not None
    assert said.splitlines()[0].endswith("?")
    assert "python -m ppl_pvae.fit" in said
    assert 3 <= len(said.splitlines()) <= 6


def test_lines_are_counted():
    text = '"""A word.\n\nMore.\n"""\n\n# a comment\nx = [  # two lines\n    1]\n\ndef f():\n    "said"\n    return x\n'
    assert lines_of_code(text) == 4


def test_all_examples_are_listed():
    assert FILES
    text = (ROOT / "models/README.md").read_text(encoding="utf-8")
    assert [file.name for file in FILES if f"`{file.name}`" not in text] == []


@pytest.mark.slow
def test_the_planted_loadings_come_back():
    """24 units, some of them spare: each of 16 planted loadings is matched by a unit, correlation at least .9."""
    file = ROOT / "models/spike_counts.py"
    run = ppl_pvae.train(file, units=24, steps=2500, batch_size=250, evaluate_every=2500)
    assert run.summary["least_planted_correlation"] >= 0.9

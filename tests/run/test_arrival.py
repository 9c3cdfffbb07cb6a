"""Training by doubling: when it stops, what it leaves behind, and that stopping and continuing changes nothing."""

import json
from dataclasses import replace

import numpy as np
import pytest

import ppl_pvae
from ppl_pvae.analysis.bounds import bounds_of, read_bounds
from ppl_pvae.config import from_mapping, validate
from ppl_pvae.data import load
from ppl_pvae.errors import UserError
from ppl_pvae.inference.checkpoint import load_arrays
from ppl_pvae.run import arrival, fit_until_converged, fitting, follow_beta

SETTINGS = {"units": 4, "batch_size": 100, "steps": 40, "learning_rate": 0.02, "checkpoint_every": 20}


@pytest.fixture(scope="module")
def array(planted, tmp_path_factory):
    path = tmp_path_factory.mktemp("images") / "planted.npy"
    np.save(path, planted.images[:1000])
    return path


@pytest.fixture(scope="module")
def settings(array):
    return validate(from_mapping({**SETTINGS, "data": str(array)}))


@pytest.fixture(scope="module")
def data(array):
    return load(str(array), patch_size=16, seed=0)


def cell(settings, folder, data, *, max_doublings=2, warm_start=True):
    return fit_until_converged(settings, folder, data, max_doublings=max_doublings, warm_start=warm_start)


@pytest.fixture(scope="module")
def undisturbed(settings, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cells") / "one"
    return folder, cell(settings, folder, data)


def metrics(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def comparable(summary):
    return {name: value for name, value in summary.items() if name != "seconds"}


def test_steps_are_doubled_until_the_cap_and_the_last_training_is_the_run(undisturbed):
    folder, summary = undisturbed
    assert summary["steps"] == 160  # this one is far from settled
    assert summary["converged"] is False
    assert set(summary["doubling"]) == {"converged", "free_energy_change", "log_rate_change", "zeros_change"}
    run = ppl_pvae.open_run(folder)
    assert run.settings.steps == 160
    assert metrics(folder)[-1]["step"] == 160
    assert np.isfinite(summary["log_evidence"])
    assert json.loads((folder / "summary.json").read_text()) == summary
    # The judgement is that of the two last trainings.
    judged = [json.loads((folder / f"steps-{n}" / "judged.json").read_text())["judged"] for n in (80, 160)]
    change = judged[1]["free_energy"] / judged[0]["free_energy"] - 1
    assert summary["doubling"]["free_energy_change"] == pytest.approx(change, rel=1e-9)
    assert summary["train_free_energy"] == pytest.approx(judged[1]["free_energy"])


def test_evidence_is_kept_image_by_image(undisturbed, settings, data, tmp_path):
    folder, summary = undisturbed
    bounds = read_bounds(folder)
    assert bounds is not None
    assert bounds.bound.shape == bounds.image.shape == bounds.group.shape
    assert bounds.bound.mean() == pytest.approx(summary["log_evidence"])
    assert np.array_equal(bounds.group, data.groups["test"][bounds.image])
    assert bounds_of(bounds.image, bounds.group, bounds.bound, data.test[bounds.image]).mark == bounds.mark
    # Another cell on the same data is asked of the same images.
    other = tmp_path / "other"
    cell(replace(settings, beta=2.0), other, data, max_doublings=0)
    beside = read_bounds(other)
    assert beside is not None
    assert (beside.mark, beside.image.tolist()) == (bounds.mark, bounds.image.tolist())
    assert (other / "evidence.npz").stat().st_mtime_ns <= (other / "summary.json").stat().st_mtime_ns


def test_a_program_without_evidence_leaves_no_bounds_of_an_earlier_training(settings, data, tmp_path, monkeypatch):
    folder = tmp_path / "cell"
    cell(settings, folder, data, max_doublings=0)
    assert read_bounds(folder) is not None

    def none(*_, **__):
        raise ValueError

    monkeypatch.setattr(arrival, "importance_weighted", none)
    summary = cell(settings, folder, data, max_doublings=1)
    assert (summary["log_evidence"], read_bounds(folder)) == (None, None)


def test_the_posterior_of_a_cell_is_made_anew_from_its_parameters(undisturbed):
    folder, summary = undisturbed
    assert not (folder / "posterior.nc").exists()
    run = ppl_pvae.open_run(folder)
    rates = run.tree["posterior"]["rate"].values
    assert rates.sum(axis=1).mean() == pytest.approx(summary["spikes_per_image"], rel=1e-5)


def test_a_longer_training_goes_on_from_the_shorter_one_or_from_the_start(settings, data, undisturbed, tmp_path):
    _, warm = undisturbed
    cold = cell(settings, tmp_path / "cold", data, warm_start=False)
    assert cold["steps"] == warm["steps"]
    assert [line["step"] for line in metrics(tmp_path / "cold") if line.get("event")] == [0]
    assert [line["step"] for line in metrics(undisturbed[0]) if line.get("event")] == [0, 40, 80]
    straight = ppl_pvae.train("poisson", settings.data, **{**SETTINGS, "steps": 160})
    assert cold["train_free_energy"] == pytest.approx(straight.summary["train_free_energy"], rel=1e-6)
    assert cold["train_free_energy"] != warm["train_free_energy"]


def test_where_it_is_not_known_to_end_alike_a_longer_training_begins_anew(settings, data, tmp_path):
    """What stayed silent in a short rise of β stays so for whoever goes on from it, and prices silence too."""
    rising = replace(settings, beta=4.0, anneal=0.3)
    for name, chosen in (
        ("dear", rising),
        ("at once", replace(rising, anneal=0.0)),
        ("cheap", replace(rising, beta=1.0)),
        ("priced", replace(rising, beta=1.0, spike_price=0.1)),
        ("no bias", replace(rising, beta=1.0, encoder_bias=False)),
    ):
        cell(chosen, tmp_path / name, data)
    begun = {path.name: [line["step"] for line in metrics(path) if line.get("event")] for path in tmp_path.iterdir()}
    assert begun == {"dear": [0], "at once": [0, 40, 80], "cheap": [0, 40, 80], "priced": [0], "no bias": [0]}


def test_what_is_settled_stops_at_the_first_doubling_and_keeps_no_training(settings, data, tmp_path):
    silent = replace(settings, beta=1000.0, anneal=0.0, steps=200, learning_rate=0.1)
    summary = cell(silent, tmp_path / "silent", data, max_doublings=4)
    assert summary["converged"] is True
    assert summary["steps"] == 400
    assert not list((tmp_path / "silent").glob("steps-*"))
    before = (tmp_path / "silent" / "summary.json").stat().st_mtime_ns
    assert cell(silent, tmp_path / "silent", data, max_doublings=5) == summary
    assert (tmp_path / "silent" / "summary.json").stat().st_mtime_ns == before


def test_without_doublings_nothing_is_judged(settings, data, tmp_path):
    summary = cell(settings, tmp_path / "one", data, max_doublings=0)
    assert (summary["converged"], summary["steps"]) == (None, 40)
    assert "doubling" not in summary


def test_more_doublings_go_on_from_where_it_stopped(settings, data, undisturbed, tmp_path):
    folder = tmp_path / "grows"
    first = cell(settings, folder, data, max_doublings=1)
    assert first["steps"] == 80
    assert comparable(cell(settings, folder, data)) == comparable(undisturbed[1])
    assert [line["step"] for line in metrics(folder) if line.get("event")] == [0, 40, 80]


@pytest.mark.parametrize("saved", [1, 3, 5])
def test_stopped_anywhere_and_continued_it_ends_the_same(settings, data, undisturbed, tmp_path, monkeypatch, saved):
    """The process dies after some checkpoint; there are two in the first two trainings each, and four in the last."""

    class Died(BaseException):
        pass

    counted = []

    def dies(folder, step, state, seconds):
        save(folder, step, state, seconds + 1000.0)
        counted.append(step)
        if len(counted) == saved:
            raise Died

    save = fitting.save_checkpoint
    with monkeypatch.context() as patch:
        patch.setattr(fitting, "save_checkpoint", dies)
        with pytest.raises(Died):
            cell(settings, tmp_path / "cell", data)
    assert not (tmp_path / "cell" / "summary.json").exists()
    again = cell(settings, tmp_path / "cell", data)
    assert comparable(again) == comparable(undisturbed[1])
    assert undisturbed[1]["seconds"] < 1000.0 < again["seconds"]  # what the process took that died is counted
    ours, theirs = (load_arrays(folder / "params.npz") for folder in (tmp_path / "cell", undisturbed[0]))
    assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)


def test_other_images_are_refused(settings, undisturbed, planted, tmp_path):
    np.save(tmp_path / "planted.npy", planted.images[1000:2000])
    other = load(str(tmp_path / "planted.npy"), patch_size=16, seed=0)
    with pytest.raises(UserError, match="other images"):
        cell(settings, undisturbed[0], other, max_doublings=3)


def test_one_code_along_beta(settings, data, tmp_path):
    path = follow_beta(settings, (0.5, 1.0, 2.0), tmp_path / "path", data)
    found = load_arrays(path)
    assert found["beta"].tolist() == [0.5, 1.0, 2.0]
    assert found["dictionary"].shape == (3, 4, 36)
    assert found["use"].shape == (3, 4)
    assert found["shape"].tolist() == [6, 6]
    assert found["use"].sum(axis=1)[0] > found["use"].sum(axis=1)[2]
    # Each goes on from the one before: units keep their places.
    a, b = (d / np.linalg.norm(d, axis=1, keepdims=True) for d in found["dictionary"][1:])
    assert (np.sum(a * b, axis=1) > 0.8).all()
    assert not [child for child in path.parent.iterdir() if child.is_dir()]
    assert follow_beta(settings, (0.5, 1.0, 2.0), tmp_path / "path", data) == path

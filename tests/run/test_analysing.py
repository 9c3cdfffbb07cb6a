"""The analyze command: what it leaves behind of one run and of several, and what it refuses."""

import csv
import json
import shutil

import h5py
import numpy as np
import pytest
from numpy.testing import assert_allclose

import ppl_pvae
from ppl_pvae.analysis import posterior_of
from ppl_pvae.analysis.information import poisson_bill
from ppl_pvae.analysis.metrics import fano_factor
from ppl_pvae.analyze import main, parse
from ppl_pvae.inference.values import normals_of

SETTINGS = {"units": 8, "batch_size": 200, "steps": 60, "learning_rate": 0.02, "evaluate_every": 60}


@pytest.fixture(scope="module")
def runs(planted, tmp_path_factory):
    """Directories of a P-VAE and of a rectified Gaussian that pays for its latent, on the same images."""
    folder = tmp_path_factory.mktemp("analysed")
    ppl_pvae.train("poisson", planted.images, out=folder / "spikes", **SETTINGS)
    ppl_pvae.train("rectified-gaussian", planted.images, out=folder / "values", **SETTINGS)
    return folder


@pytest.fixture(scope="module")
def one(runs):
    """The analysis of the P-VAE."""
    assert main([str(runs / "spikes")]) == 0
    return runs / "spikes" / "analysis"


@pytest.fixture(scope="module")
def both(runs):
    asked = ["--window", "0.25", "--budget", "1e9", "0"]
    assert main([str(runs / "spikes"), str(runs / "values"), "--out", str(runs / "both"), *asked]) == 0
    return runs / "both"


def read(path):
    return json.loads(path.read_text())


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


# --- one run ---


def test_everything_of_one_run_is_there(one):
    assert {path.name for path in one.iterdir()} == {
        "analysis.json",
        "units.csv",
        "images.csv",
        "figures",
        "report.html",
    }
    drawn = {path.stem for path in (one / "figures").iterdir()}
    assert drawn == {"delivered", "energy", "evidence", "gabors", "tuned"}
    page = (one / "report.html").read_text()
    assert page.count("data:image/png;base64,") == len(drawn)
    assert "http" not in page.replace("http-equiv", "")


def test_the_bill_is_that_of_the_posterior(one, runs):
    run = ppl_pvae.open_run(runs / "spikes")
    said, p = read(one / "analysis.json"), posterior_of(run.tree)
    exact = poisson_bill(p.mean, p.prior_mean)
    assert_allclose(said["bill"]["paid"], run.summary["coding_rate"], rtol=1e-4)
    assert_allclose(said["bill"]["delivered"], exact.delivered.sum())
    assert_allclose(said["bill"]["bits_per_spike"], run.summary["bits_per_spike"], rtol=1e-6)
    units = rows(one / "units.csv")
    assert_allclose([float(row["nats_delivered"]) for row in units], exact.delivered)
    assert_allclose(sum(float(row["use"]) for row in units), run.summary["spikes_per_image"], rtol=1e-6)
    assert_allclose([float(row["fano_factor"]) for row in units], fano_factor(p.z))
    bits = said["summary"]["coding_rate"] / np.log(2)
    assert said["intervals"]["coding_rate_bits"]["low"] < bits < said["intervals"]["coding_rate_bits"]["high"]
    assert "Fano factor" in (one / "report.html").read_text()


def test_evidence_is_that_of_the_run(one, runs):
    run, said = ppl_pvae.open_run(runs / "spikes"), read(one / "analysis.json")["evidence"]
    images = rows(one / "images.csv")
    x = run.tree["observed_data"]["x"].values[[int(row["image"]) for row in images]]
    again = run.evidence(x, draws=said["draws"])
    assert_allclose([float(row["log_evidence"]) for row in images], again["log_evidence"], rtol=1e-6)
    assert_allclose([float(row["pareto_k"]) for row in images], again["pareto_k"], rtol=1e-6)
    assert_allclose(said["log_evidence"]["estimate"], float(again["log_evidence"].mean()), rtol=1e-6)
    assert -run.summary["negative_elbo"] < said["log_evidence"]["estimate"]


@pytest.mark.slow
def test_what_takes_long_is_told(runs, tmp_path):
    assert main([str(runs / "spikes"), "--full", "--out", str(tmp_path / "full")]) == 0
    said = read(tmp_path / "full" / "analysis.json")
    drawn = {path.stem for path in (tmp_path / "full" / "figures").iterdir()}
    longer = {"refined", "calibration", "checks", "posterior_checks"}
    assert drawn == {"delivered", "energy", "evidence", "gabors", "tuned"} | longer
    assert said["refinement"]["gap"]["low"] >= 0
    assert said["refinement"]["free_energy_after"] <= said["refinement"]["free_energy_before"]
    assert 0 <= said["calibration"]["p_value"] <= 1
    assert said["checks"]["variance"]["observed"] > 0
    assert {each["of"] for each in said["checks"].values()} == {"image", "code"}
    assert {each["of"] for each in said["posterior_checks"].values()} == {"image"}
    # The same images beside other data sets.
    off = {way: said[way]["variance"] for way in ("checks", "posterior_checks")}
    assert off["posterior_checks"]["observed"] == off["checks"]["observed"]
    assert off["posterior_checks"]["replicated_mean"] != off["checks"]["replicated_mean"]
    assert said["notes"] == []


# --- several ---


def test_two_runs_are_compared_image_by_image(both, runs):
    said = read(both / "comparison.json")
    assert said["runs"] == ["spikes", "values"]
    bounds = [
        np.array([float(row["log_evidence"]) for row in rows(both / name / "images.csv")]) for name in said["runs"]
    ]
    (pair,) = said["log_evidence"]
    assert (pair["run"], pair["beside"]) == ("values", "spikes")
    assert_allclose(pair["difference"], np.mean(bounds[1] - bounds[0]))
    assert pair["low"] <= pair["difference"] <= pair["high"]
    assert {row["program"] for row in rows(both / "comparison.csv")} == {"poisson", "rectified-gaussian"}
    assert {path.stem for path in (both / "figures").iterdir()} == {"planes", "differences", "bills", "uses", "energy"}


def test_a_rectified_code_is_billed_for_what_it_sends(both, runs):
    run, bill = ppl_pvae.open_run(runs / "values"), read(both / "values" / "analysis.json")["bill"]
    p = posterior_of(run.tree)
    normals = normals_of(run.params, *run.program, run.nets, p.x)
    assert_allclose(normals.kl, p.kl, rtol=1e-4, atol=1e-5)
    assert (normals.kl_sent <= normals.kl + 1e-5).all()
    assert_allclose(bill["unsent"], (normals.kl - normals.kl_sent).sum(axis=1).mean(), rtol=1e-5)
    assert bill["unsent"] > 0
    for row in rows(both / "values" / "units.csv"):  # all three of the same images
        assert float(row["nats_paid"]) == pytest.approx(float(row["nats_delivered"]) + float(row["nats_mismatch"]))
    # What is sent is worth no more than is paid for sending it.
    assert 0 < bill["delivered"] <= bill["paid"] - bill["unsent"]


@pytest.mark.slow
def test_other_data_are_analysed(runs, tmp_path, planted):
    np.save(tmp_path / "other.npy", 2 * planted.images)
    out = tmp_path / "out"
    assert main([str(runs / "spikes"), "--data", str(tmp_path / "other.npy"), "--out", str(out)]) == 0
    said = read(out / "analysis.json")
    assert said["summary"]["data"] == str(tmp_path / "other.npy")
    assert said["summary"]["distortion"] > 2 * read(runs / "spikes" / "summary.json")["distortion"]


def test_other_data_do_not_take_the_place_of_the_run_s_own(runs):
    run = runs / "spikes"
    assert parse([str(run)])[1] == run / "analysis"
    assert parse([str(run), "--data", "some/where/other.npy"])[1] == run / "analysis-other"


def test_energy_is_reckoned_with_the_budget_that_is_given(both):
    rows = read(both / "spikes" / "analysis.json")["energy"]
    assert {row["window_seconds"] for row in rows} == {0.25}
    own, spikes = rows[-1], read(both / "spikes" / "analysis.json")["summary"]["spikes_per_image"]
    assert own["budget"] == "given"
    assert own["rest_to_spike"] == 0
    assert_allclose(own["atp_per_image"], 1e9 * spikes, rtol=1e-6)


def test_runs_may_stand_on_either_side_of_a_budget(runs):
    for words in (["--budget", "1e9", "2e8", str(runs / "spikes")], [str(runs / "spikes"), "--budget", "1e9", "2e8"]):
        command, _ = parse(words)
        assert command.runs == (runs / "spikes",)
        assert command.budget == (1e9, 2e8)


# --- what cannot be ---


def refused(capsys, *arguments):
    """What the command says, having returned 2 and said it in two lines at most."""
    assert main([str(each) for each in arguments]) == 2
    told = capsys.readouterr().err.strip().splitlines()
    assert 1 <= len(told) <= 2
    return " ".join(told)


def test_directories_that_are_no_runs_are_refused(capsys, tmp_path, runs):
    assert "name at least one run" in refused(capsys)
    assert "is no run directory" in refused(capsys, tmp_path)
    assert "is no run directory" in refused(capsys, tmp_path / "nowhere")
    shutil.copytree(runs / "spikes", tmp_path / "unfinished")
    (tmp_path / "unfinished" / "summary.json").unlink()
    assert "not finished" in refused(capsys, tmp_path / "unfinished")
    assert "given twice" in refused(capsys, runs / "spikes", runs / "spikes")
    assert "unknown flag '--ful'; did you mean '--full'" in refused(capsys, runs / "spikes", "--ful")


def test_posteriors_that_cannot_be_read_are_refused(capsys, tmp_path, runs):
    shutil.copytree(runs / "spikes", tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "analysis", ignore_errors=True)
    posterior = tmp_path / "run" / "posterior.nc"
    with h5py.File(posterior, "a") as file:
        file.attrs["format_version"] = 99
    assert "update ppl_pvae" in refused(capsys, tmp_path / "run")
    posterior.write_bytes(b"no netCDF")
    assert "is no netCDF file" in refused(capsys, tmp_path / "run")
    with h5py.File(posterior, "w") as file:
        file["x"] = [1.0]
    assert "no posterior of this package" in refused(capsys, tmp_path / "run")
    assert not (tmp_path / "run" / "analysis").exists()


def test_runs_on_different_data_are_not_compared(capsys, tmp_path, runs, planted):
    ppl_pvae.train("poisson", planted.images[::-1], out=tmp_path / "other", **SETTINGS | {"steps": 2})
    said = refused(capsys, runs / "spikes", tmp_path / "other", "--out", tmp_path / "out")
    assert "spikes and other were tested on different images" in said
    assert "analysing" not in said  # it is seen before the work
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("words", [["1e9"], [], ["1e9", "RUN"], ["much", "1"], ["1e9", "--full"]])
def test_a_budget_is_two_numbers(capsys, runs, words):
    said = refused(capsys, runs / "spikes", "--budget", *words)
    assert said == "error: --budget takes two numbers: ATP per spike and ATP per second at rest; see --help."


def test_data_and_places_that_do_not_fit_are_refused(capsys, tmp_path, runs):
    np.save(tmp_path / "small.npy", np.random.default_rng(0).normal(size=(500, 9)).astype(np.float32))
    said = refused(capsys, runs / "spikes", "--data", tmp_path / "small.npy", "--out", tmp_path / "out")
    assert "9 pixels" in said
    assert "unknown data" in refused(capsys, runs / "spikes", "--data", "naturl", "--out", tmp_path / "out")
    (tmp_path / "file").write_text("")
    assert "is a file" in refused(capsys, runs / "spikes", "--out", tmp_path / "file")
    assert "has a run" in refused(capsys, runs / "spikes", "--out", runs / "values")
    assert "name those runs" in refused(capsys, runs / "spikes", "--match-distortion", "20")
    assert "must be > 0" in refused(capsys, runs / "spikes", runs / "values", "--match-distortion", "nan")
    assert "window must be > 0" in refused(capsys, runs / "spikes", "--window", "0")
    assert "ATP per second at rest, >= 0" in refused(capsys, runs / "spikes", "--budget", "1e9", "-1")
    assert "more spikes than can be" in refused(capsys, runs / "spikes", "--budget", "1e-300", "1e300")
    assert not (tmp_path / "out").exists()

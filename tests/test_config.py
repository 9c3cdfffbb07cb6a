"""Settings: what they may be, what is said about those that may not, and their way through TOML."""

import dataclasses
import inspect
import math
from importlib import import_module
from pathlib import Path

import pytest

from ppl_pvae.config import (
    PROGRAMS,
    Settings,
    about_guess,
    about_trade,
    cells_of,
    differences,
    from_mapping,
    read_grid,
    read_recipe,
    to_toml,
    validate,
)
from ppl_pvae.config.training import START_CONCENTRATION
from ppl_pvae.errors import PACKAGE, UserError, warn_caller
from ppl_pvae.names import nearest, unknown_name

IMPOSSIBLE = [
    ("units", 0),
    ("units", -3),
    ("beta", -1.0),
    ("beta", math.nan),
    ("beta", math.inf),
    ("steps", 0),
    ("seed", -1),
    ("seed", 2**32),
    ("batch_size", 0),
    ("learning_rate", 0.0),
    ("learning_rate", -0.1),
    ("width", 0),
    ("depth", 0),
    ("learning_rate", math.nan),
    ("spike_price", -0.5),
    ("temperature", 0.0),
    ("temperature", 1e-46),  # 0 in float32
    ("temperature", 1e-6),
    ("temperature_from", math.nan),
    ("temperature_from", 1e-20),
    ("particles", 1),
    ("patch_size", 3),
    ("data_seed", -1),
    ("final_learning_rate", -1e-5),
    ("warmup_steps", -1),
    ("decay", 1.5),
    ("decay", math.nan),
    ("prior_speed", 0.0),
    ("clip_norm", 0.0),
    ("clip_norm", math.nan),
    ("anneal", 1.1),
    ("anneal", -0.1),
    ("anneal_from", -1e-4),
    ("log_rate_from", -math.inf),
    ("log_rate_to", 30.0),
    ("largest_log_gain", 0.0),
    ("weight_scale", 0.0),
    ("concentration", 0.0),
    ("concentration", math.nan),
    ("evaluate_every", 0),
    ("checkpoint_every", 0),
]


@pytest.mark.parametrize(("name", "value"), IMPOSSIBLE)
def test_an_impossible_setting_is_named_with_what_it_must_be(name, value):
    with pytest.raises(UserError) as caught:
        validate(dataclasses.replace(Settings(), **{name: value}))
    message = str(caught.value)
    assert message.startswith(f"{name} must be ")
    assert f"got {value}" in message
    assert len(message.splitlines()) == 1


def test_every_number_has_a_range():
    of_numbers = (int, float, int | None, float | None)
    numbers = {field.name for field in dataclasses.fields(Settings) if field.type in of_numbers}
    assert numbers == {name for name, _ in IMPOSSIBLE}


@pytest.mark.parametrize(
    ("name", "value", "near"),
    [
        ("program", "poison", "poisson"),
        ("program", "rectified_gaussian", "rectified-gaussian"),
        ("encoder", "lineal", "linear"),
        ("likelihood", "gausian", "gaussian"),
        ("prior", "fix", "fixed"),
        ("estimator", "arrival_time", "arrival-time"),
        ("estimator", "gumble-softmax", "gumbel-softmax"),
        ("indicator", "sigmiod", "sigmoid"),
        ("optimizer", "adamx", "adamax"),
        ("ceiling", "fixd", "fixed"),
        ("dispersion", "learnt", "learned"),
        ("coordinates", "plane", "plain"),
        ("augment", "symetries", "symmetries"),
        ("decay_shape", "line", "linear"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(name, value, near):
    with pytest.raises(UserError, match=f"unknown {name} '{value}'; did you mean '{near}'"):
        validate(dataclasses.replace(Settings(), **{name: value}))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"pays": "code"}, "pays means nothing to the program 'poisson'"),
        ({"program": "gaussian", "pays": "latent"}, "pays means nothing"),
        ({"dispersion": "fixed"}, r"dispersion means nothing to the program 'poisson'.*for: negative-binomial"),
        ({"program": "gaussian", "concentration": 10.0}, "concentration means nothing to the program 'gaussian'"),
        ({"program": "gaussian", "spike_price": 0.1}, "spike_price needs a code that is never negative"),
        ({"program": "gaussian", "estimator": "arrival-time"}, "is for counts, .* use exact, .* or auto, which takes"),
        ({"program": "rectified-gaussian", "estimator": "score-function"}, "use exact, with a linear decoder"),
        ({"program": "rectified-gaussian", "temperature": 0.1}, "temperature means nothing"),
        (
            {"program": "rectified-gaussian", "coordinates": "plain"},
            "coordinates means nothing",
        ),
        ({"log_rate_from": 0.0, "log_rate_to": -1.0}, "log_rate_from must be <= log_rate_to"),
        ({"estimator": "exact", "temperature": 0.1}, "temperature means nothing to the estimator 'exact'"),
        ({"estimator": "straight-through", "hard": True}, "hard means nothing .*leave it at False"),
        ({"prior": "fixed", "coordinates": "spread"}, "coordinates = spread means nothing to a fixed prior"),
        (
            {"indicator": "sigmoid"},
            r"to the estimator 'exact', which auto comes to here; .*\(it is for: arrival-time\)",
        ),
        ({"hard": True, "encoder": "mlp"}, r"'exact', .*\(it is for: arrival-time, gumbel-softmax\)"),
        (
            {"decoder": "mlp", "particles": 8},
            r"'arrival-time', which auto comes to here; .*\(it is for: score-function\)",
        ),
        ({"estimator": "arrival-time", "particles": 8}, "particles means nothing"),
        ({"program": "rectified-gaussian", "hard": True}, "hard means nothing to the program"),
        ({"estimator": "arrival-time", "temperature": 1.5}, "temperature must be <= 1 with the cubic indicator"),
        ({"decoder": "mlp", "temperature_from": 2.0}, "temperature_from must be <= 1 with the cubic indicator"),
        ({"depth": 3}, "depth means nothing to linear networks"),
        ({"likelihood": "poisson", "noise": "learned"}, "noise means nothing to the likelihood 'poisson'"),
        ({"likelihood": "bernoulli", "decoder_bias": True}, "decoder_bias means nothing .*always has one"),
    ],
)
def test_a_flag_without_meaning_is_refused(changes, complaint):
    with pytest.raises(UserError, match=complaint):
        validate(dataclasses.replace(Settings(), **changes))


def test_wide_windows_are_for_the_sigmoid_and_the_softmax():
    wide = {"temperature": 2.0, "temperature_from": 3.0}
    assert validate(Settings(estimator="arrival-time", indicator="sigmoid", **wide)).temperature == 2.0
    assert validate(Settings(estimator="gumbel-softmax", hard=True, **wide)).temperature_from == 3.0


def test_what_was_left_open_becomes_the_default_of_the_program():
    assert (validate(Settings()).prior, validate(Settings()).pays) == ("learned", None)
    rectified = validate(Settings(program="rectified-gaussian", prior="fixed"))
    assert (rectified.prior, rectified.pays) == ("fixed", "latent")
    assert validate(rectified) == rectified
    spread = validate(Settings(program="negative-binomial"))
    assert (spread.dispersion, spread.concentration, spread.coordinates) == ("learned", 10.0, "spread")
    assert (validate(Settings()).dispersion, validate(Settings()).concentration) == (None, None)


def test_small_codes_take_more_steps_and_programs_differ_in_speed_and_annealing():
    """2500·√(512/K) within 2,500 and 10,000, in hundreds; what is said stands."""
    steps = {units: validate(Settings(units=units)).steps for units in (1, 32, 64, 256, 512, 2048)}
    assert steps == {1: 10_000, 32: 10_000, 64: 7100, 256: 3500, 512: 2500, 2048: 2500}
    poisson, gaussian = (validate(Settings(program=name)) for name in ("poisson", "gaussian"))
    assert (poisson.prior_speed, poisson.anneal) == (30.0, 0.3)
    assert (gaussian.prior_speed, gaussian.anneal) == (10.0, 0.0)
    anneal = {units: validate(Settings(units=units)).anneal for units in (1, 32, 64, 256, 512, 2048)}
    assert anneal == {1: 0.01, 32: 0.07, 64: 0.11, 256: 0.21, 512: 0.3, 2048: 0.3}
    networks = {name: validate(Settings(encoder=name)) for name in ("linear", "mlp", "conv")}
    assert {name: own.learning_rate for name, own in networks.items()} == {"linear": 0.004, "mlp": 0.002, "conv": 0.002}
    assert {name: own.weight_scale for name, own in networks.items()} == {"linear": 0.05, "mlp": 0.02, "conv": 0.02}
    assert {(own.prior_speed, own.anneal) for own in networks.values()} == {(30.0, 0.3)}
    deep = [validate(Settings(decoder=name, units=units)) for name in ("mlp", "conv") for units in (10, 512)]
    assert {(own.prior_speed, own.anneal, own.anneal_from) for own in deep} == {(10.0, 0.5, 1.0)}
    assert poisson.anneal_from == 1e-4
    assert validate(Settings(program="gaussian", decoder="mlp")).anneal == 0.0
    said = validate(Settings(program="gaussian", steps=7, prior_speed=3.0, anneal=0.2))
    assert (said.steps, said.prior_speed, said.anneal) == (7, 3.0, 0.2)


def test_a_program_of_ones_own_has_any_label_and_its_own_prior():
    own = validate(Settings(program="two ponds", spike_price=0.1), own_program=True)
    assert (own.program, own.prior, own.pays) == ("two ponds", None, None)
    with pytest.raises(UserError, match="prior means nothing to the program 'two ponds'"):
        validate(Settings(program="two ponds", prior="fixed"), own_program=True)
    with pytest.raises(UserError, match="log_rate_from means nothing to the program"):
        validate(Settings(program="two ponds", log_rate_from=-5.0), own_program=True)


def test_whole_numbers_do_for_numbers_and_nothing_else_is_converted():
    assert type(validate(Settings(beta=1)).beta) is float
    for name, value in (("units", 4.0), ("beta", "1"), ("beta", True), ("units", True), ("encoder_bias", 1)):
        with pytest.raises(UserError, match=f"{name} must be a|{name} must be true"):
            from_mapping({name: value})


def test_settings_survive_toml(tmp_path):
    settings = validate(
        Settings(program="rectified-gaussian", beta=0.1, clip_norm=math.inf, encoder_bias=False, data='a "b" \\ c')
    )
    path = tmp_path / "config.toml"
    path.write_text(to_toml(settings, {"versions": {"jax": "1"}, "program": "def model(x):\n    pass\n"}))
    assert read_recipe(path) == settings
    assert "\n    pass\n" in path.read_text()
    left_open = [field for field in dataclasses.fields(Settings) if field.default is None]
    assert to_toml(Settings()).count("\n") == len(dataclasses.fields(Settings)) - len(left_open)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("betta = 1", "unknown setting 'betta'; did you mean 'beta'"),
        ("beta = ", "no valid TOML"),
        ("units = 3.5", "units must be a whole number, got 3.5"),
        ("[fit]\nbeta = 1", "unknown setting 'fit'"),
        ("beta = '\xff'", "it is no text"),
    ],
)
def test_a_bad_recipe_is_named_with_its_fault(tmp_path, text, complaint):
    path = tmp_path / "recipe.toml"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match=complaint) as caught:
        read_recipe(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("path", sorted((Path(__file__).parents[1] / "inference").glob("*.toml")), ids=lambda p: p.name)
def test_the_recipes_that_come_with_the_package_are_valid(path):
    if "betas" in path.read_text():  # of a sweep
        assert len(cells_of(read_grid(path))) > 1
    else:
        validate(read_recipe(path))


def test_a_recipe_that_is_not_there():
    with pytest.raises(UserError, match=r"cannot read the recipe nowhere\.toml: No such file"):
        read_recipe(Path("nowhere.toml"))


def test_differences_are_named():
    assert differences(Settings(), Settings(beta=2.0, units=3)) == ["units", "beta"]


def test_names():
    assert nearest("unit", ["--units", "beta", "units"]) == "units"
    assert nearest("zzz", ["beta"]) is None
    assert nearest("zzz", ["beta"], likeness=0.0) == "beta"
    assert str(unknown_name("pond", "q", ["a", "b"])) == "unknown pond 'q'; available: a, b."


def test_the_names_here_are_the_names_there():
    """Settings are checked before JAX is imported, so names stand here and in the rooms that give them meaning."""
    assert set(PROGRAMS) == set(import_module("ppl_pvae.models").BUILT_IN)
    for name in import_module("ppl_pvae.inference.optimizers").OPTIMIZERS:
        validate(Settings(optimizer=name))
    assert START_CONCENTRATION == import_module("ppl_pvae.models.negative_binomial").START_CONCENTRATION
    for name in import_module("ppl_pvae.inference").ESTIMATORS:
        validate(Settings(estimator=name))


def test_what_a_learned_variance_makes_of_beta_is_said_once_for_all():
    settings = [Settings(beta=beta, noise=noise) for beta in (4.0, 1.0, 0.5) for noise in ("fixed", "learned")]
    assert about_trade(settings).startswith("beta = 0.5, 4 with a learned variance: the two trade exactly")
    assert about_trade(settings[:1] + settings[2:4]) is None


def test_a_guessed_shape_matters_to_conv_networks_only():
    conv, linear = Settings(decoder="conv"), Settings()
    said = about_guess([linear, conv], "x.npy", (10, 10))
    assert "takes the 100 values of an image of x.npy for 10 × 10 pixels" in said
    assert about_guess([linear], "x.npy", (10, 10)) is None
    assert about_guess([conv], "x.npy", None) is None


def test_a_warning_points_at_the_line_that_called_the_package():
    inside = {"warn": inspect.unwrap(warn_caller)}
    exec(compile("def plan():\n    warn('odd')\n\ndef train():\n    plan()", PACKAGE + "made_up.py", "exec"), inside)
    with pytest.warns(UserWarning, match="odd") as caught:
        inside["train"]()
    assert caught[0].filename == __file__

"""Programs in files: run, kept with the run, and refused in a line that says where."""

import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

import ppl_pvae
from ppl_pvae.config import Settings, read_program_file
from ppl_pvae.errors import UserError
from ppl_pvae.fit import main
from ppl_pvae.models import poisson
from ppl_pvae.run.program_files import program_in
from ppl_pvae.run.telling import telling_where

HEAD = """
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from ppl_pvae.distributions import Poisson
"""
WHOLE = (
    HEAD
    + """
DATA = "synthetic"

def model(x, nets):
    r = jnp.exp(numpyro.param("log_prior_rate", jnp.array(-1.0))) * jnp.ones(nets.units)
    with numpyro.plate("image", len(x)):
        z = numpyro.sample("z", Poisson(r).to_event(1))
        numpyro.sample("x", nets.observe(nets.decode(z)), obs=x)

def guide(x, nets):
    with numpyro.plate("image", len(x)):
        numpyro.sample("z", Poisson(log_rate=jnp.minimum(nets.encode(x), 3.0)).to_event(1))
"""
)
TIED = (
    HEAD
    + """
from functools import partial
from ppl_pvae.models import poisson

DATA = "synthetic"

def tied(nets):
    return jnp.exp(numpyro.param("log_prior_rate", jnp.array(-1.0)) * jnp.ones(nets.units))

model = partial(poisson.model, prior_rate=tied)
guide = partial(poisson.guide, prior_rate=tied)
"""
)
# One latent for all images, of a class that can be drawn and weighs nothing.
NO_LOG_PROB = WHOLE.replace(
    "def model(x, nets):",
    """class Mine(dist.Distribution):
    support = dist.constraints.real

    def sample(self, key, sample_shape=()):
        return jnp.zeros(sample_shape)

def model(x, nets):
    numpyro.sample("gain", Mine())""",
).replace("def guide(x, nets):", 'def guide(x, nets):\n    numpyro.sample("gain", Mine())')
SETTINGS = {"units": 3, "batch_size": 100, "steps": 20, "patch_size": 4, "evaluate_every": 20}
FLAGS = [f"--{name.replace('_', '-')}={value}" for name, value in SETTINGS.items()]


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(text, name="mine.py") -> str:
    Path(name).write_text(text, encoding="utf-8")
    return name


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """The place where a file was trained by the command, with a checkpoint half way, and is gone since."""
    folder = tmp_path_factory.mktemp("kept")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["--program", write(WHOLE), *FLAGS, "--checkpoint-every", "10"]) == 0
        Path("mine.py").unlink()
    return folder


RUN = Path("runs/mine-synthetic-K3-b1-s0")


@pytest.fixture
def copied(kept, place):
    """A copy of it, where the test may change what it likes."""
    shutil.copytree(kept, place, dirs_exist_ok=True)
    return place


def test_a_file_is_trained_kept_and_opened_without_it(copied):
    """From the command: the data it names, the directory by its name; the run opens when the file is gone."""
    run = ppl_pvae.open_run(RUN)
    assert run.summary["program"] == "mine.py"
    assert run.encode(np.zeros((2, 16))).shape == (2, 3)
    again = ppl_pvae.open_run(RUN)
    assert again.program is run.program  # one text, one compilation
    assert main(["--resume", "--out", str(RUN)]) == 0  # finished, and needs no file
    for output in ("posterior.nc", "report.html", "figures"):
        assert (RUN / output).exists()


def test_a_run_goes_on_without_its_file_to_the_same_end(copied, capsys):
    """Half a run, the file gone, resumed: bit for bit what the undisturbed run gave."""
    shutil.copytree(RUN, "half")
    for output in ("summary.json", "params.npz", "checkpoint.npz"):
        Path("half", output).unlink()  # as if it had stopped after step 10
    Path("half/checkpoint-previous.npz").rename("half/checkpoint.npz")
    assert main(["--resume", "--out", "half"]) == 0
    one, other = (np.load(f"{each}/params.npz") for each in (RUN, "half"))
    for array in one.files:
        np.testing.assert_array_equal(one[array], other[array])
    starts = [json.loads(line) for line in Path("half/metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in starts if line.get("event") == "start"] == [0, 10]


def test_another_text_is_another_program(copied, capsys):
    (RUN / "summary.json").unlink()
    write(WHOLE.replace("-1.0", "-2.0"))
    assert main(["--resume", "--out", str(RUN)]) == 2
    assert "was started with another program" in capsys.readouterr().err


ALONE = WHOLE.replace("Poisson(r).to_event", "Geometric(r).to_event").replace(
    "def model",
    """
class Geometric(dist.Distribution):
    support = dist.constraints.nonnegative_integer

    def __init__(self, rate):
        self.rate = rate
        super().__init__(jnp.shape(rate))

    def log_prob(self, value):
        return value * jnp.log(self.rate / (1 + self.rate)) - jnp.log1p(self.rate)


def model""",
    1,
)


def test_a_prior_with_a_log_probability_alone_is_drawn_too(place):
    """It trains to its posterior, figures and report; codes drawn from the prior have its mean, within 4.5 errors."""
    assert main(["--program", write(ALONE), *FLAGS]) == 0
    run = ppl_pvae.open_run(RUN)
    drawn = np.asarray(run.tree["prior"]["z"])
    rate = float(np.exp(run.params["log_prior_rate"]))
    assert abs(drawn.mean() - rate) < 4.5 * np.sqrt(rate * (1 + rate) / drawn.size)
    assert_allclose(run.tree["constant_data"]["prior_rate"], rate, rtol=1e-3)
    assert (RUN / "report.html").exists()


def test_train_takes_a_path(place):
    """As the pair of its functions, relative 1e-5; x wins over the data that the file names."""
    name = write(WHOLE)
    x = np.random.default_rng(0).normal(size=(1000, 16)).astype(np.float32)
    settings = {key: value for key, value in SETTINGS.items() if key != "patch_size"}
    run = ppl_pvae.train(Path(name), x, **settings)
    pair = ppl_pvae.train(program_in(read_program_file(name)), x, **settings)
    assert run.settings.data == "array"
    assert_allclose(run.summary["free_energy"], pair.summary["free_energy"], rtol=1e-5)


NO_GUIDE = WHOLE.split("def guide")[0]
BAD = {
    "no file": (None, [], "cannot read the program mine.py: No such file or directory"),
    "no text": (b"\xff\xfe\x00", [], "cannot read the program mine.py: it is no text"),
    "syntax": ("def model(x, nets)\n    pass", [], "the program mine.py, line 1 is no valid Python: expected ':'"),
    "data": ("DATA = 3", [], "line 1: DATA must be a name or path"),
    "unknown data": ('DATA = "synthetik"\n' + HEAD, [], "unknown data 'synthetik'; did you mean 'synthetic'"),
    "no guide": (NO_GUIDE, [], "the program mine.py needs a function guide(x, nets) and has none"),
    "no function": (NO_GUIDE + "guide = 3", [], "needs a function guide(x, nets) and has a int"),
    "import": ("import nothing_like_it", [], "mine.py, line 1: ModuleNotFoundError: No module named"),
    "ends Python": (
        "import sys\nsys.exit(0)\n" + WHOLE,
        [],
        "line 2: it ends Python (SystemExit: 0); a program defines",
    ),
    "ends Python later": (
        WHOLE.replace("    r = jnp", "    raise SystemExit\n    r = jnp"),
        [],
        "mine.py, line 10: it ends Python (SystemExit); a program defines functions and no more",
    ),
    "a file beside it": ("import helper\n" + WHOLE, [], "what it needs of helper must be in it or installed"),
    "data in a condition": (
        WHOLE.replace('DATA = "synthetic"', 'if True:\n    DATA = "synthetic"'),
        [],
        "the program mine.py has DATA = 'synthetic' when it is run, which its text does not show; write DATA",
    ),
    "data in a pair": (WHOLE.replace('DATA = "synthetic"', 'DATA, K = "synthetic", 3'), [], "which its text does not"),
    "one argument": (
        WHOLE.replace("model(x, nets)", "model(x)"),
        [],
        "the program mine.py: model is called as model(x, nets), and takes (x); let it take these two",
    ),
    "a class": (WHOLE + "\nclass model:\n    pass\n", [], "model is called as model(x, nets), and takes ()"),
    "an unknown keyword": (
        TIED.replace("model, prior_rate", "model, prior"),
        [],
        "model gives poisson.model a keyword 'prior' that it does not take; did you mean 'prior_rate'?",
    ),
    "no function for a rate": (
        TIED.replace("prior_rate=tied", "prior_rate=0.3"),
        [],
        "'mine.py', in poisson.guide: TypeError: 'float' object is not callable",
    ),
    "no return": (
        TIED.replace("    return", "    _ ="),
        [],
        "(a function gives nothing there: let it return its value)",
    ),
    "rates of another length": (
        TIED.replace("nets.units", "5"),
        [],
        "in poisson.bounded_once: TypeError: min got incompatible shapes for broadcasting: (3,), (5,).",
    ),
    "one rate for all": (
        TIED.replace(" * jnp.ones(nets.units)", ""),
        [],
        "(that site has no axis of units: give what belongs to units the shape (nets.units,))",
    ),
    "a global called like a local": (
        TIED.replace("return", 'return numpyro.sample("z", dist.LogNormal(jnp.zeros(3), 1.0).to_event(1)) #'),
        [],
        "two sites of the guide are called 'z': give one another name",
    ),
    "fewer counts in the prior": (
        WHOLE.replace('sample("z", Poisson(r)', 'sample("z", dist.Binomial(5, probs=0 * r + 0.3)'),
        ["--dry-run"],
        "'mine.py': site 'z': KL(Poisson || BinomialProbs) is infinite: the posterior has values from 0 up, the prior",
    ),
    "a mistake": (WHOLE.replace("len(x)", "lenn(x)", 1), [], "mine.py, line 11: NameError: name 'lenn'"),
    "shapes": (
        WHOLE.replace("nets.decode(z)", "nets.decode(z[:, :2])"),
        [],
        "mine.py, line 13: TypeError: dot_general requires contracting dimensions",
    ),
    "a branch": (
        WHOLE.replace("    r = jnp", "    if x.mean() > 0:\n        pass\n    r = jnp"),
        [],
        "(what depends on x or on parameters is not known when the program is traced: choose between values with "
        "jax.numpy.where)",
    ),
    "a mask": (WHOLE.replace("    r = jnp", "    y = x[x > 0]\n    r = jnp"), [], "with jax.numpy.where)"),
    "a number": (WHOLE.replace("    r = jnp", "    y = float(x.mean())\n    r = jnp"), [], "with jax.numpy.where)"),
    "no log_prob": (
        NO_LOG_PROB,
        [],
        "NotImplementedError\n  no line of the program (Mine has no log_prob: give the class that method)",
    ),
    "a body to come": (
        WHOLE.replace("    r = jnp", "    raise NotImplementedError\n    r = jnp"),
        [],
        "line 10: NotImplementedError\n  raise NotImplementedError (model is not written: write it)",
    ),
    "no words": (
        WHOLE.replace("    r = jnp", "    assert len(x) < 0\n    r = jnp"),
        [],
        "line 10: AssertionError\n  assert len(x) < 0 (mend that line)",
    ),
    "no words of a library": (
        WHOLE.replace("    r = jnp", "    dist.biject_to(dist.constraints.nonnegative_integer)\n    r = jnp"),
        [],
        "constraints.nonnegative_integer) (it comes out of ConstraintRegistry.__call__)",
    ),
    "truncated counts": (
        WHOLE.replace("Poisson(r)", "dist.TruncatedDistribution(Poisson(r), high=3)"),
        [],
        "(NumPyro truncates no counts: write a distribution of your own, as in models/truncated.py)",
    ),
    "another site": (
        WHOLE.replace('sample("z", Poisson(l', 'sample("y", Poisson(l'),
        [],
        "site 'y' is in the guide and",
    ),
    "no site": (
        WHOLE.replace('numpyro.sample("z", Poisson(l', "(Poisson(l"),
        [],
        "site 'z' is in the model and not in the guide: give the guide a site of that name",
    ),
    "event": (WHOLE.replace("nets.encode(x), 3.0)).to_event(1)", "nets.encode(x), 3.0))"), [], "with .to_event(1)"),
    "plate": (
        WHOLE.replace('plate("image", len(x)):\n        numpyro', 'plate("picture", len(x)):\n        numpyro'),
        [],
        "site 'z' is inside the plate 'image' in the model only: put it inside in both",
    ),
    "no KL": (
        WHOLE.replace('sample("z", Poisson(r)', 'sample("z", dist.Normal(r, 1.0)'),
        [],
        "site 'z': no usable KL(Poisson || Normal)",
    ),
    "unused encoder": (
        WHOLE.replace("nets.encode(x)", "x[:, :3]"),
        ["--encoder", "mlp"],
        "encoder means nothing to the program 'mine.py', which does not use it; leave it out",
    ),
    "unused likelihood": (
        WHOLE.replace("nets.observe(nets.decode(z))", "dist.Normal(z @ jnp.ones((3, 16)), 1.0).to_event(1)"),
        ["--noise", "learned"],
        "noise means nothing to the program 'mine.py'",
    ),
    "prior": (WHOLE, ["--prior", "fixed"], "prior means nothing to the program 'mine.py'"),
    "likelihood": (WHOLE, ["--likelihood", "poisson"], "counts must be whole and not negative"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_refused_in_a_line(case, place, capsys):
    text, flags, complaint = BAD[case]
    if text is not None:
        Path("mine.py").write_bytes(text if isinstance(text, bytes) else text.encode())
    before = sorted(place.iterdir())
    assert main(["--program", "mine.py", *FLAGS, *flags]) == 2
    shown = capsys.readouterr().err
    assert complaint in shown
    assert "mine.py" in shown or "data" in shown
    assert len(shown.splitlines()) <= 2
    assert sorted(place.iterdir()) == before


GLOBAL_IN_THE_GUIDE = (
    HEAD
    + """
def model(x, nets):
    with numpyro.plate("image", len(x)):
        z = numpyro.sample("z", dist.Normal(jnp.zeros(3), 1.0).to_event(1))
        numpyro.sample("x", dist.Normal(z.sum(-1, keepdims=True) * jnp.ones(16), 1.0).to_event(1), obs=x)

def guide(x, nets):
    numpyro.sample("z", dist.Normal(jnp.zeros(3), 1.0).to_event(1))
"""
)


def test_a_site_that_is_local_here_and_global_there_is_named(place):
    with pytest.raises(UserError, match=r"'mine.py': site 'z' is inside the plate 'image' in the model only"):
        ppl_pvae.train(write(GLOBAL_IN_THE_GUIDE), "synthetic", **{**SETTINGS, "units": Settings.units})


def test_a_file_is_read_as_python_reads_it(place):
    """A mark of byte order, an encoding that is declared, data with an annotation."""
    text = WHOLE.replace('DATA = "synthetic"', 'DATA: str = "synthetic"')
    Path("mine.py").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert read_program_file("mine.py") == ("mine.py", text, "synthetic")
    Path("mine.py").write_bytes(("# coding: latin-1\n# é\n" + text).encode("latin-1"))
    assert "# é" in read_program_file("mine.py").text


def test_a_file_of_another_name_is_told_what_it_lacks(place, capsys):
    assert main(["--program", write(WHOLE, "mine.txt")]) == 2
    assert "'mine.txt' is no built-in one; a file that holds one must end in .py" in capsys.readouterr().err


def test_functions_of_a_notebook_are_told_as_files_are(place):
    """A pair: by their line and name; of a built-in one, by what it cannot be called with, and when it is swapped."""
    x = np.random.default_rng(0).normal(size=(100, 16)).astype(np.float32)
    settings = {key: value for key, value in SETTINGS.items() if key != "patch_size"}

    def guide(x, nets):
        raise KeyError("gone")

    with pytest.raises(UserError, match=r"program 'own', line \d+ in guide: KeyError: 'gone'"):
        ppl_pvae.train((poisson.model, guide), x, **settings)
    with pytest.raises(UserError, match=r"model gives poisson.model a keyword 'prior' that it does not take"):
        ppl_pvae.train((partial(poisson.model, prior=3), poisson.guide), x, **settings)
    with pytest.raises(UserError, match=r"site 'x' is observed in the guide: .* \(model, guide\), in this order"):
        ppl_pvae.train((poisson.guide, poisson.model), x, **settings)


def test_what_a_program_raises_in_training_is_told_too(place, capsys):
    """On a batch of 100, which is more than it was tried on: exit code 2, a line with its place, no traceback."""
    name = write(WHOLE.replace("    r = jnp", "    assert len(x) < 50, 'too many'\n    r = jnp"))
    assert main(["--program", name, *FLAGS]) == 2
    error = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert error == ["error: the program mine.py, line 10: AssertionError: too many"]


def test_a_disk_that_is_full_is_not_blamed_on_the_program():
    with pytest.raises(OSError, match="No space left"), telling_where("mine.py"):
        raise OSError(28, "No space left on device")


SPIKES = WHOLE.replace("nets.observe(nets.decode(z))", "Poisson(log_rate=nets.decode(z)).to_event(1)")


@pytest.mark.parametrize(("row", "part"), [(0, "train"), (7, "validation"), (9, "test")])
def test_an_impossible_count_is_refused_wherever_it_is_and_nothing_is_written(row, part, place, capsys):
    """Rows are split in tens, seven of each for training: one count of -1 among 600."""
    path, x = write(SPIKES), np.random.default_rng(0).poisson(1.0, (100, 6)).astype(np.float32)
    x[50 + row, 3] = -1
    np.save("x.npy", x)
    given = ["--program", path, "--data", "x.npy", "--units", "3", "--batch-size", "20", "--steps", "10"]
    assert main([*given, "--out", "run"]) == 2
    said = capsys.readouterr().err
    assert f"site 'x' observes the {part} images as Poisson" in said
    assert "is not, the first -1;" in said
    assert not Path("run").exists()
    with pytest.raises(UserError, match=f"the {part} images .* the first -1;"):
        ppl_pvae.train(Path(path), x, units=3, batch_size=20, steps=10)

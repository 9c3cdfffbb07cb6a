"""Other data under a trained program: what stays of the training, and in what form they may be given."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from ppl_pvae.config import Settings
from ppl_pvae.errors import UserError
from ppl_pvae.run import Run, studying
from tests.analysis.conftest import planted_posterior


def a_run(**fields):
    """A run with only these fields."""
    run = object.__new__(Run)
    for name, value in fields.items():
        object.__setattr__(run, name, value)
    return run


RUN = a_run(
    settings=Settings(),
    nets=SimpleNamespace(pixels=16),
    program=None,
    params={},
    path=None,
    tree=SimpleNamespace(attrs={"global_kl": 0.02}),
)


def images(count, pixels=16):
    return np.random.default_rng(0).normal(size=(count, pixels)).astype(np.float32)


@pytest.fixture
def read(monkeypatch):
    """What was read off: the data that the plan was made for; a posterior whose globals cost 5 nats an image."""
    seen = []
    monkeypatch.setattr(studying, "make_plan", lambda settings, dataset, own: seen.append((settings, dataset)))
    posterior = replace(planted_posterior(), global_kl=5.0, objective=105.0)
    monkeypatch.setattr(studying, "describe_posterior", lambda plan, params: posterior)
    return seen


def test_the_kl_of_globals_is_shared_by_the_images_of_the_training(read):
    said = studying.posterior_on(RUN, images(400))
    assert said.global_kl == 0.02
    assert said.objective == pytest.approx(100.02)


def test_an_array_will_do_and_so_will_its_file(read, tmp_path):
    np.save(tmp_path / "x.npy", images(400))
    tests = []
    for data, name in ((images(400), "array"), (tmp_path / "x.npy", str(tmp_path / "x.npy"))):
        studying.posterior_on(RUN, data)
        settings, dataset = read.pop()
        assert settings.data == name
        tests.append(dataset.test)
    np.testing.assert_array_equal(*tests)
    with pytest.raises(UserError, match="array has images of 9 pixels and the run was trained on 16"):
        studying.posterior_on(RUN, images(400, 9))


def test_a_row_on_other_data_keeps_what_it_says_of_the_training_only():
    posterior = planted_posterior()
    cell = replace(Settings(), data="natural", encoder="mlp")
    row = {"converged": True, "coding_rate": -1.0, "log_evidence": -300.0, "data": "natural"}
    run = a_run(settings=cell, summary=row)
    assert studying.row_on(run, posterior, None)["log_evidence"] == -300.0
    other = studying.row_on(run, posterior, "synthetic")
    assert "log_evidence" not in other
    assert other["coding_rate"] == pytest.approx(posterior.kl.sum(axis=1).mean(), rel=1e-5)
    assert {"converged": True, "data": "synthetic", "trained_on": "natural", "encoder": "mlp"}.items() <= other.items()

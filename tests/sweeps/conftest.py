"""A sweep small enough to run in seconds."""

import numpy as np
import pytest

from ppl_pvae.config import Grid

TINY = {"units": (3,), "batch_size": (50,), "steps": (20,), "learning_rate": (0.02,)}


@pytest.fixture(scope="session")
def array(tmp_path_factory):
    """The path of 600 images of 5 × 5 pixels."""
    path = tmp_path_factory.mktemp("images") / "small.npy"
    rng = np.random.default_rng(0)
    codes = rng.poisson(0.4, (600, 3))
    np.save(path, np.float32(codes @ rng.normal(size=(3, 25)) * 2 + rng.normal(size=(600, 25))).reshape(600, 5, 5))
    return path


@pytest.fixture
def grid(array):
    """Two values of β, twice the steps at most."""
    return Grid(({**TINY, "data": (str(array),), "beta": (0.5, 1.0)},), max_doublings=1)

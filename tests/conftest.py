"""What every test starts from: shapes and types are checked at run time, and figures need no screen."""

import os

import matplotlib
import pytest
from jaxtyping import install_import_hook

from tests import shapes

# Before anything of the package is imported: its annotations, shapes included, become checks.
install_import_hook("ppl_pvae", f"{shapes.__name__}.check")
matplotlib.use("Agg")


@pytest.fixture
def float64():
    """JAX in double precision, for as long as the test runs."""
    import jax

    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="session")
def environment(tmp_path_factory):
    """Environment variables for a command in a subprocess: one cache of data for all of them, no colours."""
    return os.environ | {"XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache")), "NO_COLOR": "1", "PYTHONWARNINGS": ""}

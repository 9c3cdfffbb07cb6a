"""What every test starts from: shapes and types are checked at run time, and figures need no screen."""

import os

import matplotlib
import pytest
from jaxtyping import install_import_hook

from tests import shapes

# Before anything of the package is imported: its annotations, shapes included, become checks.
install_import_hook("ppl_pvae", f"{shapes.__name__}.check")
matplotlib.use("Agg")


def pytest_configure(config):
    """Keep compiled programs between tests, and between runs of them: most of their time is compilation.

    Each worker has a directory of its own, since an entry that another process is writing cannot be read.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(config.cache.mkdir(f"compiled-{worker}")))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")


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

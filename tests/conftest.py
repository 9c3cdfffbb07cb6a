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


_QUICK = "JAX_DISABLE_MOST_OPTIMIZATIONS"
# What they test is arithmetic, down to the last digits.
FULLY_COMPILED = ("distributions", "networks")


def _is_quick(config) -> bool:
    """Whether this is the default run."""
    return config.option.markexpr == "not slow"


@pytest.fixture(scope="module", autouse=True)
def _compiled_quickly(request):
    """In the default run LLVM does not optimise runs: code of a few images and steps runs for less than that takes.

    Arithmetic is tested as users run it, and so is whatever is marked slow: `-m ""` and `-m slow` compile as ever.
    """
    import jax

    if not _is_quick(request.config) or request.path.parent.name in FULLY_COMPILED:
        yield
        return
    jax.config.update("jax_disable_most_optimizations", True)
    os.environ[_QUICK] = "1"  # for processes that tests start
    yield
    jax.config.update("jax_disable_most_optimizations", False)
    del os.environ[_QUICK]


@pytest.fixture
def float64():
    """JAX in double precision, for as long as the test runs."""
    import jax

    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="session")
def environment(tmp_path_factory, pytestconfig):
    """Environment variables for a command in a subprocess: quick compilation, one cache of data, no colours."""
    quick = {_QUICK: "1"} if _is_quick(pytestconfig) else {}
    own = {"XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache")), "NO_COLOR": "1", "PYTHONWARNINGS": ""}
    return os.environ | own | quick

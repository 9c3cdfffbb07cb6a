"""What every test starts from: shapes and types are checked at run time, and figures need no screen."""

import importlib
import os

import matplotlib
import pytest
from jaxtyping import install_import_hook

from tests import shapes

# The hook looks for compiled modules under names of its own, also for what a module of ours imports: the heavy ones
# come first.
for library in (
    "arviz_plots",
    "arviz_stats",
    "equinox",
    "matplotlib.pyplot",
    "numpyro",
    "optax",
    "scipy.stats",
    "tyro",
):
    importlib.import_module(library)

# Before anything of the package is imported: its annotations, shapes included, become checks.
install_import_hook("ppl_pvae", f"{shapes.__name__}.check")
matplotlib.use("Agg")

# What the default run saves on compilation, most of its time: code of a few images and steps runs for less than that.
QUICK = (
    "--xla_backend_optimization_level=0",
    "--xla_llvm_disable_expensive_passes=true",
    "--xla_cpu_use_fusion_emitters=false",
    "--xla_cpu_parallel_codegen_split_count=1",
)
# XLA ends the process at a flag that it does not know.
FLAGS_OF = "0.10."


def pytest_addoption(parser):
    parser.addoption("--optimised", action="store_true", help="compile as users do; `-m slow` does so anyway")


def pytest_configure(config):
    """Say how programs are compiled, and keep them between tests and between runs of them.

    Each worker has a directory of its own, since an entry that another process is writing cannot be read. Processes
    that tests start take all of it over.
    """
    import jaxlib

    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(config.cache.mkdir(f"compiled-{worker}")))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")
    is_default = config.option.markexpr == "not slow" and not config.option.optimised
    if is_default and jaxlib.__version__.startswith(FLAGS_OF):
        os.environ["XLA_FLAGS"] = " ".join((*QUICK, os.environ.get("XLA_FLAGS", "")))


@pytest.fixture
def float64():
    """JAX in double precision, for as long as the test runs."""
    import jax

    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="session")
def environment(tmp_path_factory):
    """Environment variables for a command in a subprocess: one cache of data, no colours."""
    own = {"XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache")), "NO_COLOR": "1", "PYTHONWARNINGS": ""}
    return os.environ | own

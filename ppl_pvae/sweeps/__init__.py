"""Many fits: the cells of a grid, where they run, and what they leave behind together. Importing it imports no JAX."""

from ppl_pvae.sweeps.describe import describe_sweep
from ppl_pvae.sweeps.path import check_path
from ppl_pvae.sweeps.run import REPORT, run_sweep
from ppl_pvae.sweeps.whole import Sweep, open_sweep

__all__ = ["REPORT", "Sweep", "check_path", "describe_sweep", "open_sweep", "run_sweep"]

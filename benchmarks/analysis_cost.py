"""Time and peak memory of the posterior of a large run: its making, and `python -m ppl_pvae.analyze`, each a process.

    python benchmarks/analysis_cost.py
    python benchmarks/analysis_cost.py --images 2000 --units 64 --steps 20

Natural patches, as many as it takes for so many test images (past 20,000 some come twice), go into an array file;
a Poisson VAE is trained on it for a few steps, since neither time nor memory depends on how well it was; what is
printed is the wall-clock time and the largest resident memory of each of the two processes, threads as the machine has.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from tables import markdown

from ppl_pvae.data import load
from ppl_pvae.data.dataset import TEST
from ppl_pvae.run.outputs import open_run


def measure(command: list[str]) -> tuple[float, float]:
    """Wall-clock seconds and peak resident memory, GiB, of a process."""
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} ended with status {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - started, usage.ru_maxrss / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=20000, help="test images")
    parser.add_argument("--units", type=int, default=2048)
    parser.add_argument("--steps", type=int, default=100)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        array, run = Path(place, "patches.npy"), Path(place, "run")
        data = load("natural")
        every = np.concatenate([data.train, data.validation, data.test])
        np.save(array, every[np.arange(round(chosen.images / TEST)) % len(every)])
        flags = {"data": array, "units": chosen.units, "steps": chosen.steps, "out": run}
        fit = ["-m", "ppl_pvae.fit", *(word for flag, value in flags.items() for word in (f"--{flag}", str(value)))]
        rows = [("fit", *measure(fit)), ("analyze", *measure(["-m", "ppl_pvae.analyze", str(run)]))]
        tested = len(open_run(run).tree["observed_data"]["x"])
    print(f"{tested} test images, {chosen.units} units\n")
    print(markdown(("command", "seconds", "peak, GiB"), [(name, f"{s:.0f}", f"{m:.2f}") for name, s, m in rows]))


if __name__ == "__main__":
    main()

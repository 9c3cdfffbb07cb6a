"""How much of the amortisation gap a few sweeps of `run.refine` close, of what many close.

    python benchmarks/refinement.py runs/poisson runs/fixed-latent ...
    python benchmarks/refinement.py runs/poisson --images 20 --sweeps 1 2 5 --end 300

The gap of an image is the free energy that refining its posterior for 1,500 sweeps takes away, by when nothing moves
any more. The share of a number of sweeps is the sum over images of what those take away over the sum of gaps; images
are evenly spaced over the test images. One row a run, written as Markdown to the screen.
"""

import argparse
from pathlib import Path

import numpy as np
from tables import markdown

import ppl_pvae
from ppl_pvae.run import Run

SWEEPS = (5, 10, 25, 50)
END = 1500
IMAGES = 100


def shares(run: Run, images: int, sweeps, end: int) -> tuple[float, list[float]]:
    """The gap after `end` sweeps, nats per image, and the share of it that each number of sweeps closes."""
    x = np.asarray(run.tree["observed_data"]["x"])
    x = x[np.unique(np.linspace(0, len(x) - 1, min(images, len(x))).astype(int))]

    def gained(iterations: int) -> float:
        refined = run.refine(x, iterations=iterations)
        return float((refined["free_energy_before"] - refined["free_energy_after"]).mean())

    gap = gained(end)
    return gap, [gained(each) / gap if gap > 0 else 1.0 for each in sweeps]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--sweeps", nargs="+", type=int, default=SWEEPS)
    parser.add_argument("--end", type=int, default=END, help="sweeps by when nothing moves any more")
    chosen = parser.parse_args()
    rows = []
    for path in chosen.runs:
        gap, found = shares(ppl_pvae.open_run(path), chosen.images, chosen.sweeps, chosen.end)
        rows.append((path.name, f"{gap:.3g}", *(f"{100 * share:.2f}%" for share in found)))
    print(markdown(("run", "gap, nats", *(f"{each} sweeps" for each in chosen.sweeps)), rows))


if __name__ == "__main__":
    main()

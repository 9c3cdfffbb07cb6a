"""How much of the amortisation gap a few sweeps of `run.refine` close, of what many close.

    python benchmarks/refinement.py runs/poisson runs/fixed-latent ...
    python benchmarks/refinement.py runs/poisson --images 20 --sweeps 1 2 5 --end 300

The gap of an image is the free energy that refining its posterior for 1,500 sweeps takes away, by when nothing moves
any more. The share of a number of sweeps is the sum over images of what those take away over the sum of gaps; images
are evenly spaced over the test images. A second table says where codes are before and after, at one draw each, so that
distortion stands beside lifetime sparseness as it is published for sparse coding. One row a run, as Markdown.
"""

import argparse
from pathlib import Path

import numpy as np
import xarray as xr
from tables import markdown

import ppl_pvae
from ppl_pvae.analysis.metrics import lifetime_sparseness
from ppl_pvae.run import Run

SWEEPS = (5, 10, 25, 50)
END = 1500
IMAGES = 100


def shares(run: Run, images: int, sweeps, end: int) -> tuple[float, list[float], xr.Dataset]:
    """The gap after `end` sweeps, nats per image; the share of it that each number of sweeps closes; the last codes."""
    x = np.asarray(run.tree["observed_data"]["x"])
    x = x[np.unique(np.linspace(0, len(x) - 1, min(images, len(x))).astype(int))]

    def gained(refined: xr.Dataset) -> float:
        return float((refined["free_energy_before"] - refined["free_energy_after"]).mean())

    last = run.refine(x, iterations=end)
    gap = gained(last)
    closed = [gained(run.refine(x, iterations=each)) for each in sweeps]
    return gap, [each / gap if gap > 0 else 1.0 for each in closed], last


def moved(refined: xr.Dataset) -> tuple[str, ...]:
    """Distortion, zeros and lifetime sparseness of one draw, from the encoder's code to the refined one."""
    measures = {
        "distortion_sampled": lambda values: f"{values.mean():.1f}",
        "zeros": lambda values: f"{values.mean():.3f}",
        "z": lambda values: f"{lifetime_sparseness(values):.3f}",
    }
    both = {
        name: [say(refined[f"{name}_{when}"].values) for when in ("before", "after")] for name, say in measures.items()
    }
    return tuple(f"{before} → {after}" for before, after in both.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--sweeps", nargs="+", type=int, default=SWEEPS)
    parser.add_argument("--end", type=int, default=END, help="sweeps by when nothing moves any more")
    chosen = parser.parse_args()
    rows, places = [], []
    for path in chosen.runs:
        gap, found, last = shares(ppl_pvae.open_run(path), chosen.images, chosen.sweeps, chosen.end)
        rows.append((path.name, f"{gap:.3g}", *(f"{100 * share:.2f}%" for share in found)))
        places.append((path.name, *moved(last)))
    print(markdown(("run", "gap, nats", *(f"{each} sweeps" for each in chosen.sweeps)), rows), end="\n\n")
    print(markdown(("run", "distortion", "zeros", "lifetime sparseness"), places))


if __name__ == "__main__":
    main()

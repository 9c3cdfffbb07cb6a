"""What the cap on rates, e^5.3 spikes a unit as published, does to dense Poisson codes.

    python benchmarks/rate_cap.py [--steps 10000] [--units 32]

Trains the P-VAE at small β with the cap and with one of e^7.3, and prints what each comes to.
"""

import argparse
from unittest import mock

import jax
from tables import markdown

import ppl_pvae
from ppl_pvae.models import poisson

CAPS = (poisson.LARGEST_LOG_RATE, 7.3)
"""Logarithms of the largest rate of a unit."""
BETAS = (0.01, 0.1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--units", type=int, default=32)
    args, rows = parser.parse_args(), []
    for beta in BETAS:
        for cap in CAPS:
            jax.clear_caches()  # what is compiled has the cap in it
            with mock.patch.object(poisson, "LARGEST_LOG_RATE", cap):
                found = ppl_pvae.train("poisson", "natural", units=args.units, beta=beta, steps=args.steps).summary
            told = (found[name] for name in ("spikes_per_image", "coding_rate", "distortion", "free_energy"))
            rows.append((f"{beta:g}", f"e^{cap:g}", *(f"{value:,.1f}" for value in told)))
    print(markdown(("β", "cap", "spikes per image", "nats", "distortion", "free energy"), rows))


if __name__ == "__main__":
    main()

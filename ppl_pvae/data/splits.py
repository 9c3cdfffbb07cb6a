"""Seeded blocks of every photograph, so that no pixel is in two splits and the splits are alike.

A photograph is cut into a grid of blocks and each block goes to training, validation or test. A patch belongs to a
split if all its pixels lie in blocks of that split; a patch astride two splits belongs to none. Patches of one
photograph overlap, so a split by patch would leak; a split by photograph, or by a band of each, changes the statistics.
Blocks of one photograph differ in contrast too, so of many random assignments the one is taken whose splits resemble
the whole most in the mean and the mean square of patch variance (rerandomisation, Morgan & Rubin 2012).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

__all__ = ["FEWEST_BLOCKS", "Blocks", "block_grid", "draw_blocks", "split_of"]

# Share of the blocks of train, validation, test.
SHARES = (0.75, 0.10, 0.15)
# Side of a block, pixels, or twice the patch where that is more: small enough to find a like block, large enough that
# most patches lie in one split.
BLOCK = 64
# With fewer blocks a stratum cannot give a tenth of them to validation.
FEWEST_BLOCKS = 10
# Assignments to choose from: matches patch variance to well below 1%; more hardly help.
DRAWS = 300


@dataclass(frozen=True)
class Blocks:
    """Grid of blocks of one photograph: block (i, j) spans rows[i]..rows[i + 1], columns[j]..columns[j + 1] (pixels)."""

    rows: Int[np.ndarray, " edge_y"]
    columns: Int[np.ndarray, " edge_x"]

    def __len__(self) -> int:
        return (len(self.rows) - 1) * (len(self.columns) - 1)

    def touched(self, y: Int[np.ndarray, " patch"], x: Int[np.ndarray, " patch"], size: int) -> np.ndarray:
        """Blocks under the four corners of patches at (y, x), (patch, 4); blocks are no smaller than patches, so that is all."""
        block_y = [np.searchsorted(self.rows, edge, side="right") - 1 for edge in (y, y + size - 1)]
        block_x = [np.searchsorted(self.columns, edge, side="right") - 1 for edge in (x, x + size - 1)]
        return np.stack([i * (len(self.columns) - 1) + j for i in block_y for j in block_x], axis=1)


def block_grid(shape: tuple[int, int], patch_size: int) -> Blocks:
    """Cut a photograph of (y, x) pixels into near-equal blocks about 64 pixels (or two patches) wide."""
    side = max(BLOCK, 2 * patch_size)
    rows, columns = (np.linspace(0, n, max(1, round(n / side)) + 1).round().astype(int) for n in shape)
    return Blocks(rows, columns)


def split_of(labels: Int[np.ndarray, " block"], touched: Int[np.ndarray, "patch 4"]) -> Int[np.ndarray, " patch"]:
    """Split of each patch, 0, 1, 2 for train, validation, test; -1 where it lies astride two."""
    under = labels[touched]
    return np.where((under == under[:, :1]).all(axis=1), under[:, 0], -1)


def draw_blocks(
    rng: np.random.Generator,
    blocks: int,
    touched: Int[np.ndarray, "patch 4"],
    variance: Float[np.ndarray, " patch"],
) -> Int[np.ndarray, " block"]:
    """Assign blocks to splits: of many random assignments the one whose splits are most alike in patch variance.

    Parameters
    ----------
    rng
        Decides.
    blocks
        Number of blocks, at least `FEWEST_BLOCKS`.
    touched
        (patch, 4), the blocks under each patch.
    variance
        (patch,), pixel variance of each patch.

    Returns
    -------
    array
        (block,), 0, 1, 2 for train, validation, test.
    """
    held_out = [max(1, round(share * blocks)) for share in SHARES[1:]]
    deck = np.repeat([0, 1, 2], [blocks - sum(held_out), *held_out])
    moments = np.stack([np.ones_like(variance), variance / variance.mean(), variance**2 / np.mean(variance**2)])
    best, least = deck, np.inf
    for _ in range(DRAWS):
        labels = rng.permutation(deck)
        split = split_of(labels, touched)
        sums = np.stack([np.bincount(split + 1, row, minlength=4)[1:] for row in moments])
        if sums[0].min() == 0:
            continue
        mismatch = np.sum((sums[1:] / sums[0] - 1) ** 2)
        if mismatch < least:
            best, least = labels, mismatch
    return best

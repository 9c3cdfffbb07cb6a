"""Seeded blocks of every photograph, so that no pixel is in two splits and the splits are alike.

A photograph is cut into a grid of blocks and each block goes to training, validation or test. A patch belongs to a
split if all its pixels lie in blocks of that split; a patch astride two splits belongs to none. Patches of one
photograph overlap, so a split by patch would leak; a split by photograph, or by a band of each, changes the statistics.
Blocks of one photograph differ in contrast too, so a random assignment is improved by swapping blocks until its splits
resemble the whole in the mean and the mean square of patch variance.
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
# Swaps to try: enough to match both moments in each photograph to a percent or so.
SWAPS = 300
# Patches looked at in all swaps together: a stratum of very many patches averages out with fewer swaps.
WORK = 6_000_000


@dataclass(frozen=True)
class Blocks:
    """Grid of blocks of a photograph: block (i, j) has rows[i] <= y < rows[i + 1], columns[j] <= x < columns[j + 1]."""

    rows: Int[np.ndarray, " edge_y"]
    columns: Int[np.ndarray, " edge_x"]

    def __len__(self) -> int:
        return (len(self.rows) - 1) * (len(self.columns) - 1)

    def touched(self, y: Int[np.ndarray, " patch"], x: Int[np.ndarray, " patch"], size: int) -> np.ndarray:
        """Blocks under the corners of patches at (y, x), (patch, 4): all there are, no block being smaller."""
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
    """Assign blocks to splits at random, then swap pairs of them to make the splits alike in patch variance.

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
    labels = rng.permutation(np.repeat([0, 1, 2], [blocks - sum(held_out), *held_out]))
    moments = np.stack([np.ones_like(variance), variance / variance.mean(), variance**2 / np.mean(variance**2)])
    least = _mismatch(labels, touched, moments)
    for _ in range(max(10, min(SWAPS, WORK // len(touched)))):
        swapped = labels.copy()
        one = rng.integers(blocks)
        other = rng.choice(np.flatnonzero(labels != labels[one]))
        swapped[[one, other]] = labels[[other, one]]
        mismatch = _mismatch(swapped, touched, moments)
        if mismatch < least:
            labels, least = swapped, mismatch
    return labels


def _mismatch(labels: np.ndarray, touched: np.ndarray, moments: np.ndarray) -> float:
    """Sum over splits of squared relative deviations of the two moments; infinite while a split has no patch."""
    split = split_of(labels, touched)
    sums = np.stack([np.bincount(split + 1, row, minlength=4)[1:] for row in moments])
    return float(np.sum((sums[1:] / sums[0] - 1) ** 2)) if sums[0].min() > 0 else np.inf

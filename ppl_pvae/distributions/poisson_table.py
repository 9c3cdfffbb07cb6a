"""Alias tables of Poisson distributions: one look-up per draw, whatever the rate.

An entry of a table is one 32-bit word. A draw takes a uniform word: its upper bits choose a column, its lower bits are
compared with the upper bits of the entry (the threshold): below it the answer is the column, else it is the entry's
lower bits (the alias). Probabilities are rounded to multiples of 2⁻³² before the table is built; the table gives
exactly these.
"""

from dataclasses import dataclass
from functools import cache

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int32, UInt32
from scipy.special import gammaln, xlogy

__all__ = ["AliasTable", "alias_rows", "draw_from_table", "poisson_table", "table_weights"]

WORD = 2**32


@dataclass(frozen=True)
class AliasTable:
    """Alias rows of equally spaced Poisson rates.

    Attributes
    ----------
    entries
        (row, column) uint32 words, threshold above alias.
    first
        (row,) int32, the count that column 0 of each row stands for.
    """

    entries: np.ndarray
    first: np.ndarray

    @property
    def column_bits(self) -> int:
        """log2 of the number of columns, the width of an alias."""
        return int(self.entries.shape[1]).bit_length() - 1


@cache
def poisson_table(step: float, rows: int, columns: int) -> AliasTable:
    """Alias table of the Poisson distributions with rates 0, step, 2·step, ...

    The columns (a power of two) are centred on the rate as soon as zero is out of their reach. What lies outside must
    have less than 2⁻³³ probability, which the caller's choice of `columns` has to ensure: 7 standard deviations do.
    """
    rate = step * np.arange(rows, dtype=np.float64)[:, None]
    first = np.maximum(0, rate - columns // 2)
    count = first + np.arange(columns)
    probability = np.exp(xlogy(count, rate) - rate - gammaln(count + 1))
    return AliasTable(alias_rows(_whole_weights(probability)), first[:, 0].astype(np.int32))


def _whole_weights(probability: np.ndarray) -> np.ndarray:
    """Each row in nearest multiples of 2⁻³², summing to one exactly; the largest takes what rounding leaves."""
    weight = np.rint(probability * WORD).astype(np.int64)
    weight[np.arange(len(weight)), weight.argmax(axis=1)] += WORD - weight.sum(axis=1)
    return weight


def alias_rows(weight: np.ndarray) -> np.ndarray:
    """Alias entries of whole weights (row, column), each row summing to 2³².

    Walker's construction in whole numbers, all rows at once: again and again the poorest open column is filled up to
    the average from the richest, and closed.
    """
    columns = weight.shape[1]
    average = WORD // columns
    left = weight.copy()
    open_column = np.ones(weight.shape, bool)
    entries = np.zeros(weight.shape, np.int64)
    rows = np.arange(len(weight))
    for _ in range(columns):
        poorest = np.where(open_column, left, WORD).argmin(axis=1)
        richest = np.where(open_column, left, -1).argmax(axis=1)
        has = left[rows, poorest]
        # A column that is exactly full keeps itself as alias: its threshold would not fit in its bits.
        entries[rows, poorest] = np.where(has == average, poorest, has * columns + richest)
        left[rows, richest] -= average - has
        open_column[rows, poorest] = False
    return entries.astype(np.uint32)


def draw_from_table(
    table: AliasTable, row: Int32[Array, "*shape"], word: UInt32[Array, "*shape"]
) -> Int32[Array, "*shape"]:
    """Counts from the rows of a table, one uniform word each."""
    bits = table.column_bits
    column = word >> (32 - bits)
    index = (row.astype(jnp.uint32) << bits) | column
    entry = jnp.asarray(table.entries.reshape(-1)).at[index].get(mode="promise_in_bounds")
    stays = (word & jnp.uint32(WORD // 2**bits - 1)) < (entry >> bits)
    offset = jnp.where(stays, column, entry & jnp.uint32(2**bits - 1)).astype(jnp.int32)
    if not table.first.any():
        return offset
    return offset + jnp.asarray(table.first).at[row].get(mode="promise_in_bounds")


def table_weights(table: AliasTable) -> np.ndarray:
    """The (row, column) distribution that a table draws from, in multiples of 2⁻³²."""
    rows, columns = table.entries.shape
    entries = table.entries.astype(np.int64)
    threshold, alias = entries // columns, entries % columns
    weight = threshold.copy()
    np.add.at(weight, (np.arange(rows)[:, None], alias), WORD // columns - threshold)
    return weight

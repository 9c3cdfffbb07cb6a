"""Lists of what is rare in a large array: number its items through, and find the element that each belongs to.

A list is taken in pieces of fixed size, so that memory does not depend on how long it is. Running sums are taken inside
groups of 64 elements, by a matrix product, and over groups: a running sum over all elements takes XLA longer.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int32

__all__ = ["Numbering", "number_through", "owner_of"]

GROUP = 64


class Numbering(NamedTuple):
    """Running sums of the items of each element: inside its group, and of whole groups."""

    within: Int32[Array, " padded"]
    groups: Int32[Array, " group"]

    @property
    def total(self) -> Int32[Array, ""]:
        """How many items there are."""
        return self.groups[-1]


def number_through(items: Float[Array, " element"]) -> Numbering:
    """Running sums of whole numbers of items, at most 2¹⁶ of an element and fewer than 2³¹ in all."""
    padded = jnp.pad(items.astype(jnp.float32), (0, -items.size % GROUP)).reshape(-1, GROUP)
    within = jnp.dot(padded, jnp.triu(jnp.ones((GROUP, GROUP), jnp.float32)), precision=lax.Precision.HIGHEST)
    within = within.astype(jnp.int32)  # exact in float32: 64 · 2¹⁶ < 2²⁴
    return Numbering(within.reshape(-1), jnp.cumsum(within[:, -1]))


def owner_of(numbering: Numbering, number: Int32[Array, " item"]) -> Int32[Array, " item"]:
    """The element that each numbered item belongs to, by bisection over groups and then inside one."""
    within, groups = numbering
    group = _bisect(groups, jnp.zeros_like(number), number, _halvings(groups.size))
    rank = number - jnp.where(group > 0, groups[jnp.maximum(group - 1, 0)], 0)
    return _bisect(within, group * GROUP, rank, _halvings(GROUP - 1))


def _halvings(size):
    """Bisections that find a place among `size` boundaries."""
    return max(size, 1).bit_length()


def _bisect(sums, start, wanted, halvings):
    """The first index from `start` on whose running sum exceeds `wanted`, among the next 2^halvings; rolled, not
    unrolled, for the sake of compilation."""

    def halve(step, index):
        reach = jnp.left_shift(1, halvings - 1 - step)
        probe = index + reach - 1
        passed = (probe < sums.size) & (sums[jnp.minimum(probe, sums.size - 1)] <= wanted)
        return jnp.where(passed, index + reach, index)

    return lax.fori_loop(0, halvings, halve, start)

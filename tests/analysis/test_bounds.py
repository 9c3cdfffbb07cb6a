"""Which images bounds are of: the same whatever rounds them, and no others."""

import numpy as np
import pytest

from ppl_pvae.analysis.bounds import BOUNDS_FILE, bounds_of, read_table, write_table
from ppl_pvae.errors import UserError

rng = np.random.default_rng(0)
X = np.float32(rng.normal(0, 1, (50, 64)))
ROWS, GROUP, BOUND = np.arange(50), np.arange(50) % 5, np.zeros(50)


def mark(x):
    return bounds_of(ROWS[: len(x)], GROUP[: len(x)], BOUND[: len(x)], x).mark


def test_images_that_another_processor_rounds_are_the_same():
    """Last bits of float32, which whitening does not bring back alike everywhere: 200 draws of them, one mark."""
    nudged = (X * (1 + np.float32(1.2e-7) * rng.integers(-2, 3, X.shape)) for _ in range(200))
    assert {mark(np.float32(x)) for x in nudged} == {mark(X)}


@pytest.mark.parametrize(
    "other",
    [X[::-1], X[:-1], X * 1.01, -X, X.reshape(25, 128), np.vstack([X[1:], X[:1]]), np.vstack([X[:-1], X[:1]])],
    ids=["turned", "fewer", "scaled", "negative", "another shape", "moved on", "one exchanged"],
)
def test_other_images_are_not(other):
    assert mark(other) != mark(X)


def test_a_damaged_table_is_named_whatever_byte_is_wrong(tmp_path):
    bounds = bounds_of(np.arange(4), np.zeros(4, int), np.array([-1.0, -2.5, -3.0, -4.0]), np.eye(4))
    path = tmp_path / BOUNDS_FILE
    write_table(path, {"cell": bounds})
    whole = path.read_bytes()
    damaged = 0
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            read_table(path)
        except UserError as error:
            damaged += f"cannot read {path}" in str(error) and "it is damaged, delete it" in str(error)
    assert damaged > len(whole) / 7 / 4


def test_images_of_nothing_have_a_mark():
    assert mark(np.zeros((3, 4))) == mark(np.zeros((3, 4), np.float32)) != mark(np.zeros((4, 3)))

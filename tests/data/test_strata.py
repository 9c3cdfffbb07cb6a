"""Splits by strata against what they promise: exact sizes, every row once, a fair share of every class."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from ppl_pvae.data.strata import split_by_strata


def classes(*numbers, seed=0):
    """A shuffled array with so many of each class."""
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(len(numbers)), numbers))


@pytest.mark.parametrize(
    "strata",
    [classes(500, 500, 500), classes(7, 1, 1, 90, 33), classes(*[3] * 40), classes(131), classes(1, 1, 8)],
    ids=["equal", "uneven", "tiny", "one", "ten"],
)
def test_each_split_has_its_size_and_each_class_its_share(strata):
    n = len(strata)
    sizes = {"validation": round(0.1 * n), "test": round(0.2 * n)}
    rows = split_by_strata(np.random.default_rng(1), strata, sizes)
    assert list(rows) == ["train", "validation", "test"]
    assert {split: len(rows[split]) for split in sizes} == sizes
    assert_array_equal(np.sort(np.concatenate(list(rows.values()))), np.arange(n))
    total = np.bincount(strata)
    for split, chosen in rows.items():
        share = np.bincount(strata[chosen], minlength=len(total))
        # Each cut is within one of proportional to what it is cut from, so two cuts are within two.
        assert np.abs(share - total * len(chosen) / n).max() < 2, split


def test_shares_that_are_whole_numbers_come_out_exact():
    strata = classes(*[500] * 10)
    rows = split_by_strata(np.random.default_rng(0), strata, {"validation": 500, "test": 1000})
    for split, each in (("train", 350), ("validation", 50), ("test", 100)):
        assert_array_equal(np.bincount(strata[rows[split]]), np.full(10, each))


def test_every_row_is_as_likely_to_be_held_out():
    # 2,000 splits of 10 rows in two unequal classes, 3 held out: each row 600 times, standard deviation √(2000·.3·.7)
    # at most; tolerance four and a half of them.
    strata = np.array([0, 0, 0, 1, 1, 1, 1, 1, 1, 1])
    rng = np.random.default_rng(2)
    held = sum(np.bincount(split_by_strata(rng, strata, {"test": 3})["test"], minlength=10) for _ in range(2000))
    assert np.abs(held - 600).max() < 4.5 * np.sqrt(2000 * 0.3 * 0.7)


def test_order_is_random_and_the_seed_decides():
    strata = classes(50, 50)
    one, same, other = (split_by_strata(np.random.default_rng(s), strata, {"test": 20}) for s in (0, 0, 1))
    for split in one:
        assert_array_equal(one[split], same[split])
        assert not np.array_equal(one[split], other[split])
        # Neither by row nor by class.
        assert np.any(np.diff(one[split]) < 0)
        assert np.any(np.diff(strata[one[split]]) < 0)
        assert np.any(np.diff(strata[one[split]]) > 0)

"""The default data: what it promises in numbers."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ppl_pvae.data.dataset import SPLITS


def test_patches_are_equally_many_of_each_photograph(natural):
    dataset, _ = natural
    for split, each in (("train", 8000), ("validation", 1000), ("test", 1000)):
        assert getattr(dataset, split).shape == (10 * each, 256)
        assert getattr(dataset, split).dtype == np.float32
        assert_array_equal(np.bincount(dataset.groups[split]), np.full(10, each))


def test_no_patch_comes_twice(natural):
    dataset, _ = natural
    rows = np.concatenate([getattr(dataset, split) for split in SPLITS])
    assert len({row.tobytes() for row in rows}) == len(rows)


def test_variance_is_as_promised_and_alike_in_all_splits(natural):
    dataset, _ = natural
    assert_allclose(np.var(dataset.train, dtype=np.float64), 0.73, rtol=1e-5)
    for split in SPLITS:
        variance = np.var(getattr(dataset, split), dtype=np.float64)
        assert_allclose(variance, 0.73, rtol=0.02)
        assert_allclose(dataset.info["variance"][split], variance, rtol=1e-6)


def test_splits_are_alike_in_second_order_statistics(natural):
    # Principal variances of held-out patches along the principal axes of the training patches.
    dataset, _ = natural
    values, axes = np.linalg.eigh(np.cov(dataset.train.T))
    for split in ("validation", "test"):
        held_out = np.var(getattr(dataset, split) @ axes, axis=0)
        assert_allclose(held_out[-100:].sum(), values[-100:].sum(), rtol=0.03)


def test_whitening_flattens_the_spectrum(natural):
    dataset, _ = natural
    pictures = dataset.pictures
    band = (pictures["frequency"] > 0.02) & (pictures["frequency"] < 0.25)
    slope = {
        key: np.polyfit(np.log(pictures["frequency"][band]), np.log(pictures[key][band]), 1)[0]
        for key in ("spectrum_before", "spectrum_after")
    }
    # Power of natural images falls as 1/f² or faster; the filter adds f².
    assert slope["spectrum_before"] < -1.8
    assert -1 < slope["spectrum_after"] < 0.5


def test_the_cache_gives_the_same_back(natural):
    made, read = natural
    assert made.name == read.name == "natural"
    assert made.shape == read.shape == (16, 16)
    assert made.group_names == read.group_names
    assert made.info == read.info
    assert list(made.pictures) == list(read.pictures)
    for split in SPLITS:
        assert_array_equal(getattr(made, split), getattr(read, split))
        assert_array_equal(made.groups[split], read.groups[split])
    for key in made.pictures:
        assert_array_equal(made.pictures[key], read.pictures[key])


@pytest.mark.parametrize("which", [0, 1])
def test_info_is_fit_for_json_and_names_every_licence(natural, which):
    dataset = natural[which]
    info = json.loads(json.dumps(dataset.info))
    assert {row["name"] for row in info["licences"]} == set(dataset.group_names)
    assert all(row["licence"] and row["attribution"] for row in info["licences"])
    assert info["constants"]["preprocessing"]["filter_f0"] == 0.4
    assert 0 < info["flat_dropped"] < info["patches"]

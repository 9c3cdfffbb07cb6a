"""The cache: nothing it does changes a result."""

import os
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from ppl_pvae.data import cache
from ppl_pvae.data.arrays import from_array


def counted():
    """A maker of a small data set that counts its calls."""
    calls = []

    def make():
        calls.append(1)
        return from_array(np.random.default_rng(0).normal(size=(30, 9)))

    return make, calls


def test_made_once_and_read_afterwards(own_cache):
    make, calls = counted()
    first, second = (cache.remember({"a": 1}, make) for _ in range(2))
    assert len(calls) == 1
    assert_array_equal(first.train, second.train)
    assert first.info == second.info
    assert [path.suffix for path in own_cache.iterdir()] == [".npz"]


def test_labels_come_back(own_cache):
    make, _ = counted()
    labels = {"train": np.arange(21, dtype=np.int32), "test": np.array([3, 1], np.int32)}
    for _ in range(2):
        kept = cache.remember({"a": 1}, lambda: replace(make(), labels=labels)).labels
        assert kept.keys() == labels.keys()
        for split in labels:
            assert_array_equal(kept[split], labels[split])
            assert kept[split].dtype == np.int32
    assert len(list(own_cache.iterdir())) == 1


def test_other_settings_are_another_file(own_cache):
    make, calls = counted()
    for settings in ({"a": 1}, {"a": 2}, {"a": 1, "b": 1}):
        cache.remember(settings, make)
    assert len(calls) == len(list(own_cache.iterdir())) == 3


@pytest.mark.parametrize("damage", ["empty", "cut", "noise", "bit", "other"])
def test_a_damaged_file_is_made_again(own_cache, damage):
    make, calls = counted()
    first = cache.remember({"a": 1}, make)
    (path,) = own_cache.iterdir()
    content = bytearray(path.read_bytes())
    if damage == "empty":
        content = b""
    elif damage == "cut":
        content = content[: len(content) // 2]
    elif damage == "noise":
        content = np.random.default_rng(0).bytes(1000)
    elif damage == "bit":
        content[content.index(first.train.tobytes()[:16]) + 5] ^= 4
    if damage == "other":
        np.savez(path, something=np.zeros(3))
    else:
        path.write_bytes(content)
    again = cache.remember({"a": 1}, make)
    assert len(calls) == 2
    assert_array_equal(again.train, first.train)
    cache.remember({"a": 1}, make)
    assert len(calls) == 2


def test_a_cache_that_cannot_be_written_is_a_warning(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("PPL_PVAE_CACHE", str(tmp_path / "file" / "cache"))
    make, calls = counted()
    with pytest.warns(UserWarning, match="cannot be written"):
        dataset = cache.remember({"a": 1}, make)
    assert len(calls) == 1
    assert len(dataset.train) > 0


def test_an_interrupted_write_leaves_nothing(monkeypatch, own_cache):
    make, _ = counted()

    def fails(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fails)
    with pytest.warns(UserWarning, match="disk full"):
        cache.remember({"a": 1}, make)
    assert list(own_cache.iterdir()) == []


def test_the_platform_decides_where_it_is_unless_told(monkeypatch, tmp_path):
    monkeypatch.delenv("PPL_PVAE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.directory().name == "ppl_pvae"

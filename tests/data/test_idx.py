"""Folders of idx files: written here byte by byte as their format says, and everything that is refused."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image
from sklearn.neighbors import KNeighborsClassifier

import ppl_pvae.data as data
from ppl_pvae.data.dataset import SPLITS
from ppl_pvae.errors import UserError

RNG = np.random.default_rng(0)
TRAIN = RNG.integers(0, 256, (60, 5, 4), dtype=np.uint8)
TRAIN_LABELS = RNG.permutation(np.repeat(np.arange(3, dtype=np.uint8), 20))
TEST = RNG.integers(0, 256, (8, 5, 4), dtype=np.uint8)
TEST_LABELS = np.arange(8, dtype=np.uint8) % 3
DEBIAN = Path("/usr/share/datasets/fashion-mnist")


def idx(values):
    """The bytes of an idx file: two zeros, 08 for unsigned bytes, number of axes, lengths, values."""
    return bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


def write(folder, files):
    for name, content in files.items():
        content = content if isinstance(content, bytes) else idx(content)
        (folder / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)


NAMES = {
    "as published": "{}-{}-idx{}-ubyte",
    "gzipped": "{}-{}-idx{}-ubyte.gz",
    "with a dot": "{}-{}.idx{}-ubyte",
    "by the magic number": "{}.{}{}.bin",
    "by the magic number, gzipped": "{}.{}{}.gz",
}


def all_four(pattern):
    return {
        pattern.format("train", "images", 3): TRAIN,
        pattern.format("train", "labels", 1): TRAIN_LABELS,
        pattern.format("t10k", "images", 3): TEST,
        pattern.format("t10k", "labels", 1): TEST_LABELS,
    }


def check_training(dataset, splits):
    """Images of these splits and their labels are those of the training file that their groups name, each once."""
    for split in splits:
        rows = dataset.groups[split]
        assert_array_equal(getattr(dataset, split), TRAIN[rows].reshape(-1, 20).astype(np.float32) / np.float32(255))
        assert [dataset.group_names[row] for row in rows] == [f"image {row}" for row in rows]
        if dataset.labels:
            assert_array_equal(dataset.labels[split], TRAIN_LABELS[rows])
    rows = np.concatenate([dataset.groups[split] for split in splits])
    assert_array_equal(np.sort(rows), np.arange(60))


@pytest.mark.parametrize("case", NAMES)
def test_every_spelling_gives_the_same_images(tmp_path, own_cache, case):
    write(tmp_path, all_four(NAMES[case]))
    (tmp_path / "README.md").write_text("not an image")
    (tmp_path / "deeper").mkdir()
    dataset = data.load(tmp_path)
    assert dataset.name == tmp_path.name
    assert dataset.shape == (5, 4)
    assert {split: len(getattr(dataset, split)) for split in SPLITS} == {"train": 54, "validation": 6, "test": 8}
    check_training(dataset, ("train", "validation"))
    assert_array_equal(np.bincount(dataset.labels["validation"]), [2, 2, 2])
    assert_array_equal(dataset.test, TEST.reshape(8, 20).astype(np.float32) / np.float32(255))
    assert_array_equal(dataset.labels["test"], TEST_LABELS)
    assert [dataset.group_names[row] for row in dataset.groups["test"]] == [f"test image {i}" for i in range(8)]
    assert not own_cache.exists()


def test_a_name_that_says_gz_may_be_unpacked_and_the_other_way_round(tmp_path):
    write(tmp_path, all_four(NAMES["as published"]))
    (tmp_path / "train-images-idx3-ubyte").write_bytes(gzip.compress(idx(TRAIN)))
    (tmp_path / "train-labels-idx1-ubyte").rename(tmp_path / "train-labels-idx1-ubyte.gz")
    check_training(data.load(tmp_path), ("train", "validation"))


def test_without_labels_or_test_images(tmp_path):
    write(tmp_path, {"train-images-idx3-ubyte": TRAIN})
    alone = data.load(tmp_path)
    check_training(alone, SPLITS)
    assert {split: len(getattr(alone, split)) for split in SPLITS} == {"train": 42, "validation": 6, "test": 12}
    assert alone.labels == {}
    write(tmp_path, {"train-labels-idx1-ubyte": TRAIN_LABELS})
    labelled = data.load(tmp_path)
    check_training(labelled, SPLITS)
    assert_array_equal(np.bincount(labelled.labels["test"]), [4, 4, 4])
    write(tmp_path, {"t10k-images-idx3-ubyte": TEST})
    assert data.load(tmp_path).labels.keys() == {"train", "validation"}


def test_the_seed_decides_the_split(tmp_path):
    write(tmp_path, all_four(NAMES["as published"]))
    one, same, other = (data.load(tmp_path, seed=seed) for seed in (0, 0, 1))
    assert_array_equal(one.train, same.train)
    assert not np.array_equal(one.train, other.train)
    assert_array_equal(one.test, other.test)


IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
BAD = {
    "cut short": ({IMAGES: idx(TRAIN)[:-7]}, "is cut short: 60 x 5 x 4 are 1,200 bytes, and it has 1,193"),
    "too long": ({IMAGES: idx(TRAIN) + b"12"}, "is too long: 60 x 5 x 4 are 1,200 bytes, and it has 1,202"),
    "huge": ({IMAGES: bytes([0, 0, 8, 3]) + b"\xff" * 12}, "is cut short"),
    "cut in its header": ({IMAGES: idx(TRAIN)[:9]}, "ends within its header"),
    "empty": ({IMAGES: b""}, "begins with nothing, not with 00 00 08 03"),
    "cut gzip": ({IMAGES: gzip.compress(idx(TRAIN))[:-30]}, "cannot be read"),
    "damaged gzip": (
        {IMAGES: gzip.compress(idx(TRAIN))[:40] + b"\0" * 40 + gzip.compress(idx(TRAIN))[80:]},
        "cannot be read",
    ),
    "text": ({IMAGES: b"<html>not found</html>"}, "begins with 3c 68 74 6d, not with 00 00 08 03"),
    "labels for images": ({IMAGES: TRAIN_LABELS}, "no idx file of images in bytes: it begins with 00 00 08 01"),
    "images for labels": ({IMAGES: TRAIN, LABELS: TRAIN}, "no idx file of labels in bytes"),
    "of other numbers": (
        {IMAGES: bytes([0, 0, 13, 3]) + struct.pack(">3I", 60, 5, 4) + TRAIN.astype(">f4").tobytes()},
        "begins with 00 00 0d 03, .* save what it holds as an array file",
    ),
    "counts differ": ({IMAGES: TRAIN, LABELS: TRAIN_LABELS[:59]}, "has 59 labels for the 60 images of train-images"),
    "sizes differ": (
        {IMAGES: TRAIN, "t10k-images-idx3-ubyte": TEST[:, :4]},
        "t10k-images-idx3-ubyte has images of 4 x 4 pixels, where those for training have 5 x 4",
    ),
    "no training images": ({"t10k-images-idx3-ubyte": TEST}, "no training images; add train-images-idx3-ubyte"),
    "labels alone": ({LABELS: TRAIN_LABELS}, "no training images"),
    "test labels alone": ({IMAGES: TRAIN, "t10k-labels-idx1-ubyte": TEST_LABELS}, "labels without images"),
    "twice": ({IMAGES: TRAIN, f"{IMAGES}.gz": TRAIN}, "two files of images for train, .* keep one"),
    "neither": ({"images-idx3-ubyte": TRAIN}, "may be for training or for test; call it train-... or t10k-..."),
    "few": ({IMAGES: TRAIN[:9]}, "9 training images; at least 10"),
    "none": ({IMAGES: TRAIN[:0]}, "holds no pixels; its header says 0 x 5 x 4"),
    "no pixels": ({IMAGES: TRAIN[:, :, :0]}, "holds no pixels"),
    "no test images": ({IMAGES: TRAIN, "t10k-images-idx3-ubyte": TEST[:0]}, "holds no pixels"),
    "constant": ({IMAGES: np.full_like(TRAIN, 7)}, "is constant"),
}


@pytest.mark.parametrize("case", BAD)
def test_refused_with_a_reason(tmp_path, case):
    files, reason = BAD[case]
    folder = tmp_path / "clothes"
    folder.mkdir()
    write(folder, files)
    with pytest.raises(UserError, match=reason) as caught:
        data.load(folder)
    assert "clothes" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_photographs_and_idx_files_do_not_mix(tmp_path):
    write(tmp_path, {IMAGES: TRAIN})
    Image.fromarray(np.arange(100, dtype=np.uint8).reshape(10, 10)).save(tmp_path / "one.png")
    with pytest.raises(UserError, match=r"photographs \(one.png\) and idx files \(train-images-idx3-ubyte\)"):
        data.load(tmp_path)


def test_a_patch_size_is_refused_unless_it_is_theirs(tmp_path):
    write(tmp_path, {IMAGES: TRAIN[:, :4]})
    assert data.load(tmp_path, patch_size=4).shape == (4, 4)
    with pytest.raises(UserError, match="leave the patch size out"):
        data.load(tmp_path, patch_size=5)


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="the Debian package dataset-fashion-mnist is not installed")
def test_fashion_mnist_as_debian_ships_it():
    # Its authors' benchmark has nearest neighbours of pixels at .85 with all labels; 2,000 of them give about .78.
    dataset = data.load(DEBIAN)
    for split, each in (("train", 5400), ("validation", 600), ("test", 1000)):
        assert getattr(dataset, split).shape == (10 * each, 784)
        assert_array_equal(np.bincount(dataset.labels[split]), np.full(10, each))
    knn = KNeighborsClassifier(5).fit(dataset.train[:2000], dataset.labels["train"][:2000])
    assert knn.score(dataset.test[:1000], dataset.labels["test"][:1000]) > 0.73

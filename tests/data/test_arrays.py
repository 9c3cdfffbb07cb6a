"""Arrays in memory and on disk: the published split, and everything that is refused."""

import pickle
import zipfile

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import ppl_pvae.data as data
from ppl_pvae.data.dataset import SPLITS
from ppl_pvae.errors import UserError


def rows(images, pixels=6):
    """An array whose first column is the number of the row."""
    x = np.random.default_rng(0).normal(size=(images, pixels))
    x[:, 0] = np.arange(images)
    return x


def test_the_last_fifth_of_each_of_100_blocks_is_test():
    dataset = data.from_array(rows(2000))
    number = np.arange(2000)
    assert_array_equal(dataset.train[:, 0], number[number % 20 < 14])
    assert_array_equal(dataset.validation[:, 0], number[(number % 20 >= 14) & (number % 20 < 16)])
    assert_array_equal(dataset.test[:, 0], number[number % 20 >= 16])
    assert_array_equal(dataset.groups["test"], np.repeat(np.arange(100), 4))
    assert len(dataset.group_names) == 100


@pytest.mark.parametrize("images", [10, 11, 19, 20, 137, 1000, 1009, 54321])
def test_every_row_is_in_one_split(images):
    dataset = data.from_array(rows(images, 1))
    held = [getattr(dataset, split)[:, 0] for split in SPLITS]
    assert_array_equal(np.sort(np.concatenate(held)), np.arange(images))
    assert min(len(part) for part in held) >= 1
    assert abs(len(held[2]) / images - 0.2) <= 0.05 + 1 / images
    for split, part in zip(SPLITS, held, strict=True):
        assert len(dataset.groups[split]) == len(part)


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int64, np.uint8, bool, ">i4"])
def test_numbers_of_all_kinds_become_float32(dtype):
    x = (rows(40) > 1).astype(dtype) if dtype is bool else np.abs(rows(40)).astype(dtype)
    dataset = data.from_array(x)
    assert dataset.train.dtype == np.float32
    assert_array_equal(dataset.train[:7], x[:7].astype(np.float32))


def test_shapes():
    assert data.from_array(rows(20, 12).reshape(20, 3, 4)).shape == (3, 4)
    assert data.from_array(rows(20, 12)).shape is None
    square = data.from_array(rows(20, 16))
    assert square.shape == (4, 4)
    assert square.info["shape_is_a_guess"] is True


def test_counts_are_recognised():
    counts = np.random.default_rng(1).poisson(2.0, (30, 5))
    assert data.from_array(counts).info["counts"] is True
    assert data.from_array(counts - 1).info["counts"] is False
    assert data.from_array(counts + 0.5).info["counts"] is False


def test_files_hold_what_the_array_holds(tmp_path):
    x = rows(50, 16).reshape(50, 4, 4)
    np.save(tmp_path / "a.npy", x)
    np.savez_compressed(tmp_path / "b.npz", x=x, y=np.zeros(3))
    expected = data.from_array(x)
    for name in ("a", "b"):
        loaded = data.load(tmp_path / f"{name}.np{'y' if name == 'a' else 'z'}")
        assert loaded.name == name
        for split in SPLITS:
            assert_array_equal(getattr(loaded, split), getattr(expected, split))


def test_a_patch_size_that_an_array_has_not_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", rows(50, 64).reshape(50, 8, 8))
    assert data.load(str(tmp_path / "a.npy"), patch_size=8).shape == (8, 8)
    with pytest.raises(UserError, match="leave the patch size out"):
        data.load(str(tmp_path / "a.npy"), patch_size=12)


def with_bad_pixel(value):
    x = rows(30)
    x[4, 2] = value
    return x


REFUSED = {
    "nan": (with_bad_pixel(np.nan), "1 pixels that are NaN or infinite"),
    "infinity": (with_bad_pixel(-np.inf), "NaN or infinite"),
    "too large for float32": (with_bad_pixel(1e300), "infinite in float32"),
    "constant": (np.full((30, 4), 3.0), "is constant"),
    "empty": (np.zeros((0, 4)), "at least 10 images"),
    "no pixels": (np.zeros((30, 0)), "at least one pixel"),
    "few": (rows(9), "at least 10 images"),
    "one axis": (np.arange(30.0), r"expected \(image, y, x\) or \(image, pixel\)"),
    "no axis": (np.float64(3), "expected"),
    "four axes": (np.zeros((30, 2, 2, 3)), "expected"),
    "complex": (rows(30) + 1j, "real numbers"),
    "text": (np.full((30, 4), "a"), "real numbers"),
    "dates": (np.zeros((30, 4), "datetime64[s]"), "real numbers"),
    "records": (np.zeros((30, 4), [("a", float), ("b", int)]), "real numbers"),
    "objects": (rows(30).astype(object), "Python objects"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_a_reason(case, tmp_path):
    x, reason = REFUSED[case]
    with pytest.raises(UserError, match=reason) as caught:
        data.from_array(x)
    assert len(str(caught.value).splitlines()) <= 2
    np.save(tmp_path / "x.npy", x, allow_pickle=True)
    np.savez(tmp_path / "x.npz", x=x)
    for name in ("x.npy", "x.npz"):
        with pytest.raises(UserError, match="Python objects" if case in ("objects",) else reason):
            data.load(tmp_path / name)


def test_ragged_rows_are_refused():
    with pytest.raises(UserError, match="rows differ in length"):
        data.from_array([[1.0, 2.0], [1.0]] * 10)


class Bomb:
    """Unpickling it writes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_nothing_is_ever_unpickled(tmp_path):
    bomb = Bomb(tmp_path / "went off")
    np.save(tmp_path / "a.npy", np.array([bomb] * 20), allow_pickle=True)
    np.savez(tmp_path / "b.npz", x=np.array([bomb] * 20))
    (tmp_path / "c.npy").write_bytes(pickle.dumps(bomb))
    (tmp_path / "d.npz").write_bytes(pickle.dumps(bomb))
    for name in ("a.npy", "b.npz", "c.npy", "d.npz"):
        with pytest.raises(UserError, match="save numbers"):
            data.load(tmp_path / name)
    assert not (tmp_path / "went off").exists()


def test_files_that_are_not_what_their_name_says(tmp_path):
    x = rows(50)
    np.save(tmp_path / "good.npy", x)
    np.savez(tmp_path / "good.npz", x=x)
    good_y, good_z = (tmp_path / "good.npy").read_bytes(), (tmp_path / "good.npz").read_bytes()
    damaged = bytearray(good_z)
    damaged[len(damaged) // 2] ^= 1
    files = {
        "text.npy": b"1 2 3",
        "text.npz": b"1 2 3",
        "empty.npy": b"",
        "empty.npz": b"",
        "cut.npy": good_y[:500],
        "cut.npz": good_z[:500],
        "damaged.npz": bytes(damaged),
        "really.npy": good_z,
        "really.npz": good_y,
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=name.split(".")[0]) as caught:
            data.load(tmp_path / name)
        assert len(str(caught.value).splitlines()) == 1
    with zipfile.ZipFile(tmp_path / "odd.npz", "w") as archive:
        archive.writestr("x", "no array")
    with pytest.raises(UserError, match="odd"):
        data.load(tmp_path / "odd.npz")


def test_npz_without_x_says_what_it_holds(tmp_path):
    np.savez(tmp_path / "a.npz", images=rows(20))
    with pytest.raises(UserError, match=r"no array 'x' \(it holds images\)"):
        data.load(tmp_path / "a.npz")

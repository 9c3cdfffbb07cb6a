"""`load`: which source a name means, and what is said when it means none."""

import os
import subprocess
import sys

import numpy as np
import pytest

import ppl_pvae.data as data
from ppl_pvae.errors import UserError


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("naturl", "did you mean 'natural'"),
        ("Synthetic", "did you mean 'synthetic'"),
        ("zebra", "unknown data 'zebra'; data are natural, synthetic, synthetic-counts, mnist, "),
        ("MNIST", "did you mean 'mnist'"),
        ("synthetic_counts", "did you mean 'synthetic-counts'"),
        ("", "unknown data ''"),
        ("nowhere/x.npy", "no file or folder 'nowhere/x.npy'"),
        ("x" * 5000, "unknown data"),
    ],
)
def test_unknown_names_get_the_nearest(name, reason):
    with pytest.raises(UserError, match=reason) as caught:
        data.load(name)
    assert len(str(caught.value).splitlines()) == 1


def test_a_file_that_is_no_array_is_named(tmp_path):
    (tmp_path / "x.csv").write_text("1,2")
    with pytest.raises(UserError, match=r"x\.csv is no array file"):
        data.load(tmp_path / "x.csv")


@pytest.mark.parametrize("settings", [{"patch_size": 3}, {"patch_size": 0}, {"patch_size": -16}, {"seed": -1}])
def test_numbers_out_of_range(settings):
    (name,) = settings
    with pytest.raises(UserError, match=f"{name.replace('_', ' ')} must be >= "):
        data.load("synthetic", **settings)


def test_patches_larger_than_the_photographs_are_refused():
    with pytest.raises(UserError, match="but patches of 400 need 416 a side"):
        data.load("natural", patch_size=400)


@pytest.mark.parametrize("name", ["synthetic-counts", "mnist"])
def test_a_patch_size_means_nothing_to_what_is_no_patch(name, few_digits):
    with pytest.raises(UserError, match=f"{name} holds images of .* leave the patch size out"):
        data.load(name, patch_size=8)


def test_a_builtin_name_wins_over_a_folder_and_dot_slash_over_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "synthetic").mkdir()
    assert data.load("synthetic", patch_size=4).truth
    with pytest.raises(UserError, match="holds no image"):
        data.load(f".{os.sep}synthetic")


def test_from_array_takes_a_list():
    x = np.random.default_rng(0).normal(size=(20, 3))
    np.testing.assert_array_equal(data.from_array(x.tolist()).train, data.from_array(x).train)


def test_import_reads_no_image_library():
    heavy = ("skimage", "sklearn", "pywt", "mlxtend", "PIL", "tifffile", "jax", "matplotlib")
    code = f"import sys, ppl_pvae.data; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

"""Folders of images: every format gives the same pixels, and what cannot be used is refused."""

import os

import numpy as np
import pytest
import tifffile
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

import ppl_pvae.data as data
from ppl_pvae.data.dataset import SPLITS
from ppl_pvae.data.folder import read_grey
from ppl_pvae.data.preprocessing import luminance
from ppl_pvae.errors import UserError

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (30, 40), dtype=np.uint8)
GREY[0, 0] = 255
COLOUR = RNG.integers(0, 256, (30, 40, 3), dtype=np.uint8)
COLOUR[0, 0] = 255
ALPHA = np.dstack([COLOUR, RNG.integers(0, 256, (30, 40), dtype=np.uint8)])


def over_white(image):
    opacity = image[:, :, 3:] / 255
    return luminance(opacity * image[:, :, :3] + (1 - opacity) * 255)


def deep(image):
    """The same intensities in 16 bits: 255 · 257 = 65535."""
    return image.astype(np.uint16) * 257


def twelve(image):
    """The same intensities in 12 bits, as cameras store them."""
    return np.round(image / 255 * 4095).astype(np.uint16)


def pillow(values, **options):
    return lambda path: Image.fromarray(values).save(path, **options)


def tiff(values, **options):
    return lambda path: tifffile.imwrite(path, values, **options)


# name -> (writer, expected luminance, tolerance)
FORMATS = {
    "grey.png": (pillow(GREY), GREY, 0),
    "colour.PNG": (pillow(COLOUR), luminance(COLOUR), 1e-9),
    "alpha.png": (pillow(ALPHA), over_white(ALPHA), 1e-9),
    "grey_alpha.png": (
        pillow(np.dstack([GREY, ALPHA[:, :, 3]])),
        over_white(np.dstack([GREY, GREY, GREY, ALPHA[:, :, 3]])),
        1e-6,
    ),
    "deep.png": (pillow(deep(GREY)), GREY, 1e-9),
    "twelve.png": (pillow(twelve(GREY)), GREY, 0.04),
    "two.png": (lambda path: Image.fromarray(GREY > 127).save(path), 255 * (GREY > 127), 0),
    "palette.png": (
        lambda path: Image.fromarray(GREY).convert("P").save(path),
        GREY,
        1e-9,
    ),
    "grey.jpg": (pillow(GREY, quality=100), GREY, 3),
    "colour.JPEG": (pillow(COLOUR, quality=100, subsampling=0), luminance(COLOUR), 4),
    "grey.tif": (tiff(GREY), GREY, 0),
    "colour.tiff": (tiff(COLOUR, photometric="rgb"), luminance(COLOUR), 1e-9),
    "packed.tif": (pillow(COLOUR, compression="tiff_lzw"), luminance(COLOUR), 1e-9),
    "deep.tif": (tiff(deep(GREY)), GREY, 1e-9),
    "big_end.tif": (tiff(deep(GREY), byteorder=">"), GREY, 1e-9),
    "deep_colour.tif": (tiff(twelve(COLOUR), photometric="rgb"), luminance(COLOUR), 0.07),
    "planes.tif": (
        tiff(deep(COLOUR).transpose(2, 0, 1), photometric="rgb", planarconfig="separate"),
        luminance(COLOUR),
        1e-9,
    ),
    "deep_alpha.tif": (tiff(deep(ALPHA), photometric="rgb", extrasamples=["unassalpha"]), over_white(ALPHA), 1e-9),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_its_luminance(tmp_path, name):
    write, expected, tolerance = FORMATS[name]
    write(tmp_path / name)
    actual = read_grey(tmp_path / name)
    assert actual.shape == expected.shape
    if tolerance >= 1:  # JPEG is lossy
        assert np.abs(actual - expected).mean() < tolerance
    else:
        assert_allclose(actual, expected, atol=max(tolerance, 1e-9))


def save(path, values):
    Image.fromarray(np.round(values).astype(np.uint8)).save(path)


def test_a_folder_becomes_patches(tmp_path, photograph):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i in range(2):
        save(folder / f"{i}.png", photograph(i, (300, 320)))
    (folder / "notes.txt").write_text("not an image")
    (folder / "deeper.png").mkdir()
    dataset = data.load(folder, patch_size=8)
    assert dataset.name == "pictures"
    assert dataset.group_names == ("0.png", "1.png")
    assert_allclose(np.var(dataset.train, dtype=np.float64), 0.73, rtol=1e-5)
    for split in SPLITS:
        counts = np.bincount(dataset.groups[split])
        assert counts.min() > 0
        assert_allclose(np.var(getattr(dataset, split)), 0.73, rtol=0.05)
    assert dataset.info["flat_dropped"] == 0


def test_many_small_images_are_split_together(tmp_path, photograph):
    for i in range(30):
        save(tmp_path / f"{i:02}.png", photograph(i, (40, 50)))
    dataset = data.load(tmp_path)
    held = [set(dataset.groups[split]) for split in SPLITS]
    assert set.union(*held) == set(range(30))
    assert len(held[0] & held[1]) == len(held[0] & held[2]) == len(held[1] & held[2]) == 0


def test_a_changed_file_is_read_again(tmp_path, own_cache, photograph):
    folder = tmp_path / "pictures"
    folder.mkdir()
    save(folder / "a.png", photograph(0, (300, 320)))
    first = data.load(folder, patch_size=8)
    same = data.load(folder, patch_size=8)
    assert_array_equal(first.test, same.test)
    save(folder / "a.png", photograph(1, (300, 320)))
    os.utime(folder / "a.png", ns=(1, 1))
    assert not np.array_equal(first.test[:5], data.load(folder, patch_size=8).test[:5])
    assert len(list(own_cache.iterdir())) == 2


def cut(path, values):
    save(path, values)
    path.write_bytes(path.read_bytes()[:200])


BAD = {
    "text.png": (lambda path, _: path.write_text("hello"), "text.png is no readable PNG image"),
    "empty.jpg": (lambda path, _: path.write_bytes(b""), "no readable JPEG image"),
    "empty.tif": (lambda path, _: path.write_bytes(b""), "no readable TIFF image"),
    "a_png.jpg": (lambda path, x: Image.fromarray(x).save(path, format="PNG"), "no readable JPEG image"),
    "a_jpeg.tif": (lambda path, x: Image.fromarray(x).save(path, format="JPEG"), "no readable TIFF image"),
    "cut.png": (cut, "no readable PNG image"),
    "cut.jpg": (cut, "no readable JPEG image"),
    "cut.tif": (cut, "no readable TIFF image"),
    "float.tif": (lambda path, x: tifffile.imwrite(path, x.astype(np.float32)), "32 bits"),
    "stack.tif": (
        lambda path, x: tifffile.imwrite(path, np.stack([x] * 3), photometric="minisblack"),
        "stack of 3 images",
    ),
    "deep_lzw.tif": (
        lambda path, x: (
            tifffile.imwrite(path, deep(COLOUR), photometric="rgb"),
            path.write_bytes(path.read_bytes()[:400]),
        ),
        "no readable TIFF image",
    ),
    "constant.png": (lambda path, x: save(path, np.full_like(x, 77)), "constant.png is constant"),
    "framed.png": (lambda path, x: save(path, np.pad(np.full((50, 50), 9), 3)), "is constant"),
    "small.png": (lambda path, x: save(path, x[:31]), "small.png has 31 x 320 pixels, but patches of 16 need 32"),
}


@pytest.mark.parametrize("name", BAD)
def test_one_bad_image_is_named(tmp_path, own_cache, photograph, name):
    write, reason = BAD[name]
    folder = tmp_path / "pictures"
    folder.mkdir()
    save(folder / "good.png", photograph(0, (300, 320)))
    write(folder / name, np.round(photograph(1, (300, 320))).astype(np.uint8))
    with pytest.raises(UserError, match=reason) as caught:
        data.load(folder)
    assert len(str(caught.value).splitlines()) <= 2
    assert not own_cache.exists()


def test_folders_without_enough_are_refused(tmp_path, photograph):
    with pytest.raises(UserError, match="holds no image"):
        data.load(tmp_path)
    save(tmp_path / "a.png", photograph(0, (40, 40)))
    with pytest.raises(UserError, match="too few or too small"):
        data.load(tmp_path)


def test_white_may_be_zero_in_any_depth(tmp_path):
    """MINISWHITE images come out as what they show, in 8 bits and in 16."""
    tifffile.imwrite(tmp_path / "8.tif", 255 - GREY, photometric="miniswhite")
    tifffile.imwrite(tmp_path / "16.tif", 65535 - deep(GREY), photometric="miniswhite")
    for name in ("8.tif", "16.tif"):
        assert_allclose(read_grey(tmp_path / name), GREY, atol=1e-3)

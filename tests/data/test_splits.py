"""Splits by blocks against brute force over single pixels."""

import numpy as np
import pytest

from ppl_pvae.data import splits
from ppl_pvae.data.dataset import SPLITS
from ppl_pvae.data.patches import FLAT, Photograph, patch_variance, patches_of

SIZE = 8


def all_positions(shape, size):
    y, x = np.indices((shape[0] - size + 1, shape[1] - size + 1)).reshape(2, -1)
    return y, x


@pytest.mark.parametrize(("shape", "size"), [((150, 210), 8), ((64, 300), 16), ((130, 140), 33), ((20, 20), 17)])
def test_a_patch_is_in_a_split_if_all_its_pixels_are(shape, size):
    blocks = splits.block_grid(shape, size)
    labels = np.random.default_rng(0).integers(3, size=len(blocks))
    painted = np.full(shape, -1)
    columns = len(blocks.columns) - 1
    for b, label in enumerate(labels):
        i, j = divmod(b, columns)
        painted[blocks.rows[i] : blocks.rows[i + 1], blocks.columns[j] : blocks.columns[j + 1]] = label
    assert painted.min() >= 0
    y, x = all_positions(shape, size)
    expected = []
    for first_y, first_x in zip(y, x, strict=True):
        under = np.unique(painted[first_y : first_y + size, first_x : first_x + size])
        expected.append(under[0] if len(under) == 1 else -1)
    np.testing.assert_array_equal(splits.split_of(labels, blocks.touched(y, x, size)), expected)


def test_swaps_make_the_splits_more_alike_than_chance_does():
    # Blocks whose standard deviation of log variance is 1. Oracle: 500 random assignments, none of which is as even.
    shape, size = (500, 500), 16
    rng = np.random.default_rng(1)
    blocks = splits.block_grid(shape, size)
    y, x = (position[::7] for position in all_positions(shape, size))
    touched = blocks.touched(y, x, size)
    variance = np.exp(rng.normal(0, 1, len(blocks)))[touched].mean(axis=1)

    def unevenness(labels):
        split = splits.split_of(labels, touched)
        means = [[np.mean(values[split == code]) for code in range(3)] for values in (variance, variance**2)]
        return np.sum((np.asarray(means) / [[variance.mean()], [np.mean(variance**2)]] - 1) ** 2)

    drawn = splits.draw_blocks(rng, len(blocks), touched, variance)
    np.testing.assert_array_equal(np.bincount(drawn), [48, 6, 10])
    assert unevenness(drawn) < min(unevenness(rng.permutation(drawn)) for _ in range(500))


@pytest.fixture
def numbered(monkeypatch):
    """Photographs whose whitened pixels are their own numbers, so that patches tell where they come from."""

    def photographs(shapes):
        made = {}
        for index, shape in enumerate(shapes):
            rng = np.random.default_rng(index)
            pixels = 1.0 + rng.permutation(np.prod(shape)).reshape(shape) + 200_000 * index
            made[index] = (pixels - 100_000 * len(shapes)).astype(np.float32)

        def whiten(grey):
            return grey, made[int(grey[0, 0])]

        monkeypatch.setattr("ppl_pvae.data.preprocessing.whiten", whiten)

        def read(index, shape):
            grey = np.random.default_rng(0).uniform(size=(shape[0] + 16, shape[1] + 16)).astype(np.float32)
            grey[0, 0] = index
            return grey

        named = [Photograph(f"{i}", lambda i=i, s=s: read(i, s)) for i, s in enumerate(shapes)]
        return named, made

    return photographs


@pytest.mark.parametrize(
    "shapes",
    [[(300, 320)], [(300, 260), (280, 300)], [(40, 40)] * 14 + [(70, 150)] * 3, [(300, 320)] + [(60, 60)] * 12],
    ids=["one", "two", "small", "mixed"],
)
def test_no_pixel_is_in_two_splits_and_no_patch_twice(numbered, shapes):
    photographs, made = numbered(shapes)
    dataset = patches_of("numbered", photographs, SIZE, 3, {})
    scale = dataset.info["scale"]
    pixels = {}
    for split in SPLITS:
        numbers = np.rint(getattr(dataset, split).astype(np.float64) / scale).astype(int)
        assert len(numbers) > 0
        assert len(np.unique(numbers, axis=0)) == len(numbers)
        pixels[split] = set(numbers.ravel())
        assert pixels[split] <= {int(n) for image in made.values() for n in image.ravel()}
        for number, index in zip(numbers[:, 0], dataset.groups[split], strict=True):
            assert number in made[index]
    assert not pixels["train"] & pixels["validation"]
    assert not pixels["train"] & pixels["test"]
    assert not pixels["validation"] & pixels["test"]


def test_same_seed_same_split_and_another_seed_another(photograph):
    photographs = [Photograph("noise", lambda: photograph(0, (300, 320)))]
    one, same, other = (patches_of("noise", photographs, SIZE, seed, {}) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.test, same.test)
    assert one.test.shape != other.test.shape or not np.array_equal(one.test, other.test)


def test_patch_variance_is_that_of_each_patch():
    pixels = np.random.default_rng(5).normal(100, 1, (20, 25)).astype(np.float32)
    y, x = all_positions(pixels.shape, 6)
    expected = [np.var(pixels[i : i + 6, j : j + 6], dtype=np.float64) for i, j in zip(y, x, strict=True)]
    np.testing.assert_allclose(patch_variance(pixels, 6).ravel(), expected, rtol=1e-6)


def test_flat_patches_are_counted_and_left_out(monkeypatch, photograph):
    pixels = np.random.default_rng(6).normal(size=(300, 320)).astype(np.float32)
    pixels[:, :160] *= 0.01
    monkeypatch.setattr("ppl_pvae.data.preprocessing.whiten", lambda grey: (grey.astype(np.float32), pixels))
    dataset = patches_of("half", [Photograph("half", lambda: photograph(7, (316, 336)))], SIZE, 0, {})
    variance = [[np.var(pixels[i : i + 8, j : j + 8]) for j in range(313)] for i in range(293)]
    grid = np.asarray(variance)[::4, ::4]
    threshold = FLAT * np.mean(variance)
    assert dataset.info["flat_dropped"] == np.sum(grid < threshold)
    assert dataset.info["patches"] == grid.size
    for split in SPLITS:
        assert (getattr(dataset, split) / dataset.info["scale"]).var(axis=1).min() >= threshold * (1 - 1e-4)

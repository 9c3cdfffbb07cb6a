"""Ten photographs that scikit-learn, scikit-image and PyWavelets ship inside their wheels. Nothing is downloaded.

They are "natural images shipped with packages", not van Hateren's. Left out: moon (blocks), brick (periodic).
"""

from importlib.metadata import version
from typing import Any

import numpy as np
from jaxtyping import Float

from ppl_pvae.data import cache
from ppl_pvae.data.dataset import Dataset
from ppl_pvae.data.patches import CONSTANTS, Photograph, patches_of
from ppl_pvae.data.preprocessing import luminance

__all__ = ["SOURCES", "load_natural"]

_CC_BY = "CC BY 2.0, https://creativecommons.org/licenses/by/2.0/"
_CC0 = "CC0"
_PUBLIC = "public domain"

# name -> (package, licence, who made it)
SOURCES = {
    "china": ("scikit-learn", _CC_BY, "danielbuechele, https://www.flickr.com/photos/danielbuechele/6061409035/"),
    "flower": ("scikit-learn", _CC_BY, "vultilion, https://www.flickr.com/photos/vultilion/6056698931/"),
    "camera": ("scikit-image", _CC0, "Lav Varshney"),
    "astronaut": ("scikit-image", _PUBLIC, "NASA Great Images database"),
    "chelsea": ("scikit-image", _CC0, "Stefan van der Walt"),
    "coffee": ("scikit-image", _CC0, "Rachel Michetti, courtesy of Pikolo Espresso Bar"),
    "rocket": ("scikit-image", _PUBLIC, "SpaceX Photos"),
    "grass": ("scikit-image", _CC0, "linolafett, DeviantArt"),
    "gravel": ("scikit-image", _CC0, "CC0Textures, Gravel04"),
    "ascent": ("PyWavelets", _PUBLIC, "public-domain-image.com, accent-to-the-top.jpg"),
}


def load_natural(patch_size: int, seed: int) -> Dataset:
    """Whitened patches of ten photographs, of each 8,000 for training, 1,000 for validation, 1,000 for test."""
    packages = {package: version(package) for package, _, _ in SOURCES.values()}
    settings = {
        "source": "natural",
        "packages": packages,
        "patch_size": patch_size,
        "seed": seed,
        "constants": CONSTANTS,
    }
    return cache.remember(settings, lambda: _make(patch_size, seed, packages))


def _make(patch_size: int, seed: int, packages: dict[str, str]) -> Dataset:
    provenance: dict[str, Any] = {
        "source": "natural images shipped with packages",
        "packages": packages,
        "licences": [
            {"name": name, "package": package, "licence": licence, "attribution": attribution}
            for name, (package, licence, attribution) in SOURCES.items()
        ],
    }
    photographs = [Photograph(name, lambda name=name: _read(name)) for name in SOURCES]
    return patches_of("natural", photographs, patch_size, seed, provenance)


def _read(name: str) -> Float[np.ndarray, "y x"]:
    """Luminance of one photograph, (y, x), 0 to 255. The packages are imported here: together they take seconds."""
    match SOURCES[name][0]:
        case "scikit-learn":
            from sklearn.datasets import load_sample_image

            image = load_sample_image(f"{name}.jpg")
        case "scikit-image":
            import skimage.data

            image = getattr(skimage.data, name)()
        case _:
            import pywt.data

            image = getattr(pywt.data, name)()
    return luminance(image) if image.ndim == 3 else image.astype(np.float64)

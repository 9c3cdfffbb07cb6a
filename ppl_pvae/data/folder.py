"""Your own images: a folder of PNG, JPEG or TIFF photographs, preprocessed like the natural ones, or of idx files."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, UInt

from ppl_pvae.data import cache, patches
from ppl_pvae.data.dataset import Dataset
from ppl_pvae.data.idx import idx_files, load_idx
from ppl_pvae.data.preprocessing import FULL_SCALE, luminance
from ppl_pvae.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["load_folder", "read_grey"]

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".tif": "TIFF", ".tiff": "TIFF"}
_PHOTOMETRIC = 262
_BITS_PER_SAMPLE = 258  # tag of TIFF


def load_folder(folder: Path, patch_size: int, seed: int) -> Dataset:
    """Whitened patches of the photographs in a folder (not in folders inside it), or whole images out of idx files.

    Photographs go through the preprocessing of the natural ones. Grey or colour (its luminance is taken; what is
    transparent becomes white), 8 or 16 bit. Colour of 16 bit keeps its upper 8 in PNG and all of them in TIFF.

    Raises
    ------
    UserError
        If there is no image, or one is constant, smaller than a patch, or not what its name says; if there are
        photographs and idx files side by side; whatever `load_idx` refuses.
    """
    try:
        files = sorted(path for path in folder.iterdir() if path.is_file())
    except OSError as error:
        raise UserError(f"{folder} cannot be read ({error.strerror}); mend its permissions.") from None
    photographs = [path for path in files if path.suffix.lower() in FORMATS]
    packed = idx_files(path for path in files if path.suffix.lower() not in FORMATS)
    if photographs and packed:
        raise UserError(
            f"{folder} holds photographs ({photographs[0].name}) and idx files ({packed[0][0].name}); only one of the "
            "two can be fitted: move the other into a folder of its own."
        )
    if packed:
        return load_idx(folder, packed, seed)
    if not photographs:
        raise UserError(f"{folder} holds no image; PNG, JPEG, TIFF or idx files that lie in it directly are read.")
    return _load_photographs(folder, photographs, patch_size, seed)


def _load_photographs(folder: Path, files: list[Path], patch_size: int, seed: int) -> Dataset:
    stats = {path.name: path.stat() for path in files}
    settings = {
        "source": "folder",
        "folder": str(folder.resolve()),
        "files": [[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()],
        "patch_size": patch_size,
        "seed": seed,
        "constants": patches.CONSTANTS,
    }
    provenance: dict[str, Any] = {"source": f"{len(files)} images of a folder", "folder": str(folder)}
    photographs = [patches.Photograph(path.name, lambda path=path: read_grey(path)) for path in files]
    name = folder.resolve().name or "folder"
    return cache.remember(settings, lambda: patches.patches_of(name, photographs, patch_size, seed, provenance))


def read_grey(path: Path) -> Float[np.ndarray, "y x"]:
    """Luminance of an image file, (y, x), from 0 to 255.

    Cameras of 10, 12 or 14 bits store 16: an image of 16 bits is scaled by the smallest 2^b - 1, b >= 8, that is not
    below its brightest value, so that the logarithm that follows sees a like range of intensities.
    """
    values = _decode(path)
    full = 255 if values.dtype == np.uint8 else 2 ** max(8, int(values.max()).bit_length()) - 1
    image = values * (FULL_SCALE / full)
    if image.ndim == 2:
        return image
    if image.shape[2] == 4:
        # Opacity is scaled by its own full range, which the colours need not reach.
        opacity = values[:, :, 3:] / float(np.iinfo(values.dtype).max)
        image = opacity * image[:, :, :3] + (1 - opacity) * FULL_SCALE
    return luminance(image)


def _decode(path: Path) -> UInt[np.ndarray, "y x"] | UInt[np.ndarray, "y x colour"]:
    """Pixels of an image file as 8- or 16-bit numbers: (y, x), or (y, x, 3 or 4) with opacity last."""
    from PIL import Image  # imported when first needed, like every reader of images

    kind = FORMATS[path.suffix.lower()]
    try:
        with Image.open(path, formats=[kind]) as image:
            return _pixels(path, image)
    except UserError:
        raise
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{path} is no readable {kind} image ({reason}); save it anew or take it out.") from None


def _pixels(path: Path, image: "Image") -> UInt[np.ndarray, "y x"] | UInt[np.ndarray, "y x colour"]:
    from PIL import ImageOps
    from PIL.TiffImagePlugin import TiffImageFile

    if isinstance(image, TiffImageFile):
        if image.n_frames > 1:
            raise UserError(f"{path} is a stack of {image.n_frames} images; save it as an array file, (image, y, x).")
        if len(image.getbands()) > 1 and max(image.tag_v2.get(_BITS_PER_SAMPLE, (8,))) > 8:
            return _deep_colour(path)
    if image.mode in ("I", "F"):
        raise UserError(
            f"{path} has pixels of 32 bits or with a sign; save it with 8 or 16 bits, or use an array file."
        )
    white_is_zero = isinstance(image, TiffImageFile) and image.tag_v2.get(_PHOTOMETRIC) == 0
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):
        values = np.asarray(image).astype(np.uint16)
        # Pillow turns what counts up to black round in 8 bits, and leaves it in 16.
        return np.iinfo(np.uint16).max - values if white_is_zero else values
    if image.has_transparency_data:
        return np.asarray(image.convert("RGBA"))
    return np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB"))


def _deep_colour(path: Path) -> UInt[np.ndarray, "y x colour"]:
    """Colour TIFF of 16 bits, of which Pillow would keep 8."""
    import tifffile

    with tifffile.TiffFile(path) as file:
        values, axes = file.series[0].asarray(), file.series[0].axes
    return np.moveaxis(values, axes.index("S"), -1)

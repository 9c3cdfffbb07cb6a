"""Small images side by side as one array, so that a sheet of hundreds is drawn by one call."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Num

__all__ = ["grey_limits", "mosaic", "scaled"]


def scaled(rows: Num[np.ndarray, "row pixel"]) -> Float[np.ndarray, "row pixel"]:
    """Each row divided by its largest magnitude, so that weak ones can be seen; a row of zeros stays zero."""
    peak = np.abs(rows).max(axis=1, keepdims=True)
    return rows / np.where(peak > 0, peak, 1).astype(float)


def grey_limits(x: Num[np.ndarray, "image pixel"]) -> tuple[float, float]:
    """Values shown as black and white: from 0 for data without a sign, symmetric otherwise, a few outliers clipped."""
    if x.size == 0:
        return -1.0, 1.0
    top = float(np.quantile(np.abs(x), 0.995)) or 1.0
    return (0.0 if x.min() >= 0 else -top), top


def mosaic(
    images: Num[np.ndarray, "image pixel"], shape: tuple[int, int], columns: int, gap: tuple[float, float] = (0.1, 0.1)
) -> Float[np.ndarray, "y x"]:
    """Images row by row in one array, NaN between them.

    Parameters
    ----------
    images
        One image per row, pixels in the order of `shape`.
    shape
        Height and width of one image.
    columns
        Images per row of the sheet.
    gap
        Free space below and to the right of each image, in shares of its height and width.
    """
    height, width = shape
    step_y, step_x = height + max(1, round(gap[0] * height)), width + max(1, round(gap[1] * width))
    rows = -(-len(images) // columns)
    sheet = np.full((rows * step_y, columns * step_x), np.nan)
    for index, image in enumerate(images):
        y, x = divmod(index, columns)
        sheet[y * step_y : y * step_y + height, x * step_x : x * step_x + width] = image.reshape(shape)
    return sheet

"""Mirrored and turned images: eight views of each photograph patch for one."""

import jax.numpy as jnp
from jaxtyping import Array, Float

__all__ = ["symmetric_views"]


def symmetric_views(x: Float[Array, "image pixel"], shape: tuple[int, int]) -> Float[Array, "image pixel"]:
    """The same images, the first part of them as they are and each further part under another symmetry.

    All eight symmetries of a square, or the four of an oblong. Batches are shuffled, so every image meets every view;
    slices and transposes cost next to nothing where a gather by pixel would cost as much as a matrix product.

    Parameters
    ----------
    x
        A shuffled batch.
    shape
        (y, x) of one image.
    """
    turns = (False, True) if shape[0] == shape[1] else (False,)
    views = [(turn, up, left) for turn in turns for up in (1, -1) for left in (1, -1)]
    images = x.reshape(-1, *shape)
    count = len(x)
    edges = [count * part // len(views) for part in range(len(views) + 1)]
    parts = []
    for (turn, up, left), start, stop in zip(views, edges[:-1], edges[1:], strict=True):
        part = images[start:stop, ::up, ::left]
        parts.append(part.transpose(0, 2, 1) if turn else part)
    return jnp.concatenate(parts).reshape(x.shape)

"""The posterior as an xarray DataTree with ArviZ groups, and the netCDF file that holds it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ppl_pvae.analysis.record import Posterior, Predicted
from ppl_pvae.errors import UserError

__all__ = ["FORMAT_VERSION", "datatree", "open_tree", "write_tree"]

FORMAT_VERSION = 3
"""Raised when a reader of older files would misread a newer one."""

_GROUPS = ("posterior", "observed_data", "sample_stats", "constant_data")
"""That every tree has."""
_IMAGE_UNIT = ("image", "unit")
_IMAGE_PIXEL = ("image", "pixel")


def datatree(
    posterior: Posterior, attrs: Mapping[str, Any] | None = None, predicted: Predicted | None = None
) -> xr.DataTree:
    """Label a posterior: ArviZ groups, named dims, units in attributes.

    Under an amortised guide the rate is a function of the image, not a random draw, so it is stored once as
    `rate` (image, unit) and summarised over images (`sample_dims=["image"]`). Only the code itself has draws:
    `z` (image, unit), one for every image, and `counts` (chain, draw, drawn_image, unit), more for the first ones.
    For a code that is no count `rate` is E z and `counts` holds its values. Latents of the whole data set have draws
    under their own names. R-hat and the like mean nothing for these independent draws, and `loo` nothing at all where
    every image has a latent of its own.

    Images drawn again, `x` (chain, draw, image, pixel) in `posterior_predictive`, have the dims of those observed and
    stand there for the first ones only; their coordinate says which. ArviZ's plots of predictive checks of values
    (`plot_ppc_dist`, `plot_ppc_tstat`, `plot_ppc_interval`) take the tree, and compare the same images if told which:
    `coords={"image": tree["posterior_predictive"]["image"].values}`.

    Parameters
    ----------
    posterior
        What the program says about the images.
    attrs
        More attributes of the root, such as the settings of the run.
    predicted
        What the program makes up, for the groups `prior`, `prior_predictive`, `posterior_predictive` and
        `posterior_predictive_moments`; None for a program that makes no images by itself.
    """
    groups = {
        "/": xr.Dataset(attrs=_attributes(posterior, attrs or {})),
        "/posterior": _posterior(posterior, predicted),
        **({} if predicted is None else _predictions(posterior, predicted)),
        "/observed_data": xr.Dataset({"x": _array(_IMAGE_PIXEL, posterior.x, "image", "pixel value")}),
        "/sample_stats": _sample_stats(posterior),
        "/constant_data": _constant_data(posterior),
    }
    return xr.DataTree.from_dict({name: _with_coordinates(data, posterior) for name, data in groups.items()})


def write_tree(path: str | os.PathLike[str], tree: xr.DataTree) -> None:
    """Write a tree as netCDF 4, beside its place first and then renamed, so that no half-written file has its name."""
    path = Path(path)
    beside = path.with_name(path.name + ".part")
    # Counts are mostly zero and shrink tenfold in no time; floats would take seconds to shrink by a tenth.
    packed = {"zlib": True, "complevel": 1, "shuffle": True}
    encoding = {
        node.path: {name: packed for name, array in node.data_vars.items() if array.dtype.kind == "u"}
        for node in tree.subtree
    }
    tree.to_netcdf(beside, engine="h5netcdf", encoding={k: v for k, v in encoding.items() if v})
    os.replace(beside, path)


def open_tree(path: str | os.PathLike[str]) -> xr.DataTree:
    """Open a posterior written by `write_tree`; arrays are read when they are used (`.close()` lets go of the file).

    Raises
    ------
    UserError
        Where there is no such file, it is no posterior, or a newer version of this package wrote it.
    """
    if not os.path.isfile(path):
        raise UserError(f"no posterior at {path}: expected a posterior.nc that a finished run left behind.")
    try:
        tree = xr.open_datatree(path, engine="h5netcdf", phony_dims="access")
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} is no netCDF file: expected a posterior.nc that a finished run left behind."
        ) from error
    version = tree.attrs.get("format_version")
    is_whole = set(_GROUPS) <= set(tree.children)
    if not isinstance(version, (int, np.integer)) or (version <= FORMAT_VERSION and not is_whole):
        tree.close()
        raise UserError(f"{path} holds no posterior of this package: expected a posterior.nc that a run left behind.")
    if version > FORMAT_VERSION:
        tree.close()
        raise UserError(f"{path} has format {version}, this package reads up to {FORMAT_VERSION}: update ppl_pvae.")
    if version < FORMAT_VERSION:
        tree.close()
        raise UserError(f"{path} has format {version}, of an older version of this package: fit anew.")
    return tree


def _posterior(p: Posterior, made: Predicted | None) -> xr.Dataset:
    unit = "spikes per image" if p.is_count else "activity"
    drawn = p.draws[np.newaxis]
    return xr.Dataset(
        {
            "rate": _array(
                _IMAGE_UNIT, p.mean, "expected count given the image" if p.is_count else "E z given the image", unit
            ),
            "z": _array(_IMAGE_UNIT, _stored(p.z, p.is_count), "one posterior draw for every image", unit),
            "counts": _array(
                ("chain", "draw", "drawn_image", "unit"),
                _stored(drawn, p.is_count),
                "posterior draws for the first images",
                unit,
            ),
            **_globals({} if made is None else made.globals_posterior, p.mean.shape[1]),
        }
    )


def _dims(name: str, shape: tuple[int, ...], units: int) -> tuple[str, ...]:
    return ("unit",) if shape == (units,) else tuple(f"{name}_dim_{i}" for i in range(len(shape)))


def _globals(draws: Mapping[str, np.ndarray], units: int) -> dict[str, xr.Variable]:
    """Latents of the whole data set: by unit where they have a value for each, with dims of their own elsewhere."""
    return {
        name: _array(
            ("chain", "draw", *_dims(name, values.shape[1:], units)),
            values[np.newaxis],
            "draws of a latent of the whole data set",
            "1",
        )
        for name, values in draws.items()
    }


def _predictions(p: Posterior, made: Predicted) -> dict[str, xr.Dataset]:
    """The groups of what the program makes up. ArviZ takes a group of predictions for draws and nothing else."""
    return {**_again(made), **_moments(made), **_prior(p, made)}


def _again(made: Predicted) -> dict[str, xr.Dataset]:
    if made.x is None:
        return {}
    again = _array(("chain", "draw", *_IMAGE_PIXEL), made.x[np.newaxis], "images drawn again", "pixel value")
    return {"/posterior_predictive": xr.Dataset({"x": again})}


def _moments(made: Predicted) -> dict[str, xr.Dataset]:
    if made.mean is None or made.variance is None:
        return {}
    about = "over codes and noise of the likelihood"
    data = {
        "mean": _array(_IMAGE_PIXEL, made.mean, f"mean {about}", "pixel value"),
        "variance": _array(_IMAGE_PIXEL, made.variance, f"variance {about}", "squared pixel value"),
    }
    return {"/posterior_predictive_moments": xr.Dataset(data)}


def _prior(p: Posterior, made: Predicted) -> dict[str, xr.Dataset]:
    globals_alone = _globals(made.globals_prior, p.mean.shape[1])
    if made.prior_z is None or made.prior_x is None:
        return {"/prior": xr.Dataset(globals_alone)} if globals_alone else {}
    unit = "spikes per image" if p.is_count else "activity"
    codes = _stored(made.prior_z, p.is_count)[np.newaxis]
    prior = {
        "z": _array(
            ("chain", "draw", "unit"), codes, "codes drawn from the prior, global latents at one posterior draw", unit
        )
    }
    images = _array(("chain", "draw", "pixel"), made.prior_x[np.newaxis], "images drawn from the prior", "pixel value")
    return {
        "/prior": xr.Dataset({**prior, **globals_alone}),
        "/prior_predictive": xr.Dataset({"x": images}),
    }


def _sample_stats(p: Posterior) -> xr.Dataset:
    data = {
        "kl": _array(_IMAGE_UNIT, p.kl, "KL of the unit for the image", "nat"),
        "coding_rate": _array(("image",), p.kl.sum(axis=1), "KL of the image, summed over units", "nat"),
        "distortion": _array(("image",), p.distortion, "distortion expected under the posterior", "nat"),
        "distortion_sampled": _array(("image",), p.distortion_sampled, "distortion at the draw z", "nat"),
        "squared_error": _array(
            ("image",), p.squared_error, "squared error at the draw z, summed over pixels", "squared pixel value"
        ),
        "reconstruction": _array(_IMAGE_PIXEL, p.reconstruction, "mean of the likelihood at the draw z", "pixel value"),
    }
    return xr.Dataset(data)


def _constant_data(p: Posterior) -> xr.Dataset:
    data = {
        "photograph": _array(
            ("image",), p.group.astype(np.int32), "index of the photograph the image was cut from", "1"
        ),
        "photograph_name": (("photograph_index",), np.array(p.group_names, dtype=object)),
    }
    if p.dictionary is not None:
        data["dictionary"] = _array(
            ("unit", "pixel"),
            p.dictionary,
            "linear decoder weights",
            "pixel value per spike" if p.is_count else f"pixel value per {p.activity_word}",
        )
    if p.encoder is not None:
        data["encoder"] = _array(("unit", "pixel"), p.encoder, "linear encoder weights", "1")
    if p.prior_mean is not None:
        data["prior_rate"] = _array(
            ("unit",), p.prior_mean, "expected count before seeing the image", "spikes per image"
        )
    return xr.Dataset(data)


def _array(dims: tuple[str, ...], values: np.ndarray, long_name: str, units: str) -> xr.Variable:
    return xr.Variable(dims, values, attrs={"long_name": long_name, "units": units})


def _stored(z: np.ndarray, is_count: bool) -> np.ndarray:
    """Counts as unsigned integers, 16 bits where they fit; other codes as they are."""
    if not is_count:
        return z
    largest = int(z.max(initial=0))
    return z.astype(np.uint16 if largest <= np.iinfo(np.uint16).max else np.uint32)


def _with_coordinates(data: xr.Dataset, p: Posterior) -> xr.Dataset:
    data = data.assign_coords({str(dim): np.arange(size, dtype=np.int32) for dim, size in data.sizes.items()})
    if "pixel" in data.dims and p.shape is not None:
        row, column = np.unravel_index(np.arange(p.x.shape[1]), p.shape)
        data = data.assign_coords(row=("pixel", row.astype(np.int32)), column=("pixel", column.astype(np.int32)))
    return data


def _attributes(p: Posterior, more: Mapping[str, Any]) -> dict[str, Any]:
    own = {
        "format_version": FORMAT_VERSION,
        "is_count": p.is_count,
        "is_nonnegative": p.is_nonnegative,
        "global_kl": p.global_kl,
        "objective": p.objective,
        "likelihood_constant": p.likelihood_constant,
        "silent_free_energy": p.silent_free_energy,
    }
    return {key: _attribute(value) for key, value in {**more, **own}.items() if value is not None}


def _attribute(value: Any) -> Any:
    """What netCDF can hold as an attribute: text and numbers as they are, truth as 0 or 1, the rest as JSON."""
    if isinstance(value, bool):
        return int(value)
    return value if isinstance(value, (str, int, float)) else json.dumps(value, default=str)

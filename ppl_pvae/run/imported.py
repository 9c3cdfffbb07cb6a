"""Models that were trained elsewhere: three arrays of the published Poisson VAE become a run."""

import math
import os
import time
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

from ppl_pvae.config import from_mapping, validate
from ppl_pvae.data import PATCH_SIZE, Dataset, from_array, load
from ppl_pvae.directory import check_directory
from ppl_pvae.errors import UserError
from ppl_pvae.inference.checkpoint import restore
from ppl_pvae.run.finish import finish
from ppl_pvae.run.fitting import Fitted
from ppl_pvae.run.outcome import describe_posterior, summary_row
from ppl_pvae.run.outputs import write_config
from ppl_pvae.run.plan import make_plan, parameter_template
from ppl_pvae.run.record import Run

__all__ = ["Weights", "import_run", "read_weights"]

NAMES = ("encoder", "dictionary", "log_prior_rate")
PUBLISHED = {"encoder_bias": False, "prior": "learned", "ceiling": "fixed", "largest_log_gain": 10.0}
# What a row says of a training, which nobody knows here.
UNKNOWN = {"steps": None, "estimator": None, "objective": None}


class Weights(NamedTuple):
    """The arrays of a file, the right way up."""

    encoder: Float32[np.ndarray, "unit pixel"]
    dictionary: Float32[np.ndarray, "unit pixel"]
    log_prior_rate: Float32[np.ndarray, " unit"]


def import_run(
    path, x=None, *, beta: float = 1.0, seed: int = 0, patch_size: int = PATCH_SIZE, data_seed: int = 0, out=None
) -> Run:
    """The run of a Poisson VAE that was trained elsewhere, such as the authors' own, from an .npz of three arrays.

    What they mean is the published model: x̂ = zΦ, z ~ Pois(λ), λ = exp(softclamp(log r + softclamp(Wx, 10), 5.3)),
    no biases, σ² = ½. That is the program poisson with `--no-encoder-bias --ceiling fixed --largest-log-gain 10`.

    Parameters
    ----------
    path
        An .npz file with the keys `encoder` (W), `dictionary` (Φ), both (unit, pixel) or (pixel, unit), and
        `log_prior_rate` (log r), (unit,). Where there are as many units as pixels they are read as (unit, pixel), so
        that a decoder's matrix from PyTorch has to be transposed. Nothing in it is ever unpickled.
    x
        Images (image, pixel) or (image, y, x), or what --data takes: a name or a path; None for natural patches. The
        posterior is that of their test split; give images that were preprocessed as those of the training.
    beta
        The price of a nat that the model was trained at.
    seed
        Of the draws from the posterior.
    patch_size, data_seed
        As the settings of those names.
    out
        Directory to write the run to, for `open_run`; None keeps it in memory.

    Returns
    -------
    Run
        With an empty history; `converged` is None, and so is what its summary would say of the training.

    Raises
    ------
    UserError
        If the file holds something else, or the images have another number of pixels.
    """
    begin, path = time.perf_counter(), Path(path)
    weights = read_weights(path)
    units, pixels = weights.encoder.shape
    x = os.fspath(x) if isinstance(x, os.PathLike) else x
    array = None if x is None or isinstance(x, str) else x
    given = {"beta": beta, "seed": seed, "patch_size": patch_size, "data_seed": data_seed, "units": units}
    settings = validate(
        from_mapping({"program": "poisson", "data": x if array is None else "array", **given, **PUBLISHED})
    )
    folder = None if out is None else Path(out)
    if folder:
        check_directory(folder, resume=False)
    if array is None:
        data = load(settings.data or "natural", patch_size=patch_size, seed=data_seed)
    else:
        data = from_array(array, seed=data_seed)
    _check_pixels(path, pixels, data)
    plan = replace(make_plan(settings, data), imported=path.name)
    arrays = {
        "encoder.weight": weights.encoder.T,
        "decoder.weight": weights.dictionary,
        "log_prior_rate": weights.log_prior_rate,
    }
    fitted = Fitted(restore(parameter_template(plan.program, plan.nets), arrays), [])
    posterior = describe_posterior(plan, fitted.params)
    summary = summary_row(plan, fitted, posterior) | UNKNOWN
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        write_config(folder, plan)
        (folder / "metrics.jsonl").write_text("", encoding="utf-8")
    return finish(plan, fitted, posterior, summary, folder, begin=begin)


def _check_pixels(path: Path, pixels: int, data: Dataset) -> None:
    if data.train.shape[1] != pixels:
        side = math.isqrt(pixels)
        size = f" ({side} × {side}; where patches are cut, patch_size = {side})" if side * side == pixels else ""
        raise UserError(
            f"{path} has weights for {pixels} pixels, and the images of {data.name} have {data.train.shape[1]}; give "
            f"images of {pixels} pixels{size}."
        )


def read_weights(path: Path) -> Weights:
    """The three arrays, checked, units first."""
    arrays = _arrays(path)
    log_r = arrays["log_prior_rate"]
    if log_r.ndim != 1 or not log_r.size:
        raise UserError(f"{path}: log_prior_rate has the shape {log_r.shape}; expected (unit,), log r of each unit.")
    encoder, dictionary = (_units_first(path, name, arrays[name], log_r.size) for name in ("encoder", "dictionary"))
    if encoder.shape != dictionary.shape:
        raise UserError(
            f"{path}: encoder is for {encoder.shape[1]} pixels and dictionary for {dictionary.shape[1]}; give two "
            "matrices of one model."
        )
    return Weights(encoder, dictionary, log_r)


def _units_first(path: Path, name: str, matrix: np.ndarray, units: int) -> np.ndarray:
    """A matrix as (unit, pixel); as it is where both are as many."""
    if matrix.ndim == 2 and matrix.size and matrix.shape[0] == units:
        return matrix
    if matrix.ndim == 2 and matrix.size and matrix.shape[1] == units:
        return matrix.T
    raise UserError(
        f"{path}: {name} has the shape {matrix.shape}; with {units} log_prior_rate expected ({units}, pixel) or "
        f"(pixel, {units})."
    )


def _arrays(path: Path) -> Mapping[str, np.ndarray]:
    remedy = f"save arrays with numpy.savez(path, {', '.join(f'{name}=...' for name in NAMES)})"
    try:
        # Opened as an archive as well, because np.load would take a lone array too.
        with zipfile.ZipFile(path), np.load(path, allow_pickle=False) as file:
            missing = [name for name in NAMES if name not in file.files]
            if missing:
                held = ", ".join(file.files) or "nothing"
                raise UserError(f"{path} has no array {', '.join(missing)} (it holds {held}); {remedy}.")
            return {name: _numbers(path, name, file[name]) for name in NAMES}
    except UserError:
        raise
    except FileNotFoundError:
        raise UserError(f"there is no file {path}; {remedy}.") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        if "Object arrays" in str(error):
            raise UserError(f"{path} holds Python objects, which are never unpickled; {remedy}.") from None
        raise UserError(f"{path} is no readable .npz file; {remedy}.") from None


def _numbers(path: Path, name: str, array: np.ndarray) -> np.ndarray:
    """Finite numbers in float32."""
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "iuf":
        raise UserError(f"{path}: {name} holds {getattr(array, 'dtype', 'no array')}; expected real numbers.")
    with np.errstate(over="ignore"):  # too large for float32 becomes infinite and is told below
        array = array.astype(np.float32)
    if bad := int(array.size - np.isfinite(array).sum()):
        raise UserError(
            f"{path}: {name} has {bad:,} values that are NaN or infinite in float32; mend or leave out those units."
        )
    return array

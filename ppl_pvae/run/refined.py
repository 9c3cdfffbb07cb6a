"""A refinement as labelled arrays."""

import xarray as xr

from ppl_pvae.inference.refinement import Refinement

__all__ = ["as_dataset"]

# field of a code -> (variable, what it is, unit)
_VARIABLES = {
    "mean": ("rate", "mean activity E z", "1"),
    "zero": ("zeros", "probability of z = 0", "1"),
    "z": ("z", "one draw of the code", "1"),
    "free_energy": ("free_energy", "free energy, price on activity included", "nat"),
    "distortion": ("distortion", "expected distortion", "nat"),
    "distortion_sampled": ("distortion_sampled", "distortion at the draw", "nat"),
    "coding_rate": ("coding_rate", "KL summed over units", "nat"),
}


def as_dataset(refinement: Refinement, **attrs) -> xr.Dataset:
    """Every array of a code twice, NAME_before and NAME_after, dims (image, unit) or (image)."""
    variables = {}
    for moment in ("before", "after"):
        code = getattr(refinement, moment)
        for field, (name, long_name, unit) in _VARIABLES.items():
            values = getattr(code, field)
            described = {"long_name": f"{long_name}, {moment} refinement", "units": unit}
            variables[f"{name}_{moment}"] = (("image", "unit")[: values.ndim], values, described)
    return xr.Dataset(variables, attrs=attrs | {"sweeps": refinement.sweeps})

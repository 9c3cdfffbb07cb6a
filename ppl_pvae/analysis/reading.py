"""From the labelled tree of a run back to the record that analysis works on."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from ppl_pvae.analysis.record import Posterior

__all__ = ["posterior_of"]


def posterior_of(tree: xr.DataTree) -> Posterior:
    """What a tree made by `datatree` says, in plain NumPy arrays; whatever it was made of comes back as it was.

    Parameters
    ----------
    tree
        `run.tree`, or what `open_tree` opened.
    """
    posterior, stats, constant = (_group(tree, name) for name in ("posterior", "sample_stats", "constant_data"))
    observed = _group(tree, "observed_data")

    def optional(name: str) -> np.ndarray | None:
        return constant[name].values if name in constant else None

    def attribute(name: str) -> Any:
        return tree.attrs[name]

    return Posterior(
        x=observed["x"].values,
        shape=_shape(observed),
        group=constant["photograph"].values,
        group_names=tuple(str(name) for name in constant["photograph_name"].values),
        mean=posterior["rate"].values,
        z=posterior["z"].values,
        draws=posterior["counts"].values[0],
        kl=stats["kl"].values,
        reconstruction=stats["reconstruction"].values,
        distortion=stats["distortion"].values,
        distortion_sampled=stats["distortion_sampled"].values,
        squared_error=stats["squared_error"].values,
        global_kl=float(attribute("global_kl")),
        prior_mean=optional("prior_rate"),
        dictionary=optional("dictionary"),
        encoder=optional("encoder"),
        is_count=bool(attribute("is_count")),
        is_nonnegative=bool(attribute("is_nonnegative")),
        objective=float(attribute("objective")),
        likelihood_constant=float(attribute("likelihood_constant")),
        silent_free_energy=tree.attrs.get("silent_free_energy"),
    )


def _group(tree: xr.DataTree, name: str) -> xr.Dataset:
    return tree[name].to_dataset()  # pyright: ignore[reportAttributeAccessIssue] - a group, no variable


def _shape(observed: xr.Dataset) -> tuple[int, int] | None:
    if "row" not in observed.coords:
        return None
    return int(observed["row"].values.max()) + 1, int(observed["column"].values.max()) + 1

"""The labelled posterior: written and read back bit for bit, and taken by ArviZ."""

import arviz_plots
import arviz_stats
import numpy as np
import pytest

from ppl_pvae.analysis import Predicted, datatree, open_tree, write_tree
from ppl_pvae.analysis.tree import FORMAT_VERSION
from ppl_pvae.errors import UserError


@pytest.mark.parametrize("kind", ["poisson", "rectified", "gaussian"])
@pytest.mark.parametrize("shape", [(16, 16), None])
def test_values_come_back_bit_for_bit(make_posterior, tmp_path, kind, shape):
    p = make_posterior(kind, shape=shape, units=7)
    write_tree(tmp_path / "posterior.nc", datatree(p, {"program": kind, "beta": 1.0, "spike_price": None}))
    assert [f.name for f in tmp_path.iterdir()] == ["posterior.nc"]
    tree = open_tree(tmp_path / "posterior.nc")
    try:
        posterior, stats, constant = tree["posterior"], tree["sample_stats"], tree["constant_data"]
        np.testing.assert_array_equal(posterior["rate"], p.mean)
        np.testing.assert_array_equal(posterior["z"], p.z)
        np.testing.assert_array_equal(posterior["counts"][0], p.draws)
        assert posterior["counts"].dims == ("chain", "draw", "drawn_image", "unit")
        assert posterior["counts"].dtype == (np.uint16 if kind == "poisson" else np.float32)
        np.testing.assert_array_equal(stats["kl"], p.kl)
        np.testing.assert_array_equal(tree["observed_data"]["x"], p.x)
        np.testing.assert_array_equal(stats["reconstruction"], p.reconstruction)
        np.testing.assert_array_equal(constant["dictionary"], p.dictionary)
        np.testing.assert_array_equal(constant["photograph"], p.group)
        assert list(constant["photograph_name"].values) == list(p.group_names)
        assert ("prior_rate" in constant) == (kind == "poisson")
        assert ("row" in constant.coords) == (shape is not None)
        assert stats["kl"].attrs["units"] == "nat"
        of_one = "spike" if kind == "poisson" else "activity"
        assert constant["dictionary"].attrs["units"] == f"pixel value per {of_one}"
        assert tree.attrs["program"] == kind
        assert tree.attrs["beta"] == 1.0
        assert "spike_price" not in tree.attrs
    finally:
        tree.close()


def test_large_counts_are_not_wrapped(make_posterior):
    p = make_posterior(units=2, images=20)
    p.draws[0, 0, 0] = 70_000
    assert datatree(p)["posterior"]["counts"].values[0, 0, 0, 0] == 70_000


def test_a_decoder_that_is_not_linear_has_no_dictionary(make_posterior):
    assert "dictionary" not in datatree(make_posterior(linear=False))["constant_data"]


def test_arviz_summarises_rates_over_images(make_posterior):
    stats = pytest.importorskip("arviz_stats")
    p = make_posterior(units=3)
    table = stats.summary(datatree(p), kind="stats", var_names=["rate"], sample_dims=["image"], round_to="none")
    assert list(table.index) == ["rate[0]", "rate[1]", "rate[2]"]
    np.testing.assert_allclose(table["mean"].astype(float), p.mean.mean(0), rtol=1e-5)
    counts = stats.summary(
        datatree(p), kind="stats", var_names=["counts"], coords={"drawn_image": [0]}, round_to="none"
    )
    np.testing.assert_allclose(counts["mean"].astype(float), p.draws[:, 0].mean(0), rtol=1e-6)


def test_arviz_finds_the_narrowest_interval_of_rates_over_images(make_posterior):
    """Every interval that holds nine images in ten by a loop; none of them is narrower."""
    p = make_posterior(units=3)
    found = arviz_stats.hdi(datatree(p)["posterior"]["rate"], dim="image", prob=0.9).values
    for (low, high), rates in zip(found, p.mean.T, strict=True):
        ordered, held = np.sort(rates), int(np.floor(0.9 * len(rates)))
        np.testing.assert_allclose(high - low, (ordered[held:] - ordered[:-held]).min(), rtol=1e-5)


def test_arviz_plots_rates_over_images(make_posterior):
    plots = pytest.importorskip("arviz_plots")
    tree = datatree(make_posterior(units=3))
    for plot in (plots.plot_forest, plots.plot_dist, plots.plot_ridge):
        drawn = plot(tree, var_names=["rate"], sample_dims=["image"], coords={"unit": [0, 2]}, backend="none")
        assert "rate" in drawn.viz.children or any("rate" in group for group in drawn.viz.children.values())


@pytest.mark.parametrize("content", [None, b"no netCDF at all", "other"])
def test_what_is_no_posterior_is_refused_in_words(tmp_path, content):
    path = tmp_path / "posterior.nc"
    if content == "other":
        import xarray as xr

        xr.DataTree.from_dict({"/": xr.Dataset({"a": 1})}).to_netcdf(path, engine="h5netcdf")
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"posterior\.nc"):
        open_tree(path)


@pytest.mark.parametrize("version", ["1.0", None])
def test_a_tree_of_another_package_is_refused(make_posterior, tmp_path, version):
    """One whose version is a text, or that lacks a group which is read."""
    tree = datatree(make_posterior(units=2, images=20))
    if version is None:
        del tree["sample_stats"]
    else:
        tree.attrs["format_version"] = version
    write_tree(tmp_path / "posterior.nc", tree)
    with pytest.raises(UserError, match="holds no posterior of this package"):
        open_tree(tmp_path / "posterior.nc")


def test_a_newer_format_is_refused(make_posterior, tmp_path):
    tree = datatree(make_posterior(units=2, images=20))
    tree.attrs["format_version"] = 99
    write_tree(tmp_path / "posterior.nc", tree)
    with pytest.raises(UserError, match="update"):
        open_tree(tmp_path / "posterior.nc")


def a_prediction(p, rng, **more):
    images, pixels = p.draws.shape[1], p.x.shape[1]
    return Predicted(
        prior_z=rng.poisson(0.3, (30, p.mean.shape[1])),
        prior_x=rng.normal(size=(30, pixels)).astype(np.float32),
        x=rng.normal(size=(len(p.draws), images, pixels)).astype(np.float32),
        mean=rng.normal(size=(images, pixels)).astype(np.float32),
        variance=rng.gamma(1.0, size=(images, pixels)).astype(np.float32),
        **more,
    )


def test_what_the_program_makes_up_has_the_groups_of_arviz(make_posterior, tmp_path):
    p, rng = make_posterior("poisson", units=6, images=12), np.random.default_rng(0)
    scale, rate = rng.gamma(2.0, size=(len(p.draws),)), rng.gamma(2.0, size=(len(p.draws), 6))
    again = {"scale": rng.gamma(2.0, size=30), "rate_of_group": rng.gamma(2.0, size=(30, 6))}
    made = a_prediction(p, rng, globals_posterior={"scale": scale, "rate_of_group": rate}, globals_prior=again)
    write_tree(tmp_path / "posterior.nc", datatree(p, predicted=made))
    with open_tree(tmp_path / "posterior.nc") as tree:
        assert set(tree.children) >= {"prior", "prior_predictive", "posterior_predictive", "observed_data"}
        posterior, predictive = tree["posterior"], tree["posterior_predictive"]
        np.testing.assert_array_equal(posterior["scale"], scale[np.newaxis])
        assert posterior["rate_of_group"].dims == ("chain", "draw", "unit")  # one value a unit
        np.testing.assert_array_equal(predictive["x"], made.x[np.newaxis])
        np.testing.assert_array_equal(tree["posterior_predictive_moments"]["mean"], made.mean)
        np.testing.assert_array_equal(tree["posterior_predictive_moments"]["variance"], made.variance)
        np.testing.assert_array_equal(tree["prior"]["z"], made.prior_z[np.newaxis])
        assert tree["prior"]["z"].dtype == np.uint16
        np.testing.assert_array_equal(tree["prior_predictive"]["x"], made.prior_x[np.newaxis])
        np.testing.assert_allclose(tree["sample_stats"]["coding_rate"], p.kl.sum(axis=1))


def test_arviz_reads_globals_and_predictions(make_posterior):
    p, rng = make_posterior("poisson", units=6, images=12), np.random.default_rng(0)
    rate = rng.gamma(2.0, size=(len(p.draws), 6))
    tree = datatree(p, predicted=a_prediction(p, rng, globals_posterior={"hyper": rate}))
    table = arviz_stats.summary(tree, kind="stats", var_names=["hyper"], round_to="none")
    np.testing.assert_allclose(table["mean"].astype(float), rate.mean(0), rtol=1e-6)


@pytest.mark.parametrize("same_images", [False, True])
@pytest.mark.parametrize(
    ("plot", "options"),
    [("dist", {"num_samples": 3}), ("tstat", {"t_stat": "mean"}), ("tstat", {"t_stat": "0.9"}), ("interval", {})],
)
def test_arviz_checks_predictions(make_posterior, plot, options, same_images):
    """With the tree as it is, and for the images of which there are predictions; predicted and observed are drawn."""
    p = make_posterior("poisson", units=6, images=40)
    tree = datatree(p, predicted=a_prediction(p, np.random.default_rng(0)))
    chosen = {"coords": {"image": tree["posterior_predictive"]["image"].values}} if same_images else {}
    drawn = getattr(arviz_plots, f"plot_ppc_{plot}")(tree, backend="none", **options, **chosen)
    predicted = {"dist": "predictive_dist", "tstat": "dist", "interval": "prediction_markers"}[plot]
    for visual in (predicted, {"interval": "observed_markers"}.get(plot, f"observed_{plot}")):
        assert "x" in drawn.viz[visual]


def test_predictions_and_observations_share_images(make_posterior):
    """Arithmetic between the two is on the images that both have."""
    p = make_posterior("poisson", units=6, images=40)
    made = a_prediction(p, np.random.default_rng(0))
    tree = datatree(p, predicted=made)
    off = tree["posterior_predictive"]["x"] - tree["observed_data"]["x"]
    assert off.dims == ("chain", "draw", "image", "pixel")
    np.testing.assert_array_equal(off[0], made.x - p.x[: made.x.shape[1]])


def test_a_posterior_of_an_older_version_is_refused(make_posterior, tmp_path):
    tree = datatree(make_posterior("poisson", units=3, images=12))
    tree.attrs["format_version"] = FORMAT_VERSION - 1
    write_tree(tmp_path / "posterior.nc", tree)
    with pytest.raises(UserError, match=f"format {FORMAT_VERSION - 1}, of an older version"):
        open_tree(tmp_path / "posterior.nc")

"""Figures: what they show, read back from the figure itself, and every odd code that they must survive."""

import io
import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.testing import assert_allclose
from PIL import Image

from ppl_pvae.analysis import draw_figures, plots, summarise, write_figures
from ppl_pvae.analysis.calibration import judge_ranks, pooled_ecdf, pooled_histogram
from ppl_pvae.analysis.plots.raster import _ticks
from ppl_pvae.analysis.plots.tiles import grey_limits, mosaic, scaled
from ppl_pvae.analysis.predictive import Check

ODD = {
    "counts": {},
    "rectified": {"kind": "rectified"},
    "signed": {"kind": "gaussian"},
    "no height and width": {"shape": None},
    "one unit": {"units": 1},
    "one unit, no height and width": {"units": 1, "shape": None},
    "silent": {"silent": True},
    "silent, not linear": {"kind": "rectified", "silent": True, "linear": False},
    "three images": {"images": 3, "units": 5},
    "one image": {"images": 1, "units": 2},
    "bursts": {"rate": 9.0},
    "flat images": {"shape": (4, 24)},
}


def row(posterior, converged=None):
    return {**summarise(posterior, 1.0), "beta": 1.0, "converged": converged}


def texts(fig: Figure) -> str:
    return " | ".join(text.get_text() for text in fig.findobj(matplotlib.text.Text))


@pytest.mark.parametrize("case", ODD)
def test_every_code_can_be_drawn(make_posterior, case):
    p = make_posterior(**{"images": 40, "units": 12, **ODD[case]})
    figures = [plots.raster(p), plots.rates(p), plots.nats(p), plots.preprocessing(p, {})]
    figures += [plots.dictionary(p)] if p.dictionary is not None else []
    figures += [plots.prior(p)] if p.prior_mean is not None else []
    figures += [plots.delivered(p.unit_bill)] if p.unit_bill is not None else []
    for fig in figures:
        picture = io.BytesIO()
        fig.savefig(picture, format="png", dpi=40)
        assert picture.getvalue().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("options", "missing"),
    [
        ({}, set()),
        ({"kind": "rectified"}, {"prior", "delivered"}),
        ({"kind": "gaussian", "linear": False}, {"prior", "delivered", "dictionary"}),
    ],
)
def test_a_run_gets_the_figures_that_make_sense_for_it(make_posterior, history, tmp_path, options, missing):
    p = make_posterior(images=40, units=12, **options)
    files = write_figures(tmp_path, p, history, row(p))
    names = {"dictionary", "bill", "raster", "training", "rates", "prior", "nats", "delivered", "preprocessing"}
    assert files.keys() == names - missing
    assert {f.name for f in tmp_path.iterdir()} == {f"{name}.png" for name in files}
    for file in files.values():
        with Image.open(file) as picture:
            assert min(picture.size) > 150


def test_codes_without_spikes_are_not_said_to_spike(make_posterior, history):
    for kind in ("rectified", "gaussian"):
        p = make_posterior(kind, images=40, units=12)
        said = " ".join(texts(fig) for fig in draw_figures(p, history, row(p)).values()).lower()
        assert "spike" not in said
        assert "activity" in said


def test_the_dictionary_shows_the_most_used_atoms_first(make_posterior):
    p = make_posterior(units=200, images=30)
    fig = plots.dictionary(p)
    order = np.argsort(-p.use)
    sheet = np.asarray(fig.axes[0].images[0].get_array())
    best = p.dictionary[order[0]].reshape(16, 16)
    assert_allclose(sheet[:16, :16], best / np.abs(best).max(), rtol=1e-6)
    labels = [text.get_text() for text in fig.axes[0].texts]
    assert len(labels) == 144
    assert_allclose([float(label) for label in labels], p.use[order[:144]], rtol=0.06)
    assert "144 most used of 200 atoms" in texts(fig)


def test_the_bill_is_as_long_as_the_free_energy(make_posterior):
    p = make_posterior(images=40, units=12)
    summary = summarise(p, 0.4)
    bars = plots.bill(summary, 0.4).axes[0].patches
    lengths = [bar.get_width() for bar in bars]
    assert_allclose(lengths, [summary["distortion"], 0.4 * summary["coding_rate"], summary["silent_free_energy"]])
    assert_allclose(bars[1].get_x() + bars[1].get_width(), summary["free_energy"], rtol=1e-6)


def test_a_bill_that_blew_up_says_so():
    summary = {"distortion": None, "coding_rate": 1.0, "free_energy": None, "silent_free_energy": 187.0}
    assert "not finite" in texts(plots.bill(summary, 1.0))


def test_one_tick_per_spike(make_posterior):
    p = make_posterior(images=30, units=12)
    fig = plots.raster(p)
    (ticks,) = [c for c in fig.axes[0].collections if isinstance(c, LineCollection)]
    assert len(ticks.get_segments()) == p.z.sum()


def test_ticks_of_one_count_stand_evenly_in_their_window():
    times = [start[0] for start, _ in _ticks(np.array([[0.0], [3.0]]))]
    assert_allclose(np.diff(times), 0.88 / 3)
    assert_allclose(np.mean(times), 1.5)


def test_rates_fall_and_sum_to_the_spikes_per_image(make_posterior):
    p = make_posterior(images=40, units=50)
    drawn = plots.rates(p).axes[0].lines[0].get_ydata()
    assert (np.diff(drawn) <= 0).all()
    assert_allclose(drawn.sum(), summarise(p, 1.0)["spikes_per_image"], rtol=1e-9)


def test_training_curves_hold_the_lines_of_the_history(make_posterior, history):
    fig = plots.training(history, 187.0)
    train = [line["free_energy"] for line in history if line.get("split") == "train"]
    curve, silence = fig.axes[0].lines[0], fig.axes[0].lines[2]
    assert_allclose(curve.get_ydata(), train)
    assert_allclose(silence.get_ydata(), 187.0)
    low, high = fig.axes[0].get_ylim()
    assert low < min(train)
    assert high < max(train)  # the untrained start is off the scale
    assert isinstance(plots.training([], None), Figure)


def test_preprocessing_takes_what_pictures_there_are(make_posterior):
    p = make_posterior(images=40, units=4)
    frequency = np.linspace(0.01, 0.5, 20)
    spectra = {"frequency": frequency, "spectrum_before": frequency**-2.0, "spectrum_after": np.ones(20)}
    assert len(plots.preprocessing(p, {}).axes) == 1
    assert len(plots.preprocessing(p, spectra).axes) == 2
    assert len(plots.preprocessing(p, {**spectra, "filter_gain": frequency}).axes) == 3


@pytest.mark.parametrize(("converged", "said"), [(True, None), (False, "not converged"), (None, "not checked")])
def test_what_is_not_converged_is_marked_on_every_figure(make_posterior, history, converged, said):
    p = make_posterior(images=40, units=4)
    for name, fig in draw_figures(p, history, row(p, converged)).items():
        marks = [mark for mark in ("not converged", "not checked") if mark in texts(fig)]
        assert marks == ([said] if said and name != "preprocessing" else [])
    elsewhere = draw_figures(p, history, row(p) | {"steps": None})["rates"]
    assert "convergence not known" in texts(elsewhere)


def test_drawing_leaves_the_settings_of_matplotlib_alone(make_posterior):
    before = dict(matplotlib.rcParams)
    plots.rates(make_posterior(images=10, units=4))
    assert dict(matplotlib.rcParams) == before


def test_units_lie_below_the_line_of_no_loss(make_posterior):
    p = make_posterior(images=60, units=30, rate=2.0)
    fig = plots.delivered(p.unit_bill)
    points = np.concatenate([np.asarray(c.get_offsets()) for c in fig.axes[0].collections[1:]])
    assert_allclose(np.sort(points[:, 0]), np.sort(p.unit_bill.paid), rtol=1e-6)
    assert (points[:, 1] < points[:, 0]).all()
    share = 100 * p.unit_bill.delivered.sum() / p.unit_bill.paid.sum()
    assert f"{share:.0f}%" in texts(fig)


@pytest.mark.parametrize(("units", "draws"), [(1, 1), (3, 7), (40, 99)])
def test_ranks_are_drawn_beside_uniform_ones(units, draws):
    ranks = np.random.default_rng(0).integers(0, draws + 1, (100, units))
    judged = judge_ranks(ranks, draws)
    fig = plots.calibration(judged)
    histogram, ecdf = fig.axes
    (steps,) = [patch for patch in histogram.patches if hasattr(patch, "get_data")]
    assert_allclose(steps.get_data().values, 1 + pooled_histogram(judged).value)
    assert_allclose(steps.get_data().edges[[0, -1]], [-0.5, draws + 0.5])
    curve = ecdf.lines[-1]
    assert_allclose(curve.get_ydata()[1:-1], pooled_ecdf(judged).value)
    assert_allclose(curve.get_ydata()[[0, -1]], 0)
    for ax, line in ((histogram, 1 + pooled_histogram(judged).half), (ecdf, curve.get_ydata())):
        assert ax.get_ylim()[0] <= line.min()
        assert line.max() <= ax.get_ylim()[1]
    assert f"100 images, {units} unit{'s' if units > 1 else ''}: p = " in texts(fig)


def test_ranks_far_from_uniform_stay_on_the_page():
    judged = judge_ranks(np.zeros((50, 2), int), 19)
    fig = plots.calibration(judged)
    assert fig.axes[0].get_ylim()[1] > 1 + pooled_histogram(judged).value.max()
    assert "p < 0.0001" in texts(fig)


def test_every_check_has_a_panel_with_the_data_and_its_p_value():
    made = np.random.default_rng(0).normal(size=39)
    found = [
        Check("variance", 0.1, made),
        Check("skewness", 1000.0, made),
        Check("kurtosis", np.nan, made),
        Check("zeros", 0.0, np.zeros(39)),
        Check("correlation", 1.0, np.full(39, np.nan)),
    ]
    fig = plots.checks(found)
    shown = [ax for ax in fig.axes if ax.get_visible()]
    assert [ax.get_title(loc="left") for ax in shown] == [check.name for check in found]
    for ax, check in zip(shown, found, strict=True):
        lines = [line.get_xdata()[0] for line in ax.lines]
        defined = not np.isnan(check.p_value)
        assert lines == ([check.observed] if defined else [])
        assert ("not defined" in [text.get_text() for text in ax.texts]) == (not defined)
        if defined:
            assert sum(bar.get_height() for bar in ax.patches) == 39
            assert ax.get_xlim()[0] < check.observed < ax.get_xlim()[1]
    assert shown[1].get_xlabel() == "p ≤ 0.05"
    assert shown[3].get_xlabel() == "p = 1"
    for few in (found[:1], []):
        fig = plots.checks(few)
        picture = io.BytesIO()
        fig.savefig(picture, format="png", dpi=40)


def test_tiles_by_hand():
    sheet = mosaic(np.arange(12.0).reshape(3, 4), (2, 2), columns=2, gap=(0.5, 0.5))
    nan = np.nan
    assert_allclose(
        sheet,
        [
            [0, 1, nan, 4, 5, nan],
            [2, 3, nan, 6, 7, nan],
            [nan] * 6,
            [8, 9] + [nan] * 4,
            [10, 11] + [nan] * 4,
            [nan] * 6,
        ],
    )
    assert_allclose(scaled(np.array([[0.0, -4.0], [0.0, 0.0]])), [[0, -1], [0, 0]])
    assert grey_limits(np.array([[0.0, 2.0]]))[0] == 0.0
    low, high = grey_limits(np.array([[-1.0, 2.0]]))
    assert low == -high


def test_matplotlib_is_imported_only_for_figures_and_pyplot_never():
    code = (
        "import sys, ppl_pvae.analysis as a\n"
        "first = 'matplotlib' in sys.modules\n"
        "a.write_figures\n"
        "print(first, 'matplotlib' in sys.modules, 'matplotlib.pyplot' in sys.modules)"
    )
    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert seen.stdout.split() == ["False", "True", "False"]

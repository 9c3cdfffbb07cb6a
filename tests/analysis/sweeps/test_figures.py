"""Figures of a sweep: which there are, what they show, and every odd table that they must survive."""

import warnings
from dataclasses import replace

import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from ppl_pvae.analysis.plots import atoms_along_beta, draw_sweep
from ppl_pvae.analysis.plots.sweeps import Solution, draw, maps, over_beta, planes
from ppl_pvae.analysis.plots.sweeps.layout import in_rows, kind_of
from ppl_pvae.analysis.plots.sweeps.look import looks
from ppl_pvae.analysis.plots.sweeps.solutions import are_apart
from ppl_pvae.analysis.sweeps import beta_curves, sort_by_family
from ppl_pvae.analysis.sweeps.families import Family
from tests.analysis.sweeps.planted import FAMILIES, POISSON, SILENCE, cell, planted_sweep
from tests.analysis.sweeps.test_findings import ODD

SMALL = planted_sweep(betas=(0.1, 1.0, 4.0), units=(32, 64), seeds=(0, 1), families=FAMILIES[:4])


def texts(fig: Figure) -> list[str]:
    return [text.get_text() for text in fig.findobj(matplotlib.text.Text)]


@pytest.fixture(scope="module")
def figures():
    return draw_sweep(SMALL)


def test_every_theme_has_a_figure(figures):
    themes = ["sparsity", "activity", "fidelity", "prices", "planes", "coupling"]
    themes += ["maps", "evidence", "dense", "operating", "price"]
    assert list(figures) == themes
    assert figures["fidelity"].axes[0].get_title(loc="left") == "K = 32"
    assert len(figures["fidelity"].axes) == 6  # three metrics, two numbers of units


def test_legends_name_families_and_what_open_marks_mean(figures):
    told = texts(figures["sparsity"])
    assert {"Poisson", "zero_inflated", "rectified, fixed prior, pays latent"} <= set(told)
    assert "open: not known to have converged" in told
    assert "± 1 standard deviation of seeds" in told
    assert "rectified, fixed prior, pays latent" not in texts(figures["prices"])  # no code of counts


def test_open_marks_are_where_cells_have_not_converged(figures):
    ax = figures["sparsity"].axes[0]
    faces = {True: 0, False: 0}
    for line in ax.lines:
        if line.get_linestyle() == "None":
            is_open = to_rgba(line.get_markerfacecolor()) == to_rgba("white")
            faces[is_open] += len(line.get_xdata())
    rows = [row for row in SMALL if row["units"] == 32 and not row["spike_price"] and not row["error"]]
    places = {(str(row["program"]), row["encoder_bias"], row["beta"]) for row in rows}
    unsure = {(str(row["program"]), row["encoder_bias"], row["beta"]) for row in rows if row["converged"] is not True}
    assert faces == {True: len(unsure), False: len(places) - len(unsure)}


def test_the_first_family_is_beside_every_other_in_evidence():
    """Poisson in all panels, nothing hidden above the highest bound, and no figure of one family alone."""
    rows = planted_sweep((0.1, 1.0, 4.0), (32, 64), (0, 1), prices=False)
    fig = draw_sweep(rows)["evidence"]
    blue, shown = looks(sort_by_family(rows))[next(iter(sort_by_family(rows)))].colour, []
    for ax in fig.axes:
        if ax.get_title(loc="left"):
            lines = [line for line in ax.lines if len(line.get_xdata()) == 3 and line.get_marker() == "None"]
            assert sum(line.get_color() == blue for line in lines) == 1
            low, high = ax.get_ylim()
            shown += [low < max(line.get_ydata()) < high for line in lines]  # the best of each, and most of others
            shown.append(sum(low < y < high for line in lines for y in line.get_ydata()) >= len(lines))
    titles = [ax.get_title(loc="left") for ax in fig.axes if ax.get_title(loc="left")]
    assert titles == [
        f"K = {k}, {kind}" for kind in ("not rectified", "rectified", "rectified, no bias") for k in (32, 64)
    ]
    assert all(shown)
    better = [row | {"units": 2048, "log_evidence": 0.0} for row in rows if row["program"] == "poisson"]
    assert draw_sweep(rows + better)["evidence"].axes[0].get_ylim() == fig.axes[0].get_ylim()  # it has no panel
    other = [row | {"data": "digits", "log_evidence": 0.0} for row in rows]
    assert draw_sweep(rows + other)["evidence"].axes[0].get_ylim() == fig.axes[0].get_ylim()  # other images
    alone = [row for row in rows if row["program"] == "poisson"]
    assert "evidence" not in draw_sweep(alone)


def test_no_price_of_nats_stands_at_one_place_in_all_panels():
    betas = {32: (0.0, 0.1, 1.0), 64: (0.0, 0.001, 1.0)}
    rows = [cell(units=k, beta=b, zeros=0.5, lifetime_sparseness=0.5) for k, each in betas.items() for b in each]
    axes = draw_sweep(rows)["sparsity"].axes
    places = {min(x for line in ax.lines if len(line.get_xdata()) == 3 for x in line.get_xdata()) for ax in axes}
    assert len(places) == 1
    assert {place for ax in axes for place in ax.get_xticks()} >= places


def test_silence_is_drawn_with_distortion(figures):
    for ax in figures["planes"].axes[2:]:
        assert SILENCE in [line.get_ydata()[0] for line in ax.lines if len(set(line.get_ydata())) == 1]
    assert "sending nothing" in texts(figures["planes"])


def test_nats_stand_against_activity_beside_lines_of_proportion(figures):
    fig = figures["coupling"]
    assert [ax.get_title(loc="left").replace("\n", " ") for ax in fig.axes] == [
        family.label for family in sort_by_family(SMALL)
    ]
    ax, curves = fig.axes[0], [curve for curve in beta_curves(SMALL) if curve.family.is_pvae]
    drawn = [
        np.log(line.get_xydata()) for line in ax.lines if line.get_linestyle() == "-" and len(line.get_xdata()) > 2
    ]
    told = [
        np.log([[point.mean(key) for key in ("spikes_per_image", "coding_rate")] for point in curve.points])
        for curve in curves
    ]
    assert len(drawn) == len(told) == 2
    for line, points in zip(drawn, told, strict=True):
        np.testing.assert_allclose(line, points)
    dotted = [line for line in ax.lines if line.get_linestyle() not in ("-", "None")]
    (x_low, x_high), (y_low, y_high) = ax.get_xlim(), ax.get_ylim()
    levels = [line.get_xy2()[1] / line.get_xy2()[0] for line in dotted]
    assert all(
        line.get_xy1()[1] / line.get_xy1()[0] == pytest.approx(level)
        for line, level in zip(dotted, levels, strict=True)
    )
    assert any(y_low / x_high < level < y_high / x_low for level in levels)
    assert {"K = 32", "K = 64", "proportional", "open: not known to have converged"} <= set(texts(fig))


def test_titles_of_many_panels_end_before_the_next_begins():
    many = planted_sweep((0.1, 1.0), (128, 256, 384, 512), (0,), FAMILIES, prices=False)
    without = [{**row, "encoder_bias": False} for row in many if row["program"] == "rectified-gaussian"]
    many = [row for row in many if row["units"] > 128 or row["program"] != "rectified-gaussian"]  # labels in between
    fig = over_beta(beta_curves([*many, *without]), ["coding_rate"])
    FigureCanvasAgg(fig).draw()
    titles = [ax._left_title.get_window_extent() for ax in fig.axes if ax.get_title(loc="left")]
    assert any("no bias" in ax.get_title(loc="left") for ax in fig.axes)
    assert max(box.x1 for box in titles) <= fig.bbox.width
    for box in titles:
        beside = [other for other in titles if abs(other.y0 - box.y0) < 1 and other.x0 > box.x0]
        assert all(box.x1 < other.x0 for other in beside)


@pytest.mark.parametrize("families", [1, 2, 3])
def test_the_legend_of_few_panels_is_within_the_figure(families):
    fig = draw_sweep(planted_sweep((0.1, 1.0), (32, 64), (0,), FAMILIES[:families], prices=False))["coupling"]
    FigureCanvasAgg(fig).draw()
    box = fig.legends[0].get_window_extent()
    assert 0 <= box.x0 < box.x1 <= fig.bbox.width


def test_a_code_that_sends_nothing_has_no_coupling():
    rows = [cell(units=32, beta=beta, spikes_per_image=0.0, coding_rate=0.0) for beta in (0.1, 1.0)]
    assert "coupling" not in draw_sweep(rows)


def test_maps_hatch_what_has_not_converged(figures):
    hatched = [patch for ax in figures["maps"].axes for patch in ax.patches if patch.get_hatch()]
    rows = [row for row in SMALL if not row["spike_price"] and not row["error"] and row["converged"] is not True]
    assert len(hatched) == 2 * len({(row["cell"].rsplit("-", 1)[0], row["encoder_bias"]) for row in rows})


def test_a_map_has_the_sizes_that_its_family_is_there_at():
    rows = planted_sweep(betas=(0.1, 1.0), units=(32, 64, 128), seeds=(0,), families=FAMILIES[:2], prices=False)
    few = [row for row in rows if row["program"] == "poisson" or row["units"] == 64]
    fig = maps(beta_curves(few))
    told = [[label.get_text() for label in ax.get_yticklabels()] for ax in fig.axes[:4:2]]
    assert told == [["32", "64", "128"], ["64"]]
    low, high = (fig.axes[at].get_position().height for at in (2, 0))
    assert low < high


def test_the_smallest_map_has_room_for_what_stands_around_it(tmp_path):
    """One family, two sizes: numbers stand in fields that are higher than they are."""
    rows = planted_sweep(betas=(0.1, 1.0), units=(64, 512), seeds=(0,), families=FAMILIES[:1], prices=False)
    fig = maps(beta_curves(rows))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fig.savefig(tmp_path / "maps.png")
    height = fig.axes[0].get_position().height * fig.get_figheight() / 2
    assert height > fig.axes[0].texts[0].get_fontsize() / 72


def test_maps_say_numbers_in_their_units_on_a_patch_without_hatches():
    rows = [
        cell(units=units, beta=beta, converged=units == 32, zeros=0.25, spikes_per_image=spikes)
        for (units, beta), spikes in {(32, 1.0): 5581.0, (32, 4.0): 17.3, (64, 1.0): 0.678, (64, 4.0): 0.0}.items()
    ]
    fig = draw_sweep(rows)["maps"]
    told = {text.get_text(): text for text in fig.axes[1].texts}
    assert set(told) == {"5581", "17", "0.68", "<0.001"}
    hatched = [patch for patch in fig.axes[1].patches if patch.get_hatch()]
    assert len(hatched) == 2
    for text in told.values():
        assert text.get_zorder() > max(patch.get_zorder() for patch in hatched)
        assert text.get_bbox_patch().get_facecolor()[3] == 1.0
    named = texts(fig)
    assert "activity per image" in named
    assert {"10", "1000"} <= {label.get_text() for label in fig.axes[-1].get_xticklabels()}


def test_many_numbers_of_units_have_a_figure_a_metric(monkeypatch):
    many = planted_sweep((0.1, 1.0), (8, 16, 32, 64, 128), (0,), FAMILIES[:1], prices=False)
    fig = over_beta(beta_curves(many), ["zeros"])
    used = [ax for ax in fig.axes if ax.axison]
    assert [ax.get_title(loc="left") for ax in used] == [f"K = {n}" for n in (8, 16, 32, 64, 128)]
    assert [ax.get_xlabel() for ax in used] == ["", "", "β", "β", "β"]
    monkeypatch.setattr(draw, "MOST_COLUMNS", 1)
    figures = draw_sweep([row for row in many if row["units"] < 32])
    assert {"zeros", "firing_rate", "plane_spikes", "plane_nats", "maps"} <= set(figures)
    assert not {"sparsity", "planes"} & set(figures)


@pytest.mark.parametrize(
    ("panels", "lengths"), [(1, [1]), (4, [4]), (5, [2, 3]), (6, [3, 3]), (7, [3, 4]), (9, [3, 3, 3]), (11, [3, 4, 4])]
)
def test_rows_are_filled_alike_and_no_column_ends_early(panels, lengths):
    rows = [[column for at, column in in_rows(panels) if at == row] for row in range(len(lengths))]
    assert rows == [list(range(length)) for length in lengths]
    assert len(in_rows(panels)) == panels


@pytest.mark.parametrize("case", ODD)
def test_odd_tables_can_be_drawn(case):
    figures = draw_sweep(ODD[case])
    for name in list(figures)[:1]:  # saved once by matplotlib, which is when ticks and layout are made
        figures[name].set_dpi(30)
        FigureCanvasAgg(figures[name]).draw()
    if case in ("nothing", "errors alone", "no numbers"):
        assert not set(figures) - {"maps"}


def test_beta_zero_has_its_place_left_of_all():
    fig = over_beta(beta_curves(ODD["beta = 0"]), ["zeros"])
    ax = fig.axes[0]
    assert ax.get_xscale() == "log"
    labels = [label.get_text() for label in ax.get_xticklabels()]
    assert labels[0] == "0"
    first = min(min(line.get_xdata()) for line in ax.lines if len(line.get_xdata()))
    assert 0 < first < 1.0


def test_nine_families_are_told_apart_and_keep_their_looks():
    families = list(sort_by_family([{**family, "units": 1, "beta": 1.0} for family in FAMILIES]))
    families += [Family("gaussian", "learned", None, True), Family("other.py", None, None, True)]
    known = looks(families)
    assert len({(look.colour, look.mark) for look in known.values()}) == 9
    assert known[Family(**POISSON)] == looks([Family(**POISSON)])[Family(**POISSON)]


CONTROLS = [
    POISSON,
    POISSON | {"encoder_bias": False},
    POISSON | {"prior": "fixed"},
    *(
        {"program": "rectified-gaussian", "prior": prior, "pays": pays, "encoder_bias": bias}
        for prior in ("learned", "fixed")
        for pays in ("latent", "code")
        for bias in (True, False)
    ),
]


def test_colours_say_prior_and_payment_and_lines_the_bias():
    families = [Family(**each) for each in CONTROLS]
    known = looks(families)
    assert len({(look.colour, look.line) for look in known.values()}) == 11
    for family in families:
        partner = known[replace(family, encoder_bias=not family.encoder_bias)] if family.prior == "learned" else None
        assert partner is None or partner.colour == known[family].colour
        assert (known[family].line == "-") == family.encoder_bias
    by_kind = {}
    for family in families:
        by_kind.setdefault(kind_of(family), []).append(known[family])
    assert {kind: len(found) for kind, found in by_kind.items()} == {
        "not rectified": 3,
        "rectified": 4,
        "rectified, no bias": 4,
    }
    for kind, found in by_kind.items():
        assert kind == "not rectified" or len({look.colour for look in found}) == 4
        assert len({look.width for look in found}) == len(found)  # those beneath are seen beside those on top


def test_many_families_are_sorted_by_their_kind():
    rows = planted_sweep((0.1, 1.0), (32, 64), (0,), CONTROLS, prices=False)
    rows = [row for row in rows if row["units"] == 32 or row["program"] == "poisson"]
    fig = over_beta(beta_curves(rows), ["zeros", "r2"])
    titles = ["K = 32, not rectified", "K = 64, not rectified", "K = 32, rectified", "K = 32, rectified, no bias"]
    assert [ax.get_title(loc="left") for ax in fig.axes if ax.axison] == 2 * titles
    assert sum(ax.axison for ax in planes(beta_curves(rows)).axes) == 8
    alone = [row for row in rows if row["units"] == 32]
    fig = over_beta(beta_curves(alone), ["zeros", "r2"])
    assert [ax.get_subplotspec().colspan.start for ax in fig.axes] == [0, 1, 2, 0, 1, 2]


def test_atoms_of_the_same_units_along_beta():
    rng = np.random.default_rng(0)
    dictionaries = {beta: rng.normal(size=(20, 12)) for beta in (4.0, 0.1)}
    use = {0.1: np.arange(20.0), 4.0: np.where(np.arange(20) == 19, 0.0, 3.0)}
    fig = atoms_along_beta(dictionaries, use, (3, 4), rows=5)
    told = texts(fig)
    assert told.index("0.1") < told.index("4")
    assert {"19", "15"} <= set(told)
    assert "14" not in told
    sheet = np.asarray(fig.axes[0].images[0].get_array())
    loud, faint = sheet[:3, :4], sheet[:3, sheet.shape[1] // 2 : sheet.shape[1] // 2 + 4]
    assert np.ptp(faint) < 0.2 < np.ptp(loud)  # the first unit is silent at the second β
    assert faint.min() > 0.8
    with pytest.raises(ValueError, match="same β"):
        atoms_along_beta(dictionaries, {0.1: use[0.1]}, (3, 4))


def test_atoms_say_what_their_fits_came_to_and_where_a_fit_by_itself_came_to_something_else():
    betas = (0.5, 1.0, 2.0, 4.0)
    dictionaries = {beta: np.eye(3, 4) for beta in betas}
    use = {beta: np.array([30.0, 7.0, 0.0]) / beta for beta in betas}  # 74, 37, 18.5 and 9.25 spikes
    free_energy = {0.5: 100.0, 1.0: 150.0, 2.0: 170.0, 4.0: 180.0}
    alone = {0.5: Solution(94.0, 74.0), 1.0: Solution(149.0, 17.3), 2.0: Solution(171.0, 19.0)}
    fig = atoms_along_beta(dictionaries, use, (2, 2), free_energy=free_energy, alone=alone)
    told = texts(fig)
    for name, numbers in {
        "F, along β": ["100.0", "150.0", "170.0", "180.0"],
        "F, by itself": ["94.0", "149.0", "171.0", "–"],
        "spikes, along β": ["74.0", "37.0", "18.5", "9.25"],
        "spikes, by itself": ["74.0", "17.3", "19.0", "–"],
    }.items():
        assert told[(at := told.index(name)) + 1 : at + 5] == numbers
    assert {"0.5 ≠", "1 ≠", "2", "4", "≠ another solution than the fit by itself"} <= set(told)
    told = texts(atoms_along_beta(dictionaries, use, (2, 2), free_energy=free_energy))
    assert "spikes, along β" in told
    assert not {"spikes, by itself", "≠ another solution than the fit by itself"} & set(told)


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ((100, 10), (104.9, 12.2), False),
        ((100, 10), (105.5, 10), True),
        ((100, 10), (100, 12.3), True),
        ((100, 10), (100, 0), True),
        ((100, 0), (100, 0), False),
        ((None, 10), (100, None), False),
    ],
)
def test_fits_are_one_solution_within_some_shares(one, other, apart):
    assert are_apart(Solution(*one), Solution(*other)) is apart
    assert are_apart(Solution(*other), Solution(*one)) is apart

"""Programs at one distortion: read off by hand, ranked, never extrapolated."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ppl_pvae.analysis.bounds import Bounds
from ppl_pvae.analysis.matching import neighbours, shared_middle
from ppl_pvae.analysis.sweeps import match_distortion
from tests.analysis.sweeps.planted import CONTROL, POISSON, cell

OWN = {**POISSON, "program": "own.py"}


def pair(family, seed=0, near=(100.0, 100.0), far=(140.0, 25.0), evidence=(-400.0, -440.0), **more):
    """Two cells at (distortion, spikes); nats are twice the spikes."""
    return [
        cell(family, beta=beta, seed=seed, distortion=d, spikes_per_image=s, coding_rate=2 * s, log_evidence=e, **more)
        for beta, (d, s), e in zip((0.5, 1.0), (near, far), evidence, strict=True)
    ]


def test_read_off_by_hand():
    rows = pair(POISSON) + pair(OWN, near=(110.0, 8.0), far=(130.0, 2.0), nats_per_spike=2.0)
    rows += pair(CONTROL, evidence=(-300.0, -320.0))
    told = match_distortion(rows)
    assert told.distortion == 120  # the middle of what all share
    assert [m.family.split(",")[0] for m in told.curves] == ["own", "Poisson", "rectified"]
    own, poisson, control = told.curves
    assert_allclose([own.spikes_per_image, own.coding_rate], [4, 8])
    assert_allclose(poisson.spikes_per_image, 50)  # half way on a log scale
    assert_allclose(poisson.log_evidence, -420)
    assert poisson.between == (0.5, 1.0)
    assert (own.rank_spikes, poisson.rank_spikes, control.rank_spikes) == (1, 2, None)
    assert (own.rank_evidence, poisson.rank_evidence, control.rank_evidence) == (2, 2, 1)
    assert told.left_out == ()


def test_ranks_are_among_as_many_units():
    rows = pair(POISSON) + pair(OWN, near=(110.0, 8.0), far=(130.0, 2.0), nats_per_spike=2.0)
    large = [row | {"units": 512, "cell": f"large-{row['cell']}", "spikes_per_image": 0.1} for row in rows]
    told = match_distortion(rows + large).curves
    assert [(match.units, match.rank_spikes) for match in told] == [(64, 1), (64, 2), (512, 1), (512, 1)]


def test_seeds_are_read_off_one_by_one_and_averaged():
    rows = pair(POISSON) + pair(POISSON, seed=1, near=(100.0, 400.0), far=(140.0, 100.0), converged=False)
    told = match_distortion(rows, 120.0).curves[0]
    assert_allclose(told.spikes_per_image, (50 + 200) / 2)
    assert_allclose(told.spreads["spikes_per_image"], np.std([50, 200], ddof=1))
    assert told.seeds == 2
    assert not told.converged


def test_nothing_is_extrapolated_and_who_is_missing_is_named():
    rows = [*pair(POISSON), cell(CONTROL, distortion=120.0)]
    told = match_distortion(rows, 120.0)
    assert [m.family for m in told.curves] == ["Poisson"]
    assert told.left_out == ("rectified, fixed prior, pays latent, no bias (published control), K = 64",)
    assert match_distortion(rows, 150.0).curves == ()


def test_without_a_shared_range_most_are_compared():
    rows = pair(POISSON, near=(100.0, 9.0), far=(140.0, 3.0)) + pair(OWN, near=(120.0, 9.0), far=(150.0, 3.0))
    rows += pair(CONTROL, near=(160.0, 9.0), far=(170.0, 3.0))
    told = match_distortion(rows)
    assert told.distortion == 130  # two of three enclose 120 to 140
    assert len(told.curves) == 2
    assert len(told.left_out) == 1


def test_what_is_unknown_stays_unknown():
    told = match_distortion(pair(POISSON, evidence=(None, -440.0))).curves[0]
    assert told.log_evidence is None
    assert told.rank_evidence is None
    assert match_distortion([]).distortion is None
    assert match_distortion([cell(distortion=float("nan"))]).curves == ()


def kept(rows, offsets, rng_seed=0, mark="a"):
    """Bounds of 40 images of 8 photographs for each row: images differ by far more than rows do."""
    rng = np.random.default_rng(rng_seed)
    common, group = 40 * rng.normal(size=40), np.arange(40) % 8
    found = {}
    for row, offset in zip(rows, offsets, strict=True):
        own = common + rng.normal(size=40)
        found[row["cell"]] = Bounds(np.arange(40), group, own - own.mean() + row["log_evidence"] + offset, mark)
    return found


def test_evidence_is_compared_image_by_image_where_it_was_kept():
    rows = pair(POISSON, log_evidence_se=5.0) + pair(CONTROL, evidence=(-410.0, -460.0), log_evidence_se=6.0)
    bounds = kept(rows, [0.0] * 4)
    first, control = match_distortion(rows, 110.0, bounds).curves
    assert first.evidence_difference is None
    told = control.evidence_difference
    assert (told.beside, told.paired, told.images) == ("Poisson", True, 40)
    # A quarter of the way from the near to the far cell, image by image.
    mine, theirs = (
        0.75 * bounds[near["cell"]].bound + 0.25 * bounds[far["cell"]].bound
        for near, far in ((rows[2], rows[3]), (rows[0], rows[1]))
    )
    gap = mine - theirs
    sums = np.bincount(np.arange(40) % 8, gap - gap.mean())
    assert_allclose(told.difference, -422.5 - -410.0)
    assert_allclose(told.standard_error, np.sqrt(8 / 7 * np.sum(sums**2)) / 40)
    assert told.standard_error < 1
    assert match_distortion(rows, 110.0, bounds).caveats == (
        match_distortion(rows, 110.0).caveats[0],
    )  # how wide alone


@pytest.mark.parametrize("why", ["not kept", "one not kept", "other images", "other rows", "no number"])
def test_without_the_same_images_both_errors_are_added_and_it_is_said(why):
    rows = pair(POISSON, log_evidence_se=5.0) + pair(CONTROL, evidence=(-410.0, -460.0), log_evidence_se=12.0)
    bounds = {} if why == "not kept" else kept(rows, [0.0] * 4)
    last = rows[3]["cell"]
    if why == "one not kept":
        del bounds[last]
    if why == "other images":
        bounds[last] = replace(bounds[last], mark="b")
    if why == "other rows":
        bounds[last] = replace(bounds[last], image=np.arange(40) + 1)
    if why == "no number":
        bounds[last] = replace(bounds[last], bound=np.full(40, -np.inf))
    told = match_distortion(rows, 110.0, bounds)
    difference = told.curves[1].evidence_difference
    assert (difference.paired, difference.images) == (False, None)
    assert_allclose([difference.difference, difference.standard_error], [-12.5, 13.0])
    assert any("1 of 1 differences in evidence are not paired" in caveat for caveat in told.caveats)


def test_seeds_are_paired_by_their_means():
    rows = pair(POISSON) + pair(POISSON, seed=1) + pair(CONTROL) + pair(CONTROL, seed=1)
    bounds = kept(rows, [0.0, 0.0, 2.0, 2.0, 5.0, 5.0, 5.0, 5.0])
    difference = match_distortion(rows, 120.0, bounds).curves[1].evidence_difference
    assert difference.paired
    assert_allclose(difference.difference, 5 - 1)


def test_a_wide_bracket_is_told():
    rows = pair(POISSON) + pair(CONTROL, near=(110.0, 9.0), far=(130.0, 3.0))
    told = match_distortion(rows, 120.0)
    assert [(m.bracket, m.wide) for m in told.curves] == [((100.0, 140.0), True), ((110.0, 130.0), False)]
    assert told.caveats[0] == (
        "Read off between cells more than 20 nats of distortion apart: Poisson, K = 64 (100.0 to 140.0)."
    )


def test_neighbours_of_a_level():
    assert neighbours([1.0, 2.0, 4.0], 3.0) == (1, 2, 0.5)
    assert neighbours([1.0, 1.0], 1.0) == (0, 1, 0.0)
    assert neighbours([1.0, 2.0], 2.5) is None
    assert shared_middle([(0.0, 4.0), (2.0, 6.0)]) == 3
    assert shared_middle([(0.0, 1.0), (2.0, 6.0)]) is None

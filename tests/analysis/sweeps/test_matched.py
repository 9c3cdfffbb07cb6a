"""Programs at one distortion: read off by hand, ranked, never extrapolated."""

import numpy as np
from numpy.testing import assert_allclose

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


def test_neighbours_of_a_level():
    assert neighbours([1.0, 2.0, 4.0], 3.0) == (1, 2, 0.5)
    assert neighbours([1.0, 1.0], 1.0) == (0, 1, 0.0)
    assert neighbours([1.0, 2.0], 2.5) is None
    assert shared_middle([(0.0, 4.0), (2.0, 6.0)]) == 3
    assert shared_middle([(0.0, 1.0), (2.0, 6.0)]) is None

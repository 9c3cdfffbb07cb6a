"""Several runs side by side: pairs, matches, refusals."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ppl_pvae.analysis import summarise
from ppl_pvae.analysis.comparison import Pair, check_same_images, differences_of, families, match_distortion
from ppl_pvae.analysis.evidence import Difference
from ppl_pvae.analysis.intervals import Interval
from ppl_pvae.analysis.plots.versus import planes
from ppl_pvae.analysis.study import ImageEvidence, Study
from ppl_pvae.analysis.study_report import pair_rows
from ppl_pvae.analysis.uncertainty import metric_intervals
from ppl_pvae.errors import UserError
from tests.analysis.conftest import planted_posterior


def a_study(name="a", kind="poisson", evidence=None, seed=0, **changed):
    p = planted_posterior(kind, images=60, seed=seed)
    row = summarise(p, 1.0) | {"program": kind, "units": 64, "beta": 1.0, "seed": 0, "data": "planted", **changed}
    weighed = None if evidence is None else ImageEvidence(np.arange(60), evidence, np.zeros(60), 100)
    return Study(
        name=name,
        summary={"converged": True, **row},
        posterior=p,
        intervals=metric_intervals(p, 1.0),
        bill=p.unit_bill,
        bill_images=60,
        unsent=0.0,
        population=None,
        gabors=None,
        tuning=None,
        half_contrast=None,
        evidence=weighed,
    )


def test_runs_are_compared_with_the_first():
    noise = np.random.default_rng(0).normal(size=60)
    runs = [a_study("a", evidence=noise), a_study("b", evidence=noise + 2), a_study("c"), a_study("d", evidence=-noise)]
    pairs = differences_of(runs)
    assert [(pair.name, pair.beside) for pair in pairs] == [("b", "a"), ("d", "a")]
    assert_allclose(pairs[0].difference.interval.estimate, 2)
    assert_allclose(pairs[0].difference.standard_error, 0, atol=1e-12)
    assert_allclose(pairs[1].difference.interval.estimate, -2 * noise.mean())


def test_match_reads_off_between_two_runs():
    def of(name, distortion, spikes, **more):
        return a_study(name, distortion=distortion, spikes_per_image=spikes, coding_rate=2 * spikes, **more)

    runs = [of("p1", 100.0, 100.0), of("p2", 140.0, 25.0), of("g1", 110.0, 8.0, program="gaussian"),
            of("g2", 130.0, 2.0, program="gaussian"), of("alone", 120.0, 1.0, program="other")]  # fmt: skip
    matches = match_distortion(runs)
    assert [m.program.split(",")[0] for m in matches] == ["poisson", "gaussian"]
    assert matches[0].distortion == 120  # the middle of what both reach
    assert_allclose(matches[0].paid["spikes_per_image"], 50)  # half way on a log scale
    assert_allclose(matches[1].paid["coding_rate"], 8)
    assert matches[0].between == ("p1", "p2")


def test_runs_of_which_a_number_is_unknown_are_in_no_match():
    def of(name, distortion, nats):
        return a_study(name, distortion=distortion, spikes_per_image=4.0, coding_rate=nats)

    runs = [of("a", 100.0, 9.0), of("b", 110.0, None), of("c", None, 8.0), of("d", 120.0, 7.0)]
    (match,) = match_distortion(runs)
    assert match.between == ("a", "d")
    drawn = planes(runs, [match], None).axes[0]
    assert sum(line.get_marker() == "o" for line in drawn.lines) == 3  # what it does not need may be unknown
    assert pair_rows([Pair("b", "a", Difference(Interval(1.0, np.nan, np.nan, 0.95, 1), np.nan, 60))])[0][2] == "± –"


def test_variants_of_a_program_are_told_apart():
    fixed = {"program": "rectified-gaussian", "pays": "latent", "prior": "fixed"}
    runs = [
        a_study("a", **fixed, encoder_bias=True),
        a_study("b", **fixed, encoder_bias=False),
        a_study("c", **fixed | {"prior": "learned"}, encoder_bias=True),
        a_study("d", **fixed, encoder_bias=True, beta=4.0),
    ]
    assert {label: [s.name for s in rows] for label, rows in families(runs).items()} == {
        "rectified-gaussian, fixed, latent, K = 64": ["a", "d"],
        "rectified-gaussian, fixed, latent, no bias, K = 64": ["b"],
        "rectified-gaussian, learned, latent, K = 64": ["c"],
    }


def test_runs_of_other_networks_or_other_data_are_no_family():
    """Nothing is read off between a linear code and an mlp's; what all have in common is not named."""
    runs = [
        a_study("a", encoder="linear", likelihood="gaussian", trained_on="natural", distortion=100.0),
        a_study("b", encoder="mlp", likelihood="gaussian", trained_on="natural", distortion=140.0, beta=4.0),
        a_study("c", encoder="linear", likelihood="gaussian", trained_on="synthetic", distortion=150.0, beta=4.0),
        a_study("d", encoder="linear", likelihood="gaussian", trained_on="natural", distortion=160.0, beta=8.0),
    ]
    assert {label: [s.name for s in rows] for label, rows in families(runs).items()} == {
        "poisson, K = 64, trained on natural, encoder linear": ["a", "d"],
        "poisson, K = 64, trained on natural, encoder mlp": ["b"],
        "poisson, K = 64, trained on synthetic, encoder linear": ["c"],
    }
    (match,) = match_distortion(runs)
    assert (match.program, match.between) == ("poisson, K = 64, trained on natural, encoder linear", ("a", "d"))


def test_nothing_is_extrapolated():
    runs = [a_study("a", distortion=100.0), a_study("b", distortion=120.0)]
    assert match_distortion(runs, 130.0) == []
    assert match_distortion([runs[0]]) == []


def test_runs_on_different_images_are_refused():
    with pytest.raises(UserError, match="a and b were tested on different images"):
        check_same_images({each.name: each.posterior.x for each in (a_study("a"), a_study("b", seed=1))})

"""Trends: violations counted by hand, slopes planted exactly."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ppl_pvae.analysis.sweeps import beta_curves
from ppl_pvae.analysis.sweeps.trends import exponents, range_of, trend
from tests.analysis.sweeps.planted import cell


def points(key, values, seeds=(0.0,), **more):
    """A point for each value, with a seed for each offset."""
    rows = [
        cell(
            beta=float(i),
            seed=seed,
            **{"spikes_per_image": 10.0, key: None if value is None else value + offset},
            **more,
        )
        for i, value in enumerate(values)
        for seed, offset in enumerate(seeds)
    ]
    return beta_curves(rows)[0].points


@pytest.mark.parametrize(
    ("values", "steps", "violations", "largest", "at", "verdict"),
    [
        ([0.1, 0.2, 0.4], 2, 0, None, None, "holds"),
        ([0.1, 0.3, 0.25, 0.24, 0.5], 4, 2, 0.05, (1, 2), "holds in part"),
        ([0.5, 0.501, 0.5005, 0.5], 3, 0, None, None, "fails"),  # within .002: it does not move
        ([0.5, 0.4], 1, 1, 0.1, (0, 1), "fails"),
        ([0.1, None, 0.05, 0.4], 2, 1, 0.05, (0, 2), "holds in part"),  # passed over, not decided by
        ([0.1], 0, 0, None, None, "not asked"),
        ([None, None], 0, 0, None, None, "not asked"),
    ],
)
def test_steps_of_a_share(values, steps, violations, largest, at, verdict):
    told = trend(points("zeros", values), "zeros", +1)
    assert (told.steps, told.violations, told.largest_at, told.verdict) == (steps, violations, at, verdict)
    assert (told.largest is None) == (largest is None)
    if largest is not None:
        assert_allclose(told.largest, largest)
    assert told.largest_in_spreads is None  # one seed


def test_amounts_are_judged_by_parts_of_themselves():
    assert trend(points("distortion", [100.0, 104.0, 90.0]), "distortion", -1).violations == 0
    told = trend(points("distortion", [100.0, 106.0, 90.0, 89.0]), "distortion", -1)
    assert (told.steps, told.steps_as_said, told.violations) == (3, 1, 1)


def test_silence_is_no_violation():
    rows = [cell(beta=b, spikes_per_image=s, firing_rate=s / 64) for b, s in ((1.0, 5.0), (2.0, 1e-6), (4.0, 2e-6))]
    told = trend(beta_curves(rows)[0].points, "firing_rate", -1)
    assert (told.steps, told.violations, told.verdict) == (2, 0, "holds")


def test_a_violation_in_seed_spreads_and_between_converged_points():
    told = trend(points("zeros", [0.1, 0.4, 0.3], seeds=(-0.02, 0.0, 0.02)), "zeros", +1)
    assert_allclose(told.largest_in_spreads, 0.1 / 0.02)  # every point has a standard deviation of .02
    assert told.violations_converged == 1
    open_points = points("zeros", [0.1, 0.4, 0.3], converged=False)
    assert trend(open_points, "zeros", +1).violations_converged == 0


def test_the_most_seed_spreads_have_a_place_of_their_own():
    """A step of .2 between seeds that lie .2 apart is one spread, one of .05 between seeds .002 apart is 25."""
    means, spreads = (0.5, 0.3, 0.6, 0.55, 0.9), (0.2, 0.2, 0.002, 0.002, 0.002)
    rows = [
        cell(beta=float(i), seed=seed, spikes_per_image=10.0, zeros=mean + sign * spread / np.sqrt(2))
        for i, (mean, spread) in enumerate(zip(means, spreads, strict=True))
        for seed, sign in enumerate((-1, 1))
    ]
    told = trend(beta_curves(rows)[0].points, "zeros", +1)
    assert (told.violations, told.largest_at, told.largest_in_spreads_at) == (2, (0, 1), (2, 3))
    assert_allclose([told.largest, told.largest_in_spreads], [0.2, 25])


def test_the_largest_step_of_an_amount_is_the_largest_in_logarithms():
    told = trend(points("coding_rate", [1000.0, 1200.0, 0.5, 2.0, 0.1]), "coding_rate", -1)
    assert (told.violations, told.largest_at, told.scale) == (2, (2, 3), "log ratio")
    assert_allclose(told.largest, np.log(4))
    # Its spread is taken on that scale too: seeds a factor of √2 above and below 2, and of 2 about 1.
    rows = [
        cell(beta=b, seed=seed, spikes_per_image=10.0, coding_rate=nats)
        for b, pair in ((1.0, (0.5, 2.0)), (2.0, (4.0, 8.0)))
        for seed, nats in enumerate(pair)
    ]
    spread = np.sqrt((np.log(4) ** 2 / 2 + np.log(2) ** 2 / 2) / 2)
    told = trend(beta_curves(rows)[0].points, "coding_rate", -1)
    assert_allclose(told.largest_in_spreads, np.log(6 / 1.25) / spread)
    nothing = trend(points("coding_rate", [0.0, 3.0]), "coding_rate", -1)
    assert np.isfinite(nothing.largest)


def test_exponents_are_the_planted_ones():
    spikes = np.array([200.0, 50.0, 3.0, 0.2])
    rows = [cell(beta=b, spikes_per_image=s, coding_rate=0.7 * s**0.8) for b, s in enumerate(spikes.tolist())]
    rows += [
        cell(beta=9.0, spikes_per_image=0.009, coding_rate=5.0),
        cell(beta=10.0, spikes_per_image=0.0, coding_rate=0),
    ]
    told = exponents(beta_curves(rows)[0].points)
    assert_allclose(told.elasticity, 0.8)
    assert_allclose(told.activity_exponent, 1 / 0.8)
    assert (told.points, told.silent) == (4, 2)


def test_there_is_no_exponent_of_one_point_or_of_what_stays():
    rows = [cell(beta=b, spikes_per_image=3.0, coding_rate=c) for b, c in ((1.0, 2.0), (2.0, 1.0))]
    told = exponents(beta_curves(rows)[0].points)
    assert told.elasticity is None
    assert_allclose(told.activity_exponent, 0, atol=1e-12)
    assert exponents(beta_curves(rows[:1])[0].points).activity_exponent is None


def test_range():
    assert range_of(points("r2", [0.5, None, -0.1]), "r2") == (-0.1, 0.5)
    assert range_of(points("r2", [None]), "r2") is None

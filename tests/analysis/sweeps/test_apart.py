"""Seeds that ended apart although the doubling rule passed one of them."""

import pytest
from numpy.testing import assert_allclose

from ppl_pvae.analysis.sweeps import beta_curves, findings
from ppl_pvae.analysis.sweeps.apart import seeds_apart
from tests.analysis.sweeps.planted import cell


def seeds(*values, **more):
    """A point of several seeds, by their free energy of training images, spikes and zeros."""
    keys = ("train_free_energy", "spikes_per_image", "zeros", "converged")
    return beta_curves([cell(seed=i, **(dict(zip(keys, each, strict=True)) | more)) for i, each in enumerate(values)])


def test_a_plateau_is_seen_by_the_seed_that_left_it():
    """The one that left need not have converged itself."""
    (found,) = seeds_apart(seeds((102.0, 20.0, 0.5, True), (100.0, 20.0, 0.5, False), (100.1, 20.0, 0.5, True)))
    assert (found["seed"], found["best_seed"], found["units"], found["beta"]) == (0, 1, 64, 1.0)
    assert_allclose((found["free_energy"], found["log_rate"], found["zeros"]), (0.02, 0.0, 0.0))


@pytest.mark.parametrize(
    ("spikes", "zeros", "apart"), [(20.9, 0.5, 0), (22.0, 0.5, 1), (20.0, 0.52, 1), (20.0, 0.495, 0)]
)
def test_other_codes_that_are_as_good_are_told(spikes, zeros, apart):
    assert len(seeds_apart(seeds((100.1, spikes, zeros, True), (100.0, 20.0, 0.5, True)))) == apart


def test_who_has_not_converged_is_not_held_to_it():
    assert seeds_apart(seeds((110.0, 20.0, 0.5, False), (100.0, 20.0, 0.5, True))) == []
    assert seeds_apart(seeds((100.0, 20.0, 0.5, True))) == []


def test_silence_is_silence():
    assert seeds_apart(seeds((100.0, 0.0, 1.0, True), (100.0, 1e-5, 1.0, True))) == []
    (found,) = seeds_apart(seeds((100.1, 0.0, 1.0, True), (100.0, 2.0, 1.0, True)))
    assert found["log_rate"] < -5


def test_they_are_among_the_findings():
    rows = [cell(seed=i, train_free_energy=value) for i, value in enumerate((100.0, 104.0))]
    assert [each["seed"] for each in findings(rows)["apart"]] == [1]
    assert findings([cell()])["apart"] == []

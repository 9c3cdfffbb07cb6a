"""Families at the β of their highest evidence: which that is, what rests on it, and differences image by image."""

import numpy as np
import pytest

from ppl_pvae.analysis.bounds import bounds_of
from ppl_pvae.analysis.sweeps import best_evidence
from tests.analysis.sweeps.planted import CONTROL, POISSON, cell


def row(family, beta, evidence, **changed):
    return cell(family, beta=beta, **{"log_evidence": evidence, "log_evidence_se": 3.0, "distortion": 100.0} | changed)


def test_the_best_beta_is_that_of_the_highest_mean_over_seeds():
    rows = [
        row(POISSON, 0.5, -280.0),
        row(POISSON, 1.0, -270.0, seed=0),
        row(POISSON, 1.0, -272.0, seed=1, converged=False),
        row(POISSON, 2.0, -270.5),
        row(POISSON, 4.0, None),
        row(CONTROL, 0.5, -278.0),
        row(CONTROL, 1.0, -279.0),
        row(CONTROL, 1.0, -100.0, units=512, error="killed"),
    ]
    first, second = best_evidence(rows)
    assert (first.family, first.beta, first.seeds, first.converged) == ("Poisson", 2.0, 1, True)
    assert first.edge  # of what lies beyond nothing is known
    assert first.evidence_difference is None
    assert (second.beta, second.edge, second.log_evidence, second.distortion) == (0.5, True, -278.0, 100.0)
    gap = second.evidence_difference
    assert gap.beside == "Poisson"
    assert not gap.paired
    assert (gap.difference, gap.standard_error) == (-7.5, pytest.approx(3 * 2**0.5))
    assert gap.converged


def test_every_seed_counts_for_convergence():
    rows = [row(POISSON, 1.0, -270.0, seed=0), row(POISSON, 1.0, -272.0, seed=1, converged=False)]
    (best,) = best_evidence(rows)
    assert (best.log_evidence, best.seeds, best.converged) == (-271.0, 2, False)


def test_a_difference_rests_on_the_cells_of_both():
    rows = [row(POISSON, 1.0, -270.0, converged=False), row(CONTROL, 1.0, -279.0), row(CONTROL, 2.0, -280.0)]
    own, gap = best_evidence(rows)[1].converged, best_evidence(rows)[1].evidence_difference
    assert own
    assert not gap.converged


@pytest.mark.parametrize("apart", [{"data": "synthetic"}, {"patch_size": 8}, {"likelihood": "bernoulli"}])
def test_other_images_are_not_compared(apart):
    """Nor another measure of them: bounds of Bernoulli pixels and of Gaussian ones are on other scales."""
    rows = [row(POISSON, 1.0, -270.0), row(POISSON, 1.0, -60.0, **apart), row(CONTROL, 1.0, -75.0, **apart)]
    found = best_evidence(rows)
    assert [each.evidence_difference and each.evidence_difference.difference for each in found] == [None, None, -15.0]


def test_differences_are_taken_image_by_image_where_both_kept_them():
    group, x = np.array([0, 0, 1, 1]), np.arange(8.0).reshape(4, 2)
    of_images = {"poisson": np.array([-250.0, -290.0, -260.0, -280.0])}
    of_images["control"] = of_images["poisson"] + np.array([1.0, 3.0, 5.0, 7.0])
    rows = [row(POISSON, 1.0, -270.0, cell="poisson"), row(CONTROL, 1.0, -266.0, cell="control")]
    bounds = {name: bounds_of(np.arange(4), group, bound, x) for name, bound in of_images.items()}
    gap = best_evidence(rows, bounds)[1].evidence_difference
    assert gap.paired
    assert gap.images == 4
    assert gap.difference == pytest.approx(4.0)
    assert gap.standard_error == pytest.approx(2.0)  # photographs are off by −2 and 2 in the mean: √(2 (4² + 4²))/4


def test_nothing_is_said_where_nothing_is_known():
    assert best_evidence([row(POISSON, 1.0, None), row(CONTROL, 1.0, -1.0, error="killed")]) == []

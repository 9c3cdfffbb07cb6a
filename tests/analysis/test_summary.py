"""The summary row: its identities, its keys, and None for what is not defined."""

import dataclasses
import json

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ppl_pvae.analysis import summarise

KEYS = {
    "free_energy",
    "silent_free_energy",
    "negative_elbo",
    "distortion",
    "distortion_sampled",
    "coding_rate",
    "global_kl",
    "firing_rate",
    "spikes_per_image",
    "zeros",
    "lifetime_sparseness",
    "population_sparseness",
    "r2",
    "r2_per_image",
    "active_units",
    "nats_per_spike",
    "information",
    "mismatch",
    "bits_per_spike",
    "rate_mismatch",
    "squared_error",
    "objective",
}


@pytest.mark.parametrize("kind", ["poisson", "rectified", "gaussian"])
def test_the_bill_adds_up(make_posterior, kind):
    p = dataclasses.replace(make_posterior(kind), global_kl=0.25)
    row = summarise(p, beta=0.4)
    distortion, nats = p.distortion.astype(float).mean(), p.kl.astype(float).sum(1).mean()
    assert row.keys() == KEYS
    assert_allclose(row["free_energy"], distortion + 0.4 * nats + 0.25, rtol=1e-12)
    assert_allclose(row["negative_elbo"], distortion + 128 * np.log(np.pi) + nats + 0.25, rtol=1e-12)
    assert_allclose(row["spikes_per_image"], 64 * row["firing_rate"], rtol=1e-12)
    json.dumps(row, allow_nan=False)


def test_counts_alone_have_a_price_per_spike_and_a_prior_rate(make_posterior):
    p = make_posterior("poisson")
    row = summarise(p, 1.0)
    assert_allclose(row["nats_per_spike"], row["coding_rate"] / p.mean.astype(float).sum(1).mean(), rtol=1e-12)
    assert row["rate_mismatch"] > 0
    other = summarise(make_posterior("rectified"), 1.0)
    assert other["nats_per_spike"] is None
    assert other["rate_mismatch"] is None


def test_what_is_paid_is_delivered_or_mismatched(make_posterior):
    p = make_posterior(rate=2.0)
    row = summarise(p, 1.0)
    # The coding rate is the program's own sum in float32, the other two are sums over counts.
    assert_allclose(row["information"] + row["mismatch"], row["coding_rate"], rtol=1e-6)
    assert 0 < row["information"] < row["coding_rate"]
    assert_allclose(row["bits_per_spike"], row["information"] / np.log(2) / row["spikes_per_image"], rtol=1e-12)


def test_only_books_of_poisson_counts_are_audited(make_posterior):
    p = make_posterior()
    other = dataclasses.replace(p, kl=p.kl * 1.1)  # counts of another family, which pay something else
    broken = dataclasses.replace(p, mean=np.full_like(p.mean, np.inf))
    for q in (make_posterior("rectified"), make_posterior("gaussian"), other, broken):
        assert q.unit_bill is None
        assert [summarise(q, 1.0)[key] for key in ("information", "mismatch", "bits_per_spike")] == [None] * 3


def test_activity_of_a_signed_code_is_its_magnitude(make_posterior):
    p = make_posterior("gaussian")
    assert_allclose(summarise(p, 1.0)["firing_rate"], np.abs(p.z.astype(float)).mean(), rtol=1e-12)


def test_a_silent_code_has_a_row_without_nan(make_posterior):
    row = summarise(make_posterior(silent=True), 1.0)
    assert (row["zeros"], row["coding_rate"], row["firing_rate"], row["lifetime_sparseness"]) == (1.0, 0.0, 0.0, 1.0)
    assert row["nats_per_spike"] is None
    assert row["rate_mismatch"] is None
    assert_allclose(row["free_energy"], row["silent_free_energy"], rtol=1e-6)


def test_one_unit_has_no_population_sparseness(make_posterior):
    row = summarise(make_posterior(units=1), 1.0)
    assert row["population_sparseness"] is None


def test_numbers_that_blew_up_become_none(make_posterior):
    p = make_posterior()
    distortion = p.distortion.copy()
    distortion[0] = np.inf
    row = summarise(dataclasses.replace(p, distortion=distortion), 1.0)
    assert row["distortion"] is None
    assert row["free_energy"] is None

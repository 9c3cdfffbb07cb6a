"""Dense codes end at their limits, and only those that have one are told of it."""

import numpy as np
import pytest

import ppl_pvae

RNG = np.random.default_rng(0)
SCALES = np.r_[4.0, 3, 2.5, 2, 1.5, 1.2, np.full(30, 0.1)]
MIXING = np.linalg.qr(RNG.normal(size=(36, 36)))[0]
IMAGES = (RNG.normal(size=(4000, 36)) * SCALES @ MIXING).reshape(-1, 6, 6).astype(np.float32)


@pytest.mark.parametrize("more", [{"units": 8, "beta": 1.0}, {"units": 4, "beta": 1.0}, {"units": 8, "beta": 0.3}])
def test_gaussian_images_are_sent_at_the_limit(more):
    """Nothing sparse is there to be found: free energies are within 1%, with hundreds of spikes an image."""
    summary = ppl_pvae.train("poisson", IMAGES, steps=1000, batch_size=200, **more).summary
    assert summary["free_energy"] == pytest.approx(summary["dense_free_energy"], rel=0.01)
    assert summary["free_energy"] < 0.6 * summary["silent_free_energy"]
    assert summary["spikes_per_image"] > 100


@pytest.mark.parametrize(("program", "steps", "within"), [("gaussian", 1000, 0.01), ("rectified-gaussian", 8000, 0.02)])
def test_gaussian_codes_are_probabilistic_pca(program, steps, within):
    """Rectified ones too, and slowly, as their means grow until nothing is rectified any more."""
    summary = ppl_pvae.train(program, IMAGES, units=8, beta=1.0, steps=steps, batch_size=200).summary
    assert summary["free_energy"] == pytest.approx(summary["dense_free_energy"], rel=within)
    assert summary["free_energy"] < 0.6 * summary["silent_free_energy"]
    assert summary["zeros"] < 0.01


@pytest.mark.parametrize(
    ("program", "settings"),
    [
        ("rectified-gaussian", {"prior": "fixed"}),
        ("rectified-gaussian", {"encoder_bias": False}),
        ("poisson", {"augment": "symmetries"}),
        ("poisson", {"spike_price": 0.1}),
        ("poisson", {"decoder": "mlp", "estimator": "arrival-time"}),
        ("poisson", {"noise": "learned"}),
    ],
)
def test_who_has_none_is_not_told_of_one(program, settings):
    summary = ppl_pvae.train(program, IMAGES, units=4, steps=2, batch_size=50, **settings).summary
    assert summary["dense_free_energy"] is None


def test_without_a_bias_of_the_encoder_the_mean_has_to_be_small():
    few = {"units": 4, "steps": 2, "batch_size": 50, "encoder_bias": False}
    assert ppl_pvae.train("poisson", IMAGES, **few).summary["dense_free_energy"] > 0
    assert ppl_pvae.train("poisson", IMAGES + 1, **few).summary["dense_free_energy"] is None
    with_bias = few | {"encoder_bias": True}
    moved, still = (ppl_pvae.train("poisson", x, **with_bias).summary for x in (IMAGES + 1, IMAGES))
    assert moved["dense_free_energy"] == pytest.approx(still["dense_free_energy"], rel=1e-4)


def test_rates_that_are_held_have_the_same_limit():
    few = {"units": 4, "steps": 2, "batch_size": 50}
    held, learned = (ppl_pvae.train("poisson", IMAGES, prior=prior, **few).summary for prior in ("fixed", "learned"))
    assert held["dense_free_energy"] == learned["dense_free_energy"]

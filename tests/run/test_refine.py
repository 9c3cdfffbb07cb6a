"""`Run.refine`: the codes of a run refined image by image, labelled, and what it refuses."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import numpyro
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import ppl_pvae
from ppl_pvae.distributions import Poisson
from ppl_pvae.errors import UserError
from ppl_pvae.models import Program

NAMES = ("rate", "zeros", "z", "free_energy", "distortion", "distortion_sampled", "coding_rate")


@pytest.fixture(scope="module")
def run(planted):
    """A P-VAE of 8 units at β = 2 that has had too few steps."""
    return ppl_pvae.train("poisson", planted.images, units=8, batch_size=200, steps=100, learning_rate=0.02, beta=2.0)


@pytest.fixture(scope="module")
def refined(run):
    return run.refine(run.tree["observed_data"]["x"].values.reshape(-1, 36)[:50])


def test_before_refinement_a_code_is_what_the_run_says(run, refined):
    stats = run.tree["sample_stats"].isel(image=slice(50))
    assert_allclose(refined["rate_before"], run.encode(run.tree["observed_data"]["x"].values[:50]), rtol=1e-5)
    assert_allclose(refined["distortion_before"], stats["distortion"], rtol=1e-5)
    assert_allclose(refined["coding_rate_before"], stats["kl"].sum("unit"), rtol=1e-5)


def test_after_refinement_no_image_has_more_free_energy(refined):
    """The free energy is that at the β of the training; the gap of a short training is large."""
    for moment in ("before", "after"):
        terms = refined[f"distortion_{moment}"] + 2.0 * refined[f"coding_rate_{moment}"]
        assert_allclose(refined[f"free_energy_{moment}"], terms, rtol=1e-6)
        assert_allclose(refined[f"zeros_{moment}"], np.exp(-refined[f"rate_{moment}"]), rtol=1e-4)
    gap = refined["free_energy_before"] - refined["free_energy_after"]
    assert float(gap.min()) >= 0
    assert float(gap.mean()) > 1


def test_a_refinement_is_labelled(run, refined):
    assert dict(refined.sizes) == {"image": 50, "unit": 8}
    assert set(refined) == {f"{name}_{moment}" for name in NAMES for moment in ("before", "after")}
    assert refined["free_energy_after"].attrs["units"] == "nat"
    assert refined["rate_after"].dims == ("image", "unit")
    assert (refined.attrs["beta"], refined.attrs["spike_price"], refined.attrs["iterations"]) == (2.0, 0.0, 50)
    assert 1 < refined.attrs["sweeps"] <= 50


def test_images_of_either_shape_and_seeds(run):
    x = run.tree["observed_data"]["x"].values[:5]
    one, same = (run.refine(x.reshape(5, *shape), iterations=2) for shape in ((36,), (6, 6)))
    other = run.refine(x.reshape(5, 36), iterations=2, seed=1)
    assert_array_equal(one["z_after"], same["z_after"])
    assert not np.array_equal(one["z_after"], other["z_after"])
    assert_allclose(one["free_energy_after"], other["free_energy_after"], rtol=1e-6)
    assert one.attrs["sweeps"] == 2


def test_what_cannot_be_refined_is_refused(run):
    with pytest.raises(UserError, match="iterations must be >= 1, got 0"):
        run.refine(np.zeros((3, 36)), iterations=0)
    with pytest.raises(UserError, match=r"expected images of shape \(image, 36\), got \(3, 35\)"):
        run.refine(np.zeros((3, 35)))

    def bent(x, nets):
        with numpyro.plate("image", len(x)):
            z = numpyro.sample("z", Poisson(jnp.ones(nets.units)).to_event(1))
            numpyro.sample("x", nets.observe(jnp.maximum(nets.decode(z), 0.0)), obs=x)

    with pytest.raises(UserError, match="program 'poisson': the decoder is not affine, and refining needs the exact"):
        replace(run, program=Program(bent, run.program.guide)).refine(np.ones((3, 36)))

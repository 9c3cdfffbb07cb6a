"""Schedules against their closed forms at chosen steps."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ppl_pvae.inference.schedules import annealed, warmup_hold_decay

STEPS = np.arange(101)


def test_annealing_is_a_straight_line_and_then_stays():
    value = annealed(STEPS, start=1.0, end=3.0, share=0.5, steps=100)
    assert value.dtype == np.float32
    assert_allclose(value[[0, 25, 50, 51, 100]], [1, 2, 3, 3, 3])
    assert_allclose(np.diff(value[:51]), 0.04, rtol=1e-4)


def test_no_annealing_is_the_end_from_the_start():
    assert_allclose(annealed(STEPS, start=1.0, end=3.0, share=0.0, steps=100), 3.0)


def test_annealing_does_not_depend_on_how_steps_are_cut():
    whole = annealed(STEPS, start=1e-4, end=1.0, share=0.7, steps=100)
    cut = [annealed(part, start=1e-4, end=1.0, share=0.7, steps=100) for part in (STEPS[:37], STEPS[37:])]
    assert (np.concatenate(cut) == whole).all()


@pytest.mark.parametrize(("shape", "middle"), [("linear", 0.5), ("cosine", 0.5)])
def test_learning_rate_rises_holds_and_falls(shape, middle):
    rate = warmup_hold_decay(STEPS, peak=2.0, final=0.0, warmup=10, decay=0.4, shape=shape, steps=100)
    assert_allclose(rate[:10], 2.0 * np.arange(1, 11) / 10, rtol=1e-6)
    assert_allclose(rate[10:61], 2.0)
    assert_allclose(rate[[80, 100]], [2 * middle, 0.0], atol=1e-6)
    assert (np.diff(rate[60:]) < 0).all()


def test_the_first_step_moves_and_the_last_rate_is_kept():
    rate = warmup_hold_decay(STEPS, peak=2.0, final=0.5, warmup=0, decay=1.0, shape="cosine", steps=100)
    assert_allclose(rate, 0.5 + 1.5 * 0.5 * (1 + np.cos(np.pi * STEPS / 100)), rtol=1e-6)
    assert (
        warmup_hold_decay(STEPS[:1], peak=2.0, final=0.0, warmup=50, decay=0.5, shape="linear", steps=100) > 0
    ).all()


def test_without_decay_it_holds():
    rate = warmup_hold_decay(STEPS[:100], peak=2.0, final=0.0, warmup=0, decay=0.0, shape="linear", steps=100)
    assert_allclose(rate[:99], 2.0)

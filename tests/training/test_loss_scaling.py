"""A scaled loss: the same updates, and what happens to infinite gradients."""

import numpy as np
import pytest
import tensorflow as tf

from electra_tf.training import loss_scaling
from electra_tf.training.loss_scaling import INITIAL_SCALE
from electra_tf.training.optimizers import KINDS

START = np.array([[0.5, -1.0], [2.0, 0.25]], np.float32)
GRADIENT = np.array([[0.1, -0.2], [0.05, 0.4]], np.float32)


def made(kind):
    import keras

    variable = keras.Variable(START, name="kernel")
    optimizer = kind(0.1, decay_rate=0.01, clip_norm=0.3)
    optimizer.build([variable])
    return optimizer, variable


@pytest.mark.parametrize("kinds", KINDS.values(), ids=KINDS)
def test_the_update_is_that_of_the_plain_loss(kinds):
    plain, expected = made(kinds[0])
    scaled, variable = made(kinds[1])
    assert float(scaled.scale_loss(tf.constant(3.0))) == 3 * INITIAL_SCALE
    for _ in range(3):
        plain.apply([tf.constant(GRADIENT)], [expected])
        scaled.apply([tf.constant(GRADIENT * INITIAL_SCALE)], [variable])
    np.testing.assert_allclose(variable, expected, rtol=1e-6)
    np.testing.assert_allclose(scaled.adam_v[0], plain.adam_v[0], rtol=1e-6)
    assert not np.allclose(variable, START)


@pytest.mark.parametrize("kinds", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_a_step_that_is_not_finite_changes_nothing_but_the_scale(bad, kinds):
    optimizer, variable = made(kinds[1])
    optimizer.apply([tf.constant(GRADIENT * INITIAL_SCALE)], [variable])
    kept = [v.numpy() for v in (variable, *optimizer.adam_m, *optimizer.adam_v)]
    gradient = GRADIENT.copy()
    gradient[0, 1] = bad
    optimizer.apply([tf.constant(gradient)], [variable])
    after = (variable, *optimizer.adam_m, *optimizer.adam_v)
    for before, now in zip(kept, after, strict=True):
        np.testing.assert_array_equal(now, before)
    # It was a step all the same: the data go on.
    assert int(optimizer.iterations) == 2
    assert float(optimizer.loss_scale) == INITIAL_SCALE / 2
    optimizer.apply([tf.constant(GRADIENT * INITIAL_SCALE / 2)], [variable])
    assert not np.allclose(variable, kept[0])


def test_the_scale_doubles_after_enough_finite_steps(monkeypatch):
    monkeypatch.setattr(loss_scaling, "STEPS_TO_DOUBLE", 3)
    optimizer, variable = made(KINDS["adam"][1])
    scales = []
    for step in range(8):
        gradient = np.full_like(GRADIENT, np.inf if step == 4 else 1.0)
        optimizer.apply([tf.constant(gradient)], [variable])
        scales.append(float(optimizer.loss_scale) / INITIAL_SCALE)
    assert scales == [1, 1, 2, 2, 1, 1, 1, 2]
    assert float(optimizer.finite_steps) == 0

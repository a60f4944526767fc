"""Dropout: its rate, its scale, its place in the batch, its scopes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from electra_tf.modeling.layers import Dropout
from electra_tf.modeling.noise import Noise


@pytest.fixture(scope="module")
def layer():
    return Dropout(0.3, name="dropout")


def test_it_zeroes_the_rate_and_scales_the_rest(layer):
    x = np.ones((300, 7, 33), np.float32)
    with Noise(1).scope():
        y = layer(x, training=True).numpy()
    sigma = np.sqrt(0.3 * 0.7 / y.size)
    assert abs(np.mean(y == 0) - 0.3) < 4 * sigma
    assert set(np.unique(y)) == {np.float32(0), y.max()}
    assert y.max() == pytest.approx(1 / 0.7, rel=1e-4)
    assert abs(y.mean() - 1) < 4 * sigma / 0.7


def test_it_is_the_identity_outside_training(layer):
    x = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    np.testing.assert_array_equal(layer(x), x)
    np.testing.assert_array_equal(layer(x, training=False), x)
    np.testing.assert_array_equal(Dropout(0.0)(x, training=True), x)


def test_a_half_batch_drops_what_it_drops_in_the_whole(layer):
    x = np.ones((8, 5, 3), np.float32)
    with Noise(1, step=4).scope():
        whole = layer(x, training=True).numpy()
    with Noise(1, step=4, first_row=5).scope():
        part = layer(x[5:], training=True).numpy()
    np.testing.assert_array_equal(part, whole[5:])


def test_gradient_passes_where_the_value_passed(layer):
    x = tf.ones([4, 50])
    with Noise(1).scope(), tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=True)
    np.testing.assert_array_equal(tape.gradient(y, x), y)


def test_layers_and_steps_drop_apart(layer):
    x, other = np.ones((4, 100), np.float32), Dropout(0.3, name="other")
    with Noise(1).scope():
        first, again = (layer(x, training=True).numpy() for _ in range(2))
        second = other(x, training=True).numpy()
    with Noise(1, step=1).scope():
        third = layer(x, training=True).numpy()
    np.testing.assert_array_equal(first, again)
    assert 0.3 < np.mean(first == second) < 0.8
    assert 0.3 < np.mean(first == third) < 0.8


def test_outside_a_scope_it_is_random_at_every_call(layer):
    @tf.function
    def drop(x):
        return layer(x, training=True)

    x = np.ones((20, 50), np.float32)
    for call in (drop, lambda x: layer(x, training=True)):
        first, second = call(x).numpy(), call(x).numpy()
        assert 0.4 < np.mean(first == second) < 0.75
        assert abs(np.mean(first == 0) - 0.3) < 0.06


def test_sizes_known_only_at_call_time(layer):
    @tf.function(input_signature=[tf.TensorSpec([None, None, None])])
    def drop(x):
        with Noise(6).scope():
            return layer(x, training=True)

    x = np.ones((3, 5, 7), np.float32)
    with Noise(6).scope():
        expected = layer(x, training=True)
    np.testing.assert_array_equal(drop(x), expected)


def test_it_trains_under_plain_fit():
    model = keras.Sequential(
        [keras.Input((6,)), Dropout(0.5), keras.layers.Dense(1)]
    )
    model.compile(keras.optimizers.SGD(0.05), "mse", jit_compile=False)
    x = np.ones((32, 6), np.float32)
    losses = model.fit(
        x, 3 * np.ones(32), epochs=4, batch_size=8, verbose=0, shuffle=False
    ).history["loss"]
    assert losses[-1] < losses[0]
    assert len(set(losses)) == 4


@pytest.mark.parametrize("rate", [-0.1, 1.0, 2])
def test_rates_outside_the_interval_are_refused(rate):
    with pytest.raises(ValueError, match=rf"\[0, 1\).*{rate}"):
        Dropout(rate)

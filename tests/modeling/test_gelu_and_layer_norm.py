"""GELU and LayerNorm, and their gradients written by hand."""

import math

import numpy as np
import pytest
import reference_encoder as reference
import tensorflow as tf

from electra_tf.modeling.layers import LayerNorm, gelu, layer_norm, trained_gelu


@pytest.mark.parametrize("gelu", [gelu, trained_gelu])
def test_gelu_values_are_the_exact_form(gelu):
    x = np.linspace(-8, 8, 401)
    np.testing.assert_allclose(
        gelu(tf.constant(x)), reference.gelu(x), atol=1e-12, rtol=0
    )
    # By the normal table: 1 * Phi(1).
    assert float(gelu(tf.constant(1.0))) == pytest.approx(0.8413447, abs=1e-6)


def test_gelu_gradient():
    x = tf.constant(np.linspace(-6, 6, 301))
    weights = tf.constant(np.linspace(1, 2, 301))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        ours = tf.reduce_sum(trained_gelu(x) * weights)
        plain = x * 0.5 * (1 + tf.math.erf(x / math.sqrt(2)))
        theirs = tf.reduce_sum(plain * weights)
    np.testing.assert_allclose(
        tape.gradient(ours, x), tape.gradient(theirs, x), atol=1e-12, rtol=0
    )
    h = 1e-6
    numeric = (reference.gelu(x + h) - reference.gelu(x - h)) / (2 * h)
    np.testing.assert_allclose(
        tape.gradient(ours, x), numeric * weights, atol=1e-8, rtol=0
    )


@pytest.fixture(scope="module")
def example():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 5, 12)) * 2 + 0.7
    gamma, beta = 1 + 0.3 * rng.normal(size=12), rng.normal(size=12)
    return x, gamma, beta, rng.normal(size=x.shape)


def normalised(x, gamma, beta):
    weights = {"n/gamma": gamma, "n/beta": beta}
    return reference.layer_norm(x, weights, "n")


def test_layer_norm_values(example):
    x, gamma, beta, _ = example
    layer = LayerNorm()
    layer.build(x.shape)
    layer.gamma.assign(gamma)
    layer.beta.assign(beta)
    np.testing.assert_allclose(
        layer(x.astype(np.float32)), normalised(x, gamma, beta), atol=1e-5
    )


def test_layer_norm_starts_as_the_identity_scale(example):
    layer = LayerNorm()
    y = layer(example[0].astype(np.float32)).numpy()
    np.testing.assert_allclose(y.mean(-1), 0, atol=1e-5)
    np.testing.assert_allclose(y.std(-1), 1, atol=1e-5)


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_epsilon_is_far_below_small_variances(scale):
    rng = np.random.default_rng(0)
    x = (scale * rng.normal(size=(4, 16))).astype(np.float32)
    y = LayerNorm()(x).numpy()
    np.testing.assert_allclose(y.std(-1), 1, atol=1e-3)


def test_layer_norm_of_a_constant_row_is_beta():
    layer = LayerNorm()
    layer.build((2, 4))
    layer.beta.assign([1.0, 2.0, 3.0, 4.0])
    y = layer(np.full((2, 4), 7.0, np.float32))
    np.testing.assert_array_equal(y, [[1, 2, 3, 4]] * 2)


def test_layer_norm_gradients(example):
    x, gamma, beta, upstream = example
    args = [tf.constant(v, tf.float32) for v in (x, gamma, beta)]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(args)
        ours = tf.reduce_sum(layer_norm(*args) * upstream.astype(np.float32))
    actual = tape.gradient(ours, args)
    wide = [tf.constant(v) for v in (x, gamma, beta)]  # float64
    with tf.GradientTape() as tape:
        tape.watch(wide)
        mean, variance = tf.nn.moments(wide[0], [-1], keepdims=True)
        unit = (wide[0] - mean) / tf.sqrt(variance + 1e-12)
        loss = tf.reduce_sum((unit * wide[1] + wide[2]) * upstream)
    for a, e in zip(actual, tape.gradient(loss, wide), strict=True):
        np.testing.assert_allclose(a, e, atol=2e-5, rtol=0)


def test_layer_norm_gradient_by_finite_differences(example):
    x, gamma, beta, upstream = example
    args = [tf.constant(v, tf.float32) for v in (x, gamma, beta)]
    with tf.GradientTape() as tape:
        tape.watch(args)
        loss = tf.reduce_sum(layer_norm(*args) * upstream.astype(np.float32))
    actual = tape.gradient(loss, args)

    def value(arrays):
        return (normalised(*arrays) * upstream).sum()

    h = 1e-5
    rng = np.random.default_rng(1)
    for which in range(3):
        for _ in range(5):
            arrays = [v.copy() for v in (x, gamma, beta)]
            place = tuple(rng.integers(n) for n in arrays[which].shape)
            arrays[which][place] += h
            up = value(arrays)
            arrays[which][place] -= 2 * h
            slope = (up - value(arrays)) / (2 * h)
            assert actual[which][place].numpy() == pytest.approx(
                slope, abs=2e-4
            )


def test_statistics_are_float32_in_bfloat16():
    """A mean of 1,024 bfloat16 values near 100 would be off by whole units."""
    rng = np.random.default_rng(0)
    x = tf.cast(100 + rng.normal(size=(2, 1024)), tf.bfloat16)
    layer = LayerNorm(dtype="mixed_bfloat16")
    y = layer(x).numpy().astype(np.float64)
    exact = x.numpy().astype(np.float64)
    expected = normalised(exact, np.ones(1024), np.zeros(1024))
    assert np.abs(y - expected).max() < 0.02

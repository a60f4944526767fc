"""LAMB against its published algorithm in float64."""

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from electra_tf.config.pretraining import make_config
from electra_tf.training.lamb import Lamb
from electra_tf.training.optimizers import make_optimizer
from electra_tf.training.schedules import WarmupPolynomialDecay

# The last kernel starts at zero: it has no norm to take steps by.
SHAPES = {
    "net/dense/kernel": (4, 3),
    "net/dense/bias": (3,),
    "net/LayerNorm/gamma": (3,),
    "net/new/kernel": (2, 3),
}
ADAPTED = {"net/dense/kernel", "net/new/kernel"}
STEPS = 5


def made_variables():
    rng = np.random.default_rng(0)
    variables = []
    for path, shape in SHAPES.items():
        *scopes, name = path.split("/")
        value = rng.normal(size=shape) * ("new" not in scopes)
        with contextlib.ExitStack() as stack:
            for scope in scopes:
                stack.enter_context(keras.name_scope(scope))
            variables.append(
                keras.Variable(value.astype(np.float32), name=name)
            )
    assert [v.path for v in variables] == list(SHAPES)
    return variables


def made_gradients():
    rng = np.random.default_rng(1)
    return [
        [
            ((0.02, 2.0)[t % 2] * rng.normal(size=shape)).astype(np.float32)
            for shape in SHAPES.values()
        ]
        for t in range(STEPS)
    ]


def lamb(values, gradients, rates, decay, clip, correct):
    """You et al. 2020, Algorithm 2: theta by path."""
    theta = {path: v.astype(np.float64) for path, v in values.items()}
    m, v = dict.fromkeys(theta, 0.0), dict.fromkeys(theta, 0.0)
    for t, (grads, rate) in enumerate(zip(gradients, rates, strict=True), 1):
        norm = np.sqrt(sum((g.astype(np.float64) ** 2).sum() for g in grads))
        for path, g in zip(theta, grads, strict=True):
            g = g.astype(np.float64) * min(1, clip / norm)
            m[path] = 0.9 * m[path] + 0.1 * g
            v[path] = 0.999 * v[path] + 0.001 * g**2
            mean, square = m[path], v[path]
            if correct:
                mean, square = mean / (1 - 0.9**t), square / (1 - 0.999**t)
            step = mean / (np.sqrt(square) + 1e-6)
            ratio = 1.0
            if path in ADAPTED:
                step = step + decay * theta[path]
                norms = np.linalg.norm(theta[path]), np.linalg.norm(step)
                ratio = norms[0] / norms[1] if min(norms) > 0 else 1.0
            theta[path] = theta[path] - rate * ratio * step
    return theta


@pytest.mark.parametrize("correct", [True, False])
def test_five_steps(correct):
    variables, gradients = made_variables(), made_gradients()
    start = {v.path: v.numpy() for v in variables}
    schedule = WarmupPolynomialDecay(0.1, 10, 3)
    rates = [0.1 * (1 - t / 10) * min(1, t / 3) for t in range(STEPS)]
    optimizer = Lamb(schedule, correct, decay_rate=0.3)
    optimizer.build(variables)
    apply = tf.function(lambda *grads: optimizer.apply(list(grads), variables))
    for grads in gradients:
        apply(*map(tf.constant, grads))
    expected = lamb(start, gradients, rates, 0.3, 1.0, correct)
    moved = {}
    for variable in variables:
        path = variable.path
        np.testing.assert_allclose(variable, expected[path], rtol=0, atol=1e-6)
        moved[path] = np.abs(variable.numpy() - start[path]).max()
    assert min(moved.values()) > 0.01


def test_a_kernel_moves_by_its_own_norm_whatever_the_gradient():
    """Decay stands inside the ratio: |step| is rate * |theta| exactly."""
    for scale in (1e-3, 1e3):
        variables = made_variables()
        start = {v.path: v.numpy() for v in variables}
        optimizer = Lamb(0.1, decay_rate=0.3, clip_norm=None)
        grads = [tf.constant(g * scale) for g in made_gradients()[1]]
        optimizer.apply(grads, variables)
        kernel = variables[0]
        step = np.linalg.norm(kernel.numpy() - start[kernel.path])
        norm = np.linalg.norm(start[kernel.path])
        assert step == pytest.approx(0.1 * norm, rel=1e-5)


def test_config_round_trip_and_make_optimizer():
    values = {"optimizer": "lamb", "clip_norm": 2.5, "weight_decay_rate": 0.07}
    for precision, name in (
        ("float32", "Lamb"),
        ("mixed_float16", "LossScaledLamb"),
    ):
        optimizer = make_optimizer(make_config(values).optimizer, precision)
        stored = keras.optimizers.serialize(optimizer)
        copy = keras.optimizers.deserialize(stored)
        assert copy.get_config() == optimizer.get_config()
        assert type(copy) is type(optimizer)
        assert type(copy).__name__ == name
        assert (copy.clip_norm, copy.decay_rate) == (2.5, 0.07)
        assert copy.bias_correction

"""One step on one device, in parts, and on replicas under plain `fit`."""

import numpy as np
import pytest
import tensorflow as tf
from tiny_pretraining import batch, tiny_config, tokenizer

from electra_tf.config.execution import ExecutionConfig
from electra_tf.pretraining.factory import build_pretrainer
from electra_tf.training.optimizers import make_optimizer

LENGTHS = (16, 13, 9, 5, 16, 3, 7, 12)
STEPS = 3


def compiled(settings=None, **execution):
    config = tiny_config(train_batch_size=len(LENGTHS), **(settings or {}))
    execution = ExecutionConfig(**execution)
    pretrainer = build_pretrainer(config, tokenizer(), None, execution)
    optimizer = make_optimizer(config.optimizer, execution.precision)
    pretrainer.compile(optimizer=optimizer)
    return pretrainer


def end(pretrainer):
    figures = {n: float(v) for n, v in pretrainer.measures.result().items()}
    return figures, [v.numpy() for v in pretrainer.trainable_variables]


def data():
    return tf.data.Dataset.from_tensors(batch(lengths=LENGTHS)).repeat(STEPS)


@pytest.fixture(scope="module")
def whole():
    """Three steps on the whole batch."""
    pretrainer = compiled()
    update = tf.function(pretrainer.update)
    for rows in data():
        update(rows)
    return end(pretrainer)


def assert_same(ours, theirs):
    assert ours[0] == pytest.approx(theirs[0], rel=1e-5)
    for a, b in zip(ours[1], theirs[1], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("parts", [2, 4])
def test_a_batch_in_parts_is_the_whole_batch(parts, whole):
    """The parts hold different numbers of masked tokens."""
    pretrainer = compiled(gradient_accumulation_steps=parts)
    update = tf.function(pretrainer.update)
    for rows in data():
        update(rows)
    assert_same(end(pretrainer), whole)


@pytest.mark.slow
def test_fit_under_replicas_is_fit_on_one_device(whole):
    strategy = tf.distribute.MirroredStrategy(
        ["CPU:0", "CPU:1"], tf.distribute.ReductionToOneDevice()
    )
    with strategy.scope():
        pretrainer = compiled()
    history = pretrainer.fit(data(), epochs=1, verbose=0).history
    assert_same(end(pretrainer), whole)
    assert history["loss"][-1] == pytest.approx(whole[0]["loss"], rel=1e-5)


@pytest.mark.slow
def test_lamb_in_parts_on_replicas_is_lamb():
    """Norms of the trust ratio are of whole variables and whole gradients."""
    settings = {"optimizer": "lamb"}
    pretrainer = compiled(settings)
    start = [v.numpy() for v in pretrainer.trainable_variables]
    update = tf.function(pretrainer.update)
    for rows in data():
        update(rows)
    whole = end(pretrainer)
    strategy = tf.distribute.MirroredStrategy(
        ["CPU:0", "CPU:1"], tf.distribute.ReductionToOneDevice()
    )
    with strategy.scope():
        pretrainer = compiled(settings, gradient_accumulation_steps=2)
    pretrainer.fit(data(), epochs=1, verbose=0)
    assert_same(end(pretrainer), whole)
    assert all(
        np.abs(a - b).max() > 0 for a, b in zip(start, whole[1], strict=True)
    )


@pytest.mark.parametrize(
    "precision",
    ["mixed_bfloat16", pytest.param("mixed_float16", marks=pytest.mark.slow)],
)
def test_half_the_bits_train_as_well(precision):
    """The loss of 50 steps is within 2 % of float32's."""
    settings = {"num_train_steps": 50, "learning_rate": 1e-3}
    losses = {}
    for name in ("float32", precision):
        pretrainer = compiled(settings, precision=name)
        update = tf.function(pretrainer.update)
        for _ in range(50):
            update(batch(lengths=LENGTHS))
        losses[name] = float(pretrainer.measures.result()["loss"])
        dtypes = {v.dtype for v in pretrainer.trainable_variables}
        assert dtypes == {"float32"}
        block = pretrainer.networks["discriminator"].encoder.blocks[0]
        assert block.compute_dtype == name.removeprefix("mixed_")
    print(losses)
    assert losses[precision] == pytest.approx(losses["float32"], rel=0.02)
    assert losses[precision] != losses["float32"]

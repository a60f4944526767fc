"""The whole train step under XLA: the same numbers, dropout and samples on."""

import numpy as np
import pytest
import tensorflow as tf
from tiny_pretraining import rows, tiny_config, tiny_pretrainer

from electra_tf.training.optimizers import make_optimizer

STEPS = 5


def trained(jit_compile: bool) -> tuple[list[float], list[np.ndarray]]:
    pretrainer = tiny_pretrainer()
    optimizer = make_optimizer(tiny_config().optimizer)
    optimizer.build(pretrainer.trainable_variables)
    pretrainer.compile(optimizer=optimizer, jit_compile=jit_compile)
    update = tf.function(pretrainer.update)
    batch = {name: tf.constant(value) for name, value in rows().items()}
    losses = []
    for _ in range(STEPS):
        pretrainer.measures.reset_state()
        update(batch)
        losses.append(float(pretrainer.measures.result()["loss"]))
    return losses, [v.numpy() for v in pretrainer.trainable_variables]


@pytest.mark.slow
def test_a_compiled_step_trains_to_the_same_weights():
    losses, weights = trained(jit_compile=False)
    compiled_losses, compiled_weights = trained(jit_compile=True)
    np.testing.assert_allclose(compiled_losses, losses, rtol=1e-4)
    for compiled, plain in zip(compiled_weights, weights, strict=True):
        np.testing.assert_allclose(compiled, plain, atol=1e-4)

"""Activations computed twice: the same gradients, dropout on."""

import numpy as np
import pytest
import tensorflow as tf

from electra_tf.modeling.embeddings import Embeddings
from electra_tf.modeling.encoder import Encoder
from electra_tf.modeling.noise import Noise

IDS = tf.constant(np.random.default_rng(0).integers(0, 30, (3, 8)), tf.int32)
MASK = tf.sequence_mask([8, 5, 3], 8, tf.int32)


@pytest.fixture(scope="module")
def encoder():
    embeddings = Embeddings(30, 8, 16)
    made = Encoder(embeddings, 8, 2, 2, 16, 0.3, 0.3, name="electra")
    made.build()
    return made


def gradients(encoder, rematerialize):
    encoder.rematerialize = rematerialize
    variables = [v.value for v in encoder.trainable_variables]

    @tf.function
    def of_sum():
        noise = Noise(1, 2, name="train")
        with tf.GradientTape() as tape:
            # The scope is closed before the backward pass, as in a step.
            with noise.fork("discriminator").scope():
                states = encoder(IDS, MASK, tf.zeros_like(IDS), training=True)
            loss = tf.reduce_sum(states**3)
        return loss, [
            tf.convert_to_tensor(g) for g in tape.gradient(loss, variables)
        ]

    graph = of_sum.get_concrete_function().graph
    loss, found = of_sum()
    return float(loss), [g.numpy() for g in found], _runs(graph, "Erf")


def _runs(graph, kind) -> int:
    """How often an operation runs, in the functions that are called, too."""
    told = graph.as_graph_def()
    within = {
        f.signature.name: sum(node.op == kind for node in f.node_def)
        for f in told.library.function
    }
    return sum(
        (node.op == kind) + within.get(node.attr["f"].func.name, 0)
        for node in told.node
    )


def test_gradients_are_equal_and_the_forward_pass_runs_twice(encoder):
    loss, expected, once = gradients(encoder, False)
    again, found, twice = gradients(encoder, True)
    assert again == pytest.approx(loss, rel=1e-6)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)
    # A GELU a block, and one more where it is computed again.
    assert (once, twice) == (2, 4)


def test_inference_is_plain(encoder):
    encoder.rematerialize = True
    ours = encoder(IDS, MASK, tf.zeros_like(IDS))
    encoder.rematerialize = False
    theirs = encoder(IDS, MASK, tf.zeros_like(IDS))
    np.testing.assert_array_equal(ours, theirs)

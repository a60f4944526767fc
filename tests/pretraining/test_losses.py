"""Losses token by token in NumPy, and labels of the corrupted text."""

import math

import numpy as np
import pytest
import tensorflow as tf

from electra_tf.pretraining.losses import (
    LossTerm,
    masked_lm_losses,
    replaced_token_losses,
    summed,
)
from electra_tf.pretraining.masking import MaskedBatch
from electra_tf.pretraining.pretrainer import total_loss
from electra_tf.pretraining.sampling import corrupt


def test_masked_lm_losses():
    rng = np.random.default_rng(0)
    logits = 3 * rng.normal(size=(3, 4, 9))
    ids = rng.integers(0, 9, (3, 4))
    actual = masked_lm_losses(
        tf.constant(logits, tf.float32), tf.constant(ids, tf.int32)
    )
    assert actual.dtype == tf.float32
    for b in range(3):
        for m in range(4):
            exponentials = [math.exp(x) for x in logits[b, m]]
            p = exponentials[ids[b, m]] / sum(exponentials)
            assert actual[b, m].numpy() == pytest.approx(-math.log(p), rel=1e-5)


def test_replaced_token_losses():
    rng = np.random.default_rng(1)
    logits = 3 * rng.normal(size=(3, 5))
    labels = rng.integers(0, 2, (3, 5))
    actual = replaced_token_losses(
        tf.constant(logits, tf.float32), tf.constant(labels, tf.int32)
    )
    for place in np.ndindex(3, 5):
        p = 1 / (1 + math.exp(-logits[place]))  # probability of "replaced"
        expected = -math.log(p if labels[place] else 1 - p)
        assert actual[place].numpy() == pytest.approx(expected, rel=1e-5)


def test_losses_of_bfloat16_logits_are_float32():
    logits = tf.cast(tf.random.normal([2, 3, 5]), tf.bfloat16)
    ids = tf.zeros([2, 3], tf.int32)
    assert masked_lm_losses(logits, ids).dtype == tf.float32
    assert replaced_token_losses(logits[..., 0], ids).dtype == tf.float32


def test_summed():
    losses = tf.constant([[1.0, 2.0], [3.0, 4.0]])
    total, count = summed(losses, tf.constant([[1, 0], [1, 1]]))
    assert (float(total), float(count)) == (8.0, 3.0)


def test_total_is_the_weighted_sum_of_means_over_all_counts():
    """Of a part of the batch: its sums over the counts of the whole."""
    terms = [
        LossTerm("mlm", 0.5, tf.constant(6.0), tf.constant(3.0)),
        LossTerm("disc", 50.0, tf.constant(5.0), tf.constant(20.0)),
    ]
    counts = {"mlm": tf.constant(12.0), "disc": tf.constant(25.0)}
    expected = 0.5 * 6 / 12 + 50 * 5 / 25
    assert float(total_loss(terms, counts)) == pytest.approx(expected)
    empty = [LossTerm("mlm", 1.0, tf.constant(0.0), tf.constant(0.0))]
    assert float(total_loss(empty, {"mlm": tf.constant(0.0)})) == 0.0


def test_labels_say_where_the_text_differs():
    ids = tf.constant([[2, 10, 11, 12, 3, 0], [2, 20, 21, 3, 0, 0]], tf.int64)
    masked = MaskedBatch(
        input_ids=ids,
        positions=tf.constant([[3, 1, 2], [2, 0, 0]]),
        ids=tf.constant([[12, 10, 11], [21, 0, 0]]),
        weights=tf.constant([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]]),
    )
    # The second sample is the true token; the last slots are not in use.
    sampled = tf.constant([[40, 10, 42], [43, 44, 45]])
    corrupted = corrupt(ids, masked, sampled)
    np.testing.assert_array_equal(
        corrupted.input_ids, [[2, 10, 11, 40, 3, 0], [2, 20, 43, 3, 0, 0]]
    )
    np.testing.assert_array_equal(
        corrupted.is_replaced, [[0, 0, 0, 1, 0, 0], [0, 0, 1, 0, 0, 0]]
    )

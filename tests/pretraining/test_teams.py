"""Multi-word selection: its candidates, its loss, its own last block."""

import numpy as np
import pytest
import tensorflow as tf
from tiny_pretraining import batch, randomize, tiny_pretrainer

from electra_tf.modeling.noise import Noise
from electra_tf.pretraining.objectives.teams import candidate_words
from electra_tf.pretraining.sampling import draw_distinct

NOISE = Noise(3, step=7, name="train")


def test_candidates_are_the_truth_and_four_others():
    rng = np.random.default_rng(0)
    logits = tf.constant(4 * rng.normal(size=(50, 3, 30)), tf.float32)
    true_ids = tf.constant(rng.integers(0, 30, (50, 3)), tf.int32)
    with NOISE.scope():
        found = candidate_words(logits, true_ids).numpy()
    assert found.shape == (50, 3, 5)
    np.testing.assert_array_equal(found[..., 0], true_ids)
    assert all(len(set(row)) == 5 for row in found.reshape(-1, 5))


def test_draws_without_replacement_by_enumeration():
    """Pairs of distinct tokens, against p(a) p(b) / (1 - p(a))."""
    rows, logits = 40_000, np.array([0.5, -1.0, 1.2, 0.0])
    tiled = tf.constant(np.broadcast_to(logits, (rows, 1, 4)), tf.float32)
    excluded = tf.fill([rows, 1], 3)
    found = draw_distinct(tiled, excluded, 2, NOISE).numpy()[:, 0]
    p = np.exp(logits[:3]) / np.exp(logits[:3]).sum()
    for a in range(3):
        for b in range(3):
            expected = 0 if a == b else p[a] * p[b] / (1 - p[a])
            actual = (found == [a, b]).all(1).mean()
            error = np.sqrt(expected * (1 - expected) / rows)
            assert abs(actual - expected) <= 4 * error, (a, b)


def test_draws_of_a_generator_that_is_sure():
    """Weights far below float32 are still drawn from, each once."""
    logits = tf.constant([[[0.0, 200.0, -5.0, -300.0, 7.0]]])
    found = draw_distinct(logits, tf.constant([[1]]), 4, NOISE).numpy()
    assert set(found.ravel()) == {0, 2, 3, 4}


def test_selection_loss():
    pretrainer = tiny_pretrainer(
        objective="teams", num_hidden_layers=2, disc_weight=5.0, mws_weight=2.0
    )
    randomize(pretrainer.trainable_variables)
    data = batch()
    with NOISE.scope():
        outcome = pretrainer.objective(data, training=False)
        choices = candidate_words(outcome.proposal.logits, outcome.masked.ids)
    reads = data["input_mask"], data["segment_ids"]
    main, selector = (
        pretrainer.networks[name] for name in ("discriminator", "selector")
    )
    states = main.encoder.layer_states(outcome.corrupted.input_ids, *reads)
    assert len(states) == 3
    preferences = selector(
        states[1],
        data["input_mask"],
        outcome.masked.positions,
        choices,
        main.encoder.embeddings.word_embeddings,
    ).numpy()
    exps = np.exp(preferences.astype(np.float64))
    losses = -np.log(exps[..., 0] / exps.sum(-1))
    used = outcome.masked.weights.numpy()
    mlm, disc, mws = outcome.losses
    assert [t.weight for t in (mlm, disc, mws)] == [1.0, 5.0, 2.0]
    assert float(mws.sum) == pytest.approx((losses * used).sum(), rel=1e-4)
    assert float(mws.count) == used.sum()
    total, _ = outcome.figures["mws_accuracy"]
    assert float(total) == ((preferences.argmax(-1) == 0) * used).sum()
    # Detection keeps the encoder's own last block.
    scores = main(outcome.corrupted.input_ids, *reads)
    np.testing.assert_allclose(outcome.detection.logits, scores, atol=1e-5)

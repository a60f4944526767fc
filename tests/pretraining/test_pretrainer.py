"""The pre-training model under fit, evaluate and a loop of one's own."""

import math

import numpy as np
import pytest
import tensorflow as tf
from tiny_pretraining import V, batch, part, tiny_config, tiny_pretrainer

from electra_tf.modeling.noise import Noise
from electra_tf.training.optimizers import make_optimizer


def compiled(**values):
    pretrainer = tiny_pretrainer(**values)
    config = tiny_config(**values)
    pretrainer.compile(optimizer=make_optimizer(config.optimizer))
    return pretrainer


def batches(count, size=4):
    """`count` batches out of one list of rows."""
    data = batch(lengths=(16, 13, 9, 5) * (count * size // 4), seed=2)
    return tf.data.Dataset.from_tensor_slices(data).batch(size)


def compiled_update(pretrainer):
    @tf.function
    def update(data):
        pretrainer.measures.reset_state()
        pretrainer.update(data)
        return pretrainer.measures.result()

    return update


def weights(pretrainer):
    return {v.path: v.numpy() for v in pretrainer.trainable_variables}


@pytest.fixture(scope="module")
def fitted():
    pretrainer = compiled()
    start = weights(pretrainer)
    history = pretrainer.fit(batches(2), epochs=1, verbose=0).history
    return pretrainer, start, history


def test_fit_equals_the_update_loop(fitted):
    pretrainer, start, _ = fitted
    loop = compiled()
    for path, value in weights(loop).items():
        np.testing.assert_array_equal(value, start[path])
    update = compiled_update(loop)
    for data in batches(2):
        update(data)
    trained = weights(loop)
    for path, value in weights(pretrainer).items():
        np.testing.assert_allclose(value, trained[path], atol=1e-6)
        if not path.endswith("key/bias"):
            assert np.abs(value - start[path]).max() > 1e-6, path
    assert int(pretrainer.optimizer.iterations) == 2


def test_fit_reports_the_loss_and_all_measures(fitted):
    _, _, history = fitted
    assert 30 < history["loss"][-1] < 60
    mlm, disc = history["mlm_loss"][-1], history["disc_loss"][-1]
    assert history["loss"][-1] == pytest.approx(mlm + 50 * disc, rel=1e-5)
    assert {"disc_auc", "disc_recall", "sampled_accuracy"} <= set(history)


def test_evaluate_uses_the_same_masks_each_time(fitted):
    pretrainer, _, _ = fitted
    first, second = (
        pretrainer.evaluate(batches(3), verbose=0, return_dict=True)
        for _ in range(2)
    )
    assert first == second
    assert first["loss"] > 0


def test_evaluation_does_not_depend_on_the_batch_size(fitted):
    pretrainer, _, _ = fitted
    whole, halves = (
        pretrainer.evaluate(
            batches(8 // size, size), verbose=0, return_dict=True
        )
        for size in (8, 4)
    )
    assert halves == pytest.approx(whole, rel=1e-4)


def test_batches_of_an_evaluation_get_different_masks(fitted):
    pretrainer, _, _ = fitted
    pretrainer.measures.reset_state()
    first, second = (
        pretrainer.measure(batch()).masked.positions.numpy() for _ in range(2)
    )
    assert not np.array_equal(first, second)
    pretrainer.measures.reset_state()
    again = pretrainer.measure(batch()).masked.positions.numpy()
    np.testing.assert_array_equal(again, first)
    pretrainer.measures.reset_state()


def test_evaluation_does_not_drop(fitted):
    pretrainer, _, _ = fitted
    pretrainer.measures.reset_state()
    outcome = pretrainer.measure(batch())
    still = pretrainer.networks["discriminator"](
        outcome.corrupted.input_ids,
        outcome.input_mask,
        batch()["segment_ids"],
        training=False,
    )
    np.testing.assert_allclose(outcome.detection.logits, still, atol=1e-5)
    pretrainer.measures.reset_state()


def test_randomness_of_a_step_is_that_of_seed_and_step():
    pretrainer = compiled(seed=5, learning_rate=1e-3)
    data = batch()
    seen = []
    for step in range(2):
        with Noise(5, step, name="train").scope():
            expected = pretrainer.objective(data, training=True)
        # Masks, dropout and samples: the whole pass repeats itself.
        pretrainer.measures.reset_state()
        pretrainer.update(data)
        measured = pretrainer.measures.result()
        for term in expected.losses:
            assert float(measured[f"{term.name}_loss"]) == pytest.approx(
                float(term.sum / term.count), rel=1e-5
            )
        seen.append(expected.masked.positions.numpy())
    assert not np.array_equal(*seen)


def test_another_seed_masks_and_starts_otherwise():
    one, two = compiled(seed=1), compiled(seed=2)
    path = "electra/embeddings/word_embeddings"
    assert not np.array_equal(weights(one)[path], weights(two)[path])
    masks = [p.measure(batch()).masked.positions.numpy() for p in (one, two)]
    assert not np.array_equal(*masks)


def test_training_with_rows_of_padding_stays_finite():
    pretrainer = compiled()
    pretrainer.update(batch(lengths=(0, 2, 16, 0)))
    pretrainer.update(batch(lengths=(0, 0, 0, 0)))
    for path, value in weights(pretrainer).items():
        assert np.isfinite(value).all(), path


def test_it_learns_a_batch_by_heart():
    """Forty steps on one batch: the masked-LM loss falls well below ln V."""
    pretrainer = compiled(
        objective="mlm",
        num_train_steps=80,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    update = compiled_update(pretrainer)
    data = part(batch(), 0, 2)
    losses = []
    for _ in range(40):
        losses.append(float(update(data)["mlm_loss"]))
    assert losses[0] == pytest.approx(math.log(V), abs=0.1)
    assert np.mean(losses[-5:]) < 0.6 * losses[0]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_first_loss_is_that_of_guessing(seed):
    """ln V + 50 ln 2: at the start every answer is about as likely.

    The last Dense(1) starts by Glorot, which spreads the detection part.
    """
    pretrainer = tiny_pretrainer(seed=seed, hidden_size=32)
    outcome = pretrainer.objective(batch(lengths=(16,) * 16), training=True)
    mlm, disc = (float(t.sum / t.count) for t in outcome.losses)
    assert mlm == pytest.approx(math.log(V), abs=0.05)
    assert disc == pytest.approx(math.log(2), abs=0.04)
    total = sum(t.weight * float(t.sum / t.count) for t in outcome.losses)
    assert total == pytest.approx(math.log(V) + 50 * math.log(2), abs=2.0)

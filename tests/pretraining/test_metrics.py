"""Metrics against NumPy over several batches; padding never counts."""

import math

import numpy as np
import pytest
import tensorflow as tf

from electra_tf.pretraining.generators import Proposal
from electra_tf.pretraining.losses import Detection, LossTerm
from electra_tf.pretraining.masking import MaskedBatch
from electra_tf.pretraining.metrics import PretrainingMetrics, unigram_log_probs
from electra_tf.pretraining.objectives import Outcome
from electra_tf.pretraining.sampling import Corrupted

MASK, V, L, M = 4, 20, 30, 5
WEIGHTS = {"mlm": 1.0, "disc": 50.0}


def made_up(seed, rows):
    """Arrays of one batch; the logits know a little about the labels."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(3, L + 1, rows)
    mask = (np.arange(L) < lengths[:, None]).astype(np.int32)
    labels = (rng.random((rows, L)) < 0.15) & (mask > 0)
    # Padding looks like surely wrong answers: counting it would show.
    logits = rng.normal(size=(rows, L)) + 1.2 * labels - 1.0
    logits = np.where(mask > 0, logits, 5.0)
    ids = rng.integers(5, V, (rows, L))
    positions = np.array(
        [
            rng.permutation(n)[:M] if n >= M else np.zeros(M, int)
            for n in lengths
        ]
    )
    used = np.arange(M) < rng.integers(1, M + 1, rows)[:, None]
    true_ids = np.where(used, np.take_along_axis(ids, positions, 1), 0)
    read = ids.copy()
    shown = used & (rng.random(used.shape) < 0.7)
    for row, slot in np.argwhere(shown):
        read[row, positions[row, slot]] = MASK
    mlm_logits = rng.normal(size=(rows, M, V))
    mlm_logits += 2 * np.eye(V)[true_ids] * (rng.random((rows, M, 1)) < 0.5)
    return {
        "mask": mask,
        "labels": labels.astype(np.int32),
        "logits": logits,
        "read": read,
        "positions": positions,
        "used": used,
        "shown": used & (np.take_along_axis(read, positions, 1) == MASK),
        "true_ids": true_ids,
        "mlm_logits": mlm_logits,
        "mlm_losses": rng.random((rows, M)) * 5,
        "sampled": np.where(rng.random((rows, M)) < 0.3, true_ids, 6),
        "sums": {"mlm": (rng.random() * 9, 3.0), "disc": (rng.random(), 7.0)},
    }


def outcome(arrays):
    def ints(name):
        return tf.constant(arrays[name], tf.int32)

    def floats(name):
        return tf.constant(arrays[name], tf.float32)

    return Outcome(
        losses=tuple(
            LossTerm(name, WEIGHTS[name], tf.constant(s), tf.constant(c))
            for name, (s, c) in arrays["sums"].items()
        ),
        masked=MaskedBatch(
            ints("read"), ints("positions"), ints("true_ids"), floats("used")
        ),
        proposal=Proposal(
            floats("mlm_logits"), floats("mlm_losses"), floats("shown")
        ),
        input_mask=ints("mask"),
        corrupted=Corrupted(ints("sampled"), ints("read"), ints("labels")),
        detection=Detection(floats("logits"), ints("labels"), floats("mask")),
    )


UNIGRAM = np.log(np.arange(1, V + 1) / np.arange(1, V + 1).sum())


@pytest.fixture(scope="module")
def measured():
    """Three batches of different sizes, so that a mean of means is off."""
    batches = [made_up(seed, rows) for seed, rows in ((0, 60), (1, 7), (2, 31))]
    metrics = PretrainingMetrics(WEIGHTS, UNIGRAM)
    for arrays in batches:
        metrics.update_state(outcome(arrays))
    result = {name: float(v) for name, v in metrics.result().items()}
    joined = {
        name: np.concatenate([arrays[name] for arrays in batches])
        for name in batches[0]
        if name != "sums"
    }
    return result, joined, [arrays["sums"] for arrays in batches], metrics


def rank_auc(scores, labels):
    """P(a positive outranks a negative), ties count half."""
    positive, negative = scores[labels == 1], scores[labels == 0]
    above = (positive[:, None] > negative[None, :]).mean()
    return above + 0.5 * (positive[:, None] == negative[None, :]).mean()


def test_losses_are_sums_over_counts(measured):
    result, _, sums, _ = measured
    means = {}
    for name in WEIGHTS:
        totals = np.sum([s[name] for s in sums], 0)
        means[name] = totals[0] / totals[1]
        assert result[f"{name}_loss"] == pytest.approx(means[name], rel=1e-5)
    expected = means["mlm"] + 50 * means["disc"]
    assert result["loss"] == pytest.approx(expected, rel=1e-5)


def test_masked_lm_measures(measured):
    result, a, _, _ = measured
    used = a["used"]
    read = np.take_along_axis(a["read"], a["positions"], 1)
    shown = used & (read == MASK)
    assert 0 < shown.sum() < used.sum() < used.size
    best = a["mlm_logits"].argmax(-1)
    expected = {
        "mlm_accuracy": (best == a["true_ids"])[used].mean(),
        "sampled_accuracy": (a["sampled"] == a["true_ids"])[used].mean(),
        "mlm_loss_masked": a["mlm_losses"][shown].mean(),
        "unigram_loss": -UNIGRAM[a["true_ids"]][shown].mean(),
    }
    for name, value in expected.items():
        assert result[name] == pytest.approx(value, rel=1e-5), name


def test_detection_measures(measured):
    result, a, _, _ = measured
    real = a["mask"] == 1
    labels, called = a["labels"][real], a["logits"][real] > 0
    expected = {
        "disc_accuracy": (called == labels).mean(),
        "disc_precision": labels[called].mean(),
        "disc_recall": called[labels == 1].mean(),
        "disc_base_rate": 1 - labels.mean(),
    }
    for name, value in expected.items():
        assert result[name] == pytest.approx(value, rel=1e-5), name
    auc = rank_auc(a["logits"][real], labels)
    assert 0.6 < auc < 0.9
    assert result["disc_auc"] == pytest.approx(auc, abs=2e-3)


def test_the_curve_is_fine_enough_near_the_base_rate():
    """All probabilities between 0.10 and 0.13, as early in training."""
    arrays = made_up(5, 80)
    arrays["logits"] = np.where(
        arrays["mask"] > 0, -2.0 + 0.04 * arrays["logits"], 5.0
    )
    metrics = PretrainingMetrics(WEIGHTS)
    metrics.update_state(outcome(arrays))
    real = arrays["mask"] == 1
    expected = rank_auc(arrays["logits"][real], arrays["labels"][real])
    auc = float(metrics.result()["disc_auc"])
    assert auc == pytest.approx(expected, abs=2e-3)


def test_padded_rows_change_nothing(measured):
    result, _, _, metrics = measured
    arrays = made_up(3, 4)
    arrays |= {n: arrays[n] * 0 for n in ("mask", "used", "shown", "labels")}
    arrays["sums"] = {"mlm": (0.0, 0.0), "disc": (0.0, 0.0)}
    metrics.update_state(outcome(arrays))
    again = {name: float(v) for name, v in metrics.result().items()}
    assert again == pytest.approx(result, rel=1e-6)


def test_keys_and_reset():
    metrics = PretrainingMetrics({"mlm": 1.0})
    arrays = made_up(0, 5)
    del arrays["sums"]["disc"]
    metrics.update_state(outcome(arrays))
    result = metrics.result()
    names = {"loss", "mlm_loss", "mlm_loss_masked", "mlm_accuracy"}
    assert set(result) == names
    assert float(result["loss"]) == float(result["mlm_loss"]) > 0
    assert int(metrics.rows) == 5
    metrics.reset_state()
    assert {float(v) for v in metrics.result().values()} == {0.0}
    assert int(metrics.rows) == 0


def test_unigram_log_probs():
    counts = np.array([90, 4, 500, 0, 9, 7], np.int64)
    logs = unigram_log_probs(counts, special_ids=(0, 2))
    total = 5 + 1 + 10 + 8
    expected = [
        0,
        math.log(5 / total),
        0,
        *np.log(np.array([1, 10, 8]) / total),
    ]
    np.testing.assert_allclose(logs, expected, rtol=1e-6)
    assert np.exp(logs[[1, 3, 4, 5]]).sum() == pytest.approx(1)

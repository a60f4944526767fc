"""Replace MLM and All-Tokens MLM; the copy gate against NumPy."""

import numpy as np
import pytest
import tensorflow as tf
from tiny_pretraining import V, batch, randomize, tiny_pretrainer

from electra_tf.modeling.noise import Noise
from electra_tf.pretraining.losses import copying_lm_losses, likeliest_tokens

NOISE = Noise(3, step=7, name="train")


def mixture(logits, copy, read):
    """C 1[v = read] + (1 - C) softmax(v): float64 [..., V]."""
    gate = 1 / (1 + np.exp(-copy.astype(np.float64)))[..., None]
    exps = np.exp(logits - logits.max(-1, keepdims=True)).astype(np.float64)
    softmax = exps / exps.sum(-1, keepdims=True)
    return gate * np.eye(logits.shape[-1])[read] + (1 - gate) * softmax


@pytest.fixture(scope="module")
def made_up():
    rng = np.random.default_rng(0)
    logits = 3 * rng.normal(size=(40, 7, 9)).astype(np.float32)
    copy = 3 * rng.normal(size=(40, 7)).astype(np.float32)
    ids, read = (rng.integers(0, 9, (40, 7)).astype(np.int32) for _ in "ab")
    read = np.where(rng.random(read.shape) < 0.5, ids, read)
    return logits, copy, ids, read


def test_copy_gate(made_up):
    logits, copy, ids, read = made_up
    actual = copying_lm_losses(*map(tf.constant, (logits, copy, ids, read)))
    p = np.take_along_axis(mixture(logits, copy, read), ids[..., None], -1)
    np.testing.assert_allclose(actual, -np.log(p[..., 0]), rtol=2e-5, atol=1e-6)


def test_gradient_of_the_copy_gate(made_up):
    """Of the logits and of the gate, against differences of float64."""
    logits, copy, ids, read = made_up
    variables = [tf.Variable(logits), tf.Variable(copy)]
    with tf.GradientTape() as tape:
        losses = copying_lm_losses(*variables, ids, read)
    found = tape.gradient(losses, variables)

    def loss(logits, copy):
        p = mixture(logits, copy, read)
        return -np.log(np.take_along_axis(p, ids[..., None], -1)[..., 0]).sum()

    step, base = 1e-6, [logits.astype(np.float64), copy.astype(np.float64)]
    for which, place in (
        (0, (0, 0, 3)),
        (0, (5, 2, 1)),
        (1, (0, 0)),
        (1, (7, 6)),
    ):
        sides = []
        for sign in (1, -1):
            moved = [a.copy() for a in base]
            moved[which][place] += sign * step
            sides.append(loss(*moved))
        expected = (sides[0] - sides[1]) / (2 * step)
        assert float(found[which][place]) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("copy", [-200.0, 200.0])
def test_a_sure_gate_neither_overflows_nor_loses_its_gradient(copy):
    gate = tf.Variable(tf.fill([1, 2], copy))
    logits = tf.zeros([1, 2, 4])
    with tf.GradientTape() as tape:
        losses = copying_lm_losses(logits, gate, [[1, 1]], [[1, 2]])
    same, other = losses.numpy()[0]
    expected = (0, 200 + np.log(4)) if copy > 0 else (np.log(4),) * 2
    np.testing.assert_allclose((same, other), expected, rtol=1e-5, atol=1e-6)
    assert np.isfinite(tape.gradient(losses, gate)).all()


def test_likeliest_token(made_up):
    logits, copy, _, read = made_up
    actual = likeliest_tokens(*map(tf.constant, (logits, copy, read)))
    best = mixture(logits, copy, read).argmax(-1)
    np.testing.assert_array_equal(actual, best)
    copied = (best == read).mean()
    assert 0.3 < copied < 0.9
    # Neither side's own choice would do.
    assert (best != logits.argmax(-1)).any()
    assert (best != np.where(copy > 0, read, logits.argmax(-1))).any()


def built(objective):
    pretrainer = tiny_pretrainer(objective=objective)
    randomize(pretrainer.trainable_variables)
    with NOISE.scope():
        return pretrainer, pretrainer.objective(batch(), training=False)


def test_replace_mlm_reads_samples_and_predicts_the_text():
    pretrainer, outcome = built("replace_mlm")
    data, masked = batch(), outcome.masked
    reads = data["input_mask"], data["segment_ids"]
    logits = pretrainer.networks["main"](
        outcome.corrupted.input_ids, *reads, masked.positions
    ).numpy()
    used = masked.weights.numpy() > 0
    assert (outcome.corrupted.sampled_ids.numpy() != masked.ids.numpy())[
        used
    ].any()
    exps = np.exp(logits)
    p = np.take_along_axis(
        exps / exps.sum(-1, keepdims=True), masked.ids.numpy()[..., None], -1
    )[..., 0]
    mlm, main = outcome.losses
    assert (mlm.name, main.name, main.weight) == ("mlm", "main", 1.0)
    assert float(main.sum) == pytest.approx(-np.log(p[used]).sum(), rel=1e-4)
    hit = (logits.argmax(-1) == masked.ids.numpy())[used].sum()
    total, count = outcome.figures["main_accuracy"]
    assert (float(total), float(count)) == (hit, used.sum())


def test_all_tokens_mlm_is_about_every_real_token():
    pretrainer, outcome = built("all_tokens_mlm")
    data = batch()
    logits, copy = pretrainer.networks["main"](
        outcome.corrupted.input_ids, data["input_mask"], data["segment_ids"]
    )
    read, ids = outcome.corrupted.input_ids.numpy(), data["input_ids"].numpy()
    p = mixture(logits.numpy(), copy.numpy(), read)
    p = np.take_along_axis(p, ids[..., None], -1)[..., 0]
    real = data["input_mask"].numpy() > 0
    _, main = outcome.losses
    assert float(main.sum) == pytest.approx(-np.log(p[real]).sum(), rel=1e-4)
    assert float(main.count) == real.sum()
    assert logits.shape[-1] == V

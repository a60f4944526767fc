"""SpanQA's loss and beams, derived anew in NumPy from the method's words."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny_finetune
from reference_encoder import dense, gelu, weights_of
from tiny_finetune import LENGTH, id_batch, log_softmax, numpy_states

from electra_tf.errors import InputError
from electra_tf.finetune.models.optimizer import create_optimizer
from electra_tf.finetune.models.span_qa import SpanQA

K = 4
LONGEST = 3
ROWS = 5
TARGETS = {
    "start": np.array([7, 0, 8, 6, 0]),
    "end": np.array([8, 0, 8, 9, 0]),
    "is_impossible": np.array([0, 1, 0, 0, 1]),
}


@pytest.fixture(scope="module", params=["joint", "plain"])
def model(request, tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("pretrained") / "model")
    path = tiny_finetune.write_pretrained(folder)
    model = SpanQA.from_pretrained(
        path,
        head=request.param,
        num_beams=K,
        max_answer_length=LONGEST,
        max_seq_length=LENGTH,
    )
    rng = np.random.default_rng(8)  # biases that count
    for variable in model.trainable_variables:
        if variable.path.startswith("task_head"):
            noise = 0.3 * rng.normal(size=variable.shape)
            variable.assign(variable.numpy() + noise)
    model.compile(create_optimizer(model, 10))
    return model


@pytest.fixture(scope="module")
def reference(model):
    return Reference(model, id_batch(ROWS))


class Reference:
    """Row by row, start by start."""

    def __init__(self, model, ids, allowed=None):
        self.weights = weights_of(model)
        self.states = numpy_states(model, ids)
        if allowed is None:
            allowed = ids["segment_ids"].astype(bool)
            allowed[:, 0] = True
        self.allowed = allowed
        self.joint = "task_head/end_hidden/kernel" in self.weights

    def log_probs(self, row, logits):
        return log_softmax(np.where(self.allowed[row], logits, logits - 1000))

    def one(self, x, scope):
        return dense(x, self.weights, f"task_head/{scope}")[..., 0]

    def starts(self, row):
        return self.log_probs(row, self.one(self.states[row], "start"))

    def ends(self, row, start):
        states = self.states[row]
        if not self.joint:
            return self.log_probs(row, self.one(states, "end"))
        both = [np.concatenate([states[start], state]) for state in states]
        hidden = dense(np.array(both), self.weights, "task_head/end_hidden")
        return self.log_probs(row, self.one(gelu(hidden), "end"))

    def answerability(self, row):
        states, starts = self.states[row], self.starts(row)
        if self.joint:
            both = np.concatenate([states[0], np.exp(starts) @ states])
            hidden = dense(both, self.weights, "task_head/answerability_hidden")
            return self.one(gelu(hidden), "answerability")
        ends = self.ends(row, None)
        spans = [
            starts[s] + ends[e]
            for s in range(1, LENGTH)
            for e in range(s, min(s + LONGEST, LENGTH))
            if self.allowed[row, s] and self.allowed[row, e]
        ]
        return starts[0] + ends[0] - max(spans)

    def loss(self, targets):
        losses = []
        for row in range(ROWS):
            start, end, none = (int(t[row]) for t in targets.values())
            loss = -self.starts(row)[start] - self.ends(row, start)[end]
            loss = loss / 2
            if self.joint:
                p = 1 / (1 + np.exp(-self.answerability(row)))
                loss -= 0.5 * np.log(p if none else 1 - p)
            losses.append(loss)
        return np.array(losses)


def assert_beam(found, reference):
    for row in range(ROWS):
        starts = reference.starts(row)
        order = np.argsort(-starts)[:K]
        np.testing.assert_array_equal(found["start_index"][row], order)
        np.testing.assert_allclose(
            found["start_log_probs"][row], starts[order], rtol=1e-4, atol=1e-4
        )
        for beam, start in enumerate(order):
            ends = reference.ends(row, start)
            best = np.argsort(-ends)[:K]
            np.testing.assert_array_equal(found["end_index"][row, beam], best)
            np.testing.assert_allclose(
                found["end_log_probs"][row, beam],
                ends[best],
                rtol=1e-4,
                atol=1e-4,
            )
        np.testing.assert_allclose(
            found["answerability"][row],
            reference.answerability(row),
            rtol=1e-4,
            atol=1e-4,
        )


def test_prediction_follows_the_best_starts(model, reference):
    found = model.predict(id_batch(ROWS), verbose=0)
    assert_beam(found, reference)
    assert {name: (a.shape, a.dtype.name) for name, a in found.items()} == {
        "start_log_probs": ((ROWS, K), "float32"),
        "start_index": ((ROWS, K), "int32"),
        "end_log_probs": ((ROWS, K, K), "float32"),
        "end_index": ((ROWS, K, K), "int32"),
        "answerability": ((ROWS,), "float32"),
    }


def test_an_answer_mask_is_obeyed(model):
    allowed = np.zeros((ROWS, LENGTH), bool)
    allowed[:, [0, 2, 3, 5, 7]] = True
    ids = id_batch(ROWS)
    reference = Reference(model, ids, allowed)
    found = model.predict({**ids, "answer_mask": allowed.astype(int)}, 2, 0)
    assert_beam(found, reference)


def test_the_loss_is_built_in(model, reference):
    found = model.evaluate(id_batch(ROWS), TARGETS, ROWS, 0)
    assert found == pytest.approx(reference.loss(TARGETS).mean(), rel=1e-4)
    weights = np.array([1.0, 0.0, 2.0, 0.5, 1.0])
    found = model.evaluate(
        id_batch(ROWS), TARGETS, ROWS, 0, sample_weight=weights
    )
    expected = (weights * reference.loss(TARGETS)).mean()
    assert found == pytest.approx(expected, rel=1e-4)


def test_fit_lowers_it_from_there(model, reference, tmp_path):
    """Last in this file: it changes the weights, and puts them back."""
    before = model.get_weights()
    keras.utils.set_random_seed(0)  # of dropout
    model.compile(keras.optimizers.SGD(1e-3))
    losses = [model.evaluate(id_batch(ROWS), TARGETS, ROWS, 0)]
    for _ in range(3):
        model.fit(id_batch(ROWS), TARGETS, ROWS, 2, 0)
        losses.append(model.evaluate(id_batch(ROWS), TARGETS, ROWS, 0))
    path = str(tmp_path / "model.keras")
    model.save(path)
    copy = keras.models.load_model(path, safe_mode=True)
    for name, value in model.predict(id_batch(ROWS), verbose=0).items():
        again = copy.predict(id_batch(ROWS), verbose=0)[name]
        np.testing.assert_array_equal(again, value)
    assert copy.head_kind == model.head_kind
    assert copy.get_config() == model.get_config()
    model.set_weights(before)
    assert losses == sorted(losses, reverse=True)
    expected = reference.loss(TARGETS).mean()
    assert losses[0] == pytest.approx(expected, rel=1e-5)


def test_gradients_reach_every_variable(model):
    """But those that only shift all logits of a softmax."""
    shifts = ["self/key/bias", "task_head/start/bias", "task_head/end/bias"]
    if model.head_kind == "plain":
        shifts.append("layer_1/output/LayerNorm/beta")
    inputs = {n: tf.constant(v) for n, v in id_batch(ROWS).items()}
    inputs["true_start"] = tf.constant(TARGETS["start"])
    with tf.GradientTape() as tape:
        outputs = model(inputs)
        loss = model.default_loss(TARGETS, outputs, None)
    grads = tape.gradient(loss, [v.value for v in model.trainable_variables])
    for variable, gradient in zip(
        model.trainable_variables, grads, strict=True
    ):
        largest = np.abs(tf.convert_to_tensor(gradient)).max()
        if not variable.path.endswith(tuple(shifts)):
            assert largest > 1e-6, variable.path


def test_more_beams_than_tokens(model):
    ids = {n: v[:1, :6] for n, v in id_batch(ROWS).items()}
    wide = SpanQA(model.encoder, model.head_kind, num_beams=20)
    assert wide.predict(ids, verbose=0)["end_index"].shape == (1, 6, 6)


def test_an_unknown_head_is_refused(model):
    with pytest.raises(InputError, match="head must be one of joint, plain"):
        SpanQA(model.encoder, head="pointer")

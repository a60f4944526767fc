"""Heads as Hugging Face has them: its logits, saved, reloaded, trained on."""

import dataclasses

import hf_electra
import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny
import tiny_finetune

from electra_tf.errors import InputError
from electra_tf.finetune.models.classifiers import (
    Classifier,
    Regressor,
)
from electra_tf.finetune.models.optimizer import create_optimizer
from electra_tf.finetune.models.ranker import Ranker
from electra_tf.finetune.models.span_qa import SpanQA
from electra_tf.finetune.models.tagger import Tagger
from electra_tf.pretrained import from_pretrained
from electra_tf.weights import FORMATS, WeightsFormat, open_weights, register

MODELS = {
    "sequence_classification": Classifier,
    "multi_label": Classifier,
    "regression": Regressor,
    "ranker": Ranker,
    "token_classification": Tagger,
    "question_answering": SpanQA,
}
NAMES = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
TEXTS = {
    "text": tf.constant(tiny_finetune.TEXTS),
    "text_pair": tf.constant(tiny_finetune.TEXTS[::-1]),
}


class Golden(WeightsFormat):
    """golden:<folder>, perhaps with "/paper" behind it: another style."""

    name = takes = "golden"

    def recognises(self, path):
        return path.startswith("golden:")

    def read(self, path):
        found = hf_electra.weights(path.split(":")[1].split("/")[0])
        if path.endswith("/nameless"):
            found = dataclasses.replace(found, labels=None)
        return found


@pytest.fixture(scope="module", autouse=True)
def _golden_format():
    before = dict(FORMATS)
    register(Golden())
    yield
    FORMATS.clear()
    FORMATS.update(before)


def folder_of(name):
    return "regression" if name == "ranker" else name


def make(name, suffix="", **given):
    path = f"golden:{folder_of(name)}{suffix}"
    return MODELS[name].from_pretrained(path, max_seq_length=20, **given)


def logits(name, model):
    """The model's logits for the trace's ids, by the trace's names."""
    ids, _ = hf_electra.trace(folder_of(name))
    if name == "question_answering":
        start, end = model.span_logits(ids)
        return {"start_logits": start, "end_logits": end}
    found = model(ids).numpy()
    is_number = name in ("regression", "ranker")
    return {"logits": found[:, None] if is_number else found}


def arrays_of(model):
    return {v.path: v.numpy() for v in model.trainable_variables}


def assert_equal(found, expected, atol=0.0):
    assert set(found) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, 0, atol, err_msg=name)


@pytest.mark.parametrize("name", MODELS)
def test_hf_electra_logits_saved_opened_and_trained_on(name, tmp_path, capfd):
    model, weights = make(name), hf_electra.weights(folder_of(name))
    assert "fresh" not in capfd.readouterr().err
    assert getattr(model, "labels", None) == weights.labels
    assert_equal(
        logits(name, model), hf_electra.trace(folder_of(name))[1], 1e-5
    )

    path = str(tmp_path / "model.keras")
    model.save(path)
    copy = keras.models.load_model(path)
    assert copy.get_config() == model.get_config()
    assert_equal(logits(name, copy), logits(name, model))

    opened = open_weights(path)
    assert opened.networks == ()
    assert opened.labels == weights.labels
    assert_equal(opened.arrays, weights.arrays)
    assert_equal(opened.head.arrays, weights.head.arrays)
    told = dataclasses.asdict(opened.head) | {"arrays": None, "dropout": 0.1}
    assert told == dataclasses.asdict(weights.head) | {"arrays": None}
    again = MODELS[name].from_pretrained(path, max_seq_length=20)
    assert_equal(arrays_of(again), arrays_of(model))
    assert opened.config.model == from_pretrained(path).config.model

    ids = dict(hf_electra.trace(folder_of(name))[0])
    copy.compile(create_optimizer(copy, 2), run_eagerly=True)
    targets = {
        "multi_label": np.eye(4, dtype=np.float32)[:3],
        "regression": np.array([0.5, -1, 2], np.float32),
        "ranker": np.array([0, 1, 1], np.float32),
        "token_classification": np.ones((3, 20), np.int32),
        "question_answering": {
            "start": np.array([0, 12, 11]),
            "end": np.array([0, 12, 12]),
            "is_impossible": np.array([1, 0, 0]),
        },
    }.get(name, np.array([0, 2, 1]))
    history = copy.fit(ids, targets, batch_size=3, verbose=0)
    assert np.isfinite(history.history["loss"][0])
    before = arrays_of(model)
    for path, value in arrays_of(copy).items():
        # The softmax cancels these biases.
        if path.startswith("task_head") and name != "question_answering":
            assert np.abs(value - before[path]).max() > 0, path


def test_hf_electra_labels_without_names_are_numbers():
    assert make("multi_label", "/nameless").labels == ("0", "1", "2", "3")


@pytest.mark.parametrize(
    ("name", "given", "reason"),
    [
        # Equal to what the weights have: theirs.
        ("token_classification", {"labels": NAMES}, ""),
        ("token_classification", {"num_classes": 5}, ""),
        ("token_classification", {"head": "huggingface"}, ""),
        ("question_answering", {"head": "plain"}, ""),
        ("question_answering", {"head": "huggingface", "num_beams": 3}, ""),
        ("multi_label", {"multi_label": True}, ""),
        # Not equal: fresh, and said.
        ("token_classification", {"labels": NAMES[::-1]}, "has labels ('O'"),
        ("token_classification", {"num_classes": 3}, "not '3 classes'"),
        ("question_answering", {"head": "joint"}, "has head 'huggingface'"),
        (
            "multi_label",
            {"multi_label": False, "num_classes": 4},
            "has multi_label True, not False",
        ),
        (
            "sequence_classification",
            {"head": "paper", "num_classes": 3},
            "has head 'huggingface', not 'paper'",
        ),
    ],
)
def test_hf_electra_head_is_taken_unless_another_is_asked_for(
    name, given, reason, capfd
):
    model = make(name, **given)
    said = [x for x in capfd.readouterr().err.splitlines() if "fresh" in x]
    stored = hf_electra.weights(name).head.arrays
    if reason:
        assert len(said) == 1
        assert reason in said[0]
        assert said[0].endswith("; a fresh one is made")
        assert f"the golden {name}" in said[0]
    else:
        assert not said
    kernels = [path for path in stored if path.endswith("kernel")]
    found = arrays_of(model)
    same = [
        path in found and np.array_equal(found[path], stored[path])
        for path in kernels
    ]
    assert same == [not reason] * len(kernels)


def test_hf_electra_head_of_another_kind_is_fresh(capfd):
    path = "golden:question_answering"
    model = Tagger.from_pretrained(path, num_classes=2, max_seq_length=20)
    assert "is of another kind, span_qa; a fresh one" in capfd.readouterr().err
    assert_equal(
        {v.path: v.numpy() for v in model.encoder.variables},
        hf_electra.weights("question_answering").arrays,
    )
    with pytest.raises(InputError, match="labels or num_classes must be given"):
        Classifier.from_pretrained(path, max_seq_length=20)


def test_hf_electra_encoder_alone_says_what_it_lacks():
    model = from_pretrained("golden:regression")
    ids, _ = hf_electra.trace("regression")
    assert model.encoder(*ids.values()).shape == (3, 20, 32)
    assert (model.networks, model.generator) == ({}, None)
    for name, ask in (
        ("discriminator", lambda: model.detect(["we"])),
        ("generator", lambda: model.fill_mask("[MASK]")),
        ("discriminator", lambda: model.pseudo_log_likelihood(["we"])),
    ):
        with pytest.raises(InputError, match=f"no {name}: it is an encoder"):
            ask()


def test_dropout_is_where_hugging_face_has_it():
    """Before each Dense layer of the head; nowhere in the encoder here."""
    ids, _ = hf_electra.trace("multi_label")
    for name in ("multi_label", "token_classification"):
        model = make(name, dropout=0.0)
        still = model(ids, training=True)
        np.testing.assert_array_equal(still, model(ids))
        model.dropout.rate = 0.5
        assert np.abs(model(ids, training=True) - still).max() > 1e-3
        np.testing.assert_array_equal(model(ids), still)
    model = make("multi_label", dropout=0.0)
    model.head.hidden_dropout.rate = 0.5
    assert np.abs(model(ids, training=True) - model(ids)).max() > 1e-3
    paper = make("token_classification", head="paper", labels=NAMES, dropout=0)
    paper.dropout.rate = 0.5
    np.testing.assert_array_equal(paper(ids, training=True), paper(ids))


def test_losses_of_sigmoids():
    """The mean over rows and labels; weights are of rows."""
    rng = np.random.default_rng(2)
    for name, shape in (("multi_label", (3, 4)), ("ranker", (3,))):
        model = make(name)
        model.compile("sgd", run_eagerly=True)
        ids, trace = hf_electra.trace(folder_of(name))
        x = trace["logits"].reshape(shape).astype(np.float64)
        y = rng.integers(0, 2, shape).astype(np.float32)
        losses = np.log1p(np.exp(-x)) + (1 - y) * x
        for weights in (None, np.array([0.5, 2, 0], np.float32)):
            found = model.evaluate(ids, y, 3, 0, sample_weight=weights)
            rows = losses.reshape(3, -1).mean(1)
            rows = rows if weights is None else rows * weights
            assert found == pytest.approx(rows.mean(), rel=1e-5)


def test_a_ranker_reads_pairs():
    model = make("ranker")
    assert model(TEXTS).shape == (4,)
    for given in (TEXTS["text"], {"text": TEXTS["text"]}):
        with pytest.raises(InputError, match="text_pair; received"):
            model(given)


def test_heads_are_refused_in_one_line():
    with pytest.raises(InputError, match="one of paper, huggingface; received"):
        make("regression", head="joint")
    rule = "one of joint, plain, paper, huggingface; received 'both'"
    with pytest.raises(InputError, match=rule):
        make("question_answering", head="both")
    joint = make("question_answering", head="paper")
    assert joint.get_config()["head"] == "joint"
    with pytest.raises(InputError, match=r"head=plain.*; received 'joint'"):
        joint.span_logits(hf_electra.trace("question_answering")[0])


def test_hf_electra_weights_with_a_head_are_served_as_it(tmp_path):
    """The command takes them as it takes a .keras file."""
    out = str(tmp_path / "served")
    given = ["--model_dir=golden:multi_label", f"--output_dir={out}"]
    done = tiny.command("export_saved_model", *given, "--nowarmup")
    assert done.code == 0, done.err
    assert "classify, classify_pair, classify_ids" in done.out
    ids, trace = hf_electra.trace("multi_label")
    inputs = {name: tf.constant(x, tf.int64) for name, x in ids.items()}
    served = tf.saved_model.load(f"{out}/1").signatures["classify_ids"]
    expected = 1 / (1 + np.exp(-trace["logits"]))
    np.testing.assert_allclose(served(**inputs)["scores"], expected, atol=1e-5)

"""What Python users give to fit, evaluate and predict, in every form."""

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
import tiny_finetune
from tiny_finetune import LENGTH, id_batch

from electra_tf.errors import InputError
from electra_tf.finetune.models.classifiers import Classifier, Regressor, Tagger
from electra_tf.finetune.models.span_qa import SpanQA

TEXTS = ["the state of the union", "we", "", "the people want peace"]
LABELS = ("no", "yes", "maybe")
NUMBERS = [0, 2, 1, 2]
NAMES = [LABELS[n] for n in NUMBERS]


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("pretrained") / "model")
    return tiny_finetune.write_pretrained(folder)


@pytest.fixture(scope="module")
def models(pretrained):
    """Class -> a compiled model, whose rate is 0."""
    kinds = {Classifier: LABELS, Tagger: LABELS, Regressor: None, SpanQA: None}
    found = {}
    for cls, labels in kinds.items():
        given = {"labels": labels} if labels else {}
        model = cls.from_pretrained(
            pretrained, max_seq_length=LENGTH, dropout=0.0, **given
        )
        # Nothing here is worth tracing.
        model.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
        found[cls] = model
    return found


def dataset(*columns, batch_size=3):
    columns = columns if len(columns) > 1 else columns[0]
    return tf.data.Dataset.from_tensor_slices(columns).batch(batch_size)


def losses(model, x, y=None, **given):
    """Of fit, of its validation, and of evaluate."""
    history = model.fit(
        x,
        y,
        validation_data=x if y is None else (x, y),
        verbose=0,
        shuffle=False,
        **given,
    ).history
    alone = model.evaluate(x, y, verbose=0)
    return [history["loss"][0], history["val_loss"][0], alone]


X_FORMS = {
    "list": TEXTS,
    "tuple": tuple(TEXTS),
    "bytes": [text.encode() for text in TEXTS],
    "array": np.array(TEXTS),
    "objects": np.array(TEXTS, object),
    "Series": pd.Series(TEXTS, index=[3, 1, 4, 2]),
    "DataFrame": pd.DataFrame({"text": TEXTS}),
    "tensor": tf.constant(TEXTS),
    "dict": {"text": TEXTS},
}
Y_FORMS = {
    "list": NUMBERS,
    "tuple": tuple(NUMBERS),
    "array": np.array(NUMBERS, np.int64),
    "floats": np.array(NUMBERS, np.float32),
    "column": np.array(NUMBERS)[:, None],
    "Series": pd.Series(NUMBERS, index=[3, 1, 4, 2]),
    "tensor": tf.constant(NUMBERS),
    "names": NAMES,
    "names in bytes": [name.encode() for name in NAMES],
    "array of names": np.array(NAMES),
    "Series of names": pd.Series(NAMES),
    "Categorical": pd.Series(NAMES, dtype="category"),
}


@pytest.fixture(scope="module")
def expected(models):
    model = models[Classifier]
    ids = model.preprocessor(tf.constant(TEXTS))
    ids = {n: x.numpy() for n, x in ids.items() if n != "truncated"}
    return losses(model, ids, np.array(NUMBERS)), model.predict(ids, verbose=0)


@pytest.mark.parametrize("form", X_FORMS)
def test_texts_in_every_form(form, models, expected):
    found = losses(models[Classifier], X_FORMS[form], NUMBERS)
    np.testing.assert_allclose(found, expected[0], rtol=1e-5)
    found = models[Classifier].predict(X_FORMS[form], verbose=0)
    np.testing.assert_allclose(found, expected[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("form", Y_FORMS)
def test_classes_in_every_form(form, models, expected):
    found = losses(models[Classifier], TEXTS, Y_FORMS[form])
    np.testing.assert_allclose(found, expected[0], rtol=1e-5)


@pytest.mark.parametrize("y", [NUMBERS, NAMES], ids=["numbers", "names"])
def test_batches_of_a_dataset(y, models, expected):
    model = models[Classifier]
    found = losses(model, dataset(TEXTS, y))
    np.testing.assert_allclose(found, expected[0], rtol=1e-5)
    found = model.predict(dataset(TEXTS), verbose=0)
    np.testing.assert_allclose(found, expected[1], rtol=1e-4, atol=1e-5)


def test_pairs_ids_and_weights_are_columns_too(models):
    model, weights = models[Classifier], [1.0, 0.5, 0.0, 2.0]
    frame = pd.DataFrame({"text": TEXTS, "text_pair": TEXTS[::-1], "y": NAMES})
    plain = {"text": TEXTS, "text_pair": TEXTS[::-1]}
    expected = losses(
        model, plain, NUMBERS, sample_weight=np.array(weights, np.float32)
    )
    found = losses(
        model,
        frame[["text", "text_pair"]],
        frame["y"],
        sample_weight=pd.Series(weights),
    )
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    held_out = (frame[["text", "text_pair"]], frame["y"], weights)
    history = model.fit(
        plain, NAMES, validation_data=list(held_out), verbose=0
    ).history
    assert history["val_loss"][0] == pytest.approx(
        model.evaluate(plain, NAMES, sample_weight=weights, verbose=0)
    )
    ids = id_batch()
    as_lists = {name: array.tolist() for name, array in ids.items()}
    np.testing.assert_array_equal(
        model.predict(as_lists, verbose=0), model.predict(ids, verbose=0)
    )


def test_numbers_for_the_regressor(models):
    model, y = models[Regressor], [0.5, -1.0, 3, 0]
    expected = losses(model, TEXTS, np.array(y))
    for given in (y, pd.Series(y), np.array(y)[:, None], tf.constant(y)):
        found = losses(model, pd.Series(TEXTS), given)
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    found = losses(model, dataset(TEXTS, y))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


# "\u200b" is a word of which nothing is left; the last sentence is too long.
WORDS = [["The", "people's", "\u200b", "state"], ["we"], [], ["peace"] * 20]
TAGS = [["no", "yes", "no", "maybe"], ["yes"], [], ["maybe"] * 20]


def tagged(model):
    """Ids and targets of WORDS and TAGS, word by word."""
    tokenizer = model.preprocessor.tokenizer
    ids, y = np.zeros((2, 4, LENGTH), np.int32)
    y -= 1
    for row, (words, tags) in enumerate(zip(WORDS, TAGS, strict=True)):
        pieces, targets = [tokenizer.cls_id], [-1]
        for word, tag in zip(words, tags, strict=True):
            found = tokenizer.tokenize(tf.constant([word]))[0].numpy().tolist()
            found = found or [tokenizer.unk_id]
            pieces += found
            targets += [LABELS.index(tag)] + [-1] * (len(found) - 1)
        pieces = [*pieces[: LENGTH - 1], tokenizer.sep_id]
        targets = [*targets[: LENGTH - 1], -1]
        ids[row, : len(pieces)], y[row, : len(targets)] = pieces, targets
    mask = (ids != tokenizer.pad_id).astype(np.int32)
    x = {"input_ids": ids, "input_mask": mask, "segment_ids": 0 * mask}
    return x, y


def test_words_with_tags_for_the_tagger(models):
    model = models[Tagger]
    x, y = tagged(model)
    assert (y >= 0).sum() == 4 + 1 + LENGTH - 2
    expected = losses(model, x, y)
    outputs = model.predict(x, verbose=0)
    numbers = [[LABELS.index(tag) for tag in row] for row in TAGS]
    ragged = tf.ragged.constant(WORDS), tf.ragged.constant(TAGS)
    for words, tags in (
        (WORDS, TAGS),
        (WORDS, numbers),
        (tuple(map(tuple, WORDS)), pd.Series(TAGS)),
        (pd.Series([np.array(row, object) for row in WORDS]), numbers),
        ragged,
        (dataset(*ragged, batch_size=4), None),
    ):
        found = losses(model, words, tags)
        np.testing.assert_allclose(found, expected, rtol=1e-4)
        found = model.predict(words, verbose=0)
        np.testing.assert_allclose(found, outputs, rtol=1e-4, atol=1e-4)


def test_a_loss_of_ones_own_decides_what_targets_are(models, pretrained):
    """One-hot rows, say."""
    model = Classifier.from_pretrained(
        pretrained, labels=LABELS, max_seq_length=LENGTH, dropout=0.0
    )
    model.compile("sgd", keras.losses.CategoricalCrossentropy(True))
    model.fit(TEXTS, np.eye(3)[NUMBERS], verbose=0)


IDS = id_batch()
SPANS = {"start": [1] * 4, "end": [2] * 4, "is_impossible": [0] * 4}
PAIRS = {"text": TEXTS, "text_pair": TEXTS}
REFUSED = [
    (Classifier, "a text", [0], "x must be a list.* received 'str'"),
    (Classifier, set(TEXTS), NUMBERS, "x must be a list.* received 'set'"),
    (Classifier, [], [], "x must hold a row or more; received 0"),
    (Classifier, {"text": []}, [], r"x\['text'\] must hold a row or more"),
    (Classifier, ["a", None], [0, 1], r"x\[1\] must be a text; rec.* 'None'"),
    (Classifier, pd.Series(["a", None]), [0, 1], r"x\[1\] must be a text"),
    (Classifier, [1, 2], [0, 1], "text must hold texts"),
    (Classifier, [("a", "b")], [0], "each text must be one str .pairs are"),
    (Classifier, {"txt": TEXTS}, NUMBERS, "inputs must be texts, or a dict"),
    (Classifier, {**PAIRS, "text_pair": ["a"]}, NUMBERS, "the same length"),
    (Classifier, TEXTS, [0, 1], r"same length; received \[4, 2\]"),
    (Classifier, TEXTS, "no", "y must be a list.* received 'str'"),
    (Classifier, TEXTS, [{"no"}] * 4, "y must hold .* received"),
    (Classifier, TEXTS, set(NAMES), "y must be a list.* received 'set'"),
    (Classifier, TEXTS, {"a": NUMBERS}, "targets must be one column"),
    (Classifier, TEXTS, ["no", "yes", "no", "x"], r"of the labels .*ed 'x'"),
    (Classifier, TEXTS, [0, 1, None, 1], "y must hold texts alone, or numb"),
    (Classifier, TEXTS, [0, 1, np.nan, 1], "between 0 and 2; received nan"),
    (Classifier, TEXTS, [0, 1, 0.5, 1], "between 0 and 2; received 0.5"),
    (Classifier, TEXTS, [0, 1, 3, 1], "between 0 and 2; received 3"),
    (Classifier, TEXTS, [0, -1, 0, 1], "between 0 and 2; received -1"),
    (Classifier, TEXTS, np.eye(3)[NUMBERS], r"multi_label.*\(4, 3\)"),
    (Classifier, TEXTS, [["no"], ["no", "yes"], [], []], "multi_label"),
    (Regressor, TEXTS, NAMES, "targets must be one number a row"),
    (Regressor, TEXTS, [0, 1, np.inf, 1], "must be finite numbers; rec.* inf"),
    (Regressor, TEXTS, np.eye(4), "targets must be one number a row"),
    (Tagger, WORDS, TAGS[::-1], "each word must have one tag; received 20"),
    (Tagger, WORDS, [["O"] * len(w) for w in WORDS], "the labels .*'O'"),
    (Tagger, TEXTS, TAGS, "tags must be a row of length 12"),
    (Tagger, TEXTS, np.zeros((4, 5)), "tags must be a row of length 12"),
    (Tagger, IDS, np.full((4, LENGTH), -2), "between -1 .none. and 2"),
    (SpanQA, TEXTS, SPANS, "text .the question. must come with text_pair"),
    (SpanQA, PAIRS, NUMBERS, "targets must be a dict of start, end, is_im"),
    (SpanQA, PAIRS, {**SPANS, "end": [LENGTH] * 4}, "end must be a whole"),
    (SpanQA, PAIRS, {**SPANS, "end": [0] * 4}, "start must not stand behind"),
    (Classifier, {**IDS, "segment_ids": IDS["input_mask"] * 7}, NUMBERS,
     "segment_ids must be whole numbers between 0 and 1; received 7"),
    (Classifier, {**IDS, "input_ids": IDS["input_ids"] + 10**6}, NUMBERS,
     "input_ids must be whole numbers between 0 and"),
    (Classifier, {**IDS, "input_mask": IDS["input_mask"] / 2}, NUMBERS,
     "input_mask must be .* between 0 and 1; received 0.5"),
    (Classifier, {**IDS, "segment_ids": np.zeros((4, 2))}, NUMBERS,
     "must be of one shape"),
    (Classifier, {"input_ids": [[1], [1, 2]], "input_mask": [[1], [1, 1]],
     "segment_ids": [[0], [0, 0]]}, [0, 1], "must be of one length"),
    (Classifier, {"input_ids": [[1]], "attention_mask": [[1]]}, [0],
     "ids must come as input_ids, input_mask and segment_ids"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("cls", "x", "y", "message"),
    REFUSED,
    ids=range(len(REFUSED)),
)
def test_what_cannot_be_learned_is_one_short_line(cls, x, y, message, models):
    """In every place, before anything is trained."""
    good = {
        Classifier: (TEXTS, NUMBERS),
        Regressor: (TEXTS, NUMBERS),
        Tagger: (WORDS, TAGS),
        SpanQA: (PAIRS, SPANS),
    }[cls]
    model = models[cls]
    seen = int(model.optimizer.iterations)
    for call in (
        lambda: model.fit(x, y, verbose=0),
        lambda: model.evaluate(x, y, verbose=0),
        lambda: model.fit(*good, validation_data=(x, y), verbose=0),
    ):
        with pytest.raises(InputError, match=message) as caught:
            call()
        told = str(caught.value)
        assert "\n" not in told
        assert len(told) < 260
    assert int(model.optimizer.iterations) == seen


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ((TEXTS, ["no", "yes", "no", "x"]), r"the labels .*; received .*x"),
        ((TEXTS, [0, 1, 3, 1]), r"between 0 and 2; received .*3"),
        ((TEXTS, np.eye(3)[NUMBERS]), "multi_label"),
        (({**IDS, "segment_ids": IDS["input_mask"] * 7}, NUMBERS), "ids must"),
        (({"txt": TEXTS}, NUMBERS), "inputs must be texts"),
    ],
)
def test_batches_that_cannot_be_learned_are_one_line(columns, message, models):
    for call in (models[Classifier].fit, models[Classifier].evaluate):
        with pytest.raises(InputError, match=message) as caught:
            call(dataset(*columns), verbose=0)
        assert "\n" not in str(caught.value)


def test_a_call_checks_ids_too(models):
    bad = {n: tf.constant(x) for n, x in IDS.items()}
    bad["segment_ids"] += 7
    with pytest.raises(InputError, match="segment_ids must be whole numbers"):
        models[Classifier](bad)


def test_a_configuration_is_left_as_it_was(models):
    for cls, model in models.items():
        config = model.get_config()
        before = {name: repr(value) for name, value in config.items()}
        cls.from_config(config)
        assert {n: repr(value) for n, value in config.items()} == before
        for part in ("encoder", "preprocessor"):
            inner = config[part]["config"]
            kept = repr(inner)
            type(getattr(model, part)).from_config(inner)
            assert repr(inner) == kept

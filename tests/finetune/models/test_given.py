"""What Python users give to fit, evaluate and predict, in every form."""

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from tiny_finetune import FOUR_TEXTS as TEXTS
from tiny_finetune import (
    LABELS,
    LENGTH,
    NAMES,
    NUMBERS,
    TAGS,
    WORDS,
    compiled_models,
    id_batch,
)

from electra_tf.finetune.models.classifiers import Classifier, Regressor
from electra_tf.finetune.models.tagger import Tagger


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return compiled_models(str(tmp_path_factory.mktemp("models") / "model"))


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
        (pd.Series([np.array(row, object) for row in WORDS]), ragged[1]),
        (dataset(*ragged, batch_size=4), None),
    ):
        found = losses(model, words, tags)
        np.testing.assert_allclose(found, expected, rtol=1e-4)
        found = model.predict(words, verbose=0)
        np.testing.assert_allclose(found, outputs, rtol=1e-4, atol=1e-4)


def test_a_loss_of_ones_own_decides_what_targets_are(models):
    """One-hot rows, say."""
    config = models[Classifier].get_config()
    model = Classifier.from_config(config)
    loss = keras.losses.CategoricalCrossentropy(True)
    model.compile("sgd", loss, run_eagerly=True)
    model.fit(TEXTS, np.eye(3)[NUMBERS], verbose=0)


def test_a_configuration_is_left_as_it_was(models):
    """Labels that were numbers once are names now."""
    config = models[Classifier].get_config() | {"labels": [0, 1]}
    assert Classifier.from_config(config).labels == ("0", "1")
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


def test_several_classes_by_name_or_by_marks(models, tmp_path):
    model = models[Classifier]
    several = Classifier(
        model.encoder,
        LABELS,
        dropout=0.0,
        preprocessor=model.preprocessor,
        multi_label=True,
        thresholds={"yes": 0.3},
    )
    several.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    names = [["no", "maybe"], [], ["yes"], ["no"]]
    marks = np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0], [1, 0, 0]])
    expected = losses(several, TEXTS, marks)
    for y in (names, pd.Series(names), marks.astype(bool)):
        np.testing.assert_allclose(losses(several, TEXTS, y), expected, 1e-5)
    several.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    assert copy.thresholds == (0.5, 0.3, 0.5)
    logits = np.log([[0.49 / 0.51, 0.31 / 0.69, 0.51 / 0.49]])
    assert copy.holding(logits).tolist() == [[False, True, True]]

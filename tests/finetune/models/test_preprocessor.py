"""Texts and pairs to ids, against BERT's packing written as a loop."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny

from electra_tf.data.tokenizers import Tokenizer, pack_segments
from electra_tf.errors import InputError
from electra_tf.finetune.preprocessor import TextPreprocessor

CLS, SEP = 2, 3
TOKENIZER = Tokenizer(tiny.vocab())


def packed_by_loop(first, second, length):
    """BERT's `_truncate_seq_pair` and its layout, token by token."""
    first, second = list(first), None if second is None else list(second)
    cut = False
    if second is None:
        cut = len(first) > length - 2
        first = first[: length - 2]
    else:
        while len(first) + len(second) > length - 3:
            (first if len(first) > len(second) else second).pop()
            cut = True
    tokens = [CLS, *first, SEP]
    segments = [0] * len(tokens)
    if second is not None:
        tokens += [*second, SEP]
        segments += [1] * (len(second) + 1)
    padding = [0] * (length - len(tokens))
    return (
        tokens + padding,
        [1] * len(tokens) + padding,
        segments + padding,
        cut,
    )


def ragged(rows):
    return tf.ragged.constant(rows, dtype=tf.int32, ragged_rank=1)


@pytest.mark.parametrize("length", [5, 6, 13])
@pytest.mark.parametrize("pairs", [False, True])
def test_packing_equals_the_loop(length, pairs):
    sizes = [(a, b) for a in range(14) for b in range(14 if pairs else 1)]
    rng = np.random.default_rng(length)
    first = [rng.integers(5, 99, a).tolist() for a, _ in sizes]
    second = [rng.integers(5, 99, b).tolist() for _, b in sizes]
    found = pack_segments(
        TOKENIZER, ragged(first), ragged(second) if pairs else None, length
    )
    rows = [
        packed_by_loop(a, b if pairs else None, length)
        for a, b in zip(first, second, strict=True)
    ]
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    np.testing.assert_array_equal(found.input_ids, columns[0])
    np.testing.assert_array_equal(found.input_mask, columns[1])
    np.testing.assert_array_equal(found.segment_ids, columns[2])
    np.testing.assert_array_equal(found.truncated, columns[3])
    assert {c.dtype for c in found.features().values()} == {tf.int32}


def test_texts_become_the_tokenizers_ids():
    preprocess = TextPreprocessor(TOKENIZER, 10)
    texts = tf.constant(["the union", "", "the " * 9])
    found = preprocess(texts)
    the, union = (tiny.vocab().index(word) for word in ("the", "union"))
    assert found["input_ids"].numpy().tolist() == [
        [CLS, the, union, SEP, 0, 0, 0, 0, 0, 0],
        [CLS, SEP, 0, 0, 0, 0, 0, 0, 0, 0],
        [CLS, *[the] * 8, SEP],
    ]
    assert found["truncated"].numpy().tolist() == [0, 0, 1]
    pair = preprocess({"text": texts[:1], "text_pair": texts[:1]})
    assert pair["segment_ids"].numpy().tolist() == [[0] * 4 + [1] * 3 + [0] * 3]
    none = preprocess(texts[:0])
    assert none["input_ids"].shape == (0, 10)


def test_inside_a_dataset():
    preprocess = TextPreprocessor(TOKENIZER, 6)
    texts = tf.data.Dataset.from_tensor_slices(["the union", "a"]).batch(2)
    batch = next(iter(texts.map(preprocess)))
    expected = preprocess(tf.constant(["the union", "a"]))
    for name, value in expected.items():
        np.testing.assert_array_equal(batch[name], value)


def test_in_a_functional_model():
    text = keras.Input((), dtype="string")
    model = keras.Model(text, TextPreprocessor(TOKENIZER, 6)(text)["input_ids"])
    found = model(tf.constant(["the union"]))
    expected = TextPreprocessor(TOKENIZER, 6)(tf.constant(["the union"]))
    np.testing.assert_array_equal(found, expected["input_ids"])


def test_its_configuration_is_complete():
    cased = Tokenizer(tiny.vocab(), do_lower_case=False, strip_accents=True)
    layer = TextPreprocessor(cased, 9, name="texts")
    stored = keras.saving.serialize_keras_object(layer)
    copy = keras.saving.deserialize_keras_object(stored, safe_mode=True)
    assert copy.get_config() == layer.get_config()
    assert copy.tokenizer.settings() == cased.settings()
    text = tf.constant(["The Étát"])
    for name, value in layer(text).items():
        np.testing.assert_array_equal(copy(text)[name], value)


@pytest.mark.parametrize(
    "inputs",
    [
        {"text_pair": tf.constant(["a"])},
        {"text": tf.constant(["a"]), "x": tf.constant([1])},
    ],
)
def test_unknown_inputs_are_refused(inputs):
    with pytest.raises(InputError, match="text and text_pair"):
        TextPreprocessor(TOKENIZER, 9)(inputs)


def test_a_length_without_room_is_refused():
    with pytest.raises(InputError, match="at least 5; received 4"):
        TextPreprocessor(TOKENIZER, 4)

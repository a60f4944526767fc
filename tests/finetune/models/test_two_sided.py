"""Models that learn from pairs of rows: numbers, and what they refuse."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny_finetune
from tiny_finetune import FOUR_TEXTS as TEXTS
from tiny_finetune import LENGTH, numpy_states

import electra_tf
from electra_tf.errors import InputError
from electra_tf.finetune.models.ranker import Ranker
from electra_tf.finetune.models.sentence_encoder import SentenceEncoder
from electra_tf.finetune.models.two_sided import joined_sides

OTHERS = ["union", "strong and of the world", "the state", "peace"]
THIRD = TEXTS[::-1]
TRIPLES = {"text": TEXTS, "text_pair": OTHERS, "negative": THIRD}


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("pretrained") / "model")
    return tiny_finetune.write_pretrained(folder)


def make(cls, pretrained, **given):
    model = cls.from_pretrained(
        pretrained, max_seq_length=LENGTH, dropout=0.0, **given
    )
    model.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    return model


@pytest.fixture(scope="module")
def ranker(pretrained):
    return make(Ranker, pretrained)


def tensors(texts):
    return {name: tf.constant(column) for name, column in texts.items()}


def scores(ranker, passages):
    x = {"text": TEXTS, "text_pair": passages}
    return ranker.predict(x, verbose=0).astype(np.float64)


def test_losses_of_a_ranker(ranker):
    """Of each passage by itself, and of pairs of them; in float64."""
    good, bad = scores(ranker, OTHERS), scores(ranker, THIRD)
    labels, weights = np.array([1, 0, 0.5, 1]), np.array([1.0, 0, 2, 0.5])
    each = np.log1p(np.exp(good)) - labels * good
    x = {"text": TEXTS, "text_pair": OTHERS}
    found = ranker.evaluate(x, labels, verbose=0)
    assert found == pytest.approx(each.mean(), rel=1e-4)
    found = ranker.predict(TRIPLES, verbose=0)
    np.testing.assert_allclose(found, np.stack([good, bad], 1), rtol=1e-4)
    losses = np.log1p(np.exp(bad - good))
    assert np.ptp(losses) > 0.05
    found = ranker.evaluate(TRIPLES, verbose=0)
    assert found == pytest.approx(losses.mean(), rel=1e-4)
    found = ranker.evaluate(x, labels, sample_weight=weights, verbose=0)
    assert found == pytest.approx((each * weights).mean(), rel=1e-4)
    with pytest.raises(InputError, match="sample_weight goes with targets"):
        ranker.fit(TRIPLES, sample_weight=weights, verbose=0)
    rows = [
        ranker.preprocessor(tensors({"text": TEXTS, "text_pair": passages}))
        for passages in (OTHERS, THIRD)
    ]
    as_ids = {n: x.numpy() for n, x in joined_sides(rows).items()}
    found = ranker.evaluate(as_ids, verbose=0)
    assert found == pytest.approx(losses.mean(), rel=1e-4)
    batches = tf.data.Dataset.from_tensor_slices(TRIPLES).batch(3)
    history = ranker.fit(batches, validation_data=batches, verbose=0).history
    parts = [losses[:3].mean(), losses[3:].mean()]
    # Keras weighs a batch's mean by its rows.
    expected = np.average(parts, weights=[3, 1])
    assert history["loss"][0] == pytest.approx(expected, rel=1e-4)
    assert history["val_loss"][0] == pytest.approx(expected, rel=1e-4)


PAIRS = {"text": TEXTS, "text_pair": OTHERS}


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (TRIPLES, [1, 0, 0, 1], "triples .* must come without targets"),
        (PAIRS, None, "must learn from targets, or from triples"),
        (PAIRS, [1, 0, 2, 1], "between 0 and 1 .*; received 2"),
        (PAIRS, ["1", "0", "1", "1"], "must be one number a row"),
        (TEXTS, [1, 0, 0, 1], "must come with text_pair"),
        (PAIRS | {"negatives": THIRD}, None, "inputs must be texts, or a dict"),
        (PAIRS | {"negative": THIRD[:3]}, None, "must have the same length"),
    ],
)
def test_a_ranker_refuses(x, y, message, ranker):
    with pytest.raises(InputError, match=message):
        ranker.fit(x, y, verbose=0)


def test_ids_of_the_second_row_are_checked(ranker):
    rows = [ranker.preprocessor(tensors(PAIRS))] * 2
    ids = {n: x.numpy().copy() for n, x in joined_sides(rows).items()}
    ids["other_input_ids"][1, 2] = 10**6
    with pytest.raises(InputError, match=r"input_ids .*; received 1000"):
        ranker.evaluate(ids, verbose=0)


def test_other_models_take_no_negatives(pretrained):
    model = make(electra_tf.Regressor, pretrained)
    with pytest.raises(InputError, match="inputs must be texts, or a dict"):
        model.fit(TRIPLES, [1.0, 2, 3, 4], verbose=0)


@pytest.fixture(scope="module", params=["mean", "cls"])
def encoder(request, pretrained):
    made = {"pooling": request.param, "temperature": 0.5}
    return make(SentenceEncoder, pretrained, **made)


def numpy_vectors(model, texts, pooling, normalize):
    """From the encoder's states in float64 NumPy, row by row."""
    ids = model.preprocessor(tf.constant(texts))
    ids = {n: x.numpy() for n, x in ids.items() if n != "truncated"}
    states = numpy_states(model, ids)
    found = []
    for row, mask in zip(states, ids["input_mask"], strict=True):
        kept = row[mask == 1]
        vector = kept.mean(0) if pooling == "mean" else kept[0]
        found.append(vector / np.linalg.norm(vector) if normalize else vector)
    return np.array(found)


def near(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_vectors_are_those_of_numpy(encoder, pretrained):
    own = numpy_vectors(encoder, TEXTS, encoder.pooling, True)
    assert encoder.predict(TEXTS, verbose=0).shape == own.shape
    near(encoder.predict(TEXTS, verbose=0), own)
    near(encoder.embed(TEXTS), own)
    near(encoder.embed(TEXTS * 3, batch_size=5), np.tile(own, (3, 1)))
    other = make(electra_tf.Classifier, pretrained, labels=("a", "b"))
    whole = electra_tf.from_pretrained(pretrained)
    for pooling in ("mean", "cls"):
        for normalize in (True, False):
            expected = numpy_vectors(encoder, TEXTS, pooling, normalize)
            for model in (encoder, other, whole):
                near(model.embed(TEXTS, pooling, normalize), expected)
    assert np.ptp(own, axis=0).max() > 0.1


def test_losses_of_a_sentence_encoder(encoder):
    first, second = (
        numpy_vectors(encoder, texts, encoder.pooling, True)
        for texts in (TEXTS, OTHERS)
    )
    pairs = {"text": TEXTS, "text_pair": OTHERS}
    cosines = first @ second.T
    logits = cosines / 0.5
    losses = np.log(np.exp(logits).sum(1)) - np.diag(logits)
    found = encoder.evaluate(pairs, verbose=0)
    assert found == pytest.approx(losses.mean(), rel=1e-3)
    goals = np.array([0.1, -1, 1, 0.5])
    found = encoder.evaluate(pairs, goals, verbose=0)
    errors = (np.diag(cosines) - goals) ** 2
    assert found == pytest.approx(errors.mean(), rel=1e-3)
    found = encoder.predict(pairs, verbose=0)
    near(found, np.stack([first, second], 1))


def test_a_saved_sentence_encoder(encoder, tmp_path):
    path = str(tmp_path / "model.keras")
    encoder.save(path)
    copy = electra_tf.load_model(path)
    assert copy.get_config() == encoder.get_config()
    np.testing.assert_array_equal(copy.embed(TEXTS), encoder.embed(TEXTS))
    again = SentenceEncoder.from_pretrained(
        path, max_seq_length=LENGTH, pooling=encoder.pooling
    )
    np.testing.assert_array_equal(again.embed(TEXTS), encoder.embed(TEXTS))


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (TEXTS, None, "must learn from pairs: text and text_pair"),
        (PAIRS, [0, 1, 2, 0], "must be cosines, between -1 and 1; received 2"),
        (TRIPLES, None, "inputs must be texts, or a dict"),
    ],
)
def test_a_sentence_encoder_refuses(x, y, message, encoder):
    with pytest.raises(InputError, match=message):
        encoder.fit(x, y, verbose=0)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"texts": []}, r"texts must hold a text or more; received \[\]"),
        ({"texts": "one"}, "texts must be a list of texts"),
        ({"texts": ["a", 1]}, r"texts\[1\] must be a text"),
        ({"texts": TEXTS, "pooling": "max"}, "pooling must be one of mean"),
    ],
)
def test_what_cannot_be_embedded(given, message, encoder):
    with pytest.raises(InputError, match=message):
        encoder.embed(**given)


def test_arguments_of_a_sentence_encoder(encoder):
    for given in ({"pooling": "max"}, {"temperature": 0.0}):
        with pytest.raises(InputError, match=next(iter(given))):
            SentenceEncoder(encoder.encoder, **given)
    bare = SentenceEncoder(encoder.encoder)
    with pytest.raises(InputError, match="needs a model with a preprocessor"):
        bare.embed(TEXTS)

"""Words, tags and entities of running text, in Python's characters."""

import itertools

import keras
import numpy as np
import pytest
import tiny_finetune
from seqeval.metrics.sequence_labeling import get_entities

from electra_tf.errors import InputError
from electra_tf.finetune.models.tag_schemes import spans_of
from electra_tf.finetune.models.tagger import Tagger
from electra_tf.finetune.models.words import entities_of, tagged_words

TEXT = "Caf\u00e9 \U0001f600 of New\u3000York, e\u0301t\u00e9"


def test_spans_are_those_of_seqeval():
    """Of every sequence of four tags of two types, in all schemes mixed."""
    tags = ["O", *(f"{p}-{k}" for p in "BIES" for k in ("A", "B-c"))]
    for sequence in itertools.product(tags, repeat=4):
        assert spans_of(sequence) == get_entities(list(sequence)), sequence


def test_places_are_characters():
    words = TEXT.split()
    tags = ["B-X", "I-X", "O", "B-Y", "I-Y", "O"]
    content = TEXT.encode()
    starts = [content.index(word.encode()) for word in words]
    ends = [s + len(w.encode()) for s, w in zip(starts, words, strict=True)]
    scores = [0.5, 1.0, 1.0, 0.25, 0.75, 1.0]
    found = tagged_words(TEXT, tags, scores, starts, ends)
    assert [word.word for word in found] == words
    assert all(TEXT[w.start : w.end] == w.word for w in found)
    first, second = entities_of(TEXT, found)
    assert (first.text, first.label) == ("Caf\u00e9 \U0001f600", "X")
    assert (first.start, first.end, first.score) == (0, 6, 0.75)
    assert (second.text, second.label) == ("New\u3000York,", "Y")
    assert TEXT[second.start : second.end] == second.text


@pytest.fixture(scope="module")
def tagger(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("pretrained") / "model")
    path = tiny_finetune.write_pretrained(folder)
    keras.utils.set_random_seed(1)
    labels = ("O", "B-X", "I-X", "E-X", "S-X")
    model = Tagger.from_pretrained(path, labels=labels, max_seq_length=20)
    noise = np.random.default_rng(0).normal(size=(tiny_finetune.WIDTH, 5))
    model.head.kernel.assign(noise)
    return model


def test_a_tagger_names_words_and_entities(tagger):
    texts = [TEXT, "", "the people of the union " * 9, "we want peace"]
    tagged = tagger.predict_tags(texts)
    for text, words in zip(texts, tagged, strict=True):
        kept = text.split()[: len(words)]
        assert [word.word for word in words] == kept
        assert all(text[w.start : w.end] == w.word for w in words)
        assert {w.tag for w in words} <= {"O", "B-X", "I-X"}
        # What a row of the words alone says, in the scheme that was learned.
    assert 0 < len(tagged[2]) < 45
    assert tagged[1] == []
    ids = tagger.preprocessor(np.array(["we want peace"], object))
    ids = {n: x.numpy() for n, x in ids.items()}
    logits = tagger.predict(ids, verbose=0)[0]
    pieces = tagger.preprocessor.tokenizer.tokenize(["we", "want", "peace"])
    places = 1 + np.cumsum([0, *pieces.row_lengths().numpy()[:-1]])
    chances = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    scores = [word.score for word in tagged[3]]
    np.testing.assert_allclose(scores, chances[places].max(-1), rtol=1e-4)
    entities = tagger.predict_entities(texts)
    assert [len(e) for e in entities] == [
        sum(word.tag == "B-X" for word in words) for words in tagged
    ]
    assert sum(map(len, entities)) > 3
    for text, found in zip(texts, entities, strict=True):
        assert all(text[e.start : e.end] == e.text for e in found)
    half = "\ud83d we want"
    assert [w.start for w in tagger.predict_tags([half])[0]][-2:] == [2, 5]


def test_what_a_tagger_refuses(tagger):
    for ask in (tagger.predict_tags, tagger.predict_entities):
        with pytest.raises(InputError, match="must hold a text or more"):
            ask([])
        with pytest.raises(InputError, match="must be a "):
            ask(["a", 1])
    words = Tagger(tagger.encoder, labels=("NN", "VB"))
    with pytest.raises(InputError, match="needs labels of spans"):
        words.predict_entities(["a"])
    with pytest.raises(InputError, match="a model with a preprocessor"):
        words.predict_tags(["a"])

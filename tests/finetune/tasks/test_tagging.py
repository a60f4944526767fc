"""CoNLL files, schemes of tags, and words that do not fit."""

import grammar
import numpy as np
import pytest

from electra_tf.data.tokenizers import Tokenizer
from electra_tf.errors import InputError
from electra_tf.finetune.models.tag_schemes import (
    are_spans,
    to_bio,
    to_bioes,
)
from electra_tf.finetune.tasks import Splits
from electra_tf.finetune.tasks.conll import Sentence, read_conll
from electra_tf.finetune.tasks.tagging import Tagging

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


@pytest.mark.parametrize(
    ("tags", "bioes"),
    [
        ("B-N I-N O B-V", "B-N E-N O S-V"),
        ("I-N I-N B-N O", "B-N E-N S-N O"),  # IOB1
        ("B-N B-N I-N I-N", "S-N B-N I-N E-N"),
        ("B-N I-V I-V", "S-N B-V E-V"),  # another type begins a span
        ("B-a-b I-a-b", "B-a-b E-a-b"),
        ("B-N E-N S-N B-N I-N E-N", "B-N E-N S-N B-N I-N E-N"),
        ("O O", "O O"),
    ],
)
def test_bioes(tags, bioes):
    tags, bioes = tags.split(), bioes.split()
    assert to_bioes(tags) == bioes
    assert to_bioes(bioes) == bioes


def test_random_spans_survive_both_schemes():
    rng = np.random.default_rng(0)
    for _ in range(300):
        bio, previous = [], "O"
        for _ in range(rng.integers(1, 12)):
            kind = rng.choice(["A", "B-c"])
            choices = ["O", f"B-{kind}"]
            if previous != "O":
                choices.append("I" + previous[1:])
            previous = str(rng.choice(choices))
            bio.append(previous)
        assert to_bio(to_bioes(bio)) == bio


def test_which_tags_are_of_spans():
    assert are_spans(["O", "B-x", "S-y"])
    assert not are_spans(["NN", "VB", "O"])
    assert not are_spans(["B-", "O"])
    assert not are_spans(["O"])
    assert not are_spans(["S-OBJ", "NP"])
    # With a mistake among them, or of a scheme that is not known here.
    for odd in ("o", "0", "B-", "York", "U-x", "L-x"):
        assert are_spans(["B-x", "O", odd])
        assert are_spans(["I-x", odd])
    assert are_spans(["U-x", "O"])


def test_conll_files(tmp_path):
    path = tmp_path / "a.conll"
    path.write_text(
        "-DOCSTART- -X- O\n\nEU NNP B-ORG\nis VBZ O\n \nx\u00a0y NN O"
    )
    found = read_conll(str(path))
    assert [s.words for s in found] == [("EU", "is"), ("x\u00a0y",)]
    assert [s.tags for s in found] == [("B-ORG", "O"), ("O",)]
    assert found[1].where.endswith("line 6")
    assert read_conll(str(path), tag_column=1)[0].tags == ("NNP", "VBZ")
    assert read_conll(str(path), with_tags=False)[0].tags is None


def test_words_with_spaces_in_files_with_tabs(tmp_path):
    path = tmp_path / "a.conll"
    path.write_text("New York\tB-LOC\n.\tO\n\t\nb\tO\n")
    found = read_conll(str(path))
    assert [s.words for s in found] == [("New York", "."), ("b",)]


@pytest.mark.parametrize(
    ("content", "options", "told"),
    [
        ("a O\nb\n", {}, "line 2: must have 2 columns.*received 'b'"),
        ("a  O\nb O\n", {}, "line 2: must have 3 columns.*spaces.*'b O'"),
        (
            "a O\n",
            {"tag_column": 2},
            "line 1: must have a column 2.*received .*O",
        ),
        # A word without its tab, though two words look like two columns.
        ("a\tO\nNew York\n", {}, "line 2: must have 2 columns.*tabs.*York"),
        ("-DOCSTART-\na B-X\nb\n", {}, "line 3: must have 2 columns.*'b'"),
        ("a O\n\u2028\n", {}, "line 2: must have 2 columns"),
        ("a\t\n", {}, "line 1: a word and its tag must not be empty"),
        ("\n \n", {}, "must hold sentences"),
    ],
)
def test_wrong_conll_files(content, options, told, tmp_path):
    path = tmp_path / "a.conll"
    path.write_text(content)
    with pytest.raises(InputError, match=told):
        read_conll(str(path), **options)


def test_the_mark_of_a_document_ends_a_sentence(tmp_path):
    path = tmp_path / "a.conll"
    path.write_text("-DOCSTART-\na O\n-DOCSTART- -X- O\nb O\n-DOCSTART-s O\n")
    words = [sentence.words for sentence in read_conll(str(path))]
    assert words == [("a",), ("b", "-DOCSTART-s")]


def sentence(words, tags):
    return Sentence(tuple(words.split()), tuple(tags.split()), "here, line 1")


def task(train, dev=None):
    return Tagging("tags", Splits([train], {"dev": [dev or train]}, {}))


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer([*SPECIALS, "un", "##do", "##ing", "it", "new", "york"])


def test_first_pieces_are_classified(tokenizer):
    gold = sentence("undoing it \u200b new york", "O O O B-LOC I-LOC")
    tagging = task(gold)
    encoded = tagging.encode(tokenizer, [gold], 16, is_training=True)
    ids = encoded.inputs["input_ids"][0]
    assert tokenizer.tokens(ids) == [
        "[CLS]", "un", "##do", "##ing", "it", "[UNK]", "new", "york", "[SEP]",
    ]  # fmt: skip
    number = tagging.labels.index
    o, b, e = number("O"), number("B-LOC"), number("E-LOC")
    assert encoded.targets[0].tolist() == [-1, o, -1, -1, o, o, b, e, -1]
    assert encoded.num_cut == 0


def one_hot(tagging, length, said):
    """Logits that say these tags at these places."""
    logits = np.zeros([1, length, len(tagging.labels)])
    for place, tag in said.items():
        logits[0, place, tagging.labels.index(tag)] = 1.0
    return logits


def test_words_that_are_cut_off_are_errors(tokenizer):
    gold = sentence("it it undoing new york", "O O O B-LOC I-LOC")
    tagging = task(gold)
    encoded = tagging.encode(tokenizer, [gold], 7)
    # [CLS] it it un ##do ##ing [SEP]: two words are lost.
    assert encoded.num_cut == 1
    assert encoded.notes == ("2 words were cut off; they count as errors",)
    found = tagging.evaluate(
        encoded, one_hot(tagging, 7, {1: "O", 2: "O", 3: "O"})
    ).metrics
    assert found["accuracy"] == 60.0
    assert found["recall"] == 0.0
    assert found["f1"] == 0.0
    whole = tagging.encode(tokenizer, [gold], 9)
    said = {1: "O", 2: "O", 3: "O", 6: "B-LOC", 7: "E-LOC"}
    found = tagging.evaluate(whole, one_hot(tagging, 9, said)).metrics
    assert found["accuracy"] == found["f1"] == 100.0


def test_outside_is_wrong_for_a_word_that_is_cut_off(tokenizer):
    """Though it is what the word is called in the files."""
    gold = sentence("new york it it it", "B-LOC I-LOC O O O")
    tagging = task(gold)
    encoded = tagging.encode(tokenizer, [gold], 5)
    said = one_hot(tagging, 5, {1: "B-LOC", 2: "E-LOC", 3: "O"})
    assert tagging.evaluate(encoded, said).metrics["accuracy"] == 60.0
    files = tagging.predictions("test", encoded, said, {})
    assert files == {
        "tags.conll": "new\tB-LOC\nyork\tI-LOC\nit\tO\nit\tO\nit\tO\n\n"
    }


def test_tags_without_spans_are_measured_by_accuracy(tokenizer):
    gold = sentence("new york it", "JJ NN PRP")
    tagging = task(gold)
    assert tagging.metric == "accuracy"
    assert tagging.labels == ["JJ", "NN", "PRP"]
    encoded = tagging.encode(tokenizer, [gold], 8)
    said = one_hot(tagging, 5, {1: "JJ", 2: "JJ", 3: "PRP"})
    found = tagging.evaluate(encoded, said).metrics
    assert found == {"accuracy": pytest.approx(200 / 3)}


@pytest.mark.parametrize("odd", ["o", "0", "B-", "York", "L-PER", "U-PER"])
def test_one_odd_tag_among_those_of_spans_is_refused(odd):
    good, bad = sentence("a b", "B-PER O"), sentence("x y", f"B-PER {odd}")
    told = rf"here, line 1 on, word 2, 'y': .*tags of spans.*received '{odd}'"
    for train, dev in ((bad, good), (good, bad)):
        with pytest.raises(InputError, match=told):
            task(train, dev)


@pytest.mark.parametrize(
    ("train", "dev", "unseen"),
    [
        ("B-LOC O O", "B-LOC I-LOC I-LOC", ""),  # a longer span of a type
        ("B-LOC O O", "B-LOC O B-PER", "S-PER"),
        ("B-LOC I-LOC O", "I-PER I-PER I-LOC", "B-PER, E-PER"),
        ("DT NN VB", "DT NN JJ", "JJ"),
    ],
)
def test_dev_tags_that_training_has_not_are_errors(
    train, dev, unseen, tokenizer
):
    tagging = task(sentence("it it it", train), sentence("it it it", dev))
    notes = tagging.splits.notes
    if not unseen:
        assert notes == ()
        return
    assert notes == (
        f"dev has tags that training has not, {unseen}: they count as errors",
    )
    encoded = tagging.encode(tokenizer, tagging.splits.dev["dev"], 16)
    # All else right, with one of the known tags where none can be right.
    gold = tagging._learned(dev.split())
    known = [
        tag if tag in tagging.labels else tagging.labels[0] for tag in gold
    ]
    outputs = np.zeros((1, 5, len(tagging.labels)))
    for place, tag in enumerate(known, 1):
        outputs[0, place, tagging.labels.index(tag)] = 1
    metrics = tagging.evaluate(encoded, outputs).metrics
    wrong = sum(tag not in tagging.labels for tag in gold)
    assert metrics["accuracy"] == pytest.approx(100 * (3 - wrong) / 3)
    assert metrics.get("f1", 0) < 100


def test_the_official_formats(task_files):
    for name, column in (("train.txt", 2), ("eng.train", 3)):
        found = read_conll(str(task_files / name))
        expected = grammar.tagged(12)
        assert len(found) == 12
        for read, rows in zip(found, expected, strict=True):
            assert read.words == tuple(row[0] for row in rows)
            assert read.tags == tuple(row[column] for row in rows)
    assert len(read_conll(str(task_files / "wnut17train.conll"))) == 12


def test_one_tag_is_none_to_learn():
    with pytest.raises(InputError, match="two tags or more"):
        task(sentence("a b", "O O"))

"""Learning and keeping vocabularies."""

import functools
import hashlib
import os
import subprocess
import sys
from collections import Counter

import bert_reference as reference
import pytest
import tensorflow as tf

from electra_tf.data.text import embedded_corpus_path
from electra_tf.data.tokenizers import Tokenizer, WordPieceTokenizer
from electra_tf.data.tokenizers.learning import (
    count_words,
    learn_wordpiece,
    measure_coverage,
)
from electra_tf.data.tokenizers.vocab_file import load_vocab
from electra_tf.errors import InputError

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def learned(*arguments) -> list[str]:
    return list(WordPieceTokenizer.learn(*arguments)[0].vocab)


@pytest.fixture(scope="module")
def lines() -> list[str]:
    with open(embedded_corpus_path(), encoding="utf-8") as f:
        return f.read().splitlines()[::40]


@pytest.fixture(scope="module")
def words(lines) -> Counter[str]:
    return count_words(lines)


@pytest.fixture(scope="module")
def learn(words):
    """size -> the vocabulary of the embedded lines, learnt once."""
    return functools.cache(lambda size: learn_wordpiece(words, size))


@pytest.mark.parametrize(
    ("lower", "strip", "borders"),
    [
        (True, None, "bert"),
        (True, False, "punctuation"),
        (False, False, "spaces"),
    ],
)
def test_words_are_those_of_the_reference(lines, lower, strip, borders):
    texts = [
        *lines[::5],
        "Ａé ガラス東京\u200b x\u2028y a_b №5 ½…",
        "",
        "ß" * 300,
    ]
    accents = lower if strip is None else strip
    expected = Counter(
        word
        for t in texts
        for word in reference.words(t, lower, accents, borders)
    )
    assert count_words(texts, lower, strip, borders) == expected


@pytest.mark.parametrize("size", [60, 300, 1000, 2000])
def test_size_is_met(learn, size):
    vocab = learn(size)
    assert len(vocab) == size
    assert vocab[:5] == SPECIALS
    assert len(set(vocab)) == size


def test_letters_are_kept_in_both_forms(learn):
    letters = set("abcdefghijklmnopqrstuvwxyz0123456789")
    for size in (300, 1000):
        assert letters | {"##" + c for c in letters} <= set(learn(size))


def test_pieces_are_the_frequent_ones(words, learn):
    vocab = learn(1000)
    assert {"the", "america", "congress", "##ing", "##s"} <= set(vocab)
    fit = measure_coverage(Tokenizer(vocab), words)
    assert fit.num_words == words.total()
    assert fit.num_unknown / fit.num_words < 0.001
    larger = measure_coverage(Tokenizer(learn(2000)), words)
    assert 1 <= larger.num_pieces / larger.num_words
    assert larger.num_pieces < 0.95 * fit.num_pieces


def test_no_piece_is_beyond_use(learn):
    for piece in learn(1000)[5:]:
        plain = piece.removeprefix("##")
        assert reference.words(plain) == [plain]
        if piece.startswith("##"):
            assert reference.words("a" + plain) == ["a" + plain]


def test_little_text_gives_a_shorter_vocabulary():
    lines = ["aa ab!", "aa"] * 3
    vocab = learned(lines, 100)
    assert vocab[:8] == [*SPECIALS, "!", "a", "b"]
    assert set(vocab[8:]) == {"##a", "##b", "aa", "ab"}


def test_other_scripts_and_switches():
    lines = [
        "ガラスの家 東京です。",
        "한국어 문장",
        "जल जीवन",
        "العَرَبِيَّة لغة",
        "Éa É",
    ] * 9
    vocab = learned(lines, 200, False)
    assert {"É", "ガ", "東", "京"} <= set(vocab)
    assert "##東" not in vocab
    stripped = learned(lines, 200, True, True)
    assert "ガ" not in stripped
    assert "カ" in stripped
    for made, lower in ((vocab, False), (stripped, True)):
        tokenizer = Tokenizer(made, lower)
        ids = tokenizer.tokenize(tf.constant(lines)).flat_values
        assert not tf.reduce_any(ids == tokenizer.unk_id)


def test_rare_characters_do_not_crowd_out():
    rare = [chr(c) for c in range(0x0530, 0x0580)]
    words = Counter(common=400_000, words=400_000, **dict.fromkeys(rare, 1))
    vocab = learn_wordpiece(words, 100)
    assert {"common", "words"} <= set(vocab)
    assert not set(rare) & set(vocab)


@pytest.mark.slow
def test_other_process_and_hash_seed_give_the_same(words, learn):
    script = (
        "import hashlib, sys\n"
        "from electra_tf.data.tokenizers.learning import learn_wordpiece\n"
        "words = dict(line.split() for line in sys.stdin)\n"
        "words = {w: int(n) for w, n in words.items()}\n"
        "vocab = learn_wordpiece(words, 300)\n"
        "print(hashlib.sha256(repr(vocab).encode()).hexdigest())"
    )
    text = "\n".join(f"{w} {n}" for w, n in reversed(words.items()))
    run = subprocess.run(
        [sys.executable, "-c", script],
        input=text.encode(),
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONHASHSEED": "5", "PYTHONUTF8": "1"},
        check=True,
    )
    expected = repr(learn(300)).encode()
    digest = run.stdout.decode().split()[-1]
    assert digest == hashlib.sha256(expected).hexdigest()


@pytest.mark.slow
@pytest.mark.parametrize("size", [2000, 4096, 8192])
def test_whole_embedded_corpus(size):
    with open(embedded_corpus_path(), encoding="utf-8") as f:
        vocab = learned(f, size)
    assert len(vocab) == size


def test_bad_requests_are_refused():
    with pytest.raises(InputError, match=r"at least 50; received 49"):
        learned(["a"], 49)
    with pytest.raises(InputError, match="received text without any"):
        learned(["", " \u200b"], 100)
    with pytest.raises(InputError, match="no word is spelt: raise it"):
        learned(["abcdefghijklmnopqrstuvwxyz"], 50)


def test_file_round_trip():
    pieces = [*SPECIALS, "é", "\u3000", "\u2028", "##x"]
    path = Tokenizer(pieces).save_pieces("ram://vocab_round_trip")
    assert load_vocab(path) == pieces
    assert tf.io.gfile.listdir("ram://vocab_round_trip") == ["vocab.txt"]


def test_files_of_other_systems(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_bytes("\r\n".join([*SPECIALS, "é"]).encode())
    assert load_vocab(str(path)) == [*SPECIALS, "é"]
    path.write_bytes(b"[PAD]\n\xe9\n")
    with pytest.raises(InputError, match="not at byte 6"):
        load_vocab(str(path))
    with pytest.raises(InputError, match="does not exist"):
        load_vocab(str(tmp_path / "other.txt"))

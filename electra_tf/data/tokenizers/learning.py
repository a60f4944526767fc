"""Learns a WordPiece vocabulary of text, with TF Text's learner."""

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow_text.tools.wordpiece_vocab import (
    wordpiece_tokenizer_learner_lib as learner,
)

from electra_tf.data.tokenizers import normalization
from electra_tf.data.tokenizers.tokenizer import Tokenizer
from electra_tf.data.tokenizers.vocab_file import SPECIAL_PIECES
from electra_tf.data.tokenizers.word_borders import BERT, SPACED
from electra_tf.data.tokenizers.word_splitter import NONE, WordSplitter
from electra_tf.errors import InputError

# What marks a piece that goes on with a word.
SUFFIX = "##"
MIN_VOCAB_SIZE = 50
_BATCH_LINES = 4096
# The learner's time and memory grow with the number of different words, and
# with the square of their lengths.
_MAX_WORDS = 200_000
_MAX_WORD_CHARS = 30
# Rarer characters are noise, of which each would take two pieces; and the
# alphabet, in its forms, takes half of the vocabulary at most.
_MIN_CHAR_FREQUENCY = 1e-6
_MAX_ALPHABET = 1 / 2
# A threshold that gives so much more than the size asked for is close enough.
_SLACK = 1.05
_SHOWN = 5  # of the longest pieces, and of the rarest


class Coverage(NamedTuple):
    """How a vocabulary fits words, counted as often as they occur.

    Attributes:
      num_words, num_unknown: words, and those of them with an [UNK].
      num_pieces: of all words together.
      counts: int64 [V], how often each piece is among these.
    """

    num_words: int
    num_unknown: int
    num_pieces: int
    counts: np.ndarray


def count_words(
    lines: Iterable[str],
    do_lower_case: bool = True,
    strip_accents: bool | None = None,
    word_borders: str = BERT,
    word_splitter: str = NONE,
    unicode_normalization: str | None = None,
) -> Counter[str]:
    """Counts the words of lines of text, as WordPiece would see them."""
    spaced = WordSplitter(word_splitter)
    if strip_accents is None:
        strip_accents = do_lower_case
    counts: Counter[str] = Counter()
    lines = iter(lines)
    while batch := list(itertools.islice(lines, _BATCH_LINES)):
        texts = normalization.normalize(
            spaced(tf.constant([line.encode("utf-8") for line in batch])),
            do_lower_case,
            strip_accents,
            unicode_normalization or normalization.NONE,
        )
        if word_borders != SPACED:
            is_bert = word_borders == BERT
            texts = normalization.split_words(texts, ideographs=is_bert)
        for text in texts.numpy():
            counts.update(text.decode("utf-8").split())
    return counts


def learn_wordpiece(
    words: Mapping[str, int],
    vocab_size: int,
    log: Callable[[str], None] | None = None,
) -> list[str]:
    """Learns a vocabulary of counted words.

    The learner takes a frequency threshold. One is searched that gives a few
    more pieces than asked for, of which the rarest are left out. Equal words
    give equal vocabularies.

    Args:
      words: the number of occurrences of each word (see `count_words`).
      vocab_size: the number of pieces, with the five special ones. Where the
        text has not as many, the result is shorter.
      log: is told of each threshold tried.

    Returns:
      the pieces: [PAD] [UNK] [CLS] [SEP] [MASK], then the characters in the
      order of their codes, then all others by falling frequency.

    Raises:
      InputError: no words, or a size too small.
    """
    if vocab_size < MIN_VOCAB_SIZE:
        raise InputError(
            f"vocab_size must be at least {MIN_VOCAB_SIZE}; received "
            f"{vocab_size}"
        )
    if not words:
        raise InputError(
            "a vocabulary must be learnt of words; received text without any"
        )
    alphabet = _alphabet(words, vocab_size * _MAX_ALPHABET)
    counts = _training_words(words, alphabet)
    if not counts:
        raise InputError(
            "vocab_size must leave room for the text's characters; received "
            f"{vocab_size}, with which no word is spelt: raise it"
        )
    pieces = _search_threshold(counts, vocab_size, log)
    return _cut(pieces, alphabet, vocab_size)


def measure_coverage(
    tokenizer: Tokenizer, words: Mapping[str, int]
) -> Coverage:
    """Counts the [UNK]s and the pieces that words (normalised) become."""
    ids = tokenizer.tokenize(tf.constant([w.encode("utf-8") for w in words]))
    counts = np.fromiter(words.values(), np.int64, len(words))
    is_unknown = tf.reduce_any(ids == tokenizer.unk_id, axis=1).numpy()
    of_pieces = np.zeros(tokenizer.vocab_size, np.int64)
    np.add.at(of_pieces, ids.values, counts[ids.value_rowids().numpy()])
    return Coverage(
        num_words=int(counts.sum()),
        num_unknown=int(counts[is_unknown].sum()),
        num_pieces=int((counts * ids.row_lengths().numpy()).sum()),
        counts=of_pieces,
    )


def describe_fit(tokenizer: Tokenizer, words: Mapping[str, int]) -> str:
    """How a vocabulary fits the words of its text, and its odd pieces."""
    fit = measure_coverage(tokenizer, words)
    unknown = fit.counts[tokenizer.unk_id] / fit.num_pieces
    usual = np.ones(tokenizer.vocab_size, bool)
    usual[list(tokenizer.special_ids)] = False
    numbers = np.flatnonzero(usual)
    lengths = np.array([len(piece) for piece in tokenizer.vocab])
    named = [
        " ".join(tokenizer.vocab[i] for i in numbers[order][:_SHOWN])
        for order in (
            np.argsort(-lengths[numbers], kind="stable"),
            np.argsort(fit.counts[numbers], kind="stable"),
        )
    ]
    return (
        f"{tokenizer.vocab_size} pieces; "
        f"{100 * (1 - fit.num_unknown / fit.num_words):.3f} % of the words "
        f"are covered, at {fit.num_pieces / fit.num_words:.3f} pieces a word, "
        f"{100 * unknown:.3f} % of them [UNK]; longest: {named[0]}; "
        f"rarest: {named[1]}"
    )


def _alphabet(words: Mapping[str, int], max_forms: float) -> set[str]:
    """The characters that become pieces, the frequent ones first."""
    counts: Counter[str] = Counter()
    for word, count in words.items():
        for char in word:
            counts[char] += count
    minimum = counts.total() * _MIN_CHAR_FREQUENCY
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    alone = _alone(counts)
    forms = np.cumsum([1 if char in alone else 2 for char, _ in ranked])
    fits = zip(ranked, forms <= max_forms, strict=True)
    return {char for (char, count), fit in fits if fit and count >= minimum}


def _alone(chars: Iterable[str]) -> set[str]:
    """Those that are words by themselves wherever they stand."""
    chars = sorted(chars)
    texts = normalization.split_words(tf.constant([f"a{c}" for c in chars]))
    split = zip(chars, texts.numpy(), strict=True)
    return {char for char, text in split if b" " in text}


def _training_words(
    words: Mapping[str, int], alphabet: set[str]
) -> list[tuple[str, int]]:
    """The most frequent words in the alphabet; over-long ones in parts."""
    counts: Counter[str] = Counter()
    for word, count in words.items():
        if alphabet.issuperset(word):
            for begin in range(0, len(word), _MAX_WORD_CHARS):
                counts[word[begin : begin + _MAX_WORD_CHARS]] += count
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ranked[:_MAX_WORDS]


def _search_threshold(
    counts: list[tuple[str, int]],
    vocab_size: int,
    log: Callable[[str], None] | None,
) -> list[str]:
    """The pieces at a threshold that gives just over vocab_size of them."""
    low, high = 1, 1 + max(count for _, count in counts)
    best = None
    while high - low > 1:
        middle = max(low + 1, math.isqrt(low * high))
        pieces = _learn(counts, middle)
        if log:
            log(f"frequency {middle} and above: {len(pieces)} pieces")
        if len(pieces) >= vocab_size:
            low, best = middle, pieces
            if len(pieces) <= vocab_size * _SLACK:
                break
        else:
            high = middle
    if best is None:
        best = _learn(counts, low)
    return best


def _learn(counts: list[tuple[str, int]], threshold: int) -> list[str]:
    """All pieces at a frequency threshold, but for those of no use."""
    parameters = learner.Params(
        upper_thresh=None,
        lower_thresh=None,
        num_iterations=4,
        max_input_tokens=-1,
        max_token_length=_MAX_WORD_CHARS,
        max_unique_chars=0,
        vocab_size=0,
        slack_ratio=0.0,
        include_joiner_token=True,
        joiner=SUFFIX,
        reserved_tokens=list(SPECIAL_PIECES),
    )
    pieces = learner.learn_with_thresh(counts, threshold, parameters)
    # The learner gives each character its form inside a word as well, which
    # characters that are words by themselves never have.
    chars = {char for word, _ in counts for char in word}
    useless = {SUFFIX + char for char in _alone(chars)}
    return [piece for piece in pieces if piece not in useless]


def _cut(pieces: list[str], alphabet: set[str], vocab_size: int) -> list[str]:
    """Leaves out the last pieces that are no single characters."""
    excess = len(pieces) - vocab_size
    kept = []
    for piece in reversed(pieces):
        is_char = piece.removeprefix(SUFFIX) in alphabet
        if excess > 0 and not is_char and piece not in SPECIAL_PIECES:
            excess -= 1
        else:
            kept.append(piece)
    return kept[::-1]
